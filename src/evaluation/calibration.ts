/** @file Calibration: whether probabilities mean what they say, and the temperature that makes them. */
import { GraftError } from "../tensor/index.ts";
import { type Floats, indexOfLargest, mean, type ScoredExamples, scoreTable } from "./scores.ts";

/** The examples whose confidence lies in `(lower, upper]`. */
export interface ReliabilityBin {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
  /** How many of them are right. */
  readonly correct: number;
  /** Their mean confidence; `null` in an empty bin. */
  readonly confidence: number | null;
  /** The part of them that is right; `null` in an empty bin. */
  readonly accuracy: number | null;
}

/** How far confidence and accuracy are apart. */
export interface CalibrationFigures {
  /** Expected calibration error over 15 bins of equal width (Guo et al. 2017), 0 to 1. */
  readonly expectedCalibrationError: number;
  /** What that error comes to by chance, on so many examples, where every probability is exactly right. */
  readonly errorByChance: number;
  /** Mean squared distance between the probabilities of all classes and the truth, 0 to 2 (Brier 1950). */
  readonly brier: number;
  /** −ln of the true class's probability, on average. */
  readonly logLoss: number;
  /** The reliability diagram: 15 bins from 0 to 1. */
  readonly bins: readonly ReliabilityBin[];
}

const binCount = 15;

/** The figures of examples whose predictions are right where `labels` says so. */
export function calibrationFigures(scored: ScoredExamples, labels: ArrayLike<number>): CalibrationFigures {
  const { predicted, confidence, losses, squaredErrors } = scored;
  const examples = predicted.length;
  const bins = Array.from({ length: binCount }, () => ({ count: 0, correct: 0, confidence: 0, variance: 0 }));
  for (let example = 0; example < examples; example++) {
    const sure = confidence[example] ?? 0;
    const bin = bins[Math.min(binCount - 1, Math.max(0, Math.ceil(sure * binCount) - 1))];
    if (bin === undefined) continue;
    bin.count++;
    bin.correct += predicted[example] === labels[example] ? 1 : 0;
    bin.confidence += sure;
    bin.variance += sure * Math.max(0, 1 - sure);
  }
  let [error, byChance] = [0, 0];
  for (const bin of bins) {
    error += Math.abs(bin.correct - bin.confidence) / examples;
    // The mean distance from its mean of a sum of coin tosses, taken as normal: √(2/π) deviations.
    byChance += Math.sqrt((2 / Math.PI) * bin.variance) / examples;
  }
  return {
    expectedCalibrationError: error,
    errorByChance: byChance,
    brier: mean(squaredErrors),
    logLoss: mean(losses),
    bins: bins.map(({ count, correct, confidence: sum }, index) => ({
      lower: index / binCount,
      upper: (index + 1) / binCount,
      count,
      correct,
      confidence: count === 0 ? null : sum / count,
      accuracy: count === 0 ? null : correct / count,
    })),
  };
}

/** What logits are divided by before the softmax. */
export interface TemperatureFit {
  readonly temperature: number;
  /** How many examples it was fitted on. */
  readonly n: number;
  /** The mean log loss of those examples at temperature 1. */
  readonly logLossBefore: number;
  /** Their mean log loss at the temperature. */
  readonly logLossAfter: number;
}

/** What temperature 1 weighs against the examples: as much as this many of them. */
const priorWeight = 4;

/**
 * The temperature T at which the examples' log loss is least (Guo et al. 2017), drawn towards 1 where they are few.
 *
 *     minimise over β = 1/T:  Σ −ln softmax(β·logits)[label] + 4·(β − 1 − ln β)
 *
 * Both terms are convex in β. The second is a Gamma prior with its peak at T = 1, which makes T about 1 ± 0.5 where the
 * examples say nothing: it keeps T above 0 where all of them are right and finite where none is, and no longer shows at
 * some hundred examples. Without examples T is 1. Fit it on examples that neither the head nor the base has seen.
 *
 * @param logits - `[examples, classes]`
 * @throws GraftError `usage` where the logits do not fit the labels or are not finite
 */
export function fitTemperature(logits: Floats, labels: ArrayLike<number>): TemperatureFit {
  const examples = labels.length;
  if (examples === 0) return { temperature: 1, n: 0, logLossBefore: 0, logLossAfter: 0 };
  if (logits.length % examples !== 0) {
    throw new GraftError("usage", "the logits do not fit the labels", {
      expected: `a multiple of ${examples} numbers`,
      actual: `${logits.length}`,
    });
  }
  const classes = logits.length / examples;
  scoreTable({ logits }, labels, classes);
  const slopeAt = (beta: number) => {
    const { slope, curvature } = lossAt(logits, labels, classes, beta);
    return {
      slope: slope + priorWeight * (1 - 1 / beta),
      curvature: curvature + priorWeight / beta ** 2,
    };
  };
  const beta = rootOfSlope(slopeAt);
  return {
    temperature: 1 / beta,
    n: examples,
    logLossBefore: lossAt(logits, labels, classes, 1).loss / examples,
    logLossAfter: lossAt(logits, labels, classes, beta).loss / examples,
  };
}

/** The summed log loss at β and its derivatives: d/dβ = E[x] − x[label], d²/dβ² = Var[x], under softmax(β·x). */
function lossAt(
  logits: Floats,
  labels: ArrayLike<number>,
  classes: number,
  beta: number,
): { readonly loss: number; readonly slope: number; readonly curvature: number } {
  let [loss, slope, curvature] = [0, 0, 0];
  const row = new Float64Array(classes);
  for (let example = 0; example < labels.length; example++) {
    for (let index = 0; index < classes; index++) row[index] = logits[example * classes + index] ?? 0;
    const largest = row[indexOfLargest(row)] ?? 0;
    let [sum, first, second] = [0, 0, 0];
    for (const value of row) {
      // Taken from the largest logit, so that nothing overflows: the derivatives do not see a common shift.
      const below = value - largest;
      const weight = Math.exp(beta * below);
      sum += weight;
      first += weight * below;
      second += weight * below * below;
    }
    const expected = first / sum;
    const own = (row[labels[example] ?? 0] ?? 0) - largest;
    loss += Math.log(sum) - beta * own;
    slope += expected - own;
    curvature += Math.max(0, second / sum - expected * expected);
  }
  return { loss, slope, curvature };
}

/** Where a rising slope is 0: Newton's steps, halved back into the bracket known to hold the root. */
function rootOfSlope(slopeAt: (beta: number) => { readonly slope: number; readonly curvature: number }): number {
  let [lower, upper] = [0, Number.POSITIVE_INFINITY];
  let beta = 1;
  for (let step = 0; step < 200; step++) {
    const { slope, curvature } = slopeAt(beta);
    if (slope === 0) return beta;
    if (slope > 0) upper = beta;
    else lower = beta;
    const newton = beta - slope / curvature;
    if (Math.abs(newton - beta) <= 1e-12 * beta) return newton;
    const middle = Number.isFinite(upper) ? (lower + upper) / 2 : beta * 2;
    beta = newton > lower && newton < upper ? newton : middle;
  }
  return beta;
}
