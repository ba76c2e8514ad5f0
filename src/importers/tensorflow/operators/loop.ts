/** @file ONNX's Loop: fixed state is read from outside, carried state goes round, and lists that rounds fill are gathered. */
import { type Builder, type Node, Oriented, type Value } from "../../../graph/index.ts";
import { type Dimension, GraftError, numbersOf, type Shape, type Tensor, tensorOf } from "../../../tensor/index.ts";
import type { TfFunction } from "../graph-def.ts";
import { type Call, orientedOf, type Slot, type TensorList } from "./call.ts";

/** How often a loop's state may turn out to be of a more general shape than thought. */
const mostGuesses = 4;

/** How a part of the loop's state goes through the body. */
type Role = "fixed" | "carried" | "filled";

/** What is the same in every guess at the shapes. */
interface Plan {
  readonly call: Call;
  readonly condition: TfFunction;
  readonly body: TfFunction;
  readonly roles: readonly Role[];
  /** The places of the carried parts in the state, and their first values. */
  readonly carried: readonly number[];
  readonly initial: readonly Value[];
  readonly filled: readonly number[];
}

/** One lowering of the body. */
interface Round {
  readonly inside: Builder;
  /** The carried parts as the body takes and leaves them. */
  readonly own: readonly Value[];
  readonly results: readonly Value[];
  readonly goesOn: Value;
  readonly elements: readonly Filled[];
}

/** The element that a round sets in a list: the next one, or always the one at a place. */
interface Filled {
  readonly index: number;
  readonly element: Value;
  readonly place: number | "next";
}

/** The state after the loop. */
export function rolledLoop(call: Call): readonly Slot[] {
  const plan = planOf(call);
  const [test] = call.context.run(plan.condition, call.inputs, call.build);
  if (test === undefined) throw call.refused("the condition of a loop gives nothing");
  const first = scalarFlag(call.build, orientedOf(call, test).last());
  let shapes: readonly (Shape | undefined)[] = plan.initial.map(({ shape }) => shape);
  for (let guess = 0; guess < mostGuesses; guess++) {
    const round = roundOf(plan, shapes);
    const general = shapes.map((shape, place) => merged(shape, round.results[place]?.shape));
    if (general.every((shape, place) => isSame(shape, shapes[place]))) return finished(plan, round, first);
    shapes = general;
  }
  throw call.refused("the shapes of a loop's state do not settle");
}

function planOf(call: Call): Plan {
  const body = call.callee("body");
  const roles = rolesOf(call, body);
  const carried = [...roles.keys()].filter((index) => roles[index] === "carried");
  return {
    call,
    condition: call.callee("cond"),
    body,
    roles,
    carried,
    initial: carried.map((index) => carriedValue(call, call.slot(index))),
    filled: [...roles.keys()].filter((index) => roles[index] === "filled"),
  };
}

function rolesOf(call: Call, body: TfFunction): readonly Role[] {
  const byName = new Map(body.nodes.map((node) => [node.name, node]));
  const sourceOf = (reference: string): string => {
    let current = reference.replace(/:0$/, "");
    for (let steps = 0; steps <= body.nodes.length; steps++) {
      const node = byName.get(current);
      const [input] = node?.inputs ?? [];
      if (node?.op !== "Identity" || input === undefined) break;
      current = input.replace(/:0$/, "");
    }
    return current;
  };
  return call.inputs.map((slot, index) => {
    const output = body.outputs[index];
    if (output !== undefined && sourceOf(output) === body.inputs[index]?.ref.replace(/:0$/, "")) return "fixed";
    return slot.kind === "list" && slot.stacked === undefined ? "filled" : "carried";
  });
}

function roundOf(plan: Plan, shapes: readonly (Shape | undefined)[]): Round {
  const { call, body, carried, initial, roles } = plan;
  const inside = call.context.inside();
  inside.input(`${call.name}/iteration`, "int64", []);
  inside.input(`${call.name}/goes_on`, "bool", []);
  const own = carried.map((index, place) =>
    inside.input(body.inputs[index]?.name ?? `state_${index}`, initial[place]?.dtype, shapes[place]),
  );
  const state = call.inputs.map((slot, index): Slot => {
    const value = own[carried.indexOf(index)];
    if (roles[index] === "fixed") return slot;
    if (slot.kind === "list") return { ...slot, elements: undefined, stacked: value };
    return value === undefined ? slot : { kind: "tensor", data: Oriented.last(inside, value) };
  });
  const after = call.context.run(body, state, inside);
  const [goesOn] = call.context.run(plan.condition, after, inside);
  if (goesOn === undefined) throw call.refused("the condition of a loop gives nothing");
  const results = carried.map((index) => carriedValue({ build: inside }, slotAt(after, index)));
  const elements = plan.filled.map((index) => filledBy(plan, { inside, own, results }, index, slotAt(after, index)));
  return { inside, own, results, goesOn: scalarFlag(inside, orientedOf({ build: inside }, goesOn).last()), elements };
}

/** The element that a round sets in a list, at a place that is known or that counts the rounds from 0. */
function filledBy(
  { call, initial }: Plan,
  { inside, own, results }: Pick<Round, "inside" | "own" | "results">,
  index: number,
  slot: Slot,
): Filled {
  const added = slot.kind === "list" ? slot.added : undefined;
  if (added === undefined) throw call.refused("a loop changes a list otherwise than by setting an element");
  const { at, element } = added;
  const fixed = at.kind === "weight" ? first(at.weight.tensor) : numberOf(inside, nativeOf(at));
  if (fixed !== undefined) return { index, element, place: fixed };
  const counter = nativeOf(at);
  const place = counter === undefined ? -1 : own.indexOf(counter);
  const next = results[place];
  const step = next && inside.nodes.find((node) => node.outputs.includes(next));
  const one = step?.operator === "Add" && step.inputs[0] === counter ? step.inputs[1] : undefined;
  if (numberOf(inside, initial[place]) === 0 && numberOf(inside, one) === 1) return { index, element, place: "next" };
  throw call.refused("a loop fills a list in another order than from its front");
}

function finished(plan: Plan, round: Round, first: Value): readonly Slot[] {
  const { call, body, roles, carried, filled, initial } = plan;
  const { build } = call;
  const { inside, results, elements, goesOn } = round;
  // What is set at a fixed place goes round, although no round reads it.
  const kept = elements.filter(({ place }) => place !== "next");
  const rows = elements.filter(({ place }) => place === "next");
  const before = kept.map((each) => elementBefore(plan, each, initial[results.indexOf(each.element)]));
  for (const { element } of kept) inside.input(`${element.name}/before`, element.dtype, element.shape);
  const outputs = ownOutputs(inside, [goesOn, ...results, ...kept.map(elementOf), ...rows.map(elementOf)]);
  const inputs = [undefined, first, ...initial, ...before];
  const attributes = { body: inside.graph(outputs, body.name) };
  const values = build.applyAll("Loop", inputs, outputs.length - 1, attributes, call.name);
  const order = [...carried, ...[...kept, ...rows].map(({ index }) => index)];
  return call.inputs.map((slot, index): Slot => {
    if (roles[index] === "fixed") return slot;
    const value = values[order.indexOf(index)];
    if (value === undefined) throw call.refused("a loop gives less than its state");
    if (slot.kind !== "list") return { kind: "tensor", data: Oriented.last(build, value) };
    const { place } = elements[filled.indexOf(index)] ?? {};
    if (typeof place !== "number") return { ...slot, elements: undefined, stacked: value };
    return { ...slot, elements: (slot.elements ?? []).toSpliced(place, 1, value) };
  });
}

const elementOf = ({ element }: Filled): Value => element;

/**
 * What a list holds at a place before the loop: zeros, where nothing was set.
 * @param alike - what that part of the state was at first that a round sets to the same as the element, where there is one
 */
function elementBefore({ call, initial }: Plan, { index, element, place }: Filled, alike: Value | undefined): Value {
  const slot = call.slot(index);
  const list: TensorList | undefined = slot.kind === "list" ? slot : undefined;
  const known = typeof place === "number" ? list?.elements?.[place] : undefined;
  if (known !== undefined) return known;
  const { shape, dtype } = element;
  if (list?.elements === undefined || shape === undefined || dtype === undefined || dtype === "string") {
    throw call.refused("the shape of a list's elements must be known");
  }
  const { build } = call;
  const sizes = shape.map((size, axis) => {
    if (typeof size === "number") return build.ints([size]);
    return alike === undefined ? sizeCalled(call, size, initial) : build.sizeOf(alike, axis);
  });
  const target = sizes.length === 0 ? build.ints([]) : build.concat(sizes, 0);
  return build.apply("ConstantOfShape", [target], { value: tensorOf(dtype, [1], [0]) });
}

/** A size by its name, from what has it. */
function sizeCalled(call: Call, name: string | null, values: readonly Value[]): Value {
  for (const value of values) {
    const axis = value.shape?.findIndex((size) => size !== null && size === name) ?? -1;
    if (axis >= 0) return call.build.sizeOf(value, axis);
  }
  throw call.refused("the shape of a list's elements must be known");
}

/** Outputs of a graph are computed in it, each by itself. */
export function ownOutputs(build: Builder, values: readonly Value[]): readonly Value[] {
  const computed = new Set(build.nodes.flatMap((node: Node) => node.outputs));
  const taken = new Set<Value>();
  return values.map((value) => {
    const own = computed.has(value) && !taken.has(value) ? value : build.apply("Identity", [value], {}, value.name);
    taken.add(own);
    return own;
  });
}

function slotAt(slots: readonly Slot[], index: number): Slot {
  const slot = slots[index];
  if (slot !== undefined) return slot;
  throw new GraftError("model-invalid", "a loop's body gives less than its state");
}

/** A carried part of the state as the one tensor that goes round. */
function carriedValue(call: Pick<Call, "build">, slot: Slot): Value {
  if (slot.kind === "list" && slot.stacked !== undefined) return slot.stacked;
  return orientedOf(call, slot).last();
}

function nativeOf(slot: Slot): Value | undefined {
  return slot.kind === "tensor" ? slot.data.native : undefined;
}

function first(tensor: Tensor): number | undefined {
  return tensor.dtype === "string" ? undefined : numbersOf(tensor)[0];
}

function numberOf(build: Builder, value: Value | undefined): number | undefined {
  const tensor = build.constantOf(value);
  return tensor && first(tensor);
}

function scalarFlag(build: Builder, value: Value): Value {
  const flag = build.cast(value, "bool");
  return flag.shape?.length === 0 ? flag : build.reshape(flag, []);
}

/** What holds of a shape that is one or the other. */
function merged(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  return a.map((size, axis): Dimension => (size === b[axis] ? size : null));
}

function isSame(a: Shape | undefined, b: Shape | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
