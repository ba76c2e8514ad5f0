/** @file Batch normalization in inference mode is an affine map: fold it into the convolution before it, or write it out. */
import {
  type Builder,
  consumersOf,
  type Graph,
  type Node,
  type OperatorNode,
  producersOf,
  type Value,
} from "../graph/index.ts";
import { inputAt } from "../shapes/index.ts";
import { GraftError, unreachable } from "../tensor/index.ts";
import { rewriteNodes } from "./rewrite.ts";

type BatchNorm = OperatorNode<"BatchNormalization">;
type Convolution = OperatorNode<"Conv"> | OperatorNode<"ConvTranspose">;

/**
 * Folds each batch normalization in inference mode into the convolution that alone feeds it:
 * with s = γ/√(σ² + ε), the kernel becomes W·s and the bias (b − μ)·s + β. The arithmetic on W, γ and β is part of the
 * graph, so that they may stay trainable: d W, d γ and d β come out of small tensors instead of passes over the maps.
 * What is constant the runtime computes once when it loads the graph.
 */
export function foldBatchNorm(graph: Graph): Graph {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  const outputs = new Set(graph.outputs);
  return rewriteNodes(graph, (node, build) => {
    if (!isInferenceBatchNorm(node)) return false;
    const x = inputAt(node, 0);
    const before = producers.get(x);
    if (before === undefined || !isConvolution(before)) return false;
    if (consumers.get(x)?.length !== 1 || outputs.has(x)) return false;
    fold(before, node, build);
    return true;
  });
}

/** Writes each batch normalization in inference mode as y = x·s + t, with s = γ/√(σ² + ε) and t = β − μ·s per channel. */
export function unfoldBatchNorm(graph: Graph): Graph {
  return rewriteNodes(graph, (node, build) => {
    if (!isInferenceBatchNorm(node)) return false;
    const { scale, shift } = affineOf(node, build);
    const x = inputAt(node, 0);
    const spatial = axesFrom(1, (x.shape?.length ?? 2) - 2);
    const scaled = build.mul(x, build.unsqueeze(scale, spatial));
    build.define(outputOf(node), "Add", [scaled, build.unsqueeze(shift, spatial)]);
    return true;
  });
}

/** Appends the convolution with the normalization in its kernel and bias. */
function fold(convolution: Convolution, norm: BatchNorm, build: Builder): void {
  const { scale, shift } = affineOf(norm, build);
  const bias = convolution.inputs[2];
  const newBias = bias === undefined ? shift : build.add(build.mul(bias, scale), shift);
  const kernel = scaleKernel(convolution, scale, build);
  build.define(
    outputOf(norm),
    convolution.operator,
    [inputAt(convolution, 0), kernel, newBias],
    convolution.attributes,
  );
}

/** The kernel with output channel c multiplied by s[c]. */
function scaleKernel(convolution: Convolution, scale: Value, build: Builder): Value {
  const kernel = inputAt(convolution, 1);
  const spatial = (kernel.shape?.length ?? 4) - 2;
  // Conv: [out, in / group, …]
  if (convolution.operator === "Conv") return build.mul(kernel, build.unsqueeze(scale, axesFrom(1, spatial + 1)));
  // ConvTranspose: [in, out / group, …]; the rows of group g make the outputs of group g.
  const { group } = convolution.attributes;
  if (group === 1) return build.mul(kernel, build.unsqueeze(scale, [0, ...axesFrom(2, spatial)]));
  const inputs = kernel.shape?.[0];
  if (typeof inputs !== "number") throw new GraftError("model-invalid", "a kernel's shape must be known");
  const byGroup = build.expand(build.reshape(scale, [group, 1, -1]), build.ints([group, inputs / group, 1]));
  return build.mul(kernel, build.unsqueeze(build.reshape(byGroup, [inputs, -1]), axesFrom(2, spatial)));
}

/** s = γ/√(σ² + ε) and t = β − μ·s, both `[C]`. */
function affineOf(norm: BatchNorm, build: Builder): { readonly scale: Value; readonly shift: Value } {
  const [gamma, beta, mean, variance] = [inputAt(norm, 1), inputAt(norm, 2), inputAt(norm, 3), inputAt(norm, 4)];
  const scale = build.div(gamma, build.sqrt(build.shift(variance, norm.attributes.epsilon)));
  return { scale, shift: build.sub(beta, build.mul(mean, scale)) };
}

function isInferenceBatchNorm(node: Node): node is BatchNorm {
  return node.kind === "operator" && node.operator === "BatchNormalization" && !node.attributes.trainingMode;
}

function isConvolution(node: Node): node is Convolution {
  return node.kind === "operator" && (node.operator === "Conv" || node.operator === "ConvTranspose");
}

function axesFrom(first: number, count: number): number[] {
  return Array.from({ length: Math.max(count, 0) }, (_, index) => first + index);
}

function outputOf(node: OperatorNode): Value {
  return node.outputs[0] ?? unreachable(`${node.operator} has no output`);
}
