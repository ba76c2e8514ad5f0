/** @file The regularised head: logistic regression on features, its regularisation chosen by cross-validation. */
import type { Runtime } from "../runtime/index.ts";
import { GraftError } from "../tensor/index.ts";
import { assignFolds, type Folds } from "./crossValidation.ts";
import {
  type Products,
  plainProducts,
  type Reduction,
  reduceToSpan,
  runtimeProducts,
  type Scaling,
  scaledProducts,
  scalingOf,
} from "./linearHeadProducts.ts";
import { logitsOf, softmaxInPlace, solve } from "./linearHeadSolver.ts";

export interface LinearHeadOptions {
  /** `[examples, width]`, row-major. They are read, never copied or changed. */
  readonly features: Float32Array;
  /** By example: a class index. */
  readonly labels: ArrayLike<number>;
  /** How many classes there are, 2 or more; each needs an example. */
  readonly classes: number;
  /** Decides which examples are held out together. Default: 0. */
  readonly seed?: number;
  /**
   * By example: a key of what must be held out together, such as a burst of photos; the digest of its file where there
   * is nothing more to keep together, so that the result does not depend on the order. Default: each by itself.
   */
  readonly groups?: readonly string[] | undefined;
  /** By example: how much it counts, 0 or more. Default: 1 each. */
  readonly sampleWeights?: ArrayLike<number> | undefined;
  /** By class: how much its examples count. Default: 1 each. */
  readonly classWeights?: ArrayLike<number> | undefined;
  /** Multiplies the large matrices. Without one, plain TypeScript does: right for hundreds of examples. */
  readonly runtime?: Runtime | undefined;
  /** The candidates for λ, the strongest first. Default: 1 to 10⁻⁵ in ten steps, or in five where the problem is large. */
  readonly regularizations?: readonly number[];
  /** How many times a part of the examples is held out. Default: 10 with up to 100 examples, 5 with more, 3 where the problem is large. */
  readonly folds?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface LinearHead {
  /** `[width, classes]`: logits are features·kernel + bias, of the features as they were given. */
  readonly kernel: Float32Array;
  /** `[classes]`. */
  readonly bias: Float32Array;
  /**
   * λ in mean cross-entropy + λ/2·|W|², where W are the weights of the features about their mean over their root mean
   * square distance from it.
   */
  readonly regularization: number;
  readonly outOfFold: {
    /** `[examples, classes]`: each example's logits by a head that was fitted without its fold. */
    readonly logits: Float32Array;
    /** By example: 0 where its class would be unknown without it. Its logits are then the final head's. */
    readonly isHeldOut: Uint8Array;
  };
  /** What the held-out examples say of heads with this λ; `undefined` where none could be held out. */
  readonly crossValidated: CrossValidation | undefined;
}

export interface CrossValidation {
  readonly folds: number;
  /** Weighted as the examples are. */
  readonly accuracy: number;
  /** The natural logarithm's, weighted as the examples are. */
  readonly logLoss: number;
  /** The candidates that were tried, the strongest first. */
  readonly tried: readonly { readonly regularization: number; readonly logLoss: number }[];
}

/** Taken where no example can be held out: on photos, good to within 0.01 of the best at 2 to 50 a class. */
const unmeasuredRegularization = 1e-3;
/** Up to so many examples, the problem is solved in their span; with a runtime, whose products are fast, up to the second. */
const [spanWithoutRuntime, spanWithRuntime] = [1500, 150];
/** From so many logits on, cross-validation makes do with fewer folds and candidates: that costs no accuracy there. */
const largeProblem = 50_000;
/** Cross-validation only compares: it need not be solved as exactly as the result. */
const [tolerance, largeTolerance, comparingTolerance] = [1e-6, 1e-4, 1e-3];

/**
 * Fits softmax regression with an L2 penalty, λ chosen by the log loss of stratified cross-validation. The same input
 * gives the same bytes, whatever the number of threads.
 *
 * @throws GraftError `usage` for options that do not fit together, `bad-data` for a class without examples or features
 *   that are not finite
 */
export async function fitLinearHead(options: LinearHeadOptions): Promise<LinearHead> {
  const { features, labels, classes, runtime, signal } = options;
  const count = labels.length;
  const weights = exampleWeights(options);
  const width = features.length / count;
  const scaling = scalingOf(features, width, weights);
  if (!Number.isFinite(scaling.scale)) {
    throw new GraftError("bad-data", "the features hold numbers that are not finite", {
      hint: "the base may be broken, or its pixels be given in another range than it was trained on",
    });
  }
  const space = await spaceOf(features, width, count, scaling, runtime);
  try {
    const problem = { products: space.products, labels, classes, weights, signal };
    const isLarge = count * classes > largeProblem;
    const folds = assignFolds({
      labels,
      folds: options.folds ?? (isLarge ? 3 : count > 100 ? 5 : 10),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      groups: options.groups,
    });
    const best = await crossValidate(problem, folds, options.regularizations ?? defaultRegularizations(isLarge));
    const regularization = best?.regularization ?? unmeasuredRegularization;
    const solution = new Float64Array((space.products.width + 1) * classes);
    const whole = { weights: normalised(weights, () => true), regularization, solution };
    await solve({ ...problem, problems: [whole], tolerance: isLarge ? largeTolerance : tolerance });
    const final = await logitsOf(space.products, classes, [solution]);
    return {
      ...unscaled(space.restore(solution.subarray(0, -classes), classes), solution.subarray(-classes), scaling),
      regularization,
      outOfFold: outOfFold(best?.logits, final, folds, classes),
      crossValidated: best?.measured,
    };
  } finally {
    await space.products.dispose();
  }
}

interface Shared {
  readonly products: Products;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  readonly weights: Float64Array;
  readonly signal: AbortSignal | undefined;
}

interface Measured {
  readonly regularization: number;
  /** Each example's logits by its fold's head, `[count, classes]`. */
  readonly logits: Float64Array;
  readonly measured: CrossValidation;
}

/** Goes from strong to weak λ, each from the solutions of the one before, until the log loss has risen twice. */
async function crossValidate(
  { products, labels, classes, weights, signal }: Shared,
  { count, foldOf }: Folds,
  regularizations: readonly number[],
): Promise<Measured | undefined> {
  if (count === 0) return undefined;
  const problems = Array.from({ length: count }, (_, fold) => ({
    weights: normalised(weights, (example) => foldOf[example] !== fold),
    solution: new Float64Array((products.width + 1) * classes),
  }));
  const tried: { regularization: number; logLoss: number }[] = [];
  let best: (Omit<Measured, "measured"> & Omit<CrossValidation, "tried">) | undefined;
  let rises = 0;
  for (const regularization of regularizations) {
    const these = problems.map((problem) => ({ ...problem, regularization }));
    await solve({ products, labels, classes, problems: these, tolerance: comparingTolerance, signal });
    const all = await logitsOf(
      products,
      classes,
      problems.map(({ solution }) => solution),
    );
    const logits = new Float64Array(foldOf.length * classes);
    foldOf.forEach((fold, example) => {
      const from = (example * count + Math.max(fold, 0)) * classes;
      logits.set(all.subarray(from, from + classes), example * classes);
    });
    const judged = judge(logits, labels, classes, weights, foldOf);
    tried.push({ regularization, logLoss: judged.logLoss });
    if (best === undefined || judged.logLoss < best.logLoss) {
      best = { regularization, logits, folds: count, ...judged };
      rises = 0;
    } else {
      rises += 1;
      if (rises === 2) break;
    }
  }
  if (best === undefined) return undefined;
  const { accuracy, logLoss } = best;
  return {
    regularization: best.regularization,
    logits: best.logits,
    measured: { folds: count, accuracy, logLoss, tried },
  };
}

/** The accuracy and the log loss of the examples that were held out. */
function judge(
  logits: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  weights: Float64Array,
  foldOf: Int32Array,
): { readonly accuracy: number; readonly logLoss: number } {
  const probabilities = logits.slice();
  let [total, right, loss] = [0, 0, 0];
  foldOf.forEach((fold, example) => {
    if (fold < 0) return;
    const weight = weights[example] ?? 0;
    const label = labels[example] ?? 0;
    const row = logits.subarray(example * classes, (example + 1) * classes);
    total += weight;
    if (row.indexOf(Math.max(...row)) === label) right += weight;
    loss += weight * softmaxInPlace(probabilities, example * classes, classes, label);
  });
  return { accuracy: total === 0 ? 0 : right / total, logLoss: total === 0 ? 0 : loss / total };
}

/** The space the problem is solved in, and the way back from its weights to those of the scaled features. */
async function spaceOf(
  features: Float32Array,
  width: number,
  count: number,
  scaling: Scaling,
  runtime: Runtime | undefined,
): Promise<Reduction> {
  const isNarrow = count < width && count <= (runtime === undefined ? spanWithoutRuntime : spanWithRuntime);
  if (isNarrow) return reduceToSpan(features, width, count, scaling);
  const products =
    runtime === undefined
      ? plainProducts(features, count, width)
      : await runtimeProducts(runtime, features, count, width);
  return { products: scaledProducts(products, scaling), restore: (weights) => weights };
}

/** The weights of features as they were given, from those of scaled ones. */
function unscaled(
  weights: Float64Array,
  free: Float64Array,
  { mean, scale }: Scaling,
): { readonly kernel: Float32Array; readonly bias: Float32Array } {
  const classes = free.length;
  const bias = free.slice();
  const kernel = Float32Array.from(weights, (weight) => weight / scale);
  mean.forEach((value, k) => {
    for (let c = 0; c < classes; c++) bias[c] = (bias[c] ?? 0) - (value * (weights[k * classes + c] ?? 0)) / scale;
  });
  return { kernel, bias: new Float32Array(bias) };
}

function outOfFold(
  heldOut: Float64Array | undefined,
  final: Float64Array,
  { foldOf }: Folds,
  classes: number,
): LinearHead["outOfFold"] {
  const logits = new Float32Array(final);
  const isHeldOut = Uint8Array.from(foldOf, (fold) => (heldOut === undefined || fold < 0 ? 0 : 1));
  isHeldOut.forEach((held, example) => {
    if (held === 0 || heldOut === undefined) return;
    logits.set(heldOut.subarray(example * classes, (example + 1) * classes), example * classes);
  });
  return { logits, isHeldOut };
}

/** Weaker than the last, on any photos that were tried, changes what temperature scaling mends and nothing more. */
function defaultRegularizations(isLarge: boolean): number[] {
  return isLarge ? [1e-1, 1e-2, 1e-3, 1e-4, 1e-5] : [1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5];
}

/** The weights of the examples taken, with a sum of 1; 0 for the others. */
function normalised(weights: Float64Array, isTaken: (example: number) => boolean): Float64Array {
  const taken = weights.map((weight, example) => (isTaken(example) ? weight : 0));
  const total = taken.reduce((sum, weight) => sum + weight, 0);
  return taken.map((weight) => (total === 0 ? 0 : weight / total));
}

/** By example: its own weight times its class's. Checks that everything fits together. */
function exampleWeights(options: LinearHeadOptions): Float64Array {
  const { features, labels, classes, sampleWeights, classWeights } = options;
  const count = labels.length;
  const refuse = (reason: string, expected: string, actual: string): never => {
    throw new GraftError("usage", reason, { expected, actual });
  };
  if (!Number.isInteger(classes) || classes < 2) refuse("a classifier needs classes", "2 or more", `${classes}`);
  if (count === 0 || features.length === 0 || features.length % count !== 0) {
    refuse("the features do not divide into the examples", `rows for ${count} labels`, `${features.length} numbers`);
  }
  if (sampleWeights !== undefined && sampleWeights.length !== count) {
    refuse("each example needs a weight", `${count} sample weights`, `${sampleWeights.length}`);
  }
  if (classWeights !== undefined && classWeights.length !== classes) {
    refuse("each class needs a weight", `${classes} class weights`, `${classWeights.length}`);
  }
  const weights = new Float64Array(count);
  const totals = new Float64Array(classes);
  for (let example = 0; example < count; example++) {
    const label = labels[example] ?? -1;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      refuse("a label is not a class index", `0 to ${classes - 1}`, `${label}`);
    }
    const weight = (sampleWeights?.[example] ?? 1) * (classWeights?.[label] ?? 1);
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      refuse("a weight cannot be used", "a finite number, 0 or more", `${weight}`);
    }
    weights[example] = weight;
    totals[label] = (totals[label] ?? 0) + weight;
  }
  totals.forEach((total, label) => {
    if (total > 0) return;
    throw new GraftError("bad-data", "a class has no examples that count", { path: [`class ${label}`] });
  });
  return weights;
}
