/** @file Where the weights of a Keras model lie, in the two ways that files have: by layer in order, or by the way through objects. */

/** A weight of a file. */
export interface StoredWeight {
  /** As the file has it: `Conv1/kernel:0`, `block_1/dense/kernel`, `layers/conv2d/vars/0`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Reads the elements, row-major, as float32. Throws GraftError `model-invalid` where they are damaged. */
  read(): Float32Array;
}

/** A layer of a legacy file, with its weights in the file's order; a nested model is one layer with the weights of all inside. */
export interface StoredLayer {
  readonly name: string;
  readonly weights: readonly StoredWeight[];
}

/** Legacy .h5 files, and TensorFlow.js layers models, whose flat names `layer/weight` are grouped by layer. */
export interface WeightsByLayer {
  readonly kind: "layers";
  /** In the file's order, those without weights included. */
  readonly layers: readonly StoredLayer[];
}

/** Keras 3's weight files: `model.weights.h5`, also its form of before (`_layer_checkpoint_dependencies`). */
export interface WeightsByPath {
  readonly kind: "paths";
  /** Every folder that has a `vars` folder, by the way to it: `layers/lstm/cell`; its weights in the order of their numbers. */
  readonly holders: ReadonlyMap<string, readonly StoredWeight[]>;
  /** The layer's name where the file says it (the `name` attribute of newer files), by the same key. */
  readonly layerNames: ReadonlyMap<string, string>;
}

export type KerasWeights = WeightsByLayer | WeightsByPath;
