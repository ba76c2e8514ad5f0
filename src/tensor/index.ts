/** @file The tensor room: element types, shapes, typed data, and the error that every room throws. */

export { sha256 } from "./digest.ts";
export { byteLength, type DType, isFloating, storageOf, type TypedArray } from "./dtype.ts";
export { type ErrorCode, type ErrorDetails, GraftError, unreachable } from "./error.ts";
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";
export { randomNumbers } from "./random.ts";
export {
  areCompatible,
  areEqualDimensions,
  areEqualShapes,
  type Dimension,
  elementCount,
  isStatic,
  normalizeAxis,
  type Shape,
  showShape,
  stridesOf,
} from "./shape.ts";
export {
  bytesOf,
  float32,
  int64Vector,
  isReadable,
  type NumericTensor,
  numbersOf,
  type StringTensor,
  type Tensor,
  tensorOf,
} from "./tensor.ts";
