/** @file The door for Node: what needs Node's own modules or native code. */
import { nodeEngine } from "./keras/engine-node.ts";
import { installEngine } from "./keras/index.ts";

export { type ImageFolderOptions, imageFolder } from "./data/image-folder-node.ts";
export { type LabelledFolderOptions, labelledFolder } from "./data/labelled-folder-node.ts";
export { type NamedBytes, photosOf } from "./data/photo-list-node.ts";
export { drawSample, type Sample, type SampleOptions } from "./data/sample-node.ts";
export { packageVersion } from "./files/index.ts";
export type { DownloadProgress } from "./hub/index.ts";
export { type InspectOptions, inspectModel } from "./inspection/inspect-node.ts";
export { type Applications, applications } from "./keras/applications-node.ts";
export { type Hub, hub, type KerasLayerOptions } from "./keras/hub-node.ts";
export { type ApplicationOptions, type LoadedApplication, loadApplication } from "./model/application-node.ts";
export { type Conversion, convertModel } from "./model/convert-node.ts";
export { defaultBase, type LoadBaseOptions, loadBase } from "./model/load-base-node.ts";
export { type OpenOptions, openModel } from "./model/open-model-node.ts";
export {
  type AvailableBase,
  availableBases,
  type PulledModel,
  type PullOptions,
  pullModel,
} from "./model/pull-node.ts";
export { type Search, type SearchQuery, search } from "./model/search-node.ts";
export { readModelFile, writeModelFile } from "./onnx/files-node.ts";
export { type NodeRuntimeOptions, nodeRuntime } from "./runtime/onnxruntime-node.ts";
export { csvLogger, jsonLogger, type ModelCheckpointOptions, modelCheckpoint } from "./training/callbacks-node.ts";
export { checkpointFile } from "./training/checkpoint-node.ts";
export { type FeatureStoreOptions, featureStore } from "./training/features-node.ts";

// Models made by the Keras interface run here.
installEngine(nodeEngine());

export { type LoadedModel, type LoadModelOptions, loadedModel, loadModel } from "./transfer/classifier-node.ts";
export { type DryRun, dryRun } from "./transfer/dry-run-node.ts";
export { resumeRun } from "./transfer/resume-node.ts";
export { freshRunPath } from "./transfer/run-node.ts";
export { type TrainHooks, type TrainResult, type TrainSettings, trainFolder } from "./transfer/train-node.ts";
export { type TransferResult, type TransferSettings, transfer } from "./transfer/transfer-node.ts";
