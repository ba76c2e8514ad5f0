/** @file The door for Node: what needs Node's own modules or native code. */
export { readModelFile, writeModelFile } from "./onnx/files-node.ts";
export { type NodeRuntimeOptions, nodeRuntime } from "./runtime/onnxruntime-node.ts";
