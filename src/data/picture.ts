/** @file Pictures, and how they become the pixels a model takes. */

/** A decoded picture: RGB, whatever the file held. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 3]`, row-major, 0–255. */
  readonly data: Uint8Array;
}

/**
 * How a picture takes another size. `bilinear` is TensorFlow's `tf.image.resize` (half-pixel centres, two taps);
 * `antialias` widens the triangle when shrinking, as Pillow and `tf.image.resize(antialias=True)` do.
 */
export type ResizeMethod = "bilinear" | "antialias";

/**
 * What becomes of another aspect ratio. `stretch`: the whole picture, out of shape (Keras's default); `crop`: the
 * largest middle part of the right shape (Keras's `crop_to_aspect_ratio`); `pad`: the whole picture with black borders
 * (Keras's `pad_to_aspect_ratio`).
 */
export type AspectPolicy = "stretch" | "crop" | "pad";

/** From any picture to the pixels `[height, width, 3]` a model takes, rounded to whole numbers 0–255. */
export interface PixelRecipe {
  readonly height: number;
  readonly width: number;
  readonly method: ResizeMethod;
  readonly aspect: AspectPolicy;
  /** The part of each side that is kept, in (0, 1], around the middle, after `aspect`: 0.875 is usual for ImageNet. Default: 1. */
  readonly centralFraction?: number;
}
