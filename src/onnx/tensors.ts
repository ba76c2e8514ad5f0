/** @file Constant arrays between ONNX's TensorProto and the tensor room. Little-endian machines only, as ONNX Runtime. */
import { create, isFieldSet } from "@bufbuild/protobuf";
import {
  byteLength,
  bytesOf,
  type DType,
  GraftError,
  type NumericTensor,
  showShape,
  storageOf,
  type Tensor,
} from "../tensor/index.ts";
import { type ExternalData, loadExternal } from "./external-data.ts";
import { type SparseTensorProto, type TensorProto, TensorProtoSchema } from "./proto/onnx_pb.ts";

/** TensorProto.DataType, by number (onnx.proto). */
const dtypes: readonly (DType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
  "float8e8m0",
  "uint2",
  "int2",
];

/** The element type of a TensorProto.DataType; `undefined` for numbers we do not know. */
export function dtypeOfCode(code: number): DType | undefined {
  return dtypes[code];
}

export function codeOfDType(dtype: DType): number {
  return dtypes.indexOf(dtype);
}

/**
 * The tensor of a message. Raw bytes are looked at in place where they are aligned, and copied once where they are not.
 * Throws when sizes overflow, when the type is unknown, or when the elements do not fill the shape.
 */
export function readTensor(proto: TensorProto, external: ExternalData | undefined): Tensor {
  const dtype = dtypeOfCode(proto.dataType);
  if (dtype === undefined) {
    throw new GraftError("model-refused", "the element type is not known", { actual: `data type ${proto.dataType}` });
  }
  if (isFieldSet(proto, TensorProtoSchema.field.segment)) {
    throw new GraftError("model-refused", "tensors stored in segments are not supported");
  }
  const shape = readDims(proto.dims);
  const count = elementsIn(shape);
  const raw = isExternal(proto) ? loadExternal(proto, byteLength(dtype, count), external) : proto.rawData;
  if (dtype === "string") {
    if (isExternal(proto)) throw new GraftError("model-refused", "a string tensor lies in an external file");
    checkCount(proto.stringData.length, count, shape);
    return { dtype, shape, data: proto.stringData };
  }
  if (raw.length > 0 || isExternal(proto)) return { dtype, shape, data: viewOf(dtype, shape, count, raw) };
  return { dtype, shape, data: fromTypedField(proto, dtype, shape, count) };
}

export function isExternal(proto: TensorProto): boolean {
  return proto.dataLocation === 1 || proto.externalData.length > 0;
}

/** Sizes as numbers. Throws for negative ones and for those beyond 2^53. */
export function readDims(dims: readonly bigint[]): number[] {
  return dims.map((size) => {
    if (size >= 0n && size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
    throw new GraftError(size < 0n ? "model-invalid" : "model-refused", "a tensor has an impossible size", {
      expected: "sizes from 0 to 2^53",
      actual: `${size}`,
    });
  });
}

function elementsIn(shape: readonly number[]): number {
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (count <= Number.MAX_SAFE_INTEGER) return count;
  throw new GraftError("model-refused", "the tensor's size overflows", {
    expected: "a product of sizes below 2^53",
    actual: showShape(shape),
  });
}

function viewOf(
  dtype: NumericTensor["dtype"],
  shape: readonly number[],
  count: number,
  raw: Uint8Array,
): NumericTensor["data"] {
  const expected = byteLength(dtype, count);
  if (raw.length !== expected) {
    throw new GraftError("model-invalid", "the bytes do not fill the tensor's shape", {
      expected: `${expected} bytes for ${dtype}${showShape(shape)}`,
      actual: `${raw.length}`,
    });
  }
  const storage = storageOf(dtype);
  const length = expected / storage.BYTES_PER_ELEMENT;
  if (raw.byteOffset % storage.BYTES_PER_ELEMENT === 0) return new storage(raw.buffer, raw.byteOffset, length);
  return new storage(new Uint8Array(raw).buffer, 0, length);
}

/** The field that holds elements of a type when they are not raw (onnx.proto, TensorProto). */
function typedField(proto: TensorProto, dtype: NumericTensor["dtype"]): readonly (number | bigint)[] {
  switch (dtype) {
    case "float32":
    case "complex64":
      return proto.floatData;
    case "float64":
    case "complex128":
      return proto.doubleData;
    case "int64":
      return proto.int64Data;
    case "uint32":
    case "uint64":
      return proto.uint64Data;
    default:
      return proto.int32Data;
  }
}

function fromTypedField(
  proto: TensorProto,
  dtype: NumericTensor["dtype"],
  shape: readonly number[],
  count: number,
): NumericTensor["data"] {
  const stored = typedField(proto, dtype);
  const storage = storageOf(dtype);
  const length = byteLength(dtype, count) / storage.BYTES_PER_ELEMENT;
  checkCount(stored.length, length, shape);
  const data = new storage(length);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let index = 0; index < length; index++) {
    const element = stored[index] ?? 0;
    if (wide) data[index] = BigInt(element);
    else data[index] = Number(element);
  }
  return data;
}

function checkCount(actual: number, expected: number, shape: readonly number[]): void {
  if (actual === expected) return;
  throw new GraftError("model-invalid", "the elements do not fill the tensor's shape", {
    expected: `${expected} for ${showShape(shape)}`,
    actual: `${actual}`,
  });
}

/** The message of a tensor, its elements as raw bytes over the same memory. */
export function writeTensor(tensor: Tensor, name = ""): TensorProto {
  const proto = create(TensorProtoSchema, { dims: tensor.shape.map(BigInt), dataType: codeOfDType(tensor.dtype) });
  if (name !== "") proto.name = name;
  if (tensor.dtype === "string") proto.stringData = [...tensor.data];
  else proto.rawData = bytesOf(tensor);
  return proto;
}

/** How much larger than what is stored a sparse tensor may become, beyond the first mebibyte. */
const maximumSparseRatio = 256;

/**
 * The dense form of a sparse tensor: zeros, and `values[i]` at `indices[i]`, a flat index or one index an axis.
 * Throws when the dense form is out of proportion to what is stored.
 */
export function readSparseTensor(proto: SparseTensorProto, external: ExternalData | undefined): Tensor {
  if (proto.values === undefined || proto.indices === undefined) {
    throw new GraftError("model-invalid", "a sparse tensor lacks its values or indices");
  }
  const values = readTensor(proto.values, external);
  const indices = readTensor(proto.indices, external);
  const shape = readDims(proto.dims);
  const count = elementsIn(shape);
  if (values.dtype === "string" || byteLength(values.dtype, 1) * 8 !== byteLength(values.dtype, 8)) {
    throw new GraftError("model-refused", `sparse tensors of ${values.dtype} are not supported`);
  }
  const stored = byteLength(values.dtype, values.data.length) + indices.data.length * 8;
  if (byteLength(values.dtype, count) > 2 ** 20 + maximumSparseRatio * stored) {
    throw new GraftError("model-refused", "a sparse tensor is out of proportion to its stored values", {
      expected: `at most ${maximumSparseRatio} times what is stored`,
      actual: `${showShape(shape)} from ${stored} bytes`,
    });
  }
  const storage = storageOf(values.dtype);
  const width = byteLength(values.dtype, 1) / storage.BYTES_PER_ELEMENT;
  const data = new storage(count * width);
  const entries = values.data.length / width;
  const isFlat = indices.shape.length === 1;
  if (indices.dtype !== "int64" || indices.data.length !== entries * (isFlat ? 1 : shape.length)) {
    throw new GraftError("model-invalid", "a sparse tensor's indices do not fit its values");
  }
  for (let entry = 0; entry < entries; entry++) {
    let position = 0;
    if (isFlat) position = indexIn(indices.data[entry], count);
    else
      for (const [axis, size] of shape.entries()) {
        position = position * size + indexIn(indices.data[entry * shape.length + axis], size);
      }
    // Source and target are the same kind of array, which TypeScript does not follow through the union.
    for (let part = 0; part < width; part++) data[position * width + part] = values.data[entry * width + part] as never;
  }
  return { dtype: values.dtype, shape, data };
}

function indexIn(index: number | bigint | undefined, size: number): number {
  const number = Number(index);
  if (number >= 0 && number < size) return number;
  throw new GraftError("model-invalid", "a sparse tensor's index lies outside it", {
    expected: `0 to ${size - 1}`,
    actual: String(index),
  });
}
