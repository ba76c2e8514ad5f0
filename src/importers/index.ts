/** @file The importers room: what other systems' files hold. */
export { isHdf5, type KerasWeightFile, readKerasWeights, type StoredLayer } from "./keras/index.ts";
