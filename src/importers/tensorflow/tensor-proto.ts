/** @file TensorProto: constants in every form that TensorFlow writes them. */
import {
  byteLength,
  elementCount,
  GraftError,
  type NumericTensor,
  showShape,
  storageOf,
  type Tensor,
} from "../../tensor/index.ts";
import { typeOfNumber } from "./data-types.ts";
import type { TfShape, TfType } from "./graph-def.ts";
import type { Message } from "./wire.ts";

/** The elements of a constant as its message or its JSON has them. */
export interface TensorParts {
  readonly dtype: TfType;
  readonly shape: TfShape;
  /** Little-endian elements, or none. */
  readonly content: Uint8Array;
  /** The numbers of the `*_val` field of the type: bits for 16-bit floats, pairs for complex numbers. */
  readonly values: readonly (number | bigint)[];
  readonly strings: readonly Uint8Array[];
}

/** A constant that one number fills may be this large. */
const mostFilledBytes = 2 ** 28;

/** The field that holds numbers of a type (tensor.proto); all others are in `int_val`. */
const valueFields: ReadonlyMap<TfType, { readonly field: number; readonly kind: "float" | "double" | "int" }> = new Map<
  TfType,
  { readonly field: number; readonly kind: "float" | "double" | "int" }
>([
  ["float32", { field: 5, kind: "float" }],
  ["float64", { field: 6, kind: "double" }],
  ["complex64", { field: 9, kind: "float" }],
  ["int64", { field: 10, kind: "int" }],
  ["bool", { field: 11, kind: "int" }],
  ["complex128", { field: 12, kind: "double" }],
  ["float16", { field: 13, kind: "int" }],
  ["bfloat16", { field: 13, kind: "int" }],
  ["uint32", { field: 16, kind: "int" }],
  ["uint64", { field: 17, kind: "int" }],
]);

/** The constant of a TensorProto. Throws GraftError as `tensorOfParts` does. */
export function readTensorProto(message: Message): Tensor {
  const dtype = typeOfNumber(message.integer(1));
  const { field, kind } = valueFields.get(dtype) ?? { field: 7, kind: "int" };
  const values =
    kind === "float" ? message.floats(field) : kind === "double" ? message.doubles(field) : message.bigints(field);
  const shape = readShape(message.message(2, "TensorShapeProto"));
  return tensorOfParts({ dtype, shape, content: message.bytes(4), values, strings: message.byteStrings(8) });
}

/** A TensorShapeProto: negative sizes are open, `unknown_rank` leaves all open. None at all is a scalar's. */
export function readShape(message: Message | undefined): TfShape {
  if (message === undefined) return [];
  if (message.boolean(3)) return undefined;
  return message.messages(2, "TensorShapeProto.Dim").map((dim) => sizeOf(dim.integer(1)));
}

/** A size of a shape: negative ones are open (-1; below that, Grappler's own marks for open sizes that are the same). */
export function sizeOf(size: number): number | null {
  if (size < 0) return null;
  if (Number.isSafeInteger(size)) return size;
  throw new GraftError("model-invalid", "a shape has an impossible size", { actual: `${size}` });
}

/**
 * A constant. Where there are fewer values than elements, the last one fills the rest.
 *
 * @throws GraftError `model-invalid` where the values do not fit the shape, `model-refused` for handles and for what
 *   little fills more than 256 MiB with
 */
export function tensorOfParts({ dtype, shape, content, values, strings }: TensorParts): Tensor {
  if (dtype === "resource" || dtype === "variant") {
    throw new GraftError("model-refused", `a constant ${dtype} is not supported`);
  }
  if (shape === undefined || shape.includes(null))
    throw new GraftError("model-invalid", "a constant has an open shape");
  const sizes = shape.filter((size) => size !== null);
  const count = elementCount(sizes);
  if (dtype === "string") {
    checkFill(strings.length, count, sizes);
    refuseHuge(count * 8, strings.length, sizes);
    const last = strings.at(-1) ?? new Uint8Array(0);
    return { dtype, shape: sizes, data: Array.from({ length: count }, (_, index) => strings[index] ?? last) };
  }
  if (content.length > 0) return tensorOfBytes(dtype, sizes, content);
  const storage = storageOf(dtype);
  const length = byteLength(dtype, count) / storage.BYTES_PER_ELEMENT;
  const width = length / Math.max(count, 1);
  checkFill(values.length, length, sizes);
  refuseHuge(byteLength(dtype, count), values.length, sizes);
  const data = new storage(length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) fill(data, values.map(BigInt), width);
  else fill(data, values.map(Number), width);
  return { dtype, shape: sizes, data };
}

/** A tensor over little-endian bytes, in place where they are aligned. Throws GraftError `model-invalid` for a wrong count. */
export function tensorOfBytes(
  dtype: NumericTensor["dtype"],
  shape: readonly number[],
  bytes: Uint8Array,
): NumericTensor {
  const expected = byteLength(dtype, elementCount(shape));
  if (bytes.length !== expected) {
    throw new GraftError("model-invalid", "the bytes do not fill the tensor's shape", {
      expected: `${expected} bytes for ${dtype}${showShape(shape)}`,
      actual: `${bytes.length}`,
    });
  }
  const storage = storageOf(dtype);
  const length = expected / storage.BYTES_PER_ELEMENT;
  const isAligned = bytes.byteOffset % storage.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset } = isAligned ? bytes : new Uint8Array(bytes);
  return { dtype, shape, data: new storage(buffer, byteOffset, length) };
}

function fill<T extends number | bigint>(
  data: { [index: number]: T; readonly length: number },
  values: readonly T[],
  width: number,
): void {
  const repeated = Math.max(values.length - width, 0);
  for (let index = 0; index < data.length; index++) {
    const value = values[index < values.length ? index : repeated + ((index - values.length) % width)];
    if (value !== undefined) data[index] = value;
  }
}

function checkFill(actual: number, expected: number, shape: readonly number[]): void {
  if (actual <= expected) return;
  throw new GraftError("model-invalid", "a constant has more values than its shape has places", {
    expected: `at most ${expected} for ${showShape(shape)}`,
    actual: `${actual}`,
  });
}

function refuseHuge(bytes: number, stored: number, shape: readonly number[]): void {
  if (bytes <= mostFilledBytes || bytes <= stored * 16) return;
  throw new GraftError("model-refused", "a constant is out of proportion to what is stored of it", {
    expected: `at most ${mostFilledBytes} bytes`,
    actual: `${showShape(shape)} from ${stored} values`,
  });
}
