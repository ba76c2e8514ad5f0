/** @file The weights of TensorFlow.js models: a manifest in model.json, and the shards that it names. */
import type { Json } from "../layers/index.ts";
import { elementCount, fromFloat16, GraftError, type Tensor } from "../tensor/index.ts";
import { gunzip, isGzip } from "./inflate.ts";
import { isObject, member } from "./json.ts";
import type { ModelFiles } from "./model-files.ts";

/** One weight of the manifest. */
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization: Quantization | undefined;
}

interface Quantization {
  readonly dtype: string;
  readonly scale: number;
  readonly min: number;
}

interface Group {
  readonly paths: readonly string[];
  readonly entries: readonly Entry[];
}

type NumericEntryType = "float32" | "int32" | "bool" | "complex64" | "uint8" | "uint16" | "int8" | "int16" | "float16";

/** Bytes that one element takes; strings have no fixed width. */
const widths: ReadonlyMap<string, number> = new Map<NumericEntryType, number>([
  ["float32", 4],
  ["int32", 4],
  ["bool", 1],
  ["complex64", 8],
  ["uint8", 1],
  ["uint16", 2],
  ["int8", 1],
  ["int16", 2],
  ["float16", 2],
]);

const quantizedWidths: ReadonlyMap<string, number> = new Map([
  ["uint8", 1],
  ["uint16", 2],
  ["float16", 2],
]);

const mostWeights = 100_000;
const mostElements = 2 ** 31;
const mostInflated = 2 ** 31;

/**
 * The weights of a TensorFlow.js model by name, quantised ones widened to what they stand for. Types are as TensorFlow.js
 * has them: float32, int32, bool, string, complex64; the narrow ones of other writers as they are, float16 as float32.
 *
 * @param model the parsed model.json
 * @param entry the name of model.json among the files; the shards lie beside it
 * @throws GraftError `model-invalid` where the manifest and the shards do not fit each other, `model-refused` for types
 *   that are not read and for shards that do not lie beside model.json
 */
export async function tfjsWeights(model: Json, files: ModelFiles, entry: string): Promise<ReadonlyMap<string, Tensor>> {
  const folder = entry.slice(0, entry.lastIndexOf("/") + 1);
  const weights = new Map<string, Tensor>();
  for (const group of groupsOf(model, entry)) {
    const shards: Uint8Array[] = [];
    for (const path of group.paths) shards.push(await readShard(files, folder, path, entry));
    const place = `${entry}: ${group.paths.slice(0, 3).join(", ")}`;
    const [first] = shards;
    const bytes = first !== undefined && shards.length === 1 ? first : joined(shards);
    for (const [name, tensor] of unpack(group.entries, bytes, place)) {
      if (weights.has(name)) {
        throw new GraftError("model-invalid", "the manifest names a weight twice", { path: [entry, name] });
      }
      weights.set(name, tensor);
    }
  }
  return weights;
}

/** `weightsManifest` of the files that converters write; `weightSpecs` beside one file, as models are handed over in memory. */
function groupsOf(model: Json, entry: string): readonly Group[] {
  const specs = member(model, "weightSpecs");
  const groups = member(model, "weightsManifest") ?? (specs && [{ paths: ["model.weights.bin"], weights: specs }]);
  if (!Array.isArray(groups)) {
    throw new GraftError("model-invalid", "there is no list of weights", {
      path: [entry],
      expected: "weightsManifest",
      hint: "TensorFlow.js writes model.json with its weights: save the model again with model.save",
    });
  }
  const read = groups.map((group: Json) => groupOf(group, entry));
  if (read.reduce((sum, { entries }) => sum + entries.length, 0) > mostWeights) {
    throw new GraftError("model-invalid", "the manifest lists too many weights", { path: [entry] });
  }
  return read;
}

function groupOf(group: Json, entry: string): Group {
  const paths = member(group, "paths");
  const entries = member(group, "weights");
  const isText = (path: Json): path is string => typeof path === "string";
  if (!Array.isArray(paths) || !paths.every(isText) || !Array.isArray(entries)) {
    throw new GraftError("model-invalid", "the list of weights cannot be read", { path: [entry, "weightsManifest"] });
  }
  return { paths, entries: entries.map((each: Json) => entryOf(each, entry)) };
}

function entryOf(json: Json, file: string): Entry {
  const [name, shape, dtype] = [member(json, "name"), member(json, "shape"), member(json, "dtype")];
  const isSize = (size: Json): size is number =>
    typeof size === "number" && Number.isInteger(size) && size >= 0 && size <= mostElements;
  if (typeof name !== "string" || typeof dtype !== "string" || !Array.isArray(shape) || !shape.every(isSize)) {
    throw new GraftError("model-invalid", "an entry of the list of weights cannot be read", {
      path: [file, "weightsManifest"],
      expected: "a name, a shape and a dtype",
      actual: JSON.stringify(json).slice(0, 120),
    });
  }
  // As doubles, which do not wrap: the product of any sizes is compared.
  if (!(shape.reduce((product, size) => product * size, 1) <= mostElements)) {
    throw new GraftError("model-invalid", "the weight is larger than any file can hold", {
      path: [file, name],
      actual: `shape [${shape.join(", ")}]`,
    });
  }
  return { name, shape, dtype, quantization: quantizationOf(member(json, "quantization"), [file, name]) };
}

function quantizationOf(json: Json | undefined, path: readonly string[]): Quantization | undefined {
  if (!isObject(json)) return undefined;
  const [dtype, scale = 1, min = 0] = [json["dtype"], json["scale"], json["min"]];
  const isRead = typeof dtype === "string" && quantizedWidths.has(dtype);
  if (!isRead || typeof scale !== "number" || typeof min !== "number") {
    throw new GraftError("model-refused", "the weight is quantised in a way that is not read", {
      path,
      expected: [...quantizedWidths.keys()].join(", "),
      actual: JSON.stringify(json).slice(0, 120),
    });
  }
  return { dtype, scale, min };
}

async function readShard(files: ModelFiles, folder: string, path: string, entry: string): Promise<Uint8Array> {
  const name = folder + beside(path, entry);
  if (!files.names.includes(name)) {
    throw new GraftError("model-invalid", "a file of weights is missing", {
      path: [entry, name],
      hint: "a TensorFlow.js model is model.json and its .bin files: put them in the same folder",
    });
  }
  const bytes = await files.read(name);
  return isGzip(bytes) ? await inflated(bytes) : bytes;
}

/** A relative name that stays in the folder, without the query that servers want. */
function beside(path: string, entry: string): string {
  const name = path.replace(/[?#].*$/s, "").replace(/^(\.\/)+/, "");
  const leaves = name.split("/").some((part) => part === "" || part === "." || part === "..");
  if (leaves || /[\\:\0]/.test(name)) {
    throw new GraftError("model-refused", "the model names weights outside its folder", {
      path: [entry],
      actual: path.slice(0, 120),
      hint: "put the .bin files beside model.json and name them in weightsManifest",
    });
  }
  return name;
}

/** Some servers keep shards compressed without saying so. The bytes themselves where they only look as if they were. */
async function inflated(bytes: Uint8Array): Promise<Uint8Array> {
  return await gunzip(bytes, mostInflated).catch(() => bytes);
}

function joined(shards: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(shards.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const shard of shards) {
    bytes.set(shard, at);
    at += shard.length;
  }
  return bytes;
}

/** Entries lie one after the other, unaligned, and fill the group exactly. */
function* unpack(entries: readonly Entry[], bytes: Uint8Array, place: string): Generator<[string, Tensor]> {
  let at = 0;
  for (const entry of entries) {
    const path = [place, entry.name];
    const end = at + sizeOf(entry, bytes, at, path);
    if (end > bytes.length) {
      throw new GraftError("model-invalid", "the weights are cut off", {
        path,
        expected: `at least ${end} bytes in all`,
        actual: `${bytes.length}`,
        hint: "copy or download the .bin files again",
      });
    }
    // A copy: typed arrays start at multiples of their width, and nothing keeps the whole group alive.
    yield [entry.name, tensorOf(entry, bytes.slice(at, end), path)];
    at = end;
  }
  if (at !== bytes.length) {
    throw new GraftError("model-invalid", "the files hold more than the listed weights", {
      path: [place],
      expected: `${at} bytes`,
      actual: `${bytes.length}`,
      hint: "model.json and its .bin files are not of the same model",
    });
  }
}

function sizeOf({ dtype, shape, quantization }: Entry, bytes: Uint8Array, at: number, path: readonly string[]): number {
  const elements = elementCount(shape);
  if (dtype === "string") return stringsSize(elements, bytes, at, path);
  const width = quantization === undefined ? widths.get(dtype) : quantizedWidths.get(quantization.dtype);
  if (width === undefined) {
    throw new GraftError("model-refused", "the weight has a type that is not read", {
      path,
      expected: [...widths.keys(), "string"].join(", "),
      actual: dtype,
    });
  }
  return elements * width;
}

/** Each string is its length, a uint32, and its bytes. */
function stringsSize(elements: number, bytes: Uint8Array, from: number, path: readonly string[]): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = from;
  for (let index = 0; index < elements; index++) {
    if (at + 4 > bytes.length) throw new GraftError("model-invalid", "the strings are cut off", { path });
    at += 4 + view.getUint32(at, true);
  }
  return at - from;
}

function tensorOf(entry: Entry, bytes: Uint8Array, path: readonly string[]): Tensor {
  const { dtype, shape, quantization } = entry;
  const buffer = bytes.buffer;
  if (dtype === "string") return { dtype, shape, data: strings(bytes) };
  if (quantization !== undefined) return widened(entry, quantization, buffer, path);
  switch (dtype as NumericEntryType) {
    case "int32":
      return { dtype: "int32", shape, data: new Int32Array(buffer) };
    case "bool":
      return { dtype: "bool", shape, data: bytes };
    case "complex64":
      return { dtype: "complex64", shape, data: new Float32Array(buffer) };
    case "uint8":
      return { dtype: "uint8", shape, data: bytes };
    case "uint16":
      return { dtype: "uint16", shape, data: new Uint16Array(buffer) };
    case "int8":
      return { dtype: "int8", shape, data: new Int8Array(buffer) };
    case "int16":
      return { dtype: "int16", shape, data: new Int16Array(buffer) };
    case "float16":
      return { dtype: "float32", shape, data: converted(new Uint16Array(buffer), fromFloat16) };
    case "float32":
      return { dtype: "float32", shape, data: new Float32Array(buffer) };
  }
}

/** `q·scale + min`, rounded for whole numbers (tfjs-core's io_utils). */
function widened(entry: Entry, quantization: Quantization, buffer: ArrayBufferLike, path: readonly string[]): Tensor {
  const { dtype, shape } = entry;
  const { scale, min } = quantization;
  const stored = quantization.dtype === "uint8" ? new Uint8Array(buffer) : new Uint16Array(buffer);
  const isHalf = quantization.dtype === "float16";
  if (dtype === "float32") {
    return { dtype, shape, data: converted(stored, isHalf ? fromFloat16 : (value) => value * scale + min) };
  }
  if (dtype === "int32" && !isHalf) {
    return { dtype, shape, data: Int32Array.from(stored, (value) => Math.round(value * scale + min)) };
  }
  throw new GraftError("model-refused", "a quantised weight of this type is not read", { path, actual: dtype });
}

function converted(stored: Uint8Array | Uint16Array, convert: (value: number) => number): Float32Array {
  const numbers = new Float32Array(stored.length);
  for (let index = 0; index < stored.length; index++) numbers[index] = convert(stored[index] ?? 0);
  return numbers;
}

function strings(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    found.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}
