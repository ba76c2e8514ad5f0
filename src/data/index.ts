/** @file The data room: from files to labelled pixels. */
export { augmentPixels } from "./augment.ts";
export {
  type Augmentation,
  type AugmentationStep,
  type Factor,
  type FillMode,
  randomBrightness,
  randomColorJitter,
  randomContrast,
  randomCrop,
  randomFlip,
  randomRotation,
  randomTranslation,
  randomZoom,
} from "./augmentation.ts";
export { augmented, classCounts, concatenate, type Dataset, subset, type View } from "./dataset.ts";
export type { SkippedFile } from "./layout.ts";
export { type LabelledPicture, memoryDataset } from "./memory-dataset.ts";
export type { ClassCounts, LabelledFolder, PhotoFolder, PhotoList } from "./photo-folder.ts";
export type { AspectPolicy, Picture, PixelRecipe, ResizeMethod } from "./picture.ts";
export type { PictureSummary } from "./picture-facts.ts";
export { toPixels } from "./pixels.ts";
export { splitByContent } from "./split.ts";
