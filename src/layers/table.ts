/** @file The table of Keras's layers: what each class computes. One file a family. */
import { activationLayers } from "./activation-layers.ts";
import { applicationLayers } from "./applications.ts";
import { convolutionLayers } from "./convolution.ts";
import { coreLayers } from "./core.ts";
import type { LayerDefinition } from "./layer.ts";
import { mergingLayers } from "./merging.ts";
import { normalizationLayers } from "./normalization.ts";
import { poolingLayers } from "./pooling.ts";
import { preprocessingLayers } from "./preprocessing.ts";
import { reshapingLayers } from "./reshaping.ts";

/** Definitions by Keras's class name. */
export const layerTable: ReadonlyMap<string, LayerDefinition> = new Map([
  ...coreLayers,
  ...convolutionLayers,
  ...poolingLayers,
  ...normalizationLayers,
  ...activationLayers,
  ...mergingLayers,
  ...reshapingLayers,
  ...preprocessingLayers,
  ...applicationLayers,
]);
