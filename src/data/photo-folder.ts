/** @file Folders and lists of photos, as everything but their reading sees them. */
import type { GraftError } from "../tensor/index.ts";
import type { Dataset } from "./dataset.ts";
import type { SkippedFile } from "./layout.ts";
import type { PixelRecipe } from "./picture.ts";
import type { PictureSummary } from "./picture-facts.ts";

/** How many photos of each class, in the order of the class names. */
export type ClassCounts = readonly number[];

/** A folder of photos, split. */
export interface PhotoFolder {
  /** Sorted by code point. */
  readonly classNames: readonly string[];
  readonly train: Dataset;
  /** Empty where the fraction is 0. */
  readonly validation: Dataset;
  /** Held back for the final figure. Empty where the fraction is 0. */
  readonly test: Dataset;
  /** For people: how the folder was understood, and where the parts come from. */
  readonly layout: string;
  /** What is not used, and why: broken files, files that are no pictures, pictures with unclear labels. */
  readonly skipped: readonly SkippedFile[];
  /** What a person should know, a sentence each. */
  readonly remarks: readonly string[];
  /** Sizes and colours of the photos as they are stored. */
  readonly pictures?: PictureSummary | undefined;
  readonly counts: { readonly train: ClassCounts; readonly validation: ClassCounts; readonly test: ClassCounts };
  /** Lets go of the threads that decode. They never keep the process alive. */
  close(): Promise<void>;
}

/** Photos with the labels of a classifier. */
export interface LabelledFolder {
  readonly photos: Dataset;
  /** For people: how the folder was understood, and which part was taken. */
  readonly layout: string;
  /** What is not used, and why. */
  readonly skipped: readonly SkippedFile[];
  /** Lets go of the threads that decode. They never keep the process alive. */
  close(): Promise<void>;
}

/** A list of photos without labels, each of which decodes or not, whatever becomes of the others. */
export interface PhotoList {
  /** What each is called: the paths as they were given; a folder's files with the folder before them. */
  readonly files: readonly string[];
  /**
   * By place in `indices`: the pixels of that photo, uint8 `[height, width, 3]`, or what is wrong with it (`bad-data`).
   *
   * @throws GraftError `usage` for a place outside the list
   */
  read(indices: readonly number[], recipe: PixelRecipe): Promise<(Uint8Array | GraftError)[]>;
  /** Lets go of the threads that decode. They never keep the process alive. */
  close(): Promise<void>;
}
