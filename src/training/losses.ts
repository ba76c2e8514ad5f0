/** @file Losses: the mean over a batch, and its derivative by the model's output in closed form. */
import type { Builder, Value } from "../graph/index.ts";
import { float32, GraftError } from "../tensor/index.ts";

/** What a loss sees of a batch. */
export interface LossInputs {
  /** The model's output: logits `[N, classes]` for cross-entropies, predictions `[N, …]` for squared errors. */
  readonly output: Value;
  /** What it should be; its type and shape are the loss's `labels`. */
  readonly labels: Value;
  /** Weights per example, float32 `[N]`; absent means 1 each. */
  readonly sampleWeights: Value | undefined;
}

export interface LossValues {
  /** The loss, a scalar. */
  readonly loss: Value;
  /** ∂loss/∂output, of the output's shape. */
  readonly gradient: Value;
}

export interface Loss {
  readonly name: string;
  /** The labels it takes: class indices int64 `[N]`, or float32 targets of the output's shape. */
  readonly labels: "indices" | "targets";
  /** Whether targets stand for classes, so that answers are right or wrong. Class indices always do. */
  readonly classifies?: boolean;
  /** Appends the loss and its gradient. */
  build(build: Builder, inputs: LossInputs): LossValues;
}

/** How a weighted mean is taken: over the number of examples, as Keras does, or over the sum of weights, as PyTorch does. */
export type WeightedMean = "examples" | "weights";

export interface CrossEntropyOptions {
  /** α in [0, 1): targets become (1 − α)·t + α/classes (softmax) or (1 − α)·t + α/2 (sigmoid). */
  readonly labelSmoothing?: number;
  /** A weight for each class, by index. */
  readonly classWeights?: readonly number[];
  /** What a weighted mean divides by. Default: `"examples"`. */
  readonly weightedMean?: WeightedMean;
}

/**
 * Softmax cross-entropy on logits with class indices (Keras: SparseCategoricalCrossentropy(from_logits=True)):
 * L = mean(w · −Σ t·log softmax z), ∂L/∂z = w·(softmax z − t)/N for targets t.
 *
 * @throws GraftError `usage` for options outside their ranges
 */
export function softmaxCrossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, classWeights, weightedMean = "examples" } = options;
  checkSmoothing(labelSmoothing);
  return {
    name: "softmaxCrossEntropy",
    labels: "indices",
    build(b, { output: logits, labels, sampleWeights }) {
      const classes = classCount(logits);
      const onOff = b.castLike(b.constant(float32([2], Float32Array.of(0, 1))), logits);
      const oneHot = b.apply("OneHot", [labels, b.ints([classes]), onOff], { axis: -1 });
      const targets =
        labelSmoothing === 0 ? oneHot : b.shift(b.scale(oneHot, 1 - labelSmoothing), labelSmoothing / classes);
      // Shifted by the maximum, so that no exponential overflows and none of WebGPU's missing operators is used.
      const shifted = b.sub(logits, b.apply("ReduceMax", [logits, b.ints([1])], {}));
      const exponentials = b.exp(shifted);
      const sum = b.reduceSum(exponentials, [1]);
      const losses = b.neg(b.reduceSum(b.mul(targets, b.sub(shifted, b.log(sum))), [1], false));
      const difference = b.sub(b.div(exponentials, sum), targets);
      const byClass = classWeights && b.gather(weightConstant(b, classWeights, classes, logits), labels, 0);
      return weightedMeanOf(b, losses, difference, combine(b, byClass, sampleWeights), weightedMean);
    },
  };
}

/**
 * Sigmoid (binary) cross-entropy on logits with targets in [0, 1] (Keras: BinaryCrossentropy(from_logits=True)): the mean
 * over the outputs of an example, then over examples. L = max(z, 0) − z·t + log(1 + e^−|z|), ∂L/∂z = σ(z) − t.
 * `classWeights` are those of target 0 and of target 1, for a single output.
 */
export function sigmoidCrossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, classWeights, weightedMean = "examples" } = options;
  checkSmoothing(labelSmoothing);
  return {
    name: "sigmoidCrossEntropy",
    labels: "targets",
    classifies: true,
    build(b, { output: logits, labels, sampleWeights }) {
      const targets = labelSmoothing === 0 ? labels : b.shift(b.scale(labels, 1 - labelSmoothing), labelSmoothing / 2);
      const overflowFree = b.log(b.shift(b.exp(b.neg(b.apply("Abs", [logits]))), 1));
      const losses = b.add(b.sub(b.apply("Relu", [logits]), b.mul(logits, targets)), overflowFree);
      const difference = b.sub(b.apply("Sigmoid", [logits]), targets);
      const byClass = classWeights && binaryWeights(b, classWeights, labels);
      return meanOverOutputs(b, losses, difference, byClass, sampleWeights, weightedMean);
    },
  };
}

/** Mean squared error: the mean over the outputs of an example, then over examples. L = (y − t)², ∂L/∂y = 2(y − t). */
export function meanSquaredError(options: { readonly weightedMean?: WeightedMean } = {}): Loss {
  const { weightedMean = "examples" } = options;
  return {
    name: "meanSquaredError",
    labels: "targets",
    build(b, { output, labels, sampleWeights }) {
      const difference = b.sub(output, labels);
      return meanOverOutputs(b, b.square(difference), b.scale(difference, 2), undefined, sampleWeights, weightedMean);
    },
  };
}

/** Losses and gradients `[N, …]` are averaged over all but the first axis, then weighted and averaged over examples. */
function meanOverOutputs(
  b: Builder,
  losses: Value,
  gradient: Value,
  classWeights: Value | undefined,
  sampleWeights: Value | undefined,
  weightedMean: WeightedMean,
): LossValues {
  const axes = (losses.shape ?? []).map((_, axis) => axis).slice(1);
  const perExample = axes.length === 0 ? losses : b.reduceMean(losses, axes, false);
  const width = b.div(b.castLike(sizeOf(b, losses), losses), b.castLike(sizeOf(b, perExample), losses));
  return weightedMeanOf(b, perExample, b.div(gradient, width), combine(b, classWeights, sampleWeights), weightedMean);
}

/** The weighted mean of `losses` `[N]`, and `gradient` `[N, …]` with the same weights. */
function weightedMeanOf(
  b: Builder,
  losses: Value,
  gradient: Value,
  weights: Value | undefined,
  weightedMean: WeightedMean,
): LossValues {
  const examples = b.castLike(sizeOf(b, losses), losses);
  if (weights === undefined) {
    return { loss: b.div(b.reduceSum(losses, [0], false), examples), gradient: b.div(gradient, examples) };
  }
  const divisor = weightedMean === "examples" ? examples : b.reduceSum(weights, [0], false);
  const trailing = (gradient.shape ?? []).map((_, axis) => axis).slice(1);
  return {
    loss: b.div(b.reduceSum(b.mul(losses, weights), [0], false), divisor),
    gradient: b.mul(gradient, b.div(b.unsqueeze(weights, trailing), divisor)),
  };
}

function combine(b: Builder, first: Value | undefined, second: Value | undefined): Value | undefined {
  return first && second ? b.mul(first, second) : (first ?? second);
}

/** w₀ where the target is 0, w₁ where it is 1, `[N]`. */
function binaryWeights(b: Builder, weights: readonly number[], labels: Value): Value {
  const [zero, one] = weights;
  if (zero === undefined || one === undefined || weights.length !== 2 || (labels.shape?.[1] ?? 1) !== 1) {
    throw new GraftError("usage", "binary class weights are two, for a single output", { actual: `${weights.length}` });
  }
  const flat = b.reshape(labels, [-1]);
  return b.shift(b.scale(flat, one - zero), zero);
}

function weightConstant(b: Builder, weights: readonly number[], classes: number, like: Value): Value {
  if (weights.length !== classes) {
    throw new GraftError("usage", "class weights must be one a class", {
      expected: `${classes}`,
      actual: `${weights.length}`,
    });
  }
  return b.castLike(b.constant(float32([classes], Float32Array.from(weights))), like);
}

function sizeOf(b: Builder, value: Value): Value {
  return b.apply("Size", [value]);
}

function classCount(logits: Value): number {
  const classes = logits.shape?.[1];
  if (logits.shape?.length === 2 && typeof classes === "number") return classes;
  throw new GraftError("usage", "softmax cross-entropy needs logits of a known number of classes", {
    path: [`value "${logits.name}"`],
    expected: "[N, classes]",
  });
}

function checkSmoothing(labelSmoothing: number): void {
  if (labelSmoothing >= 0 && labelSmoothing < 1) return;
  throw new GraftError("usage", "label smoothing lies outside its range", {
    expected: "a number in [0, 1)",
    actual: String(labelSmoothing),
  });
}
