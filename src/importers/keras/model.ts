/** @file From a Keras model's config and weights to a graph in layers. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import type { ModelFiles } from "../model-files.ts";
import type { KerasWeights } from "./stores.ts";

/** What every Keras format holds in the end. */
export interface KerasModelSource {
  /** The model's config: `{class_name, config}` (any version), parsed JSON. */
  readonly config: Json;
  /** `2.21.0`, `1.2.2`, `3.15.1`: from the file; undefined where it does not say (then told from the config's form). */
  readonly kerasVersion: string | undefined;
  readonly weights: KerasWeights;
  /** Files that came along (`assets/…` of a .keras): vocabularies. */
  readonly assets: ModelFiles | undefined;
  /** What kind of file it was, for people. */
  readonly format: string;
  readonly labels?: readonly string[] | undefined;
}

/** Builds the network that the config describes, with the weights of the file. */
export async function kerasModel(source: KerasModelSource, options: ImportOptions): Promise<ImportedModel> {
  throw new GraftError("model-refused", "Keras configs are not read yet", { path: [options.name, source.format] });
}
