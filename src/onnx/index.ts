/** @file The onnx room: the bytes of ONNX files to graphs and back, faithfully. Files are strangers. */
export type { ExternalData } from "./external-data.ts";
export { checkResources, type ResourceLimits, resourceLimits } from "./limits.ts";
export { canonicalOpset, newestOpset, type OnnxModel, oldestOpset, onnxModelOf } from "./model.ts";
export { type ReadOptions, readModel } from "./read.ts";
export { adviceOn, recognizeOther } from "./recognize.ts";
export { type ReadLimits, readLimits } from "./wire.ts";
export { writeModel } from "./write.ts";
