/** @file What training, evaluation and prediction read: labelled examples whose pixels come when asked for. */
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
