/** @file The threshold under which a classifier says "not sure", and what it costs. */
import { GraftError } from "../tensor/index.ts";
import { type Interval, wilsonInterval } from "./interval.ts";
import { type ClassifierScores, type ScoredExamples, scoreExamples, scoreTable } from "./scores.ts";

/** What comes of answering only where the probability is at least the threshold. */
export interface ThresholdFigures {
  /** 0 to 1: answers with a smaller probability mean "not sure". */
  readonly threshold: number;
  /** How many examples are answered. */
  readonly answered: number;
  /** The part of all examples that is answered, 0 to 1. */
  readonly coverage: number;
  /** The part of the answered that is right; `null` where none is answered. */
  readonly accuracy: number | null;
  readonly accuracyInterval: Interval | null;
}

export interface ChosenThreshold extends ThresholdFigures {
  /** The accuracy that was to be reached among the answered. */
  readonly target: number;
  /**
   * `measured`: the lower bound of the accuracy among the answered reaches the target. `estimated`: there are too few
   * examples for that; their probabilities and their accuracy reach it on average. `best`: the target is out of reach;
   * of the thresholds that answer half of the examples or more, this has the highest lower bound.
   */
  readonly basis: "measured" | "estimated" | "best";
}

export interface ThresholdOptions {
  readonly classes: number;
  /** What the logits are divided by. Default: 1. */
  readonly temperature?: number;
  /**
   * The accuracy to reach among the answered, in (0, 1). Default: 0.95, or what halves the mistakes where that is more.
   */
  readonly target?: number;
}

/** Hundredths; then finer, for classifiers that are seldom less sure. */
const candidates = [...Array.from({ length: 100 }, (_, index) => index / 100), 0.995, 0.999, 0.9999];

/**
 * The smallest threshold that is enough: at which the lower bound of the 95 % interval of the accuracy among the
 * answered reaches the target; where the examples are too few or too hard for that, see `basis`. Choose it on examples
 * that neither the head nor the base has seen. Without examples it is 0: every answer counts.
 *
 * @throws GraftError `usage` for a target outside (0, 1), or scores that do not fit the labels
 */
export function chooseThreshold(
  scores: ClassifierScores,
  labels: ArrayLike<number>,
  { classes, temperature = 1, target }: ThresholdOptions,
): ChosenThreshold {
  if (target !== undefined && !(target > 0 && target < 1)) {
    throw new GraftError("usage", "no such target", { expected: "a number above 0 and below 1", actual: `${target}` });
  }
  const scored = scoreExamples(scoreTable(scores, labels, classes), labels, temperature);
  const sorted = sortByConfidence(scored, labels);
  const aim = target ?? Math.max(0.95, 1 - (sorted.mistakes + 1) / (labels.length + 2) / 2);
  const figures = candidates.map((threshold) => ({ ...figuresOf(sorted, threshold), ...sorted.above(threshold) }));
  const measured = figures.find(({ accuracyInterval }) => (accuracyInterval?.[0] ?? 0) >= aim);
  if (measured !== undefined) return chosen(measured, aim, "measured");
  const estimated = figures.find(
    ({ accuracy, meanConfidence, coverage }) => coverage >= 0.5 && (accuracy ?? 0) >= aim && meanConfidence >= aim,
  );
  if (estimated !== undefined) return chosen(estimated, aim, "estimated");
  let [best] = figures;
  for (const each of figures) {
    if (each.coverage < 0.5) continue;
    if ((each.accuracyInterval?.[0] ?? 0) > (best?.accuracyInterval?.[0] ?? 0)) best = each;
  }
  return chosen(best ?? figuresOf(sorted, 0), aim, "best");
}

function chosen(
  { threshold, answered, coverage, accuracy, accuracyInterval }: ThresholdFigures,
  target: number,
  basis: ChosenThreshold["basis"],
): ChosenThreshold {
  return { threshold, answered, coverage, accuracy, accuracyInterval, target, basis };
}

/** What comes of a threshold on these examples. */
export function thresholdFigures(
  scored: ScoredExamples,
  labels: ArrayLike<number>,
  threshold: number,
): ThresholdFigures {
  if (!(threshold >= 0 && threshold <= 1)) {
    throw new GraftError("usage", "no such threshold", { expected: "a number from 0 to 1", actual: `${threshold}` });
  }
  return figuresOf(sortByConfidence(scored, labels), threshold);
}

/** Examples in order of falling confidence, with what the first so many of them come to. */
interface Sorted {
  readonly examples: number;
  readonly mistakes: number;
  above(threshold: number): {
    readonly answered: number;
    readonly correct: number;
    readonly meanConfidence: number;
  };
}

function sortByConfidence({ confidence, predicted }: ScoredExamples, labels: ArrayLike<number>): Sorted {
  const examples = labels.length;
  const order = Array.from({ length: examples }, (_, index) => index);
  order.sort((a, b) => (confidence[b] ?? 0) - (confidence[a] ?? 0));
  const falling = Float64Array.from(order, (index) => confidence[index] ?? 0);
  const correct = new Float64Array(examples + 1);
  const sums = new Float64Array(examples + 1);
  for (const [place, index] of order.entries()) {
    correct[place + 1] = (correct[place] ?? 0) + (predicted[index] === labels[index] ? 1 : 0);
    sums[place + 1] = (sums[place] ?? 0) + (falling[place] ?? 0);
  }
  return {
    examples,
    mistakes: examples - (correct[examples] ?? 0),
    above: (threshold) => {
      let [low, high] = [0, examples];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((falling[middle] ?? 0) >= threshold) low = middle + 1;
        else high = middle;
      }
      return {
        answered: low,
        correct: correct[low] ?? 0,
        meanConfidence: low === 0 ? 0 : (sums[low] ?? 0) / low,
      };
    },
  };
}

function figuresOf(sorted: Sorted, threshold: number): ThresholdFigures {
  const { answered, correct } = sorted.above(threshold);
  return {
    threshold,
    answered,
    coverage: sorted.examples === 0 ? 0 : answered / sorted.examples,
    accuracy: answered === 0 ? null : correct / answered,
    accuracyInterval: wilsonInterval(correct, answered),
  };
}
