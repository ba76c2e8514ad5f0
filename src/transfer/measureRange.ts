/** @file Which values a base was trained on, where nobody said: the range whose features tell the classes apart best. */
import { type Dataset, subset } from "../data/index.ts";
import { type Base, type ValueRange, valueRanges } from "../model/index.ts";
import { GraftError } from "../tensor/index.ts";
import { fitLinearHead } from "../training/index.ts";

/** One candidate and what a head on its features is worth. */
export interface RangeTrial {
  readonly range: ValueRange;
  /** Cross-validated, the natural logarithm's. */
  readonly logLoss: number;
  readonly accuracy: number;
}

export interface MeasuredRange {
  readonly base: Base;
  /** The best first; empty where the range was known. */
  readonly trials: readonly RangeTrial[];
}

/** Enough to tell a wrong range from the right one: so many photos, and so many of each of many classes. */
const [photosLookedAt, photosOfAClass] = [192, 3];

/**
 * The base with its range: the one it brings, else the candidate under which a cross-validated linear head on up to 192
 * photos, or three of each class, has the lowest log loss.
 *
 * @throws GraftError `bad-data` where no range gives features that are finite numbers
 */
export async function measureRange(
  base: Base,
  train: Dataset,
  features: (base: Base, data: Dataset) => Promise<Float32Array>,
): Promise<MeasuredRange> {
  if (base.range !== undefined) return { base, trials: [] };
  const some = subset(train, spread(train.labels, Math.max(photosLookedAt, photosOfAClass * train.classNames.length)));
  const trials: RangeTrial[] = [];
  for (const range of valueRanges) {
    const table = await features({ ...base, range }, some);
    if (!table.every(Number.isFinite)) continue;
    const head = await fitLinearHead({
      features: table,
      labels: some.labels,
      classes: some.classNames.length,
      groups: some.groups ?? some.digests,
    });
    const { logLoss = Number.POSITIVE_INFINITY, accuracy = 0 } = head.crossValidated ?? {};
    trials.push({ range, logLoss, accuracy });
  }
  const [best] = trials.sort((one, other) => one.logLoss - other.logLoss);
  if (best === undefined) {
    throw new GraftError("model-invalid", "the base gives no finite features, whatever the range of the pixels", {
      path: [base.name],
      hint: "give another base, or another cut with --cut",
    });
  }
  return { base: { ...base, range: best.range }, trials };
}

/** Up to `count` places, as many of each label in turn, the first of each label first. */
function spread(labels: readonly number[], count: number): number[] {
  const seen = new Map<number, number>();
  const ranked = labels.map((label, index) => {
    const rank = seen.get(label) ?? 0;
    seen.set(label, rank + 1);
    return { index, rank };
  });
  return ranked
    .sort((one, other) => one.rank - other.rank || one.index - other.index)
    .slice(0, count)
    .map(({ index }) => index)
    .sort((one, other) => one - other);
}
