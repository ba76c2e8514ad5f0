/** @file The shapes room: what is known of values before they are computed. */
export { broadcastShapes } from "./broadcast.ts";
export { type EinsumEquation, type EinsumIndex, ellipsis, parseEinsum } from "./einsum.ts";
export { bindDimensions, type InferOptions, inferShapes } from "./infer.ts";
export { Inference, newBuilder } from "./inference.ts";
export { type AllocationLimits, checkAllocations } from "./limits.ts";
export { reducedShape } from "./reduction.ts";
export type { Known, ShapeRule } from "./rule.ts";
export { type AxisSlice, clampSlice } from "./slice.ts";
export { outputTypes } from "./table.ts";
export {
  type TransposedWindowAttributes,
  type TransposedWindowGeometry,
  transposedWindowGeometry,
  type WindowAttributes,
  type WindowGeometry,
  windowGeometry,
} from "./windows.ts";
