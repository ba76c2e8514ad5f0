/** @file The table of Keras's layers: what each class computes. One file a family. */
import { activationLayers } from "./activation-layers.ts";
import { applicationLayers } from "./applications.ts";
import { attentionLayers } from "./attention.ts";
import { categoryLayers } from "./categories.ts";
import { convolutionLayers } from "./convolution.ts";
import { coreLayers } from "./core.ts";
import type { LayerDefinition } from "./layer.ts";
import { mergingLayers } from "./merging.ts";
import { normalizationLayers } from "./normalization.ts";
import { poolingLayers } from "./pooling.ts";
import { preprocessingLayers } from "./preprocessing.ts";
import { recurrentLayers } from "./recurrent.ts";
import { recurrentConvolutionLayers } from "./recurrent-convolution.ts";
import { regularizationLayers } from "./regularization.ts";
import { reshapingLayers } from "./reshaping.ts";
import { resizingLayers } from "./resizing.ts";
import { transposedConvolutionLayers } from "./transposed-convolution.ts";
import { wrapperLayers } from "./wrappers.ts";

/** Definitions by Keras's class name. */
export const layerTable: ReadonlyMap<string, LayerDefinition> = new Map([
  ...coreLayers,
  ...convolutionLayers,
  ...transposedConvolutionLayers,
  ...poolingLayers,
  ...normalizationLayers,
  ...activationLayers,
  ...mergingLayers,
  ...reshapingLayers,
  ...regularizationLayers,
  ...preprocessingLayers,
  ...resizingLayers,
  ...categoryLayers,
  ...attentionLayers,
  ...recurrentLayers,
  ...recurrentConvolutionLayers,
  ...wrapperLayers,
  ...applicationLayers,
]);
