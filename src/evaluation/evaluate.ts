/** @file Figures: how good a classifier is on labelled examples, and how sure one can be of it. */
import { GraftError } from "../tensor/index.ts";
import { type CalibrationFigures, calibrationFigures } from "./calibration.ts";
import { f1Interval, type Interval, wilsonInterval } from "./interval.ts";
import { type ClassifierScores, type ScoredExamples, scoreExamples, scoreTable } from "./scores.ts";
import { type ThresholdFigures, thresholdFigures } from "./threshold.ts";

/** The figures of one class. `null`: there is nothing to measure it on. */
export interface ClassFigures {
  readonly name: string;
  /** How many examples are of the class. */
  readonly support: number;
  /** How many examples are said to be of it. */
  readonly predicted: number;
  /** Of those said to be of the class, the part that is. */
  readonly precision: number | null;
  readonly precisionInterval: Interval | null;
  /** Of those of the class, the part that is found. */
  readonly recall: number | null;
  readonly recallInterval: Interval | null;
  /** The harmonic mean of precision and recall; 0 where the class has examples and none is found. */
  readonly f1: number | null;
  readonly f1Interval: Interval | null;
}

/** An example that the classifier is wrong about. */
export interface Mistake {
  /** Which example. */
  readonly index: number;
  /** What it is called. */
  readonly name: string;
  /** Its true class. */
  readonly label: string;
  /** What the classifier says. */
  readonly predicted: string;
  /** How sure it is of that, 0 to 1. */
  readonly probability: number;
  /** How probable the true class is to it, 0 to 1. */
  readonly labelProbability: number;
}

/** What a classifier comes to on labelled examples. Intervals are 95 %, Wilson's. */
export interface Evaluation {
  /** How many examples. */
  readonly n: number;
  /** How many of them it is right about. */
  readonly correct: number;
  readonly accuracy: number;
  readonly accuracyInterval: Interval;
  /** The mean recall of the classes that have examples. */
  readonly balancedAccuracy: number;
  /** In the order of the class names. */
  readonly perClass: readonly ClassFigures[];
  /** Means over the classes that have examples; a class that is never said counts with precision 0. */
  readonly macro: { readonly precision: number; readonly recall: number; readonly f1: number };
  /** −ln of the true class's probability at the temperature, on average; clipped as scikit-learn does. */
  readonly logLoss: number;
  /** The expected calibration error at the temperature: `calibration.after`. */
  readonly calibrationError: number;
  /** `[true class][said class]`: how many examples. */
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: {
    readonly temperature: number;
    /** At temperature 1. */
    readonly before: CalibrationFigures;
    /** At the temperature. */
    readonly after: CalibrationFigures;
  };
  /** What comes of the threshold under which it says "not sure". */
  readonly notSure: ThresholdFigures;
  /** The examples it is most wrong about, the surest first. */
  readonly topMistakes: readonly Mistake[];
}

export type EvaluationOptions = ClassifierScores & {
  /** By example: a class index. */
  readonly labels: ArrayLike<number>;
  /** In the order of the scores. Any text is a name. */
  readonly classNames: readonly string[];
  /** By example: what it is called. Default: its position. */
  readonly names?: readonly string[] | undefined;
  /** What logits (or the logarithms of probabilities) are divided by before the softmax. Default: 1. */
  readonly temperature?: number;
  /** 0 to 1: answers with a smaller probability mean "not sure". Default: 0, every answer counts. */
  readonly threshold?: number;
  /** How many mistakes are named. Default: 24. */
  readonly mistakes?: number;
};

/**
 * The figures of a classifier's answers. Probabilities are those at `temperature`, which changes no answer; log loss,
 * mistakes, `notSure` and `calibration.after` are made from them.
 *
 * @throws GraftError `bad-data` without examples; `usage` where scores, labels and names do not fit each other, scores
 *   are not finite or no probabilities, or the temperature or the threshold is out of range
 */
export function evaluateClassifier(options: EvaluationOptions): Evaluation {
  const { labels, classNames, names, temperature = 1, threshold = 0, mistakes = 24 } = options;
  const n = labels.length;
  if (n === 0) {
    throw new GraftError("bad-data", "there is nothing to evaluate on", { expected: "at least one labelled example" });
  }
  if (names !== undefined && names.length !== n) {
    throw new GraftError("usage", "each example needs a name", { expected: `${n} names`, actual: `${names.length}` });
  }
  const table = scoreTable(options, labels, classNames.length);
  const scored = scoreExamples(table, labels, temperature);
  const after = calibrationFigures(scored, labels);
  const before = temperature === 1 ? after : calibrationFigures(scoreExamples(table, labels, 1), labels);

  const confusion = confusionMatrix(scored.predicted, labels, classNames.length);
  const perClass = classNames.map((name, index) => classFigures(name, index, confusion));
  const correct = confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  const present = perClass.filter(({ support }) => support > 0);
  const overPresent = (figure: (each: ClassFigures) => number | null) =>
    present.reduce((sum, each) => sum + (figure(each) ?? 0), 0) / present.length;
  return {
    n,
    correct,
    accuracy: correct / n,
    accuracyInterval: wilsonInterval(correct, n) ?? [0, 1],
    balancedAccuracy: overPresent(({ recall }) => recall),
    perClass,
    macro: {
      precision: overPresent(({ precision }) => precision),
      recall: overPresent(({ recall }) => recall),
      f1: overPresent(({ f1 }) => f1),
    },
    logLoss: after.logLoss,
    calibrationError: after.expectedCalibrationError,
    confusion,
    calibration: { temperature, before, after },
    notSure: thresholdFigures(scored, labels, threshold),
    topMistakes: worstMistakes(scored, labels, { classNames, names, count: mistakes }),
  };
}

function confusionMatrix(predicted: Int32Array, labels: ArrayLike<number>, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [example, said] of predicted.entries()) {
    const row = matrix[labels[example] ?? 0];
    if (row !== undefined) row[said] = (row[said] ?? 0) + 1;
  }
  return matrix;
}

function classFigures(name: string, index: number, confusion: readonly (readonly number[])[]): ClassFigures {
  const found = confusion[index]?.[index] ?? 0;
  const support = (confusion[index] ?? []).reduce((sum, count) => sum + count, 0);
  const predicted = confusion.reduce((sum, row) => sum + (row[index] ?? 0), 0);
  return {
    name,
    support,
    predicted,
    precision: predicted === 0 ? null : found / predicted,
    precisionInterval: wilsonInterval(found, predicted),
    recall: support === 0 ? null : found / support,
    recallInterval: wilsonInterval(found, support),
    f1: support === 0 ? null : (2 * found) / (support + predicted),
    f1Interval: support === 0 ? null : f1Interval(found, predicted - found, support - found),
  };
}

function worstMistakes(
  { predicted, confidence, ofLabel }: ScoredExamples,
  labels: ArrayLike<number>,
  about: {
    readonly classNames: readonly string[];
    readonly names: readonly string[] | undefined;
    readonly count: number;
  },
): Mistake[] {
  const wrong: number[] = [];
  for (const [example, said] of predicted.entries()) if (said !== labels[example]) wrong.push(example);
  wrong.sort((a, b) => (confidence[b] ?? 0) - (confidence[a] ?? 0) || a - b);
  return wrong.slice(0, about.count).map((index) => ({
    index,
    name: about.names?.[index] ?? String(index),
    label: about.classNames[labels[index] ?? 0] ?? "",
    predicted: about.classNames[predicted[index] ?? 0] ?? "",
    probability: confidence[index] ?? 0,
    labelProbability: ofLabel[index] ?? 0,
  }));
}
