/** @file The shapes room: what is known of values before they are computed. */
export { type EinsumIndex, ellipsis, parseEinsum } from "./einsum.ts";
export { bindDimensions, inferShapes } from "./infer.ts";
export { Inference, newBuilder } from "./inference.ts";
export { inputAt } from "./rule.ts";
export { clampSlice } from "./slice.ts";
export {
  type TransposedWindowAttributes,
  transposedWindowGeometry,
  type WindowAttributes,
  type WindowGeometry,
  windowGeometry,
} from "./windows.ts";
