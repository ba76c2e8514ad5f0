/** @file The Keras importer: from Keras's files to layers and weights. */
export { isHdf5, type KerasWeightFile, readKerasWeights, type StoredLayer } from "./weights.ts";
