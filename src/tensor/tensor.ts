/** @file Tensors: an element type, a shape of numbers and the elements themselves, row-major. */
import { type DType, storageOf, type TypedArray } from "./dtype.ts";
import { GraftError } from "./error.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";
import { elementCount, showShape } from "./shape.ts";

/**
 * A constant array. Elements are row-major in the storage of their type: int64 in a BigInt64Array, float16 and bfloat16
 * as raw bits in a Uint16Array, types below 8 bits packed low bits first, complex numbers as pairs, booleans as 0 and 1.
 */
export interface NumericTensor {
  readonly dtype: Exclude<DType, "string">;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

export interface StringTensor {
  readonly dtype: "string";
  readonly shape: readonly number[];
  /** Bytes, because ONNX does not promise UTF-8. */
  readonly data: readonly Uint8Array[];
}

export type Tensor = NumericTensor | StringTensor;

/** A tensor of ordinary numbers. Throws when the count does not fit the shape. */
export function tensorOf(
  dtype: Exclude<DType, "string">,
  shape: readonly number[],
  values: Iterable<number>,
): NumericTensor {
  const elements = Array.from(values);
  if (elements.length !== elementCount(shape)) {
    throw new GraftError("bad-data", "the elements do not fill the shape", {
      expected: `${elementCount(shape)} elements for ${showShape(shape)}`,
      actual: `${elements.length}`,
    });
  }
  const data = new (storageOf(dtype))(elements.length);
  const store = storer(dtype);
  for (let index = 0; index < elements.length; index++) data[index] = store(elements[index] ?? 0);
  return { dtype, shape, data };
}

/** A float32 tensor over existing elements, without a copy. */
export function float32(shape: readonly number[], data: Float32Array): NumericTensor {
  return { dtype: "float32", shape, data };
}

/** A vector of int64: what ONNX takes as shapes, axes, pads and repeats. */
export function int64Vector(values: readonly number[]): NumericTensor {
  return tensorOf("int64", [values.length], values);
}

/** The elements as ordinary numbers. int64 beyond 2^53 loses its low digits. Throws for strings, complex and packed types. */
export function numbersOf(tensor: Tensor): number[] {
  if (tensor.dtype === "string") throw new GraftError("bad-data", "a string tensor holds no numbers");
  const load = loader(tensor.dtype);
  const numbers = new Array<number>(tensor.data.length);
  for (let index = 0; index < numbers.length; index++) numbers[index] = load(tensor.data[index] ?? 0);
  return numbers;
}

/** The bytes of the elements, little-endian, over the same memory. */
export function bytesOf(tensor: NumericTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

type Stored = number | bigint;

function storer(dtype: Exclude<DType, "string">): (value: number) => never {
  // `never` satisfies the element type of every array in the union; the row fits its own storage.
  const table: { readonly [D in DType]?: (value: number) => Stored } = {
    int64: (value) => BigInt.asIntN(64, toBigInt(value)),
    uint64: (value) => BigInt.asUintN(64, toBigInt(value)),
    float16: toFloat16,
    bfloat16: toBfloat16,
    bool: (value) => (value ? 1 : 0),
  };
  refuseUnwritten(dtype);
  return (table[dtype] ?? ((value: number) => value)) as (value: number) => never;
}

function loader(dtype: Exclude<DType, "string">): (stored: Stored) => number {
  refuseUnwritten(dtype);
  if (dtype === "float16") return (stored) => fromFloat16(Number(stored));
  if (dtype === "bfloat16") return (stored) => fromBfloat16(Number(stored));
  return Number;
}

const maximumInt64 = 2n ** 63n - 1n;

/** ONNX writes "to the end" as the largest int64, which a double only approximates: saturate instead of wrapping round. */
function toBigInt(value: number): bigint {
  if (value >= 2 ** 63) return maximumInt64;
  if (value <= -(2 ** 63)) return -maximumInt64 - 1n;
  return BigInt(Math.trunc(value));
}

const readable: ReadonlySet<DType> = new Set<DType>([
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
]);

/** Whether the elements can be read and written as ordinary numbers. */
export function isReadable(dtype: DType): boolean {
  return readable.has(dtype);
}

function refuseUnwritten(dtype: DType): void {
  if (!isReadable(dtype)) throw new GraftError("bad-data", `elements of type ${dtype} are not read as numbers`);
}
