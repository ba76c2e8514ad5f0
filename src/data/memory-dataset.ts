/** @file Pictures that are in memory as a dataset. */
import { GraftError, sha256 } from "../tensor/index.ts";
import { augmentPixels } from "./augment.ts";
import { type Dataset, noSuchExample } from "./dataset.ts";
import type { Picture } from "./picture.ts";
import { toPixels } from "./pixels.ts";

/** A picture, what it shows and, where it has one, its name. */
export interface LabelledPicture extends Picture {
  /** An index into the class names. */
  readonly label: number;
  readonly name?: string;
}

/**
 * A dataset of decoded pictures. They are kept, not copied.
 *
 * @throws GraftError `usage` for a label without a class name, `bad-data` for pixels that do not fill their picture
 */
export async function memoryDataset(
  pictures: readonly LabelledPicture[],
  classNames: readonly string[],
): Promise<Dataset> {
  const digests: string[] = [];
  for (const [index, { width, height, data, label }] of pictures.entries()) {
    if (classNames[label] === undefined) throw noClass(index, label, classNames.length);
    if (data.length !== width * height * 3) {
      throw new GraftError("bad-data", "the pixels do not fill the picture", {
        path: [`picture ${index}`],
        expected: `${width * height * 3} numbers for ${width} × ${height} pixels`,
        actual: String(data.length),
      });
    }
    const size = new TextEncoder().encode(`${width} × ${height}\n`);
    const content = new Uint8Array(size.length + data.length);
    content.set(size);
    content.set(data, size.length);
    digests.push(await sha256(content));
  }
  return {
    classNames,
    labels: pictures.map(({ label }) => label),
    digests,
    names: pictures.map(({ name }, index) => name ?? `picture ${index}`),
    read: async (views, recipe) => {
      const size = recipe.height * recipe.width * 3;
      const pixels = new Uint8Array(views.length * size);
      for (const [at, { index, augmentation, seed = 0 }] of views.entries()) {
        const picture = pictures[index];
        if (picture === undefined) throw noSuchExample(index, pictures.length);
        const plain = toPixels(picture, recipe);
        pixels.set(augmentation === undefined ? plain : augmentPixels(plain, recipe, augmentation, seed), at * size);
      }
      return pixels;
    },
  };
}

function noClass(index: number, label: number, classes: number): GraftError {
  return new GraftError("usage", "the label has no class name", {
    path: [`picture ${index}`],
    expected: `an index from 0 to ${classes - 1}`,
    actual: String(label),
  });
}
