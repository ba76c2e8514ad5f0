/** @file What a model would ask of the machine that runs it: small files can want gigabytes, or never end. */
import {
  describeNode,
  type Graph,
  type Node,
  type OperatorNode,
  producersOf,
  subgraphsOf,
  usesOf,
  type Value,
} from "../graph/index.ts";
import {
  byteLength,
  type DType,
  GraftError,
  isReadable,
  isStatic,
  numbersOf,
  showShape,
  type Tensor,
} from "../tensor/index.ts";

export interface ResourceLimits {
  /** Bytes of any one tensor. */
  readonly tensorBytes: number;
  /** How often a loop's body may run, times that of the loops around it. */
  readonly iterations: number;
}

export const resourceLimits: ResourceLimits = { tensorBytes: 2 ** 30, iterations: 10_000_000 };

/**
 * Throws "model-refused" when a tensor of a declared shape, or one made from constants (ConstantOfShape, Expand, Tile,
 * Range, Pad, Resize and the like), passes the limit, or when a loop cannot end or runs too often. Only constants and
 * the shapes values carry are looked at: after shape inference has filled those in, the same check sees further.
 */
export function checkResources({ graph }: { readonly graph: Graph }, limits: Partial<ResourceLimits> = {}): void {
  checkGraph(graph, { ...resourceLimits, ...limits }, new Map(), 1);
}

type Constants = Map<Value, Tensor>;

function checkGraph(graph: Graph, limits: ResourceLimits, constants: Constants, repeats: number): void {
  const inputs = new Set(graph.inputs);
  for (const [value, tensor] of graph.initializers) if (!inputs.has(value)) constants.set(value, tensor);
  for (const input of graph.inputs) checkSize(input.dtype, input.shape, limits, `input "${input.name}"`, 1);
  for (const node of graph.nodes) {
    const place = describeNode(node);
    for (const output of node.outputs) checkSize(output?.dtype, output?.shape, limits, place, 1);
    const made = sizesMade(node, constants);
    if (made !== undefined) checkSize(node.outputs[0]?.dtype ?? "uint8", made, limits, place, 1);
    const inner = subgraphsOf(node);
    if (inner.length === 0) continue;
    const times = repeats * iterationsOf(node, constants, place);
    if (times > limits.iterations) {
      throw refused(place, "the loop runs too often", `at most ${limits.iterations} times`, `${times}`);
    }
    if (node.kind === "operator" && node.operator === "Loop") checkCollected(node, times / repeats, limits, place);
    for (const subgraph of inner) checkGraph(subgraph, limits, constants, times);
  }
}

/** What a loop collects is as long as it runs. */
function checkCollected(node: OperatorNode<"Loop">, times: number, limits: ResourceLimits, place: string): void {
  const carried = Math.max(0, node.inputs.length - 2);
  for (const output of node.attributes.body.outputs.slice(1 + carried)) {
    checkSize(output.dtype, output.shape, limits, place, times);
  }
}

function checkSize(
  dtype: DType | undefined,
  shape: Value["shape"],
  { tensorBytes }: ResourceLimits,
  place: string,
  times: number,
): void {
  if (!isStatic(shape) || shape.includes(0)) return;
  const count = shape.reduce((product, size) => product * size, times);
  const bytes = dtype === undefined || dtype === "string" ? count : byteLength(dtype, count);
  if (bytes <= tensorBytes) return;
  throw refused(
    place,
    "a tensor is too large",
    `at most ${tensorBytes} bytes`,
    `${bytes} bytes for ${showShape(shape)}`,
  );
}

/** The sizes of what a node makes, where constants tell; unknown factors count as 1. */
function sizesMade(node: Node, constants: Constants): readonly number[] | undefined {
  const numbers = (index: number) => {
    const value = node.inputs[index];
    return sizesIn(value && constants.get(value));
  };
  const known = (node.inputs[0]?.shape ?? []).map((size) => (typeof size === "number" ? size : 1));
  if (node.kind === "foreign") return sizesOfForeign(node.attributes);
  switch (node.operator) {
    case "ConstantOfShape":
      return numbers(0);
    case "AffineGrid":
      return numbers(1);
    case "MaxUnpool":
      return numbers(2);
    case "Expand": {
      const target = numbers(1);
      return target?.map((size, axis) => Math.max(size, known[axis - target.length + known.length] ?? 1));
    }
    case "Tile":
      return numbers(1)?.map((repeat, axis) => repeat * (known[axis] ?? 1));
    case "Range": {
      const [start, end, step] = [numbers(0)?.[0], numbers(1)?.[0], numbers(2)?.[0]];
      if (start === undefined || end === undefined || step === undefined) return undefined;
      return [Math.max(0, Math.ceil((end - start) / step))];
    }
    case "Pad": {
      const pads = numbers(1) ?? [];
      const rank = pads.length / 2;
      if (node.inputs[3] !== undefined) return undefined;
      return pads.slice(0, rank).map((begin, axis) => begin + (pads[axis + rank] ?? 0) + (known[axis] ?? 1));
    }
    case "Resize": {
      const scales = numbers(2);
      if (node.attributes.axes !== undefined) return undefined;
      return numbers(3) ?? scales?.map((scale, axis) => Math.floor(scale * (known[axis] ?? 1)));
    }
    case "OneHot":
      return [...known, numbers(1)?.[0] ?? 1];
    case "CenterCropPad":
      return numbers(1);
    case "ConvTranspose":
      return node.attributes.outputShape;
    default:
      return undefined;
  }
}

/** RandomNormal, RandomUniform and their like carry their output's sizes as an attribute. */
function sizesOfForeign(
  attributes: readonly { readonly name: string; readonly encoded: object }[],
): number[] | undefined {
  const shape = attributes.find(({ name }) => name === "shape")?.encoded;
  const sizes: unknown = shape !== undefined && "ints" in shape ? shape.ints : undefined;
  return Array.isArray(sizes) ? sizes.map(Number) : undefined;
}

/** How often a node's subgraphs run: known for loops, 1 for branches and for what only running tells. */
function iterationsOf(node: Node, constants: Constants, place: string): number {
  if (node.kind === "foreign") return 1;
  if (node.operator === "Scan") {
    const first = node.inputs.at(-node.attributes.numScanInputs)?.shape?.[node.attributes.scanInputAxes?.[0] ?? 0];
    return typeof first === "number" ? Math.max(1, first) : 1;
  }
  if (node.operator !== "Loop") return 1;
  const [trips, condition] = node.inputs;
  const count = trips === undefined ? Number.POSITIVE_INFINITY : firstNumber(constants.get(trips));
  const begins = condition === undefined ? true : firstNumber(constants.get(condition));
  if (begins === 0) return 1;
  // A condition that is computed anew may end the loop, and a count that comes from outside is its caller's choice.
  if (count === undefined || changes(node.attributes.body, constants)) return 1;
  if (count === Number.POSITIVE_INFINITY && begins !== undefined) {
    throw refused(place, "the loop never ends: it has no count, and its condition never changes");
  }
  return count === Number.POSITIVE_INFINITY ? 1 : Math.max(1, count);
}

/**
 * Whether a loop's condition can differ from one round to the next, or is false at once: it then rests on the number of
 * the round, on a value the rounds hand on changed, on chance, or on what we do not know.
 */
function changes(body: Graph, constants: Constants): boolean {
  const producers = producersOf(body);
  const [condition, ...results] = body.outputs;
  const [round, handedOn, ...carried] = body.inputs;
  const sourceOf = (value: Value | undefined): Value | undefined => {
    let source = value;
    for (
      let node = source && producers.get(source);
      node?.operator === "Identity";
      node = source && producers.get(source)
    ) {
      source = node.inputs[0];
    }
    return source;
  };
  const last = sourceOf(condition);
  if (last !== undefined && firstNumber(body.initializers.get(last) ?? constants.get(last)) === 0) return true;

  const changing = new Set<Value | undefined>([round]);
  for (const [index, value] of carried.entries()) if (sourceOf(results[index]) !== value) changing.add(value);
  const seen = new Set<Value>();
  const waiting = condition === undefined || condition === handedOn ? [] : [condition];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (changing.has(value)) return true;
    if (seen.has(value)) continue;
    seen.add(value);
    const node = producers.get(value);
    if (node === undefined) continue;
    if (node.kind === "foreign" || node.operator.startsWith("Random") || node.operator === "Bernoulli") return true;
    waiting.push(...usesOf(node));
  }
  return false;
}

function firstNumber(tensor: Tensor | undefined): number | undefined {
  return sizesIn(tensor)?.[0];
}

/** The numbers of a constant that could be sizes: no tensor has more axes than this. */
function sizesIn(tensor: Tensor | undefined): readonly number[] | undefined {
  if (tensor === undefined || !isReadable(tensor.dtype) || tensor.data.length > 64) return undefined;
  return numbersOf(tensor);
}

function refused(place: string, reason: string, expected?: string, actual?: string): GraftError {
  return new GraftError("model-refused", reason, {
    path: [place],
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
  });
}
