/** @file Paired comparison: whether one classifier is better than another on the same examples, beyond chance. */
import { GraftError, randomNumbers } from "../tensor/index.ts";
import { type Interval, z95 } from "./interval.ts";

/** Which of two classifiers is better beyond chance. */
export type Better = "a" | "b" | "neither";

/** `two-sided`: whether they differ; `b-is-better`: only whether the second is better, for a choice that needs no more. */
export type Alternative = "two-sided" | "b-is-better";

export interface PairedComparison {
  readonly n: number;
  /** How many examples only the first is right about. */
  readonly onlyA: number;
  /** How many examples only the second is right about. */
  readonly onlyB: number;
  /** The second's accuracy less the first's: positive where the second is better. */
  readonly difference: number;
  /** 95 %, of the difference. */
  readonly interval: Interval;
  readonly alternative: Alternative;
  /** How often chance alone would part them so far. */
  readonly pValue: number;
  readonly better: Better;
}

export interface ComparePairedOptions {
  /** Default: `two-sided`. */
  readonly alternative?: Alternative;
  /** Counts half of the probability of what was seen: less cautious, and closer to the level (Fagerland et al. 2013). */
  readonly midP?: boolean;
  /** At or under which p value one is better. Default: 0.05. */
  readonly level?: number;
}

/**
 * McNemar's exact test of two classifiers on the same examples: of those that only one is right about, each is so by
 * the toss of a coin if they are equally good. The interval is Bonett and Price's (2012), adjusted for few examples.
 *
 * @param correctA - by example: whether the first is right
 * @throws GraftError `usage` where the two are of different length
 */
export function comparePaired(
  correctA: ArrayLike<boolean | number>,
  correctB: ArrayLike<boolean | number>,
  { alternative = "two-sided", midP = false, level = 0.05 }: ComparePairedOptions = {},
): PairedComparison {
  const n = correctA.length;
  checkPairs(n, correctB.length);
  let [onlyA, onlyB] = [0, 0];
  for (let index = 0; index < n; index++) {
    const [a, b] = [Boolean(correctA[index]), Boolean(correctB[index])];
    if (a && !b) onlyA++;
    if (b && !a) onlyB++;
  }
  const pValue = mcnemar(onlyA, onlyB, alternative, midP);
  const difference = n === 0 ? 0 : (onlyB - onlyA) / n;
  return {
    n,
    onlyA,
    onlyB,
    difference,
    interval: bonettPrice(onlyA, onlyB, n),
    alternative,
    pValue,
    better: betterOf(difference, pValue, level),
  };
}

export interface PairedLossComparison {
  readonly n: number;
  /** The first's mean loss less the second's: positive where the second is better. */
  readonly difference: number;
  /** 95 %, of the difference: a percentile bootstrap. */
  readonly interval: Interval;
  readonly alternative: Alternative;
  /** How often chance alone would part them so far: a sign-flip permutation test. */
  readonly pValue: number;
  readonly better: Better;
}

export interface PairedLossOptions {
  /** Default: 0. */
  readonly seed?: number;
  /** How many times examples are drawn again and signs tossed. Default: 10,000, fewer for many examples, at least 1,000. */
  readonly resamples?: number;
  /** Default: `two-sided`. */
  readonly alternative?: Alternative;
  /** At or under which p value one is better. Default: 0.05. */
  readonly level?: number;
}

/** How many draws, over all resamples, are made without being asked for: about a second. */
const draws = 2e7;

/**
 * A permutation test of two classifiers' losses (`exampleLosses`) on the same examples: if they are equally good, each
 * difference is as likely to have the other sign. It sees what accuracy does not: by how much an answer is right or
 * wrong. The same seed gives the same result.
 *
 * @throws GraftError `usage` where the two are of different length, or a loss is not finite
 */
export function pairedLogLoss(
  lossesA: ArrayLike<number>,
  lossesB: ArrayLike<number>,
  { seed = 0, resamples, alternative = "two-sided", level = 0.05 }: PairedLossOptions = {},
): PairedLossComparison {
  const n = lossesA.length;
  checkPairs(n, lossesB.length);
  if (n === 0) return { n, difference: 0, interval: [0, 0], alternative, pValue: 1, better: "neither" };
  const differences = Float64Array.from({ length: n }, (_, index) => (lossesA[index] ?? 0) - (lossesB[index] ?? 0));
  if (!differences.every(Number.isFinite)) throw new GraftError("usage", "a loss is not finite");
  const rounds = resamples ?? Math.min(10_000, Math.max(1_000, Math.round(draws / n)));
  const random = randomNumbers(seed);
  const total = differences.reduce((sum, each) => sum + each, 0);
  // A permuted sum that equals the real one but for rounding is as extreme as it.
  const slack = 1e-9 * differences.reduce((sum, each) => sum + Math.abs(each), 0);

  let asExtreme = 0;
  const means = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    let [flipped, drawn] = [0, 0];
    for (const each of differences) {
      flipped += random() < 0.5 ? each : -each;
      drawn += differences[Math.floor(random() * n)] ?? 0;
    }
    const [seen, real] = alternative === "two-sided" ? [Math.abs(flipped), Math.abs(total)] : [flipped, total];
    if (seen >= real - slack) asExtreme++;
    means[round] = drawn / n;
  }
  means.sort();
  const pValue = (asExtreme + 1) / (rounds + 1);
  const difference = total / n;
  return {
    n,
    difference,
    interval: [quantile(means, 0.025), quantile(means, 0.975)],
    alternative,
    pValue,
    better: betterOf(difference, pValue, level),
  };
}

function betterOf(difference: number, pValue: number, level: number): Better {
  if (pValue > level || difference === 0) return "neither";
  return difference > 0 ? "b" : "a";
}

function checkPairs(countA: number, countB: number): void {
  if (countA === countB) return;
  throw new GraftError("usage", "the two are not of the same examples", {
    expected: `${countA} examples`,
    actual: `${countB}`,
  });
}

/** The probability of `onlyB` or what is further out among `onlyA + onlyB` tosses of a coin. */
function mcnemar(onlyA: number, onlyB: number, alternative: Alternative, midP: boolean): number {
  const tosses = onlyA + onlyB;
  if (tosses === 0) return 1;
  const from = alternative === "two-sided" ? Math.max(onlyA, onlyB) : onlyB;
  const point = binomial(from, tosses);
  let tail = midP ? point / 2 : point;
  for (let heads = from + 1; heads <= tosses; heads++) tail += binomial(heads, tosses);
  return Math.min(1, alternative === "two-sided" ? 2 * tail : tail);
}

/** C(n, k) / 2ⁿ, by logarithms: n may be large. */
function binomial(heads: number, tosses: number): number {
  let logarithm = -tosses * Math.LN2;
  const few = Math.min(heads, tosses - heads);
  for (let index = 1; index <= few; index++) logarithm += Math.log((tosses - few + index) / index);
  return Math.exp(logarithm);
}

function bonettPrice(onlyA: number, onlyB: number, n: number): Interval {
  const [a, b] = [(onlyA + 1) / (n + 2), (onlyB + 1) / (n + 2)];
  const half = z95 * Math.sqrt((a + b - (a - b) ** 2) / (n + 2));
  return [Math.max(-1, b - a - half), Math.min(1, b - a + half)];
}

/** Of sorted numbers, by linear interpolation (numpy's default). */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? 0;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}
