/** @file The data room: from files to labelled pixels. */
export type { Augmentation, AugmentationStep, Factor, FillMode } from "./augmentation.ts";
export type { Dataset, View } from "./dataset.ts";
export type { AspectPolicy, Picture, PixelRecipe, ResizeMethod } from "./picture.ts";
