/** @file Damage that keeps containers whole, so that it reaches what lies behind them: JSON, HDF5, zip and tar. */
import { gunzipSync, gzipSync, unzipSync, zipSync } from "fflate";
import { mutate } from "./mutate.ts";

/** Whole numbers below a count. */
export type Below = (count: number) => number;

const values: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 2, 3, 0.5, 1e308, 2 ** 31, 2 ** 53, -(2 ** 31)],
  ...["", "float32", "int64", "../x", "__proto__", "constructor", "x".repeat(300), "\ud800"],
  ...[[], {}, [[]], [null], [0, 0, 0], [1e9, 1e9, 1e9], { class_name: "Lambda", config: {} }],
];

/** The document with one value changed, removed, repeated, renamed or moved; other bytes where it is no JSON. */
export function mutateJson(bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return mutate(bytes, bytes, next);
  }
  const holders: object[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    holders.push(value);
    for (const each of Object.values(value)) walk(each);
  };
  walk(document);
  for (let count = 1 + below(3); count > 0; count--) {
    // Objects and arrays take both: an array's keys are its indices.
    const holder = holders[below(holders.length)] as Record<string, unknown> | undefined;
    const donor = holders[below(holders.length)];
    if (holder === undefined) break;
    const keys = Object.keys(holder);
    const key = keys[below(keys.length)];
    if (key === undefined) continue;
    const choice = below(6);
    if (choice === 0) delete holder[key];
    else if (choice === 1) addAs(holder, `${key}${below(9)}`, holder[key]);
    else if (choice === 2 && donor !== undefined) holder[key] = Object.values(structuredClone(donor))[0];
    else if (choice === 3 && typeof holder[key] === "number") holder[key] = holder[key] + below(5) - 2;
    else if (choice === 4 && Array.isArray(holder)) holder.push(structuredClone(holder[below(holder.length)]));
    else holder[key] = structuredClone(values[below(values.length)]);
  }
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Not by assignment: a key may be `__proto__`. */
function addAs(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true });
}

const hostile: readonly bigint[] = [0n, 1n, 2n, 127n, 255n, 0xffffn, 0xffffffffn, 1n << 40n, (1n << 63n) - 1n, -1n];

/** Numbers at or after one of the places where a text stands become impossible ones. */
function mutateAfter(bytes: Uint8Array, marks: readonly string[], reach: number, below: Below): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mark = marks[below(marks.length)] ?? "";
  const places: number[] = [];
  for (let at = text.indexOf(mark); at >= 0 && places.length < 500; at = text.indexOf(mark, at + 1)) places.push(at);
  const place = places[below(places.length)];
  const result = bytes.slice();
  if (place === undefined) return result;
  const at = place + below(reach);
  let value = BigInt.asUintN(64, hostile[below(hostile.length)] ?? 0n);
  for (let count = 2 ** below(4); count > 0 && at + count <= result.length; count--, value >>= 8n) {
    result[at + count - 1] = Number(value & 0xffn);
  }
  return result;
}

const hdf5Marks = [
  "\x89HDF",
  "TREE",
  "SNOD",
  "HEAP",
  "OHDR",
  "OCHK",
  "FRHP",
  "FHDB",
  "BTHD",
  "GCOL",
  "_name",
  "kernel",
];

/** Half of the files in their headers, trees and heaps, a quarter in the text of a config, a quarter anywhere. */
export function mutateHdf5(bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  const choice = below(4);
  if (choice < 2) {
    let result = bytes;
    for (let count = 1 + below(3); count > 0; count--) result = mutateAfter(result, hdf5Marks, 96, below);
    return result;
  }
  if (choice === 2) return mutateAfter(bytes, ['": ', "class_name", "[[", "null", "units", '"name"'], 16, below);
  return mutate(bytes, bytes, next);
}

/** By what a file is. */
export function mutateFile(name: string, bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  if (name.endsWith(".json")) return below(4) === 0 ? mutate(bytes, bytes, next) : mutateJson(bytes, below, next);
  if (name.endsWith(".h5")) return mutateHdf5(bytes, below, next);
  return mutate(bytes, bytes, next);
}

/** One member is damaged, and the archive made anew around it. */
export function mutateMember(bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  const members = unzipSync(bytes);
  const names = Object.keys(members).filter((name) => !name.endsWith("/"));
  const name = names[below(names.length)] ?? "";
  members[name] = new Uint8Array(mutateFile(name, members[name] ?? new Uint8Array(0), below, next));
  return zipSync(members, { level: below(2) === 0 ? 0 : 6 });
}

/** The archive's own bytes, mostly its headers. */
export function mutateZip(bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  if (below(3) === 0) return mutate(bytes, bytes, next);
  return mutateAfter(bytes, ["PK\x01\x02", "PK\x03\x04", "PK\x05\x06"], 46, below);
}

/** A field of a header becomes another, with a checksum that is right, or a piece is cut out; gzipped anew. */
export function mutateTar(bytes: Uint8Array, below: Below, next: () => number): Uint8Array {
  const tar = gunzipSync(bytes);
  const headers: number[] = [];
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    if (Buffer.from(tar.subarray(at + 257, at + 262)).toString("latin1") === "ustar") headers.push(at);
  }
  const at = headers[below(headers.length)];
  if (at === undefined || below(4) === 0) return gzipSync(mutate(tar, tar, next), { level: 1 });
  const fields: readonly (readonly [number, number])[] = [
    ...([
      [0, 100],
      [100, 8],
      [124, 12],
      [156, 1],
      [157, 100],
      [257, 8],
      [345, 155],
    ] as const),
  ];
  const [start, length] = fields[below(fields.length)] ?? [0, 1];
  const texts = [
    "../evil",
    "/etc/x",
    "77777777777",
    "-1",
    "5",
    "2",
    "x",
    "g",
    "L",
    "\xff\xff\xff\xff\xff\xff\xff\xff",
    "",
  ];
  const text = Buffer.from(texts[below(texts.length)] ?? "", "latin1");
  if (below(3) > 0) tar.fill(0, at + start, at + start + length);
  tar.set(text.subarray(0, length), at + start);
  if (below(4) > 0) {
    tar.fill(32, at + 148, at + 156);
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    tar.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `, "latin1"), at + 148);
  }
  return gzipSync(tar, { level: 1 });
}
