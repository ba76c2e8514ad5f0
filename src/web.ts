/** @file The door for browsers: what needs a page, a worker or WebAssembly. */
export { type WebRuntimeOptions, webRuntime } from "./runtime/onnxruntime-web.ts";
