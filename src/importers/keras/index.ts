/** @file The Keras importer: from Keras's files to layers and weights. */
export { importConfigAndWeights, importKerasArchive } from "./archive.ts";
export { importKerasH5 } from "./h5.ts";
export { isHdf5 } from "./hdf5-header.ts";
export type { StoredLayer } from "./stores.ts";
export { importTfjsLayers } from "./tfjs-layers.ts";
export { type KerasWeightFile, readKerasWeights, weightsKind } from "./weights.ts";
