/** @file The door for Node: what needs Node's own modules or native code. */
export { type NodeRuntimeOptions, nodeRuntime } from "./runtime/onnxruntime-node.ts";
