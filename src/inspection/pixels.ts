/** @file Some pictures to show a base: photos where there are some, drawn ones otherwise. */
import type { PhotoFolder } from "../data/index.ts";
import type { Base } from "../model/index.ts";
import { deadLeaves } from "./leaves.ts";
import type { Pixels } from "./statistics.ts";

/** How many photos a base is shown, and how many drawn pictures, which are all alike. */
const [photosShown, drawnShown] = [16, 4];

/** Photos spread over the folder, at the base's size. */
export async function somePixels(
  { recipe }: Pick<Base, "recipe">,
  photos: Pick<PhotoFolder, "train"> | undefined,
): Promise<Pixels> {
  const { height, width } = recipe;
  const available = photos?.train.labels.length ?? 0;
  if (photos === undefined || available === 0) {
    return { data: deadLeaves(drawnShown, height, width), count: drawnShown };
  }
  const count = Math.min(photosShown, available);
  const views = Array.from({ length: count }, (_, index) => ({ index: Math.floor((index * available) / count) }));
  return { data: await photos.train.read(views, recipe), count };
}
