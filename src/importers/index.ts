/** @file The importers room: from other systems' files to graphs in layers. */
export { importModel, type ModelLocation } from "./import.ts";
export type { ImportedModel, ImportOptions, TextStep } from "./imported.ts";
export {
  isHdf5,
  type KerasWeightFile,
  readKerasWeights,
  type StoredLayer,
  weightsKind,
} from "./keras/index.ts";
export type { ModelFiles } from "./model-files.ts";
