/** @file Splitting a model at the frozen frontier: what is computed once a picture, and what every step goes through. */
import {
  type Builder,
  definitionsOf,
  findValue,
  type Graph,
  type Node,
  producersOf,
  schemaOf,
  usesOf,
  type Value,
} from "../graph/index.ts";
import { cutAfter, cutBefore, foldConstants, removeDeadNodes } from "../passes/index.ts";
import { inferShapes, newBuilder } from "../shapes/index.ts";
import { type DType, elementCount, GraftError, isStatic } from "../tensor/index.ts";

export interface SplitOptions {
  /** The names of the initializers to train. */
  readonly trainable: readonly string[];
  /** The first outputs of the nodes that behave otherwise in training. */
  readonly trainingNodes: ReadonlySet<string>;
  /** The shape of one input, without the batch. */
  readonly example: readonly number[];
  /** How many examples go through at once. */
  readonly batch: number;
}

/** A graph in two parts, with a fixed batch. The output of the first is the only input of the second. */
export interface SplitGraph {
  /** From the input to the frontier, float32 `[batch, …]`. Nothing in it is trained or drawn at random. */
  readonly frozen: Graph;
  /** From the frontier to the output. */
  readonly trained: Graph;
  /** The shape of the frontier for one example. */
  readonly shape: readonly number[];
  /** Whether the frozen part is worth remembering: it has weights to multiply with. */
  readonly isCostly: boolean;
}

/**
 * Splits a graph of one input before everything that depends on a trained value or is drawn at random. Where several
 * values cross the frontier (a shortcut around the first trained layer), they travel as one, side by side.
 *
 * @throws GraftError `usage` where nothing is trained, or examples do not lie along the first axis of what crosses
 */
export function splitAtFrontier(graph: Graph, { trainable, trainingNodes, example, batch }: SplitOptions): SplitGraph {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) {
    throw new GraftError("usage", "a model to be trained takes pixels and nothing else", {
      path: [`graph "${graph.name}"`],
      actual: `${graph.inputs.length} inputs`,
    });
  }
  const fixed = inferShapes(removeDeadNodes(graph), { inputs: { [input.name]: [batch, ...example] } });
  const present = new Set([...fixed.initializers.keys(), ...fixed.nodes.flatMap(definitionsOf)]);
  const wanted = new Set([...trainable, ...trainingNodes]);
  const keep = [...present].filter((value) => wanted.has(value.name));
  const folded = inferShapes(foldConstants(fixed, { keep }));
  const trained = new Set(trainable.map((name) => findValue(folded, name)));
  const crossing = frontierOf(folded, trained, trainingNodes, batch);
  const frozen = cutAfter(folded, crossing);
  const rest = cutBefore(folded, crossing);
  const packed = pack(frozen, rest, crossing, batch);
  return { ...packed, isCostly: frozen.nodes.some(isCostly) };
}

/** What the trained part reads of the frozen part, in the order of the graph. */
function frontierOf(
  graph: Graph,
  trained: ReadonlySet<Value>,
  trainingNodes: ReadonlySet<string>,
  batch: number,
): readonly Value[] {
  const producers = producersOf(graph);
  const fromInput = new Set<Value>(graph.inputs);
  const moving = new Set<Value>(trained);
  const inTraining: Node[] = [];
  for (const node of graph.nodes) {
    const uses = usesOf(node);
    const outputs = definitionsOf(node);
    if (uses.some((use) => fromInput.has(use))) for (const output of outputs) fromInput.add(output);
    const isMoving =
      uses.some((use) => moving.has(use)) || outputs.some(({ name }) => trainingNodes.has(name)) || isRandom(node);
    if (!isMoving) continue;
    inTraining.push(node);
    for (const output of outputs) moving.add(output);
  }
  if (!graph.outputs.some((output) => moving.has(output))) {
    throw new GraftError("usage", "nothing that is to be trained reaches the output", {
      path: [`graph "${graph.name}"`],
      hint: "make a layer before the output trainable",
    });
  }
  // What cannot cross, a shape or a mask of an odd type, is computed again in the trained part.
  const pulled = new Set<Node>(inTraining);
  const waiting = [...inTraining.flatMap(usesOf), ...graph.outputs.filter((output) => !moving.has(output))];
  const crossing = new Set<Value>();
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (moving.has(value) || !fromInput.has(value)) continue;
    const producer = producers.get(value);
    if (producer === undefined || canCross(value, batch)) crossing.add(value);
    else if (!pulled.has(producer)) {
      pulled.add(producer);
      waiting.push(...usesOf(producer));
    }
  }
  const order = [...graph.inputs, ...graph.nodes.flatMap(definitionsOf)];
  return order.filter((value) => crossing.has(value));
}

/** Whether a value holds examples along its first axis, in a type of which float32 holds every number. */
function canCross({ dtype, shape }: Value, batch: number): boolean {
  const exact: readonly (DType | undefined)[] = ["float32", "float16", "bfloat16", "uint8", "int8", "uint16", "int16"];
  return exact.includes(dtype) && isStatic(shape) && shape[0] === batch;
}

function pack(
  frozen: Graph,
  rest: Graph,
  crossing: readonly Value[],
  batch: number,
): Pick<SplitGraph, "frozen" | "trained" | "shape"> {
  const [only] = crossing;
  const sizes = crossing.map((value) => sizeOf(value, batch));
  if (crossing.length === 1 && only?.dtype === "float32" && frozen.nodes.length > 0) {
    return { frozen, trained: rest, shape: (only.shape ?? []).slice(1).map(Number) };
  }
  const before = newBuilder(frozen);
  const flat = crossing.map((value) => before.reshape(before.cast(value, "float32"), [batch, -1]));
  const joined = flat.length === 1 ? flat[0] : before.concat(flat, 1);
  const output = before.apply("Identity", [joined], {}, "frontier");
  const width = sizes.reduce((sum, size) => sum + size, 0);

  const after = newBuilder({ ...rest, inputs: [], nodes: [] });
  after.reserve(rest.nodes.flatMap(definitionsOf).map(({ name }) => name));
  after.reserve(crossing.map(({ name }) => name));
  const packed = after.input("frontier", "float32", [batch, width]);
  let from = 0;
  for (const [index, value] of crossing.entries()) {
    const to = from + (sizes[index] ?? 0);
    const part = crossing.length === 1 ? packed : after.slice(packed, [from], [to], [1]);
    define(after, value, part);
    from = to;
  }
  for (const node of rest.nodes) after.adopt(node);
  return { frozen: before.graph([output]), trained: after.graph(rest.outputs), shape: [width] };
}

/** Gives the value back its shape and type. */
function define(build: Builder, value: Value, flat: Value): void {
  const shaped = build.reshape(flat, (value.shape ?? []).map(Number));
  if (value.dtype === "float32" || value.dtype === undefined) build.define(value, "Identity", [shaped]);
  else build.define(value, "Cast", [shaped], { to: value.dtype });
}

function sizeOf(value: Value, batch: number): number {
  if (isStatic(value.shape) && value.shape[0] === batch) return elementCount(value.shape.slice(1));
  throw new GraftError("usage", "the model cannot be cut before what is trained", {
    path: [`value "${value.name}"`],
    expected: "known sizes, examples along the first axis",
  });
}

function isRandom(node: Node): boolean {
  if (node.kind === "foreign" || node.operator === "Dropout") return false;
  return "seed" in schemaOf(node.operator).attributes;
}

function isCostly({ kind, operator }: Node): boolean {
  const cheap: readonly string[] = ["Cast", "Transpose", "Mul", "Add", "Sub", "Div", "Gather", "Reshape", "Identity"];
  return kind === "foreign" || !cheap.includes(operator);
}
