/** @file From a picture of any size to the pixels a model takes. */
import { GraftError } from "../tensor/index.ts";
import type { Picture, PixelRecipe } from "./picture.ts";
import { resize, type Window } from "./resize.ts";

/**
 * The picture as the recipe wants it, uint8 `[height, width, 3]`: first the aspect policy, then the central part, then
 * the resize, then rounding to nearest. The same in Node and in browsers, on any number of threads.
 *
 * @throws GraftError `usage` for a recipe without a size or with a central part outside (0, 1]; `bad-data` for a
 *   picture without pixels or with another number of them than its size says
 */
export function toPixels(picture: Picture, recipe: PixelRecipe): Uint8Array {
  checkRecipe(recipe);
  checkPicture(picture);
  return resize(picture, centralPart(windowOf(picture, recipe), recipe.centralFraction ?? 1), recipe);
}

/** What the aspect policy leaves: `keras.ops.image.resize` with `crop_to_aspect_ratio` or `pad_to_aspect_ratio`. */
function windowOf({ height, width }: Picture, recipe: PixelRecipe): Window {
  if (recipe.aspect === "stretch") return { top: 0, left: 0, height, width };
  // Keras divides in float32 and drops the fraction: so do we, for the same pixel at every size.
  const matchingHeight = Math.trunc(Math.fround(Math.fround(width * recipe.height) / recipe.width));
  const matchingWidth = Math.trunc(Math.fround(Math.fround(height * recipe.width) / recipe.height));
  if (recipe.aspect === "crop") {
    const kept = {
      height: Math.max(Math.min(height, matchingHeight), 1),
      width: Math.max(Math.min(width, matchingWidth), 1),
    };
    return { top: half(height - kept.height), left: half(width - kept.width), ...kept };
  }
  // The border is equally wide on both sides: where an odd number is missing, one pixel less is added.
  const [above, before] = [half(Math.max(matchingHeight - height, 0)), half(Math.max(matchingWidth - width, 0))];
  return { top: -above, left: -before, height: height + 2 * above, width: width + 2 * before };
}

/** `tf.image.central_crop`. */
function centralPart({ top, left, height, width }: Window, fraction: number): Window {
  const [above, before] = [half(height - height * fraction), half(width - width * fraction)];
  return { top: top + above, left: left + before, height: height - 2 * above, width: width - 2 * before };
}

function half(length: number): number {
  return Math.trunc(length / 2);
}

function checkRecipe({ height, width, centralFraction = 1 }: PixelRecipe): void {
  if (!(Number.isInteger(height) && Number.isInteger(width) && height > 0 && width > 0)) {
    throw new GraftError("usage", "a pixel recipe needs a size", {
      expected: "a height and a width of at least 1",
      actual: `${height}×${width}`,
    });
  }
  if (!(centralFraction > 0 && centralFraction <= 1)) {
    throw new GraftError("usage", "no such central part", {
      path: ["centralFraction"],
      expected: "a number in (0, 1]",
      actual: String(centralFraction),
    });
  }
}

function checkPicture({ height, width, data }: Picture): void {
  if (height > 0 && width > 0 && data.length === height * width * 3) return;
  throw new GraftError("bad-data", "the picture is not what its size says", {
    expected: `${height}×${width} pixels of 3 bytes`,
    actual: `${data.length} bytes`,
  });
}
