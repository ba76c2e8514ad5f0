/** @file HDF5: types of elements and shapes (specification IV.A.2.b and d). */
import { damaged, type Source } from "./hdf5-source.ts";

/** What an element is, as far as models use it. */
export type Hdf5Type =
  | { readonly kind: "float" | "integer" | "unsigned"; readonly size: number; readonly isBigEndian: boolean }
  | { readonly kind: "bfloat16"; readonly size: 2; readonly isBigEndian: boolean }
  | { readonly kind: "text"; readonly size: number }
  /** Text of any length, which lies elsewhere. */
  | { readonly kind: "long text"; readonly size: 16 }
  | { readonly kind: "bytes"; readonly size: number }
  | { readonly kind: "other"; readonly size: number; readonly name: string };

const classNames = [
  "integers",
  "floating-point numbers",
  "times",
  "texts",
  "bit fields",
  "opaque bytes",
  "compounds",
  "references",
  "enumerations",
  "lists",
  "arrays",
];
const mostAxes = 32;
const deepestEnumeration = 1;

/** The type that a datatype message says. */
export function typeAt(source: Source, at: number, depth = 0): Hdf5Type {
  const typeClass = source.u8(at) & 0x0f;
  const [first, second] = [source.u8(at + 1), source.u8(at + 2)];
  const size = source.u32(at + 4);
  const isBigEndian = (first & 1) !== 0;
  switch (typeClass) {
    case 0:
      return { kind: first & 8 ? "integer" : "unsigned", size, isBigEndian };
    case 1:
      return floatAt(source, at, size, isBigEndian);
    case 3:
      return { kind: "text", size };
    case 5:
      return { kind: "bytes", size };
    case 8:
      // h5py writes booleans as an enumeration of 8-bit integers.
      if (depth < deepestEnumeration) return typeAt(source, at + 8, depth + 1);
      break;
    case 9:
      if ((first & 15) === 1 && size === 16) return { kind: "long text", size: 16 };
      break;
  }
  return { kind: "other", size, name: classNames[typeClass] ?? `class ${typeClass}, ${second}` };
}

/** How many bits exponent and mantissa take in the formats that are read. */
const formats: ReadonlyMap<string, "float" | "bfloat16"> = new Map([
  ["2: 5, 10", "float"],
  ["4: 8, 23", "float"],
  ["8: 11, 52", "float"],
  ["2: 8, 7", "bfloat16"],
]);

function floatAt(source: Source, at: number, size: number, isBigEndian: boolean): Hdf5Type {
  const format = `${size}: ${source.u8(at + 13)}, ${source.u8(at + 15)}`;
  const kind = formats.get(format);
  if (kind === undefined) return { kind: "other", size, name: `floating-point numbers of format ${format}` };
  return kind === "float" ? { kind, size, isBigEndian } : { kind, size: 2, isBigEndian };
}

/** The shape that a dataspace message says; `undefined` where there are no elements at all. */
export function shapeAt(source: Source, at: number): readonly number[] | undefined {
  const version = source.expectVersion(at, [1, 2], "a dataspace");
  const rank = source.u8(at + 1);
  if (rank > mostAxes) throw damaged(`at most ${mostAxes} axes`, `${rank}`);
  if (version === 2 && source.u8(at + 3) === 2) return undefined;
  const sizesAt = at + (version === 1 ? 8 : 4);
  return Array.from({ length: rank }, (_, axis) => source.u64(sizesAt + 8 * axis));
}

/** The product of sizes as a double, which does not wrap: too large is Infinity, and 0 × Infinity is NaN. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
