/** @file Intervals: how much a proportion measured on so many examples may be off. */

/** A 95 % confidence interval: its lower and its upper bound. */
export type Interval = readonly [number, number];

/** The 97.5 % point of the normal distribution: 95 % lie between it and its negative. */
export const z95 = 1.959963984540054;

/**
 * Wilson's score interval for a proportion of `successes` among `trials`, 95 %: it stays within [0, 1] and holds for
 * few examples and for proportions near 0 and 1. `null` without trials. (Wilson 1927; Brown, Cai and DasGupta 2001.)
 */
export function wilsonInterval(successes: number, trials: number): Interval | null {
  if (trials === 0) return null;
  const share = successes / trials;
  const square = (z95 * z95) / trials;
  const centre = (share + square / 2) / (1 + square);
  const half = ((z95 / (1 + square)) * Math.sqrt(share * (1 - share) + square / 4)) / Math.sqrt(trials);
  return [successes === 0 ? 0 : Math.max(0, centre - half), successes === trials ? 1 : Math.min(1, centre + half)];
}

/**
 * An interval for F1 = 2·TP / (2·TP + FP + FN), 95 %: F1 = 2J / (1 + J) rises with J = TP / (TP + FP + FN), a
 * proportion of the examples that are of the class or are said to be, so Wilson's bounds of J are carried over.
 */
export function f1Interval(truePositives: number, falsePositives: number, falseNegatives: number): Interval | null {
  const bounds = wilsonInterval(truePositives, truePositives + falsePositives + falseNegatives);
  if (bounds === null) return null;
  const [lower, upper] = bounds;
  return [(2 * lower) / (1 + lower), (2 * upper) / (1 + upper)];
}
