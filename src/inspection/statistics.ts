/**
 * @file Which values a model was trained on, told by the model itself: its batch norms keep the mean and variance of what
 * they saw in training, and under the right range of pixels they see the like again.
 */
import { type Graph, type OperatorNode, type Value, verify } from "../graph/index.ts";
import { type Base, headlessGraph, type ValueRange, valueRanges } from "../model/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, type NumericTensor, numbersOf, unreachable } from "../tensor/index.ts";

/** How far what batch norms see is from what they saw in training, under one range of pixels. */
export interface RangeEvidence {
  readonly range: ValueRange;
  /**
   * The mean over the first batch norms of the mean over their channels of the Kullback-Leibler divergence between normal
   * distributions of the means and variances seen now and those stored, in nats. 0 is the same.
   */
  readonly divergence: number;
}

export interface RangeFinding {
  /** The likeliest first. */
  readonly trials: readonly RangeEvidence[];
  /** How many batch norms were looked at. */
  readonly batchNorms: number;
  /** How many times further from training the second range is than the first: 1 says nothing, 3 and more is plain. */
  readonly margin: number;
}

/** The first ones see the range itself; deeper ones what little is left of it. */
const batchNormsLookedAt = 6;

/** Pixels, uint8 `[count, height, width, 3]`, at the base's size. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly count: number;
}

/**
 * Compares ranges by the statistics of batch norm. `undefined` where the base has no batch norm of its own: there it was
 * folded away, or the model normalises otherwise.
 */
export async function compareRanges(
  base: Base,
  pixels: Pixels,
  runtime: Runtime,
  candidates: readonly ValueRange[] = valueRanges,
): Promise<RangeFinding | undefined> {
  // The graph is the same for every range: values are scaled before it, so that it is compiled once.
  const plain: ValueRange = { name: "as given", channels: "rgb", scale: [1, 1, 1], offset: [0, 0, 0] };
  const probe = statisticsGraph(headlessGraph({ ...base, range: plain }, { pixels: "float32" }));
  if (probe === undefined) return undefined;
  const executable = await runtime.compile(writeModel(onnxModelOf(probe.graph)));
  const trials: RangeEvidence[] = [];
  try {
    for (const range of candidates) {
      trials.push({ range, divergence: await divergenceOf(probe, executable, scaled(pixels, base, range)) });
    }
  } finally {
    await executable.dispose();
  }
  const batchNorms = probe.stored.length;
  trials.sort((one, other) => one.divergence - other.divergence);
  const [first, second] = trials;
  const margin = first === undefined || second === undefined ? 1 : second.divergence / Math.max(first.divergence, 1e-6);
  return { trials, batchNorms, margin };
}

interface Probe {
  readonly graph: Graph;
  /** By batch norm: what it stored. */
  readonly stored: readonly { readonly mean: readonly number[]; readonly variance: readonly number[] }[];
}

/** A graph whose outputs are the means and variances of what goes into the first batch norms, over batch and map. */
function statisticsGraph(graph: Graph): Probe | undefined {
  const nodes = graph.nodes
    .filter(
      (node): node is OperatorNode<"BatchNormalization"> =>
        node.kind === "operator" && node.operator === "BatchNormalization",
    )
    .slice(0, batchNormsLookedAt);
  const build = newBuilder(graph);
  const outputs: Value[] = [];
  const stored: { mean: readonly number[]; variance: readonly number[] }[] = [];
  for (const { inputs } of nodes) {
    const [x, , , mean, variance] = inputs;
    const [means, variances] = [mean, variance].map((each) => each && graph.initializers.get(each));
    if (x === undefined || means === undefined || variances === undefined || x.shape === undefined) continue;
    const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    const seen = build.reduceMean(x, axes, false);
    const squares = build.reduceMean(build.square(x), axes, false);
    outputs.push(seen, build.sub(squares, build.square(seen)));
    stored.push({ mean: numbersOf(means), variance: numbersOf(variances) });
  }
  if (stored.length === 0) return undefined;
  return { graph: verify(removeDeadNodes(build.graph(outputs))), stored };
}

async function divergenceOf({ graph, stored }: Probe, executable: Executable, image: NumericTensor): Promise<number> {
  const input = graph.inputs[0]?.name ?? unreachable("a graph without an input");
  const outputs = await executable.run(new Map([[input, image]]));
  const values = graph.outputs.map(({ name }) => numbersOf(outputs.get(name) ?? unreachable("an output is missing")));
  const divergences = stored.map(({ mean, variance }, index) =>
    divergence({ mean: values[2 * index] ?? [], variance: values[2 * index + 1] ?? [] }, { mean, variance }),
  );
  return divergences.reduce((sum, each) => sum + each, 0) / divergences.length;
}

/** Pixels as the base would be given them: float32 `[count, height, width, 3]`, the channels in the range's order. */
function scaled({ data, count }: Pixels, { recipe }: Base, { channels, scale, offset }: ValueRange): NumericTensor {
  const values = new Float32Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const channel = at % 3;
    const from = channels === "bgr" ? at - channel + (2 - channel) : at;
    values[at] = (data[from] ?? 0) * (scale[channel] ?? 1) + (offset[channel] ?? 0);
  }
  return float32([count, recipe.height, recipe.width, 3], values);
}

interface Moments {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}

/** Below this a channel is dead: its variance says nothing. */
const smallest = 1e-6;
/** One channel that is far off must not outweigh all others. */
const most = 1e4;

/** ½(σ²/σ₀² + (μ−μ₀)²/σ₀² − 1 + ln(σ₀²/σ²)), the mean over channels. */
function divergence(seen: Moments, stored: Moments): number {
  let sum = 0;
  let channels = 0;
  stored.mean.forEach((mean, channel) => {
    const variance = Math.max(stored.variance[channel] ?? 0, 0);
    if (variance < smallest) return;
    const now = Math.max(seen.variance[channel] ?? 0, smallest);
    const shift = (seen.mean[channel] ?? 0) - mean;
    const each = (now / variance + (shift * shift) / variance - 1 + Math.log(variance / now)) / 2;
    sum += Number.isFinite(each) ? Math.min(each, most) : most;
    channels += 1;
  });
  return sum / Math.max(1, channels);
}
