/** @file What training, evaluation and prediction read: labelled examples whose pixels come when asked for. */
import { GraftError } from "../tensor/index.ts";
import type { Augmentation } from "./augmentation.ts";
import type { PixelRecipe } from "./picture.ts";

/** One look at one example. */
export interface View {
  /** Which example. */
  readonly index: number;
  /** How it is changed at random. Absent: not at all. */
  readonly augmentation?: Augmentation;
  /** Draws the changes: the same example, augmentation and seed give the same pixels. Default: 0. */
  readonly seed?: number;
}

/** Labelled pictures. */
export interface Dataset {
  /** In the order of the labels. */
  readonly classNames: readonly string[];
  /** By example: an index into `classNames`. */
  readonly labels: readonly number[];
  /** By example: the SHA-256 of the file's bytes, by which caches know it. */
  readonly digests: readonly string[];
  /** By example: what a person calls it, usually a path. */
  readonly names: readonly string[];
  /** By example: what belongs together has the same, and goes to one side of every split. Absent: the digests say it. */
  readonly groups?: readonly string[];
  /** How `fit` changes these pictures while it trains. */
  readonly augmentation?: Augmentation;

  /**
   * The pixels of the views, uint8 `[views, height, width, 3]`. Decoding and augmenting happen off the calling thread
   * where the platform can.
   *
   * @throws GraftError `bad-data` naming the first example that does not decode
   */
  read(views: readonly View[], recipe: PixelRecipe): Promise<Uint8Array>;
}

/**
 * The examples at these places, in this order; a place may stand more than once.
 *
 * @throws GraftError `usage` for a place outside the dataset
 */
export function subset(dataset: Dataset, indices: readonly number[]): Dataset {
  const at = <T>(values: readonly T[]): T[] =>
    indices.map((index) => {
      const value = values[index];
      if (value === undefined) throw noSuchExample(index, values.length);
      return value;
    });
  const { groups } = dataset;
  return {
    ...dataset,
    labels: at(dataset.labels),
    digests: at(dataset.digests),
    names: at(dataset.names),
    ...(groups === undefined ? {} : { groups: at(groups) }),
    read: (views, recipe) =>
      dataset.read(
        views.map((view) => {
          const index = indices[view.index];
          if (index === undefined) throw noSuchExample(view.index, indices.length);
          return { ...view, index };
        }),
        recipe,
      ),
  };
}

/**
 * One dataset after another, with the augmentation of the first.
 *
 * @throws GraftError `usage` where there is none, or their classes differ
 */
export function concatenate(datasets: readonly Dataset[]): Dataset {
  const [first] = datasets;
  if (first === undefined) throw new GraftError("usage", "there is no dataset to concatenate");
  for (const { classNames } of datasets) {
    if (JSON.stringify(classNames) === JSON.stringify(first.classNames)) continue;
    throw new GraftError("usage", "the datasets have different classes", {
      expected: first.classNames.join(", "),
      actual: classNames.join(", "),
    });
  }
  const places = datasets.flatMap((dataset) => dataset.labels.map((_, index) => ({ dataset, index })));
  return {
    ...first,
    labels: datasets.flatMap(({ labels }) => labels),
    digests: datasets.flatMap(({ digests }) => digests),
    names: datasets.flatMap(({ names }) => names),
    groups: datasets.flatMap(({ groups, digests }) => groups ?? digests),
    read: async (views, recipe) => {
      const size = recipe.height * recipe.width * 3;
      const pixels = new Uint8Array(views.length * size);
      const parts = datasets.map((dataset) => ({ dataset, views: [] as View[], targets: [] as number[] }));
      for (const [target, view] of views.entries()) {
        const place = places[view.index];
        if (place === undefined) throw noSuchExample(view.index, places.length);
        const part = parts.find(({ dataset }) => dataset === place.dataset);
        part?.views.push({ ...view, index: place.index });
        part?.targets.push(target);
      }
      await Promise.all(
        parts.map(async ({ dataset, views: own, targets }) => {
          if (own.length === 0) return;
          const read = await dataset.read(own, recipe);
          for (const [at, target] of targets.entries()) {
            pixels.set(read.subarray(at * size, (at + 1) * size), target * size);
          }
        }),
      );
      return pixels;
    },
  };
}

/** The same examples, changed at random by these steps while `fit` trains on them. */
export function augmented(dataset: Dataset, augmentation: Augmentation): Dataset {
  return { ...dataset, augmentation };
}

/** The error for a place outside a dataset. */
export function noSuchExample(index: number, count: number): GraftError {
  return new GraftError("usage", "no such example", {
    expected: count === 0 ? "none: the dataset is empty" : `an index from 0 to ${count - 1}`,
    actual: String(index),
  });
}

/** How many examples of each class, in the order of the class names. */
export function classCounts({ classNames, labels }: Pick<Dataset, "classNames" | "labels">): number[] {
  const counts = classNames.map(() => 0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
