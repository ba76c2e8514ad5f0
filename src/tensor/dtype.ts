/** @file Element types: the names, widths and storage of ONNX's tensor element types. */

/** ONNX's element types, named as NumPy and TensorFlow.js name them (onnx.proto, TensorProto.DataType). */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "complex64"
  | "complex128"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "uint4"
  | "int4"
  | "float4e2m1"
  | "uint2"
  | "int2";

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

interface DTypeFacts {
  /** Width of an element in bits; 0 for strings. */
  readonly bits: number;
  readonly kind: "floating" | "integer" | "boolean" | "complex" | "string";
  /** What holds the elements: raw bits for narrow floats, packed bytes below 8 bits, pairs for complex numbers. */
  readonly storage: TypedArrayConstructor;
}

const facts: { readonly [D in DType]: DTypeFacts } = {
  float32: { bits: 32, kind: "floating", storage: Float32Array },
  float64: { bits: 64, kind: "floating", storage: Float64Array },
  float16: { bits: 16, kind: "floating", storage: Uint16Array },
  bfloat16: { bits: 16, kind: "floating", storage: Uint16Array },
  int8: { bits: 8, kind: "integer", storage: Int8Array },
  int16: { bits: 16, kind: "integer", storage: Int16Array },
  int32: { bits: 32, kind: "integer", storage: Int32Array },
  int64: { bits: 64, kind: "integer", storage: BigInt64Array },
  uint8: { bits: 8, kind: "integer", storage: Uint8Array },
  uint16: { bits: 16, kind: "integer", storage: Uint16Array },
  uint32: { bits: 32, kind: "integer", storage: Uint32Array },
  uint64: { bits: 64, kind: "integer", storage: BigUint64Array },
  bool: { bits: 8, kind: "boolean", storage: Uint8Array },
  string: { bits: 0, kind: "string", storage: Uint8Array },
  complex64: { bits: 64, kind: "complex", storage: Float32Array },
  complex128: { bits: 128, kind: "complex", storage: Float64Array },
  float8e4m3fn: { bits: 8, kind: "floating", storage: Uint8Array },
  float8e4m3fnuz: { bits: 8, kind: "floating", storage: Uint8Array },
  float8e5m2: { bits: 8, kind: "floating", storage: Uint8Array },
  float8e5m2fnuz: { bits: 8, kind: "floating", storage: Uint8Array },
  float8e8m0: { bits: 8, kind: "floating", storage: Uint8Array },
  uint4: { bits: 4, kind: "integer", storage: Uint8Array },
  int4: { bits: 4, kind: "integer", storage: Uint8Array },
  float4e2m1: { bits: 4, kind: "floating", storage: Uint8Array },
  uint2: { bits: 2, kind: "integer", storage: Uint8Array },
  int2: { bits: 2, kind: "integer", storage: Uint8Array },
};

/** Whether gradients flow through values of this type. */
export function isFloating(dtype: DType | undefined): boolean {
  return dtype !== undefined && facts[dtype].kind === "floating";
}

/** Bytes that `count` elements take when packed as ONNX packs them. Strings have no fixed width: 0. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((facts[dtype].bits * count) / 8);
}

/** The typed array that stores `dtype`. */
export function storageOf(dtype: DType): TypedArrayConstructor {
  return facts[dtype].storage;
}
