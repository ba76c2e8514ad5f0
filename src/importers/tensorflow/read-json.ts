/** @file GraphDef as JSON, as TensorFlow.js stores it: protobuf's JSON form, and the older one with numbers for types. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { isObject, member } from "../json.ts";
import { typeOfName, typeOfNumber } from "./data-types.ts";
import type { TfAttribute, TfShape, TfType } from "./graph-def.ts";
import { LazyNode, lazyFunctions, type SourceFunction, type SourceGraph, type SourceNode } from "./graph-source.ts";
import { sizeOf, tensorOfParts } from "./tensor-proto.ts";

const deepestAttribute = 8;

/** A GraphDef in JSON. Throws GraftError `model-invalid` where a node has no name, or two have one. */
export function readGraphJson(graph: Json | undefined): SourceGraph {
  const functions = new Map(
    items(member(member(graph, "library"), "function")).map((stored) => [
      textOf(member(member(stored, "signature"), "name")),
      stored,
    ]),
  );
  return { nodes: readNodes(items(member(graph, "node"))), function: lazyFunctions(functions, readFunction) };
}

function readNodes(stored: readonly Json[]): ReadonlyMap<string, SourceNode> {
  const nodes = new Map<string, SourceNode>();
  for (const item of stored) {
    const name = textOf(member(item, "name"));
    if (name === "" || nodes.has(name)) {
      throw new GraftError("model-invalid", "nodes have no names of their own", { actual: `"${name}"` });
    }
    const inputs = items(member(item, "input")).map(textOf);
    const decode = () => readAttributes(member(item, "attr"), name, 0);
    nodes.set(name, new LazyNode(name, textOf(member(item, "op")), inputs, decode));
  }
  return nodes;
}

function readFunction(stored: Json): SourceFunction {
  const signature = member(stored, "signature");
  const inputs = items(member(signature, "inputArg")).map((argument) => ({
    name: textOf(member(argument, "name")),
    dtype: typeOfArgument(argument),
    shape: undefined,
    userName: undefined,
  }));
  const outputs = items(member(signature, "outputArg")).map((argument) => ({
    name: textOf(member(argument, "name")),
    dtype: typeOfArgument(argument),
  }));
  const returns = new Map(entries(member(stored, "ret")).map(([name, reference]) => [name, textOf(reference)]));
  return {
    name: textOf(member(signature, "name")),
    inputs,
    outputs,
    nodes: readNodes(items(member(stored, "nodeDef"))),
    returns,
  };
}

function typeOfArgument(argument: Json): TfType | undefined {
  const type = member(argument, "type");
  return type === undefined || type === "DT_INVALID" || type === 0 ? undefined : typeOf(type);
}

/** A type by its name or its number. Throws GraftError `model-refused` for one that is not known here. */
export function typeOf(json: Json | undefined): TfType {
  return typeof json === "number" ? typeOfNumber(json) : typeOfName(textOf(json));
}

/** A shape; sizes are numbers or texts of numbers, negative ones are open. */
export function shapeOf(json: Json | undefined): TfShape {
  if (member(json, "unknownRank") === true) return undefined;
  return items(member(json, "dim")).map((dim) => sizeOf(numberOf(member(dim, "size") ?? 0)));
}

function readAttributes(json: Json | undefined, place: string, depth: number): ReadonlyMap<string, TfAttribute> {
  const attributes = new Map<string, TfAttribute>();
  for (const [name, stored] of entries(json)) {
    try {
      const attribute = readAttribute(stored, depth);
      if (attribute !== undefined) attributes.set(name, attribute);
    } catch (cause) {
      throw cause instanceof GraftError ? cause.at(`attribute ${name}`).at(place) : cause;
    }
  }
  return attributes;
}

type Reader = (json: Json, depth: number) => TfAttribute;

/** The kinds of values by their key in AttrValue; in its lists they have the same. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["s", (json) => ({ kind: "bytes", value: bytesOf(json) })],
  ["i", (json) => ({ kind: "int", value: numberOf(json) })],
  ["f", (json) => ({ kind: "float", value: numberOf(json) })],
  ["b", (json) => ({ kind: "bool", value: json === true })],
  ["type", (json) => ({ kind: "type", value: typeOf(json) })],
  ["shape", (json) => ({ kind: "shape", value: shapeOf(json) })],
  ["tensor", (json) => ({ kind: "tensor", value: readTensor(json) })],
  ["func", readFunctionName],
]);

function readAttribute(json: Json, depth: number): TfAttribute | undefined {
  const list = member(json, "list");
  if (list !== undefined) {
    const values = entries(list).flatMap(([key, stored]) => {
      const read = readers.get(key);
      return read === undefined ? [] : items(stored).map((item) => read(item, depth));
    });
    return { kind: "list", values };
  }
  for (const [key, read] of readers) {
    const stored = member(json, key);
    if (key === "type" && (stored === 0 || stored === "DT_INVALID")) return undefined;
    if (stored !== undefined && stored !== null) return read(stored, depth);
  }
  return undefined;
}

function readFunctionName(json: Json, depth: number): TfAttribute {
  if (depth >= deepestAttribute) throw new GraftError("model-refused", "functions lie too deep in attributes");
  const name = textOf(member(json, "name"));
  return { kind: "function", name, attributes: readAttributes(member(json, "attr"), name, depth + 1) };
}

/** The key that holds a type's numbers; all others are under `intVal`. */
const valueKeys: ReadonlyMap<TfType, string> = new Map<TfType, string>([
  ["float32", "floatVal"],
  ["float64", "doubleVal"],
  ["complex64", "scomplexVal"],
  ["complex128", "dcomplexVal"],
  ["int64", "int64Val"],
  ["bool", "boolVal"],
  ["float16", "halfVal"],
  ["bfloat16", "halfVal"],
  ["uint32", "uint32Val"],
  ["uint64", "uint64Val"],
]);

function readTensor(json: Json): Extract<TfAttribute, { kind: "tensor" }>["value"] {
  const dtype = typeOf(member(json, "dtype"));
  const content = member(json, "tensorContent");
  return tensorOfParts({
    dtype,
    shape: shapeOf(member(json, "tensorShape")),
    content: content === undefined || content === null ? new Uint8Array(0) : bytesOf(content),
    values: items(member(json, valueKeys.get(dtype) ?? "intVal")).map((value) =>
      typeof value === "boolean"
        ? Number(value)
        : dtype === "int64" || dtype === "uint64"
          ? bigintOf(value)
          : numberOf(value),
    ),
    strings: items(member(json, "stringVal")).map(bytesOf),
  });
}

/** Bytes: base64, or in old files a list of numbers. */
function bytesOf(json: Json): Uint8Array {
  if (Array.isArray(json)) return Uint8Array.from(json, numberOf);
  try {
    return Uint8Array.from(atob(textOf(json)), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new GraftError("model-invalid", "bytes are not written in base64", { cause });
  }
}

/** A number, or a text of one: 64-bit integers, NaN and infinities are texts in protobuf's JSON. */
function numberOf(json: Json): number {
  const number = typeof json === "string" && json.trim() !== "" ? Number(json) : json;
  if (typeof number === "number" && (!Number.isNaN(number) || json === "NaN")) return number;
  throw new GraftError("model-invalid", "a number is expected", { actual: JSON.stringify(json).slice(0, 40) });
}

function bigintOf(json: Json): bigint {
  const text = typeof json === "string" || typeof json === "number" ? String(json) : "";
  if (/^-?\d{1,20}$/.test(text)) return BigInt(text);
  throw new GraftError("model-invalid", "a whole number is expected", { actual: JSON.stringify(json).slice(0, 40) });
}

function textOf(json: Json | undefined): string {
  if (typeof json === "string") return json;
  if (json === undefined || json === null) return "";
  throw new GraftError("model-invalid", "a text is expected", { actual: JSON.stringify(json).slice(0, 40) });
}

function items(json: Json | undefined): readonly Json[] {
  return Array.isArray(json) ? json : [];
}

/** The members of an object. Keys are strangers': they go into Maps, not into objects. */
function entries(json: Json | undefined): readonly (readonly [string, Json])[] {
  return isObject(json) ? Object.entries(json) : [];
}
