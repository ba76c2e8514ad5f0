/** @file What every importer gives: a graph in layers, with what the file says about itself. */
import type { LayeredGraph } from "../graph/index.ts";
import type { LayerDefinition } from "../layers/index.ts";

/** A model from a file: its graph takes and gives what the original takes and gives, in the original's order of axes. */
export interface ImportedModel extends LayeredGraph {
  /** What the file calls it. */
  readonly name: string;
  /** What kind of file it was, for people: `Keras 2 model (.h5)`, `TensorFlow SavedModel`. */
  readonly format: string;
  /** What saved it, where the file says so: `Keras 3.15.1`, `TensorFlow 2.21.0`. */
  readonly savedBy: string | undefined;
  /** The names of its classes, where they came along. */
  readonly labels: readonly string[] | undefined;
  /** What has to be done to texts before they are numbers, which the graph does not do. */
  readonly textSteps: readonly TextStep[];
  /** What a person should know of it, a sentence each. */
  readonly remarks: readonly string[];
}

/** From texts to the whole numbers that an input takes: Keras's StringLookup and TextVectorization. */
export interface TextStep {
  /** The graph's input that takes the numbers. */
  readonly input: string;
  readonly kind: "StringLookup" | "TextVectorization";
  /** In the order of their numbers, without mask and out-of-vocabulary tokens. */
  readonly vocabulary: readonly string[];
  /** The layer's own settings under Keras's keys: `standardize`, `split`, `output_sequence_length`, `num_oov_indices`… */
  readonly settings: { readonly [key: string]: unknown };
}

export interface ImportOptions {
  /** The name of the file or folder, for errors and where the model has no name. */
  readonly name: string;
  /** What layers compute that Keras does not have, or that are refused (Lambda: by the layer's name); by class name. */
  readonly customLayers?: ReadonlyMap<string, LayerDefinition> | undefined;
  /** Of a SavedModel: the function of the root, or the signature, that is run instead of the usual one. */
  readonly callable?: string | undefined;
}
