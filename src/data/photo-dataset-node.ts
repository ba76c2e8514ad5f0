/** @file Photos on disk as a dataset. */
import { GraftError } from "../tensor/index.ts";
import { type Dataset, noSuchExample, type View } from "./dataset.ts";
import { askTwice, type PhotoPool } from "./photo-pool-node.ts";
import type { PixelRecipe } from "./picture.ts";

/** A photo of a dataset. */
export interface DatasetPhoto {
  /** What a person calls it. */
  readonly name: string;
  /** Where it lies. */
  readonly path: string;
  /** An index into the class names. */
  readonly label: number;
  readonly digest: string;
  /** What belongs together has the same. */
  readonly group: string;
}

/** The photos as a dataset that decodes in the pool's threads, as soon as it is asked. */
export function photoDataset(classNames: readonly string[], photos: readonly DatasetPhoto[], pool: PhotoPool): Dataset {
  return {
    classNames,
    labels: photos.map(({ label }) => label),
    digests: photos.map(({ digest }) => digest),
    names: photos.map(({ name }) => name),
    groups: photos.map(({ group }) => group),
    read: (views, recipe) => readViews(photos, views, recipe, pool),
  };
}

async function readViews(
  photos: readonly DatasetPhoto[],
  views: readonly View[],
  recipe: PixelRecipe,
  pool: PhotoPool,
): Promise<Uint8Array> {
  const size = recipe.height * recipe.width * 3;
  const pixels = new Uint8Array(views.length * size);
  const failures = await Promise.all(
    views.map(async ({ index, augmentation, seed }, at) => {
      const photo = photos[index];
      if (photo === undefined) return noSuchExample(index, photos.length);
      const answer = await askTwice(pool, {
        kind: "pixels",
        source: photo.path,
        digest: photo.digest,
        recipe,
        ...(augmentation === undefined ? {} : { augmentation }),
        ...(seed === undefined ? {} : { seed }),
      });
      if (answer.kind === "failed") return new GraftError("bad-data", answer.reason, { path: [photo.name] });
      if (answer.kind === "pixels") pixels.set(answer.pixels, at * size);
      return undefined;
    }),
  );
  const failure = failures.find((error) => error !== undefined);
  if (failure !== undefined) throw failure;
  return pixels;
}
