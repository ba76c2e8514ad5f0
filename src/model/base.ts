/** @file Bases: pre-trained models cut before their classifiers, and how pixels become what they take. */
import type { PixelRecipe } from "../data/index.ts";
import type { LayeredGraph } from "../graph/index.ts";

/** From RGB 0–255 to what a model was trained on: `x·scale + offset` a channel, after `channels` puts them in order. */
export interface ValueRange {
  /** For people: `[-1, 1]`, `[0, 1]`, `[0, 255]`, `ImageNet mean and deviation`. */
  readonly name: string;
  readonly channels: "rgb" | "bgr";
  readonly scale: readonly [number, number, number];
  readonly offset: readonly [number, number, number];
}

/** Where a base came from: what an artifact says of its origin. */
export interface Provenance {
  /** The file's or address's last part, never a path of this machine. */
  readonly source: string;
  /** SHA-256 of the file the weights were read from; of the graph's bytes where there was none. */
  readonly digest: string;
  readonly license: string | undefined;
}

/** A pre-trained model without its classifier: one float32 input of pictures, one output of features. */
export interface Base extends LayeredGraph {
  /** `MobileNetV2`, `pocket`, or the file's name. */
  readonly name: string;
  /** The graph's input is `[N, 3, H, W]` or `[N, H, W, 3]`. */
  readonly layout: "channels_first" | "channels_last";
  /** The size and the resize rule of its pictures. */
  readonly recipe: PixelRecipe;
  /** `undefined` where nobody said and it must be measured. */
  readonly range: ValueRange | undefined;
  /** How many numbers it says of a picture, after averaging over the map where the output is one. */
  readonly features: number;
  readonly provenance: Provenance;
  /** What a person should know of it, a sentence each: limits, a better choice. */
  readonly remarks: readonly string[];
}
