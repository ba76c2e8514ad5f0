/** @file Branches and loops: taken or unrolled where it is known how they run, else ONNX's If and Loop. */
import { type Builder, type Node, Oriented, type Value } from "../../../graph/index.ts";
import { type Dimension, GraftError, numbersOf, type Shape } from "../../../tensor/index.ts";
import type { TfFunction } from "../graph-def.ts";
import { type Call, type Lower, type OperatorRows, orientedOf, type Slot } from "./call.ts";

/** Longer loops are not written out round by round. */
const mostRounds = 128;
/** Nor are loops of more nodes than this in all. */
const mostNodes = 20_000;
/** How often a loop's state may turn out to be of a more general shape than thought. */
const mostGuesses = 4;

/** Whether a slot is true, where that is known. */
function truth(call: Call, slot: Slot): boolean | undefined {
  const tensor =
    slot.kind === "weight"
      ? slot.weight.tensor
      : slot.kind === "tensor"
        ? call.build.constantOf(slot.data.native)
        : undefined;
  if (tensor === undefined || tensor.dtype === "string") return undefined;
  return numbersOf(tensor)[0] !== 0;
}

const branch: Lower = (call) => {
  const { build, context } = call;
  const inputs = call.inputs.slice(1);
  const known = truth(call, call.slot(0));
  const [yes, no] = [call.callee("then_branch"), call.callee("else_branch")];
  if (known !== undefined) return context.run(known ? yes : no, inputs, build);
  const [thenBranch, elseBranch] = [yes, no].map((called) => {
    const inside = context.inside();
    const values = context.run(called, inputs, inside).map((slot) => orientedOf({ build: inside }, slot).last());
    return inside.graph(ownOutputs(inside, values), called.name);
  });
  if (thenBranch === undefined || elseBranch === undefined) throw call.refused("a branch is missing");
  const condition = build.cast(call.value(0), "bool");
  const flag = condition.shape?.length === 0 ? condition : build.reshape(condition, []);
  return build.applyAll("If", [flag], thenBranch.outputs.length, { thenBranch, elseBranch }, call.name);
};

/** Outputs of a graph are computed in it, each by itself. */
function ownOutputs(build: Builder, values: readonly Value[]): readonly Value[] {
  const computed = new Set(build.nodes.flatMap((node: Node) => node.outputs));
  const taken = new Set<Value>();
  return values.map((value) => {
    const own = computed.has(value) && !taken.has(value) ? value : build.apply("Identity", [value], {}, value.name);
    taken.add(own);
    return own;
  });
}

const loop: Lower = (call) => unrolled(call) ?? rolled(call);

/** The state after all rounds, written out one after the other; `undefined` where it is not known when it ends. */
function unrolled(call: Call): readonly Slot[] | undefined {
  const { build, context } = call;
  const [condition, body] = [call.callee("cond"), call.callee("body")];
  const before = build.nodes.length;
  let state = call.inputs;
  for (let round = 0; round <= mostRounds && build.nodes.length - before <= mostNodes; round++) {
    const [test] = context.run(condition, state, build);
    const goesOn = test && truth(call, test);
    if (goesOn === undefined) return undefined;
    if (!goesOn) return state;
    state = context.run(body, state, build);
  }
  return undefined;
}

/** How a part of the loop's state goes through the body. */
type Role = "fixed" | "carried" | "gathered";

function rolesOf(call: Call, body: TfFunction): readonly Role[] {
  const byName = new Map(body.nodes.map((node) => [node.name, node]));
  const sourceOf = (reference: string): string => {
    let current = reference;
    for (let steps = 0; steps <= body.nodes.length; steps++) {
      const node = byName.get(current.replace(/:0$/, ""));
      const [input] = node?.inputs ?? [];
      if (node?.op !== "Identity" || input === undefined) break;
      current = input;
    }
    return current.replace(/:0$/, "");
  };
  return call.inputs.map((slot, index) => {
    const output = body.outputs[index];
    if (output !== undefined && sourceOf(output) === body.inputs[index]?.ref.replace(/:0$/, "")) return "fixed";
    return slot.kind === "list" && slot.stacked === undefined ? "gathered" : "carried";
  });
}

/** ONNX's Loop: fixed state is read from outside, carried state goes round, lists that are filled in order are gathered. */
function rolled(call: Call): readonly Slot[] {
  const { build, context } = call;
  const [condition, body] = [call.callee("cond"), call.callee("body")];
  const roles = rolesOf(call, body);
  const indices = [...roles.keys()];
  const carried = indices.filter((index) => roles[index] === "carried");
  const gathered = indices.filter((index) => roles[index] === "gathered");
  const initial = carried.map((index) => initialValue(call, call.slot(index)));
  const [test] = context.run(condition, call.inputs, build);
  if (test === undefined) throw call.refused("the condition of a loop gives nothing");
  let shapes: readonly (Shape | undefined)[] = initial.map(({ shape }) => shape);
  for (let guess = 0; guess < mostGuesses; guess++) {
    const inside = context.inside();
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
    const after = context.run(body, state, inside);
    const results = carried.map((index) => initialValue({ build: inside }, slotAt(after, index)));
    const rows = gathered.map((index) =>
      addedElement(call, slotAt(after, index), initial, own, results, carried, inside),
    );
    const [goesOn] = context.run(condition, after, inside);
    if (goesOn === undefined) throw call.refused("the condition of a loop gives nothing");
    const general = shapes.map((shape, place) => merged(shape, results[place]?.shape));
    const isStable = general.every((shape, place) => isSame(shape, shapes[place]));
    if (isStable) {
      const flag = scalarFlag(inside, orientedOf({ build: inside }, goesOn).last());
      const outputs = ownOutputs(inside, [flag, ...results, ...rows]);
      const inputs = [undefined, scalarFlag(build, orientedOf(call, test).last()), ...initial];
      const values = build.applyAll(
        "Loop",
        inputs,
        outputs.length - 1,
        { body: inside.graph(outputs, body.name) },
        call.name,
      );
      return call.inputs.map((slot, index): Slot => {
        if (roles[index] === "fixed") return slot;
        const isGathered = roles[index] === "gathered";
        const value = values[isGathered ? carried.length + gathered.indexOf(index) : carried.indexOf(index)];
        if (value === undefined) throw call.refused("a loop gives less than its state");
        if (slot.kind === "list") return { ...slot, elements: undefined, stacked: value };
        return { kind: "tensor", data: Oriented.last(build, value) };
      });
    }
    shapes = general;
  }
  throw call.refused("the shapes of a loop's state do not settle");
}

function slotAt(slots: readonly Slot[], index: number): Slot {
  const slot = slots[index];
  if (slot !== undefined) return slot;
  throw new GraftError("model-invalid", "a loop's body gives less than its state");
}

/** A carried part of the state as the one tensor that goes round. */
function initialValue(call: Pick<Call, "build">, slot: Slot): Value {
  if (slot.kind === "list" && slot.stacked !== undefined) return slot.stacked;
  return orientedOf(call, slot).last();
}

/**
 * The element that a round adds to a list that is filled from the front: at the place that a counter says, which starts at
 * 0 and grows by one.
 */
function addedElement(
  call: Call,
  slot: Slot,
  initial: readonly Value[],
  own: readonly Value[],
  results: readonly Value[],
  carried: readonly number[],
  inside: Builder,
): Value {
  const added = slot.kind === "list" ? slot.added : undefined;
  const at = added?.at.kind === "tensor" ? added.at.data.native : undefined;
  const place = at === undefined ? -1 : own.indexOf(at);
  const start = initial[place];
  const next = results[place];
  const step = inside.nodes.find((node) => next !== undefined && node.outputs.includes(next));
  const one = step?.operator === "Add" && step.inputs[0] === at ? step.inputs[1] : undefined;
  const numberOf = (value: Value | undefined) => {
    const tensor = inside.constantOf(value);
    return tensor === undefined || tensor.dtype === "string" ? undefined : numbersOf(tensor)[0];
  };
  if (added === undefined || numberOf(start) !== 0 || numberOf(one) !== 1 || carried.length === 0) {
    throw call.refused("a loop fills a list in another order than from its front");
  }
  return added.element;
}

function scalarFlag(build: Builder, value: Value): Value {
  const flag = build.cast(value, "bool");
  return flag.shape?.length === 0 ? flag : build.reshape(flag, []);
}

function merged(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  return a.map((size, axis): Dimension => (size === b[axis] ? size : null));
}

function isSame(a: Shape | undefined, b: Shape | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

export const controlRows: OperatorRows = [
  ["If", branch],
  ["StatelessIf", branch],
  ["StatelessWhile", loop],
  ["While", loop],
];
