/** @file `layers.dense({ units: 2 })` and the others, as TensorFlow.js writes them. */
import type { ActivationName } from "./activations.ts";
import { BatchNormalization, type BatchNormalizationOptions } from "./batch-normalization.ts";
import {
  Activation,
  Dense,
  type DenseOptions,
  Dropout,
  type DropoutOptions,
  Flatten,
  GlobalPooling2D,
  type GlobalPoolingOptions,
  InputLayer,
  type InputLayerOptions,
  Rescaling,
  type RescalingOptions,
} from "./core-layers.ts";
import type { Layer, LayerCall, LayerOptions } from "./layer.ts";
import { Sequential, type SequentialOptions } from "./sequential.ts";

/** Makers of layers, by Keras's names. */
export interface Layers {
  /** Says what goes into a model: the first layer of a `sequential` that does not begin with a base. */
  inputLayer(options: InputLayerOptions): Layer;
  /** x·scale + offset. */
  rescaling(options: RescalingOptions): Layer;
  /** The mean of each channel over the map. */
  globalAveragePooling2d(options?: GlobalPoolingOptions): Layer;
  /** The maximum of each channel over the map. */
  globalMaxPooling2d(options?: GlobalPoolingOptions): Layer;
  /** Everything but the batch in one row: rows, columns, channels. */
  flatten(options?: LayerOptions): Layer;
  /** activation(x·kernel + bias), on the last axis. */
  dense(options: DenseOptions): Layer;
  /** Drops a share of the numbers in training. */
  dropout(options: DropoutOptions): Layer;
  /** Normalizes each channel: by the batch where it is trained, otherwise by its moving statistics. */
  batchNormalization(options?: BatchNormalizationOptions): Layer;
  activation(name: ActivationName, options?: LayerOptions): Layer;
}

export const layers: Layers = {
  inputLayer: (options) => new InputLayer(options),
  rescaling: (options) => new Rescaling(options),
  globalAveragePooling2d: (options = {}) => new GlobalPooling2D("GlobalAveragePooling2D", options),
  globalMaxPooling2d: (options = {}) => new GlobalPooling2D("GlobalMaxPooling2D", options),
  flatten: (options = {}) => new Flatten(options),
  dense: (options) => new Dense(options),
  dropout: (options) => new Dropout(options),
  batchNormalization: (options = {}) => new BatchNormalization(options),
  activation: (name, options = {}) => new Activation(name, options),
};

/**
 * A model of one layer after another. A base is a layer, too, and `base.call({ training: false })` one whose batch norms
 * keep to their moving statistics while it is trained.
 *
 * @throws GraftError `usage` where a layer cannot take what the one before gives, or two have one name
 */
export function sequential(items: readonly (Layer | LayerCall)[], options: SequentialOptions = {}): Sequential {
  return new Sequential(items, options);
}
