/** @file TensorFlow's element types, by the numbers and names of types.proto. */
import { GraftError } from "../../tensor/index.ts";
import type { TfType } from "./graph-def.ts";

/** DataType by number; quantised types (qint8, …) are not among ours. */
const types: ReadonlyMap<number, TfType> = new Map<number, TfType>([
  [1, "float32"],
  [2, "float64"],
  [3, "int32"],
  [4, "uint8"],
  [5, "int16"],
  [6, "int8"],
  [7, "string"],
  [8, "complex64"],
  [9, "int64"],
  [10, "bool"],
  [14, "bfloat16"],
  [17, "uint16"],
  [18, "complex128"],
  [19, "float16"],
  [20, "resource"],
  [21, "variant"],
  [22, "uint32"],
  [23, "uint64"],
  [24, "float8e5m2"],
  [25, "float8e4m3fn"],
  [29, "int4"],
  [30, "uint4"],
]);

/** The names that differ from ours in capitals and prefix alone are made from them; these do not. */
const otherNames: ReadonlyMap<string, TfType> = new Map<string, TfType>([
  ["DT_FLOAT", "float32"],
  ["DT_DOUBLE", "float64"],
  ["DT_HALF", "float16"],
]);
const byName: ReadonlyMap<string, TfType> = new Map([
  ...[...types.values()].map((type) => [`DT_${type.toUpperCase()}`, type] as const),
  ...otherNames,
]);

/** References to variables (DT_FLOAT_REF) have the number of what they refer to, and 100. */
const referenceOffset = 100;

/** The type of a DataType's number. Throws GraftError `model-refused` for one that is not known here. */
export function typeOfNumber(number: number): TfType {
  const type = types.get(number > referenceOffset ? number - referenceOffset : number);
  if (type !== undefined) return type;
  throw unknownType(`data type ${number}`);
}

/** The type of a DataType's name, `DT_FLOAT`. Throws GraftError `model-refused` for one that is not known here. */
export function typeOfName(name: string): TfType {
  const type = byName.get(name.replace(/_REF$/, ""));
  if (type !== undefined) return type;
  throw unknownType(name);
}

function unknownType(actual: string): GraftError {
  return new GraftError("model-refused", "the element type is not supported", { actual });
}
