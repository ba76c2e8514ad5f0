/** @file TensorFlow's files: SavedModels of TensorFlow 1 and 2, TensorFlow.js graph models, frozen graphs. */
import type { ImportedModel, ImportOptions } from "../imported.ts";
import type { ModelFiles } from "../model-files.ts";
import { freezeGraphDef, freezeTfjsGraph } from "./frozen-file.ts";
import type { FrozenGraph } from "./graph-def.ts";
import { lowerTensorFlow } from "./lower.ts";
import { freezeSavedModel, type SavedModelOptions } from "./saved-model.ts";

export { isFrozenGraph } from "./frozen-file.ts";
export type { SavedModelOptions } from "./saved-model.ts";

/**
 * A SavedModel: the folder with saved_model.pb. What is run is the root for inference, else a signature.
 *
 * @throws GraftError `model-invalid` where a file is missing or damaged (checksums are verified), `model-refused` where
 *   operators are not supported, all of them named
 */
export async function importSavedModel(files: ModelFiles, options: SavedModelOptions): Promise<ImportedModel> {
  const { frozen, savedBy, labels } = await freezeSavedModel(files, options);
  return imported(frozen, options, { format: "TensorFlow SavedModel", savedBy, labels });
}

/** A TensorFlow.js graph model by its model.json. Throws as `importSavedModel` does. */
export async function importTfjsGraph(
  files: ModelFiles,
  entry: string,
  options: ImportOptions,
): Promise<ImportedModel> {
  const { frozen, savedBy } = await freezeTfjsGraph(files, entry, options.name);
  return imported(frozen, options, { format: "TensorFlow.js graph model", savedBy, labels: undefined });
}

/** A frozen GraphDef (`frozen_graph.pb`). Throws as `importSavedModel` does. */
export async function importFrozenGraph(bytes: Uint8Array, options: ImportOptions): Promise<ImportedModel> {
  const frozen = freezeGraphDef(bytes, options.name);
  return imported(frozen, options, { format: "frozen TensorFlow graph", savedBy: undefined, labels: undefined });
}

function imported(
  frozen: FrozenGraph,
  options: ImportOptions,
  about: Pick<ImportedModel, "format" | "savedBy" | "labels">,
): ImportedModel {
  const { graph, layers, remarks } = lowerTensorFlow(frozen, options);
  return { graph, layers, name: options.name, ...about, textSteps: [], remarks };
}
