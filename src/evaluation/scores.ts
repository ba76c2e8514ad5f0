/** @file Scores: what a classifier says of examples, as logits or probabilities, read row by row. */
import { GraftError } from "../tensor/index.ts";

/** Numbers in row-major order. */
export type Floats = Float32Array | Float64Array;

/** A classifier's answers, `[examples, classes]`: logits, or probabilities. */
export type ClassifierScores = { readonly logits: Floats } | { readonly probabilities: Floats };

/** What the figures are made from, a number an example. */
export interface ScoredExamples {
  /** The most probable class; the first of equals. */
  readonly predicted: Int32Array;
  /** The probability of `predicted`, in (0, 1]. */
  readonly confidence: Float64Array;
  /** The probability of the true class, in [0, 1]. */
  readonly ofLabel: Float64Array;
  /** −ln of the probability of the true class, clipped to [ε, 1 − ε] as scikit-learn does. */
  readonly losses: Float64Array;
  /** The squared distance between the probabilities and the truth, 0 to 2. */
  readonly squaredErrors: Float64Array;
}

/** Answers whose form has been checked. */
export interface ScoreTable {
  readonly examples: number;
  readonly classes: number;
  /** What probabilities are clipped to: the relative precision of their element type. */
  readonly epsilon: number;
  /** The most probable class of an example, the first of equals: by its scores, so that no temperature can change it. */
  answerOf(example: number): number;
  /** Writes the probabilities of an example at a temperature. */
  readRow(example: number, temperature: number, row: Float64Array): void;
}

const singlePrecision = 2 ** -23;

/**
 * @throws GraftError `usage` where the scores are not `[labels, classes]`, are not finite, or are no probabilities, or
 *   a label is no class
 */
export function scoreTable(scores: ClassifierScores, labels: ArrayLike<number>, classes: number): ScoreTable {
  const isLogits = "logits" in scores;
  const values = isLogits ? scores.logits : scores.probabilities;
  const examples = labels.length;
  if (!Number.isInteger(classes) || classes < 1 || values.length !== examples * classes) {
    throw new GraftError("usage", "the scores do not fit the labels", {
      expected: `[${examples}, ${classes}], ${examples * classes} numbers`,
      actual: `${values.length} numbers`,
    });
  }
  checkLabels(labels, classes);
  if (isLogits) checkFinite(values, classes);
  else checkProbabilities(values, classes);
  return {
    examples,
    classes,
    epsilon: !isLogits && values instanceof Float32Array ? singlePrecision : Number.EPSILON,
    answerOf: (example) => indexOfLargest(values.subarray(example * classes, (example + 1) * classes)),
    readRow: (example, temperature, row) => {
      const start = example * classes;
      const isPlain = !isLogits && temperature === 1;
      for (let index = 0; index < classes; index++) {
        const value = values[start + index] ?? 0;
        row[index] = isLogits || isPlain ? value : Math.log(Math.max(value, Number.MIN_VALUE));
      }
      if (!isPlain) softmax(row, temperature);
    },
  };
}

/** Every example's figures at a temperature. */
export function scoreExamples(table: ScoreTable, labels: ArrayLike<number>, temperature: number): ScoredExamples {
  checkTemperature(temperature);
  const { examples, classes, epsilon } = table;
  const predicted = new Int32Array(examples);
  const confidence = new Float64Array(examples);
  const ofLabel = new Float64Array(examples);
  const losses = new Float64Array(examples);
  const squaredErrors = new Float64Array(examples);
  const row = new Float64Array(classes);
  for (let example = 0; example < examples; example++) {
    table.readRow(example, temperature, row);
    const label = labels[example] ?? 0;
    const best = table.answerOf(example);
    const probability = row[label] ?? 0;
    predicted[example] = best;
    confidence[example] = row[best] ?? 0;
    ofLabel[example] = probability;
    losses[example] = -Math.log(Math.min(Math.max(probability, epsilon), 1 - epsilon));
    let squares = 0;
    for (let index = 0; index < classes; index++) squares += ((row[index] ?? 0) - (index === label ? 1 : 0)) ** 2;
    squaredErrors[example] = squares;
  }
  return { predicted, confidence, ofLabel, losses, squaredErrors };
}

/**
 * The log loss of each example: −ln of the probability of its true class, clipped to [ε, 1 − ε] as scikit-learn does.
 * `temperature`: what logits are divided by; default: 1.
 *
 * @throws GraftError `usage` as `evaluateClassifier`
 */
export function exampleLosses(
  scores: ClassifierScores,
  labels: ArrayLike<number>,
  { classes, temperature = 1 }: { readonly classes: number; readonly temperature?: number },
): Float64Array {
  return scoreExamples(scoreTable(scores, labels, classes), labels, temperature).losses;
}

/** Where the largest number stands; the first of equals. */
export function indexOfLargest(row: Floats): number {
  let best = 0;
  for (let index = 1; index < row.length; index++) if ((row[index] ?? 0) > (row[best] ?? 0)) best = index;
  return best;
}

export function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function checkTemperature(temperature: number): void {
  if (temperature > 0 && Number.isFinite(temperature)) return;
  throw new GraftError("usage", "no such temperature", { expected: "a number above 0", actual: String(temperature) });
}

/** exp(xᵢ/T) / Σ exp(xⱼ/T), in place; the largest is subtracted first, so that nothing overflows. */
function softmax(row: Float64Array, temperature: number): void {
  const largest = row[indexOfLargest(row)] ?? 0;
  let sum = 0;
  for (let index = 0; index < row.length; index++) {
    const exponential = Math.exp(((row[index] ?? 0) - largest) / temperature);
    row[index] = exponential;
    sum += exponential;
  }
  for (let index = 0; index < row.length; index++) row[index] = (row[index] ?? 0) / sum;
}

function checkLabels(labels: ArrayLike<number>, classes: number): void {
  for (let example = 0; example < labels.length; example++) {
    const label = labels[example] ?? Number.NaN;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new GraftError("usage", "a label is no class", {
      path: [`label ${example}`],
      expected: `a whole number from 0 to ${classes - 1}`,
      actual: String(label),
    });
  }
}

function checkFinite(values: Floats, classes: number): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new GraftError("usage", "a logit is not finite", {
    path: [`example ${Math.floor(at / classes)}`, `class ${at % classes}`],
    actual: String(values[at]),
  });
}

/** How far from 1 the probabilities of an example may sum: half precision over many classes. */
const sumTolerance = 1e-2;

function checkProbabilities(values: Floats, classes: number): void {
  for (let start = 0; start < values.length; start += classes) {
    let sum = 0;
    let isWithin = true;
    for (let index = start; index < start + classes; index++) {
      const value = values[index] ?? 0;
      sum += value;
      isWithin &&= value >= 0 && value <= 1 + sumTolerance;
    }
    if (isWithin && Math.abs(sum - 1) <= sumTolerance) continue;
    throw new GraftError("usage", "an example's scores are no probabilities", {
      path: [`example ${start / classes}`],
      expected: "numbers from 0 to 1 that sum to 1",
      actual: isWithin ? `a sum of ${sum}` : "a number outside",
      hint: "give logits as `logits`",
    });
  }
}
