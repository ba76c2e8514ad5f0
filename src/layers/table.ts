/** @file The table of Keras's layers: what each class computes. One file a family. */
import { activationLayers } from "./activations.ts";
import { convolutionLayers } from "./convolution.ts";
import { coreLayers } from "./core.ts";
import type { LayerDefinition } from "./layer.ts";

/** Definitions by Keras's class name. */
export const layerTable: ReadonlyMap<string, LayerDefinition> = new Map([
  ...coreLayers,
  ...activationLayers,
  ...convolutionLayers,
]);
