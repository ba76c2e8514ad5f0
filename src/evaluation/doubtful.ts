/** @file Doubtful labels: examples that may carry the wrong label, by confident learning. */
import { type ClassifierScores, scoreTable } from "./scores.ts";

/** An example whose label is doubted. */
export interface DoubtfulLabel {
  /** Which example. */
  readonly index: number;
  /** What it is called. */
  readonly name: string;
  /** Its label. */
  readonly label: string;
  /** The class it seems to be of. */
  readonly suggested: string;
  /** The probability of the suggested class. */
  readonly probability: number;
  /** The probability of its label. */
  readonly labelProbability: number;
  /** `labelProbability` less that of the most probable other class, −1 to 1: the smaller, the more doubtful. */
  readonly margin: number;
}

/**
 * Examples that may carry the wrong label, the most doubtful first. Each class has a threshold, the mean probability it
 * gets from the examples labelled with it; an example is doubtful where, of the classes whose threshold it reaches,
 * another than its label is the most probable. (Confident learning: Northcutt, Jiang and Chuang 2021; ranked by their
 * normalised margin.) Nothing is doubted without a class that is reached, and no class without examples is suggested.
 *
 * @param outOfFold - `[examples, classes]`, each example's from a model that was not fitted on it
 * @param names - by example: what it is called; default: its position
 * @throws GraftError `usage` where the scores do not fit the labels
 */
export function doubtfulLabels(
  outOfFold: ClassifierScores,
  labels: ArrayLike<number>,
  classNames: readonly string[],
  names?: readonly string[],
): DoubtfulLabel[] {
  const classes = classNames.length;
  const table = scoreTable(outOfFold, labels, classes);
  const row = new Float64Array(classes);
  const thresholds = new Float64Array(classes);
  const counts = new Float64Array(classes);
  for (let example = 0; example < table.examples; example++) {
    table.readRow(example, 1, row);
    const label = labels[example] ?? 0;
    thresholds[label] = (thresholds[label] ?? 0) + (row[label] ?? 0);
    counts[label] = (counts[label] ?? 0) + 1;
  }
  for (let index = 0; index < classes; index++) {
    const count = counts[index] ?? 0;
    thresholds[index] = count === 0 ? Number.POSITIVE_INFINITY : (thresholds[index] ?? 0) / count;
  }

  const doubtful: DoubtfulLabel[] = [];
  for (let example = 0; example < table.examples; example++) {
    table.readRow(example, 1, row);
    const label = labels[example] ?? 0;
    const labelProbability = row[label] ?? 0;
    let [suggested, largestOther] = [-1, 0];
    for (const [index, probability] of row.entries()) {
      if (index !== label) largestOther = Math.max(largestOther, probability);
      const isReached = probability >= (thresholds[index] ?? Number.POSITIVE_INFINITY);
      if (isReached && (suggested < 0 || probability > (row[suggested] ?? 0))) suggested = index;
    }
    if (suggested < 0 || suggested === label) continue;
    doubtful.push({
      index: example,
      name: names?.[example] ?? String(example),
      label: classNames[label] ?? "",
      suggested: classNames[suggested] ?? "",
      probability: row[suggested] ?? 0,
      labelProbability,
      margin: labelProbability - largestOther,
    });
  }
  return doubtful.sort((a, b) => a.margin - b.margin || a.index - b.index);
}
