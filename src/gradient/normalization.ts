/** @file Derivatives of normalizations and of softmax. Throughout, x̂ is x with mean 0 and variance 1, and r is 1/deviation. */
import type { Builder, NormalizationOperators, Value } from "../graph/index.ts";
import { normalizeAxis } from "../tensor/index.ts";
import { sumToShapeOf } from "./broadcast.ts";
import { lossGradients } from "./normalization-loss.ts";
import { by, type Gradient, type GradientRules, inputAt, rankOf, type Step } from "./rule.ts";
import { reshapeLike } from "./sizes.ts";

interface Standardized {
  /** x − μ. */
  readonly centred: Value;
  /** r = 1/√(σ² + ε), with 1 for each reduced axis. */
  readonly inverse: Value;
  /** x̂ = (x − μ)·r. */
  readonly standard: Value;
}

/** Mean and variance over axes, and what they make of x. */
function standardize(b: Builder, x: Value, axes: readonly number[], epsilon: number): Standardized {
  const centred = b.sub(x, b.reduceMean(x, axes));
  const inverse = inverseRoot(b, b.reduceMean(b.square(centred), axes), epsilon);
  return { centred, inverse, standard: b.mul(centred, inverse) };
}

/** 1/√(a + ε). */
function inverseRoot(b: Builder, a: Value, epsilon: number): Value {
  return b.reciprocal(b.sqrt(b.shift(a, epsilon)));
}

/** dx = r·(dx̂ − mean dx̂ − x̂·mean(dx̂·x̂)): what moves the mean or the deviation has no effect. */
function throughStandard(
  b: Builder,
  { inverse, standard }: Pick<Standardized, "inverse" | "standard">,
  gradient: Value,
  axes: readonly number[],
): Value {
  const along = b.mul(standard, b.reduceMean(b.mul(gradient, standard), axes));
  return b.mul(inverse, b.sub(b.sub(gradient, b.reduceMean(gradient, axes)), along));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

/** One number a channel, [C], such that it broadcasts over `[N, C, …]` of this rank. */
function perChannel(b: Builder, channels: Value, rank: number): Value {
  return b.unsqueeze(channels, range(1, rank - 1));
}

/** Every axis of `[N, C, …]` but the channels'. */
function allButChannels(rank: number): number[] {
  return [0, ...range(2, rank)];
}

/** The sum over all but the channels, [C]: the gradient of what is one number a channel. */
function channelTotals(b: Builder, a: Value): Value {
  return b.reduceSum(a, allButChannels(rankOf(a)), false);
}

/** y = s·(x − m)·r + t, r = 1/√(v + ε), with stored m and v: dx = dy·s·r, dm = −s·r·Σdy, dv = −s·r³/2·Σdy·(x − m). */
function storedBatchNorm({ build: b, x, dy, inputs, attributes }: Step<"BatchNormalization">): readonly Gradient[] {
  const [scale, mean, variance] = [inputAt({ inputs }, 1), inputAt({ inputs }, 3), inputAt({ inputs }, 4)];
  const rank = rankOf(x);
  const inverse = inverseRoot(b, variance, attributes.epsilon);
  const factor = b.mul(scale, inverse);
  const total = () => channelTotals(b, dy);
  const moment = () => channelTotals(b, b.mul(dy, b.sub(x, perChannel(b, mean, rank))));
  return [
    () => b.mul(dy, perChannel(b, factor, rank)),
    () => b.mul(moment(), inverse),
    total,
    () => b.neg(b.mul(total(), factor)),
    () => b.scale(b.mul(moment(), b.mul(factor, b.square(inverse))), -0.5),
  ];
}

/** y = s·x̂ + t over the batch; the running statistics are m·ρ + μ·(1 − ρ) and v·ρ + σ²·(1 − ρ), ρ the momentum. */
function trainingBatchNorm(step: Step<"BatchNormalization">): readonly Gradient[] {
  const { build: b, x, dy, inputs, attributes, outputGradients } = step;
  const rank = rankOf(x);
  const axes = allButChannels(rank);
  const standardized = standardize(b, x, axes, attributes.epsilon);
  const [, dMean, dVariance] = outputGradients;
  const passOn = (gradient: Value | undefined) => gradient && (() => b.scale(gradient, attributes.momentum));
  const share = (gradient: Value, factor: number) =>
    perChannel(b, b.scale(b.div(gradient, elementsPerChannel(b, x)), factor * (1 - attributes.momentum)), rank);
  return [
    () => {
      const scaled = b.mul(dy, perChannel(b, inputAt({ inputs }, 1), rank));
      const dx = throughStandard(b, standardized, scaled, axes);
      const withMean = dMean === undefined ? dx : b.add(dx, share(dMean, 1));
      return dVariance === undefined ? withMean : b.add(withMean, b.mul(share(dVariance, 2), standardized.centred));
    },
    () => channelTotals(b, b.mul(dy, standardized.standard)),
    () => channelTotals(b, dy),
    passOn(dMean),
    passOn(dVariance),
  ];
}

/** The number of elements of x that share a channel, in x's element type. */
function elementsPerChannel(b: Builder, x: Value): Value {
  return b.castLike(b.div(b.apply("Size", [x]), b.sizeOf(x, 1)), x);
}

/** y = s·x̂ + t, standardized from `axis` to the end; the other outputs are μ and r. */
function layerNorm(step: Step<"LayerNormalization">): readonly Gradient[] {
  const { build: b, x, dy, inputs, attributes, outputGradients } = step;
  const [scale, shift] = [inputAt({ inputs }, 1), inputs[2]];
  const axes = range(normalizeAxis(attributes.axis, rankOf(x)), rankOf(x));
  const standardized = standardize(b, x, axes, attributes.epsilon);
  const { standard, inverse } = standardized;
  const [, dMean, dInverse] = outputGradients;
  const repeated = () => b.onesLike(x);
  return [
    () => {
      const dx = throughStandard(b, standardized, b.mul(dy, scale), axes);
      // μ = mean x: dx = dμ/n, which is the gradient of a mean
      const withMean = dMean === undefined ? dx : b.add(dx, b.div(b.castLike(dMean, x), b.reduceSum(repeated(), axes)));
      if (dInverse === undefined) return withMean;
      // r = (σ² + ε)^(−1/2): dx = −dr·r²·x̂/n
      const share = b.div(b.mul(b.castLike(dInverse, x), b.square(inverse)), b.reduceSum(repeated(), axes));
      return b.sub(withMean, b.mul(share, standard));
    },
    () => sumToShapeOf(b, b.mul(dy, standard), scale),
    shift && (() => sumToShapeOf(b, dy, shift)),
  ];
}

/** y = s·x̂ + t, standardized over groups of channels and all positions; s and t per channel. */
function groupNorm(step: Step<"GroupNormalization">): readonly Gradient[] {
  const { build: b, x, dy, inputs, attributes } = step;
  const grouped = (value: Value) => b.reshape(value, b.ints([0, attributes.numGroups, -1]));
  const standardized = standardize(b, grouped(x), [2], attributes.epsilon);
  const scaled = () => b.mul(dy, perChannel(b, inputAt({ inputs }, 1), rankOf(x)));
  return [
    () => reshapeLike(b, throughStandard(b, standardized, grouped(scaled()), [2]), x),
    () => channelTotals(b, b.mul(dy, reshapeLike(b, standardized.standard, x))),
    () => channelTotals(b, dy),
  ];
}

/** y = s·x̂ + t, standardized over the positions of each channel. */
function instanceNorm(step: Step<"InstanceNormalization">): readonly Gradient[] {
  const { build: b, x, dy, inputs, attributes } = step;
  const positions = range(2, rankOf(x));
  const standardized = standardize(b, x, positions, attributes.epsilon);
  const scaled = () => b.mul(dy, perChannel(b, inputAt({ inputs }, 1), rankOf(x)));
  return [
    () => throughStandard(b, standardized, scaled(), positions),
    () => channelTotals(b, b.mul(dy, standardized.standard)),
    () => channelTotals(b, dy),
  ];
}

/** y = s·x̃ for x̃ = x·r, r = 1/√(mean x² + ε): dx = r·(dx̃ − x̃·mean(dx̃·x̃)), ds = Σ dy·x̃. */
function rmsNorm({ build: b, x, dy, inputs, attributes }: Step<"RMSNormalization">): readonly Gradient[] {
  const scale = inputAt({ inputs }, 1);
  const axes = range(normalizeAxis(attributes.axis, rankOf(x)), rankOf(x));
  const inverse = inverseRoot(b, b.reduceMean(b.square(x), axes), attributes.epsilon);
  const normal = b.mul(x, inverse);
  return [
    () => {
      const scaled = b.mul(dy, scale);
      return b.mul(inverse, b.sub(scaled, b.mul(normal, b.reduceMean(b.mul(scaled, normal), axes))));
    },
    () => sumToShapeOf(b, b.mul(dy, normal), scale),
  ];
}

/** y = x/n for n = ‖x‖ₚ: dx = (dy − ∂n/∂x·Σ dy·y)/n, where ∂n/∂x is sign x for p = 1 and y for p = 2; 0 where n = 0. */
function lpNorm({ build: b, x, y, dy, attributes: { axis, p } }: Step<"LpNormalization">): Value {
  const norm = b.apply(p === 1 ? "ReduceL1" : "ReduceL2", [x, b.ints([axis])]);
  const direction = p === 1 ? b.sign(x) : y;
  const difference = b.sub(dy, b.mul(direction, b.reduceSum(b.mul(dy, y), [axis])));
  return b.where(b.equal(norm, b.scalar(0, norm)), b.scalar(0, x), b.div(difference, norm));
}

/** y = x·d^(−β) for d = k + α/n·W(x²), W the sum over n neighbouring channels: dx = dy·d^(−β) − 2αβ/n·x·Wᵀ(dy·y/d). */
function localResponse({ build: b, x, y, dy, attributes }: Step<"LRN">): Value {
  const { alpha, beta, bias, size } = attributes;
  const before = Math.floor((size - 1) / 2);
  const after = size - 1 - before;
  const d = b.shift(b.scale(channelWindow(b, b.square(x), before, after), alpha / size), bias);
  const direct = b.mul(dy, b.pow(d, b.scalar(-beta, d)));
  const around = channelWindow(b, b.div(b.mul(dy, y), d), after, before);
  return b.sub(direct, b.scale(b.mul(x, around), (2 * alpha * beta) / size));
}

/** The sum over each channel, so many before it and so many after it. */
function channelWindow(b: Builder, a: Value, before: number, after: number): Value {
  const pads = b.ints([before, after]);
  const padded = b.apply("Pad", [a, pads, undefined, b.ints([1])]);
  const shifts = range(0, before + after + 1);
  return shifts
    .map((start) => b.slice(padded, [start], [start - before - after || Number.MAX_SAFE_INTEGER], [1]))
    .reduce((sum, part) => b.add(sum, part));
}

export const normalizationGradients: GradientRules<NormalizationOperators> = {
  BatchNormalization: by((step) => (step.attributes.trainingMode ? trainingBatchNorm(step) : storedBatchNorm(step))),
  GroupNormalization: by(groupNorm),
  InstanceNormalization: by(instanceNorm),
  LRN: by((step) => [() => localResponse(step)]),
  LayerNormalization: by(layerNorm),
  // y = x − ln Σeˣ: dx = dy − softmax x · Σdy
  LogSoftmax: by(({ build: b, x, dy, attributes: { axis } }) => [
    () => b.sub(dy, b.mul(b.apply("Softmax", [x], { axis }), b.reduceSum(dy, [axis]))),
  ]),
  LpNormalization: by((step) => [() => lpNorm(step)]),
  // y = (x − μ)/(σ + 1e-9), as ONNX defines it
  MeanVarianceNormalization: by(({ build: b, x, dy, attributes: { axes } }) => {
    const centred = b.sub(x, b.reduceMean(x, axes));
    const deviation = b.sqrt(b.reduceMean(b.square(centred), axes));
    const inverse = b.reciprocal(b.shift(deviation, 1e-9));
    return [() => throughStandard(b, { inverse, standard: b.mul(centred, inverse) }, dy, axes)];
  }),
  NegativeLogLikelihoodLoss: lossGradients.NegativeLogLikelihoodLoss,
  RMSNormalization: by(rmsNorm),
  // dx = y·(dy − Σ dy·y)
  Softmax: by(({ build: b, y, dy, attributes: { axis } }) => [
    () => b.mul(y, b.sub(dy, b.reduceSum(b.mul(dy, y), [axis]))),
  ]),
  SoftmaxCrossEntropyLoss: lossGradients.SoftmaxCrossEntropyLoss,
};
