/** @file What files spell out in several nodes and ONNX has as one: batch norm as arithmetic, dilation as blocks of the batch. */
import { numbersOf, type Tensor } from "../../tensor/index.ts";
import type { FrozenGraph, TfAttribute, TfNode } from "./graph-def.ts";
import { blockedConvolution } from "./lower-blocks.ts";
import { Producers, sums } from "./lower-producers.ts";

/** The nodes of the graph, with those that end such a pattern in its place. What only the pattern needed is then dead. */
export function withPatterns(frozen: FrozenGraph): readonly TfNode[] {
  const graph = new Producers(frozen);
  return frozen.nodes.flatMap((node) => spelledBatchNorm(graph, node) ?? blockedConvolution(graph, node) ?? node);
}

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
  if (!sums.includes(node.op)) return undefined;
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
