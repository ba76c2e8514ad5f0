/** @file Choosing the layout of the trained part: a batch's maps stacked into one tall map a channel. */
import {
  type Builder,
  definitionsOf,
  type GivenDerivative,
  type GivenDerivatives,
  type Graph,
  type Node,
  type Operator,
  type OperatorNode,
  producersOf,
  usesOf,
  type Value,
} from "../graph/index.ts";
import { inputAt } from "../shapes/index.ts";
import { isStatic, unreachable } from "../tensor/index.ts";
import { type DepthwiseLowering, depthwiseGeometry, lowerDepthwise } from "./depthwise.ts";
import { rewriteNodes } from "./rewrite.ts";

export interface StackOptions {
  /** Values of whose dependents the trained part consists: the parameters to be trained. */
  readonly trained: readonly Value[];
  /** Which form a depthwise convolution takes. */
  readonly depthwise: DepthwiseLowering;
}

/**
 * Rewrites maps `[N, C, H, W]` of the trained part as tall maps `[1, C, N·H, W]`, the pictures of a batch one below the
 * other. A pointwise convolution of a tall map is one matrix product, and so are both its gradients; element by element
 * and channel by channel nothing changes; depthwise convolutions take a form of their own. Parts whose operators mix
 * neighbouring pixels otherwise stay as they are, and so do parts too small to pay for the transposes at their borders.
 *
 * The graph's values must carry inferred types, with a fixed batch.
 */
export function stackBatch(graph: Graph, options: StackOptions): Stacked {
  const chosen = worthwhile(graph, candidates(graph, options.trained));
  const tall = new Map<Value, Value>();
  const derivatives = new Map<Value, GivenDerivative>();
  const stacked = rewriteNodes(graph, (node, build) => {
    if (!chosen.has(node) || node.kind !== "operator") return false;
    const [output] = node.outputs;
    const stacked = stackedForm(node, {
      build,
      options,
      derivatives,
      tallOf: (value) => tallOf(build, tall, value),
    });
    if (output === undefined || stacked === undefined) return false;
    tall.set(output, stacked);
    defineUnstacked(build, output, stacked);
    return true;
  });
  return { graph: stacked, derivatives };
}

export interface Stacked {
  readonly graph: Graph;
  /** Derivatives of its values in forms chosen by shape. */
  readonly derivatives: GivenDerivatives;
}

interface Context {
  readonly build: Builder;
  readonly options: StackOptions;
  readonly derivatives: Map<Value, GivenDerivative>;
  readonly tallOf: (map: Value) => Value;
}

/** A rule gives the tall form of a node's output. `accepts` says, without building, whether it can. */
interface StackRule<K extends Operator> {
  accepts(node: OperatorNode<K>): boolean;
  stack(node: OperatorNode<K>, context: Context): Value;
}

/** The same operator on tall maps; what is not a map (constants, parameters per channel) stays as it is. */
function unchanged<K extends Operator>(): StackRule<K> {
  return {
    accepts: readsMapsAndChannels,
    stack: (node, { build, tallOf }) =>
      build.apply(
        node.operator,
        node.inputs.map((input) => (input && isMap(input) ? tallOf(input) : input)),
        node.attributes,
      ),
  };
}

function readsMapsAndChannels({ inputs }: OperatorNode): boolean {
  return inputs.every((input) => input === undefined || isMap(input) || isPerChannel(input));
}

/** As `unchanged`, and where maps of one pixel meet whole maps they are spread over each picture. */
function combining<K extends "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Sum">(): StackRule<K> {
  return {
    accepts: readsMapsAndChannels,
    stack: (node, context) => {
      const { build, tallOf } = context;
      const output = firstOutput(node);
      const isWhole = (input: Value | undefined) => !input || !isMap(input) || hasPixelsOf(input, output);
      if (node.inputs.every(isWhole)) return unchanged<K>().stack(node, context);
      const operands = node.inputs.map((input) => {
        if (input === undefined) return undefined;
        if (isMap(input)) return build.reshape(tallOf(input), picturesByChannel(input));
        // A parameter per channel [C, 1, 1] becomes [C, 1, 1, 1].
        return (input.shape?.length ?? 0) < 3 ? input : build.reshape(input, [-1, 1, 1, 1]);
      });
      return build.reshape(build.apply(node.operator, operands), tallShape(output));
    },
  };
}

/** Each channel's pictures are treated alone: channels take the place of the batch, the batch that of the channels. */
function perPicture<K extends "MaxPool" | "AveragePool">(): StackRule<K> {
  return {
    accepts: (node) => node.outputs.length === 1,
    stack: (node, { build, tallOf }) => {
      const x = inputAt(node, 0);
      const pooled = build.apply(node.operator, [build.reshape(tallOf(x), picturesByChannel(x))], node.attributes);
      return build.reshape(pooled, tallShape(firstOutput(node)));
    },
  };
}

const rules: { readonly [K in Operator]?: StackRule<K> } = {
  Add: combining(),
  AveragePool: perPicture(),
  BatchNormalization: {
    accepts: (node) => node.outputs.length === 1,
    stack: unchanged<"BatchNormalization">().stack,
  },
  Celu: unchanged(),
  Clip: unchanged(),
  Concat: {
    accepts: (node) => node.attributes.axis === 1 || node.attributes.axis === 0,
    // Along the batch, pictures go below one another.
    stack: (node, { build, tallOf }) =>
      build.concat(
        node.inputs.flatMap((input) => (input ? [tallOf(input)] : [])),
        node.attributes.axis === 0 ? 2 : 1,
      ),
  },
  Conv: {
    accepts: (node) => isPixelwise(node) || depthwiseGeometry(node) !== undefined,
    stack: (node, { build, options, derivatives, tallOf }) => {
      const x = inputAt(node, 0);
      if (isPixelwise(node)) return build.apply("Conv", [tallOf(x), ...node.inputs.slice(1)], node.attributes);
      const { result, derivative } = lowerDepthwise(build, node, tallOf(x), options.depthwise);
      if (derivative !== undefined) derivatives.set(result, derivative);
      return result;
    },
  },
  Div: combining(),
  Elu: unchanged(),
  Gelu: unchanged(),
  GlobalAveragePool: {
    accepts: () => true,
    stack: (node, { build, tallOf }) => {
      const x = inputAt(node, 0);
      const pictures = build.reshape(tallOf(x), [1, sizeOf(x, 1), sizeOf(x, 0), -1]);
      return build.reduceMean(pictures, [3]);
    },
  },
  HardSigmoid: unchanged(),
  HardSwish: unchanged(),
  Identity: unchanged(),
  LeakyRelu: unchanged(),
  Max: combining(),
  MaxPool: perPicture(),
  Min: combining(),
  Mish: unchanged(),
  Mul: combining(),
  PRelu: unchanged(),
  ReduceMean: {
    // The mean of a channel over a whole batch, as batch norm takes it in training.
    accepts: (node) => readsMapsAndChannels(node) && isMap(inputAt(node, 0)) && isPerChannel(firstOutput(node)),
    stack: (node, { build, tallOf }) => build.reduceMean(tallOf(inputAt(node, 0)), [0, 2, 3]),
  },
  Relu: unchanged(),
  Selu: unchanged(),
  Sigmoid: unchanged(),
  Softplus: unchanged(),
  Sub: combining(),
  Sum: combining(),
  Swish: unchanged(),
  Tanh: unchanged(),
};

function ruleOf<K extends Operator>(node: OperatorNode<K>): StackRule<K> | undefined {
  return rules[node.operator];
}

function stackedForm<K extends Operator>(node: OperatorNode<K>, context: Context): Value | undefined {
  return ruleOf(node)?.stack(node, context);
}

/** The nodes of the trained part that work on maps and have a tall form. */
function candidates(graph: Graph, trained: readonly Value[]): ReadonlySet<Node> {
  const data = new Set<Value>(graph.inputs);
  const dependent = new Set<Value>(trained);
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    const uses = usesOf(node);
    const isData = uses.some((use) => data.has(use));
    const isTrained = uses.some((use) => dependent.has(use));
    for (const output of definitionsOf(node)) {
      if (isData) data.add(output);
      if (isTrained) dependent.add(output);
    }
    if (!isData || !isTrained || node.kind === "foreign") continue;
    const [output] = node.outputs;
    // Every map it reads must be data: a parameter of rank 4 is no map.
    const mapsAreData = node.inputs.every(
      (input) => !input || !isMap(input) || data.has(input) || isPerChannel(input) || isKernel(node, input),
    );
    if (output && isMap(output) && mapsAreData && accepts(node)) found.add(node);
  }
  return found;
}

function accepts<K extends Operator>(node: OperatorNode<K>): boolean {
  return ruleOf(node)?.accepts(node) ?? false;
}

function isKernel(node: OperatorNode, input: Value): boolean {
  return node.operator === "Conv" && node.inputs[0] !== input;
}

/** Connected parts whose pointwise convolutions outnumber the maps that would be transposed at their borders. */
function worthwhile(graph: Graph, found: ReadonlySet<Node>): ReadonlySet<Node> {
  const producers = producersOf(graph);
  const parts = connectedParts(graph, found, producers);
  const borders = new Map([...new Set(parts.values())].map((part) => [part, new Set<Value>()]));
  const partOf = (node: Node | undefined) => node && parts.get(node);
  // A map is at the border of the part that makes it and of the part that reads it, unless they are one.
  const cross = (map: Value, to: ReadonlySet<Node> | undefined) => {
    const from = partOf(producers.get(map));
    if (from === to || !isLarge(map)) return;
    if (from) borders.get(from)?.add(map);
    if (to && isMap(map) && !graph.initializers.has(map)) borders.get(to)?.add(map);
  };
  for (const node of graph.nodes) for (const input of node.inputs) if (input) cross(input, partOf(node));
  for (const output of graph.outputs) cross(output, undefined);
  const isProduct = (node: Node) => node.kind === "operator" && node.operator === "Conv" && isPixelwise(node);
  const chosen = [...borders].filter(([part, maps]) => [...part].filter(isProduct).length > maps.size);
  return new Set(chosen.flatMap(([part]) => [...part]));
}

/** The part that each node belongs to: nodes that read each other's values are of one part. */
function connectedParts(
  graph: Graph,
  found: ReadonlySet<Node>,
  producers: ReadonlyMap<Value, Node>,
): ReadonlyMap<Node, ReadonlySet<Node>> {
  const parts = new Map<Node, Set<Node>>();
  for (const node of graph.nodes) {
    if (!found.has(node)) continue;
    let own = new Set([node]);
    for (const input of usesOf(node)) {
      const producer = producers.get(input);
      const other = producer && parts.get(producer);
      if (other === undefined || other === own) continue;
      const [large, small] = other.size > own.size ? [other, own] : [own, other];
      for (const member of small) {
        large.add(member);
        parts.set(member, large);
      }
      own = large;
    }
    parts.set(node, own);
  }
  return parts;
}

/** Whether turning the value round costs a pass over memory: more than a picture, more than a pixel. */
function isLarge(map: Value): boolean {
  return sizeOf(map, 0) > 1 && sizeOf(map, 2) * sizeOf(map, 3) > 1;
}

/** The tall form of a map: made of it where it enters the part. */
function tallOf(build: Builder, known: Map<Value, Value>, map: Value): Value {
  const made = known.get(map);
  if (made !== undefined) return made;
  const stacked = sizeOf(map, 0) === 1 ? map : build.reshape(build.transpose(map, [1, 0, 2, 3]), tallShape(map));
  known.set(map, stacked);
  return stacked;
}

/** Defines the map itself from its tall form, for readers outside the part. Without readers it is removed. */
function defineUnstacked(build: Builder, map: Value, stacked: Value): void {
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => sizeOf(map, axis)) as [number, number, number, number];
  if (n === 1) build.define(map, "Identity", [stacked]);
  else if (h * w === 1)
    build.define(map, "Reshape", [build.transpose(build.reshape(stacked, [c, n]), [1, 0]), build.ints([n, c, h, w])]);
  else build.define(map, "Transpose", [build.reshape(stacked, [c, n, h, w])], { perm: [1, 0, 2, 3] });
}

/** Whether the map has as many rows and columns as another. */
function hasPixelsOf(map: Value, other: Value): boolean {
  return sizeOf(map, 2) === sizeOf(other, 2) && sizeOf(map, 3) === sizeOf(other, 3);
}

/** `[C, N, H, W]`, which a tall map is without moving an element. */
function picturesByChannel(map: Value): readonly number[] {
  return [sizeOf(map, 1), sizeOf(map, 0), sizeOf(map, 2), sizeOf(map, 3)];
}

function tallShape(map: Value): readonly number[] {
  return [1, sizeOf(map, 1), sizeOf(map, 0) * sizeOf(map, 2), sizeOf(map, 3)];
}

function isMap(value: Value): boolean {
  return value.shape?.length === 4 && isStatic(value.shape);
}

/** A scalar, or one number a channel that broadcasts over a map: `[C, 1, 1]` or `[1, C, 1, 1]`; `[C]` for batch norm. */
function isPerChannel({ shape }: Value): boolean {
  if (!isStatic(shape)) return false;
  if (shape.length <= 1) return true;
  if (shape.length === 4) return shape[0] === 1 && shape[2] === 1 && shape[3] === 1;
  return shape.length === 3 && shape[1] === 1 && shape[2] === 1;
}

/** A convolution of one pixel: kernel 1, stride 1, no padding, all channels together. */
function isPixelwise(node: OperatorNode<"Conv">): boolean {
  const { group, pads, strides } = node.attributes;
  const kernel = node.inputs[1]?.shape?.slice(2) ?? [];
  return (
    group === 1 &&
    kernel.length === 2 &&
    kernel.every((size) => size === 1) &&
    (strides ?? []).every((stride) => stride === 1) &&
    (pads ?? []).every((pad) => pad === 0)
  );
}

function sizeOf(map: Value, axis: number): number {
  const size = map.shape?.[axis];
  return typeof size === "number" ? size : 0;
}

function firstOutput(node: OperatorNode): Value {
  return node.outputs[0] ?? unreachable(`${node.operator} has no output`);
}
