/** @file Reads NumPy's .npz archives (numpy.lib.format, and the zip format without its 64-bit extension). */
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import {
  type DType,
  elementCount,
  type NumericTensor,
  storageOf,
  stridesOf,
  type TypedArray,
} from "../tensor/index.ts";

/** NumPy's type codes, with their byte order where they have one. */
const dtypes: { readonly [code: string]: Exclude<DType, "string"> } = {
  "<f2": "float16",
  "<f4": "float32",
  "<f8": "float64",
  "<i2": "int16",
  "<i4": "int32",
  "<i8": "int64",
  "<u2": "uint16",
  "<u4": "uint32",
  "<u8": "uint64",
  "|b1": "bool",
  "|i1": "int8",
  "|u1": "uint8",
};

/** The arrays of an archive by name. Throws for a file that is not one and for types not listed above. */
export function readNpz(path: string): ReadonlyMap<string, NumericTensor> {
  const file = readFileSync(path);
  const end = file.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0) throw new Error(`${path}: not a zip archive`);
  const arrays = new Map<string, NumericTensor>();
  let at = file.readUInt32LE(end + 16);
  for (let left = file.readUInt16LE(end + 10); left > 0; left--) {
    const method = file.readUInt16LE(at + 10);
    const size = file.readUInt32LE(at + 20);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => file.readUInt16LE(at + offset));
    const name = file.toString("utf8", at + 46, at + 46 + (nameLength ?? 0));
    const header = file.readUInt32LE(at + 42);
    const start = header + 30 + file.readUInt16LE(header + 26) + file.readUInt16LE(header + 28);
    const packed = file.subarray(start, start + size);
    arrays.set(name.replace(/\.npy$/, ""), readNpy(method === 0 ? packed : inflateRawSync(packed), `${path}: ${name}`));
    at += 46 + (nameLength ?? 0) + (extraLength ?? 0) + (commentLength ?? 0);
  }
  return arrays;
}

function readNpy(file: Buffer, place: string): NumericTensor {
  if (file.toString("latin1", 1, 6) !== "NUMPY") throw new Error(`${place}: not a NumPy array`);
  const isLong = file.readUInt8(6) > 1;
  const start = (isLong ? 12 + file.readUInt32LE(8) : 10 + file.readUInt16LE(8)) | 0;
  const header = file.toString("latin1", isLong ? 12 : 10, start);
  const [, code = ""] = /'descr': '([^']+)'/.exec(header) ?? [];
  const [, sizes = ""] = /'shape': \(([^)]*)\)/.exec(header) ?? [];
  const dtype = dtypes[code];
  const shape = sizes
    .split(",")
    .filter((size) => size.trim() !== "")
    .map(Number);
  if (dtype === undefined) throw new Error(`${place}: type ${code} is not read`);
  // A copy, because a typed array must start at a multiple of its element's width.
  const bytes = new Uint8Array(file.subarray(start));
  const data = new (storageOf(dtype))(bytes.buffer, 0, elementCount(shape));
  return { dtype, shape, data: header.includes("'fortran_order': True") ? rowMajor(data, shape) : data };
}

/** Elements that come with the first axis running fastest, as ours do with the last. */
function rowMajor(data: TypedArray, shape: readonly number[]): TypedArray {
  const strides = stridesOf([...shape].reverse()).reverse();
  const ordered = data.slice();
  const position = new Array<number>(shape.length).fill(0);
  for (let index = 0; index < data.length; index++) {
    const element = data[position.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0)];
    if (element !== undefined) ordered[index] = element;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      position[axis] = next % (shape[axis] ?? 1);
      if (next < (shape[axis] ?? 1)) break;
    }
  }
  return ordered;
}
