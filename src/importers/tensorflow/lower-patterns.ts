/** @file What files spell out in several nodes and ONNX has as one: batch norm as arithmetic, dilation as blocks of the batch. */
import { numbersOf, type Tensor } from "../../tensor/index.ts";
import type { FrozenGraph, TfAttribute, TfNode } from "./graph-def.ts";
import { parseReference } from "./lower-nodes.ts";

/** The nodes of the graph, with those that end such a pattern in its place. What only the pattern needed is then dead. */
export function withPatterns(frozen: FrozenGraph): readonly TfNode[] {
  const graph = new Producers(frozen);
  return frozen.nodes.map((node) => spelledBatchNorm(graph, node) ?? blockedConvolution(graph, node) ?? node);
}

class Producers {
  readonly #byName: ReadonlyMap<string, TfNode>;
  readonly #frozen: FrozenGraph;

  constructor(frozen: FrozenGraph) {
    this.#frozen = frozen;
    this.#byName = new Map(frozen.nodes.map((node) => [node.name, node]));
  }

  /** The node that gives a reference as its first output, through nodes that pass it on, where it is of that operator. */
  of(reference: string | undefined, ...operators: readonly string[]): TfNode | undefined {
    const node = this.#byName.get(this.source(reference) ?? "");
    return node !== undefined && operators.includes(node.op) ? node : undefined;
  }

  /** The name of the node that a reference comes from, when nodes that pass it on are left out. */
  source(reference: string | undefined): string | undefined {
    let current = reference;
    for (let steps = 0; steps <= this.#byName.size && current !== undefined; steps++) {
      const [name, output] = parseReference(current);
      const node = this.#byName.get(name);
      if (output !== 0) return undefined;
      if (node === undefined || this.#frozen.variables.has(name) || !passing.has(node.op)) return name;
      current = node.inputs[0];
    }
    return undefined;
  }

  /** The elements of a variable or a constant; also of one that is reshaped to `[1, …, 1, n]`. */
  tensor(reference: string | undefined): Tensor | undefined {
    const reshape = this.of(reference, "Reshape");
    if (reshape !== undefined) {
      const target = this.integers(reshape.inputs[1]) ?? [];
      const isVector = target.slice(0, -1).every((size) => size === 1) && target.at(-1) !== 1;
      return isVector && target.length > 0 ? this.#own(reshape.inputs[0]) : undefined;
    }
    return this.#own(reference);
  }

  #own(reference: string | undefined): Tensor | undefined {
    const name = this.source(reference) ?? "";
    const variable = this.#frozen.variables.get(name);
    const value = this.#byName.get(name)?.attributes.get("value");
    return variable?.tensor ?? (value?.kind === "tensor" ? value.value : undefined);
  }

  integers(reference: string | undefined): readonly number[] | undefined {
    const tensor = this.#own(reference);
    return tensor?.dtype === "int32" || tensor?.dtype === "int64" ? numbersOf(tensor) : undefined;
  }
}

const passing: ReadonlySet<string> = new Set(["Identity", "ReadVariableOp"]);
const sums = ["Add", "AddV2"] as const;

/** The other one of two inputs; `undefined` where neither is the first. */
function besides(graph: Producers, node: TfNode, source: string | undefined): string | undefined {
  const [a, b] = node.inputs;
  if (source === undefined) return undefined;
  if (graph.source(b) === source) return a;
  return graph.source(a) === source ? b : undefined;
}

/** Whether a reference is a vector of float32: a number for each of `channels`. */
function isVector(tensor: Tensor | undefined, channels: number | undefined): boolean {
  if (tensor?.dtype !== "float32" || tensor.shape.length === 0) return false;
  const isOneAxis = tensor.shape.slice(0, -1).every((size) => size === 1);
  return isOneAxis && tensor.shape.at(-1) === channels;
}

/**
 * x·f + (offset − mean·f) with f = scale / √(variance + ε), as `tf.nn.batch_normalization` writes it; scale and offset may
 * be missing.
 */
function spelledBatchNorm(graph: Producers, node: TfNode): TfNode | undefined {
  if (!sums.some((op) => op === node.op)) return undefined;
  for (const [first, second] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const found = batchNormOf(graph, node, node.inputs[first], node.inputs[second]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function batchNormOf(
  graph: Producers,
  node: TfNode,
  scaledReference: string | undefined,
  shiftReference: string | undefined,
): TfNode | undefined {
  const scaled = graph.of(scaledReference, "Mul");
  const shift = graph.of(shiftReference, "Sub", "Neg");
  const shifted = shift && graph.of(shift.inputs[shift.op === "Sub" ? 1 : 0], "Mul");
  if (scaled === undefined || shift === undefined || shifted === undefined) return undefined;
  // What both products have in common is the factor.
  const factor = scaled.inputs.map((input) => graph.source(input)).find((each) => besides(graph, shifted, each));
  const [x, mean] = [besides(graph, scaled, factor), besides(graph, shifted, factor)];
  const product = graph.of(factor, "Mul");
  const inverse = graph.of(factor, "Rsqrt") ?? product?.inputs.map((input) => graph.of(input, "Rsqrt")).find(Boolean);
  const scale = product && inverse && besides(graph, product, inverse.name);
  const widened = inverse && graph.of(inverse.inputs[0], ...sums);
  const epsilon = widened?.inputs.map((input) => graph.tensor(input)).find((tensor) => tensor?.data.length === 1);
  const variance = widened?.inputs.find((input) => graph.tensor(input) !== epsilon);
  const offset = shift.op === "Sub" ? shift.inputs[0] : undefined;
  if (x === undefined || mean === undefined || variance === undefined || epsilon?.dtype !== "float32") return undefined;
  const channels = graph.tensor(variance)?.shape.at(-1);
  const weights = [mean, variance, scale, offset].filter((each) => each !== undefined);
  if ((product === undefined) !== (scale === undefined)) return undefined;
  if (!weights.every((each) => isVector(graph.tensor(each), channels))) return undefined;
  const attributes: readonly (readonly [string, TfAttribute])[] = [
    ["epsilon", { kind: "float", value: numbersOf(epsilon)[0] ?? 0 }],
    ["scale", { kind: "bool", value: scale !== undefined }],
    ["offset", { kind: "bool", value: offset !== undefined }],
  ];
  return { name: node.name, op: "_BatchNormalization", inputs: [x, ...weights], attributes: new Map(attributes) };
}

/**
 * A convolution between SpaceToBatchND and BatchToSpaceND: one with gaps in its windows, as long as what is cut off at the
 * end has been padded at the start.
 */
function blockedConvolution(graph: Producers, node: TfNode): TfNode | undefined {
  if (node.op !== "BatchToSpaceND") return undefined;
  const convolution = graph.of(node.inputs[0], "Conv2D", "DepthwiseConv2dNative");
  const blocks = convolution && graph.of(convolution.inputs[0], "SpaceToBatchND");
  if (convolution === undefined || blocks === undefined) return undefined;
  const [block, same] = [graph.integers(blocks.inputs[1]), graph.integers(node.inputs[1])];
  const [pads, crops] = [graph.integers(blocks.inputs[2]), graph.integers(node.inputs[2])];
  if (block?.length !== 2 || pads?.length !== 4 || crops?.length !== 4) return undefined;
  const left = pads.map((pad, index) => pad - (crops[index] ?? 0));
  const isPlain =
    block.every((side, axis) => side === same?.[axis]) && left.every((pad) => pad >= 0) && isUnmoved(convolution);
  if (!isPlain) return undefined;
  const attributes = new Map(convolution.attributes);
  attributes.set("padding", { kind: "bytes", value: new TextEncoder().encode("EXPLICIT") });
  attributes.set("explicit_paddings", integers([0, 0, ...left, 0, 0]));
  attributes.set("dilations", integers([1, ...block, 1]));
  const inputs = [blocks.inputs[0] ?? "", ...convolution.inputs.slice(1)];
  return { name: node.name, op: convolution.op, inputs, attributes };
}

function integers(values: readonly number[]): TfAttribute {
  return { kind: "list", values: values.map((value) => ({ kind: "int", value })) };
}

/** Strides and dilations of 1, no padding, channels last. */
function isUnmoved({ attributes }: TfNode): boolean {
  const text = (name: string) => {
    const attribute = attributes.get(name);
    return attribute?.kind === "bytes" ? new TextDecoder().decode(attribute.value) : undefined;
  };
  const ones = (name: string) => {
    const attribute = attributes.get(name);
    if (attribute?.kind !== "list") return true;
    return attribute.values.every((each) => each.kind === "int" && each.value === 1);
  };
  return (
    ones("strides") && ones("dilations") && text("padding") === "VALID" && (text("data_format") ?? "NHWC") === "NHWC"
  );
}
