/** @file Attributes of known operators between ONNX's AttributeProto and the vocabulary's types. */
import { create } from "@bufbuild/protobuf";
import {
  type AttributeKind,
  type AttributeSchema,
  type Graph,
  type Operator,
  type OperatorAttributes,
  schemaOf,
} from "../graph/index.ts";
import { type DType, GraftError, type Tensor } from "../tensor/index.ts";
import { type AttributeProto, AttributeProtoSchema, type GraphProto, type TensorProto } from "./proto/onnx_pb.ts";
import { codeOfDType, dtypeOfCode, writeTensor } from "./tensors.ts";

/** AttributeProto.AttributeType (onnx.proto). */
export const attributeTypes = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
  GRAPHS: 10,
  SPARSE_TENSOR: 11,
} as const;

const typeOfKind: { readonly [K in AttributeKind]: number } = {
  int: attributeTypes.INT,
  float: attributeTypes.FLOAT,
  string: attributeTypes.STRING,
  bool: attributeTypes.INT,
  dtype: attributeTypes.INT,
  ints: attributeTypes.INTS,
  floats: attributeTypes.FLOATS,
  strings: attributeTypes.STRINGS,
  tensor: attributeTypes.TENSOR,
  graph: attributeTypes.GRAPH,
};

/** What reading an attribute needs from around it. */
export interface AttributeReader {
  readonly tensor: (proto: TensorProto) => Tensor;
  readonly graph: (proto: GraphProto) => Graph;
}

const text = new TextDecoder("utf-8", { fatal: true });

/** Why an attribute is beyond the vocabulary: its node must then stay foreign. */
export const beyondVocabulary: unique symbol = Symbol("beyond the vocabulary");

/**
 * The value of an attribute in the type its schema asks for, or `beyondVocabulary` when it is well formed but cannot be
 * told. Throws when it is of another type.
 */
export function readAttribute(proto: AttributeProto, { kind }: AttributeSchema, read: AttributeReader): unknown {
  // Files older than IR 2 do not write the type.
  if (proto.type !== typeOfKind[kind] && proto.type !== 0) {
    throw new GraftError("model-invalid", `attribute "${proto.name}" has the wrong type`, {
      expected: kind,
      actual: Object.entries(attributeTypes).find(([, code]) => code === proto.type)?.[0] ?? `type ${proto.type}`,
    });
  }
  return readers[kind](proto, read);
}

const readers: { readonly [K in AttributeKind]: (proto: AttributeProto, read: AttributeReader) => unknown } = {
  int: (proto) => readInteger(proto.i),
  float: (proto) => proto.f,
  string: (proto) => readText(proto.s),
  bool: (proto) => (proto.i === 0n || proto.i === 1n ? proto.i === 1n : beyondVocabulary),
  dtype: (proto) => dtypeOfCode(Number(proto.i)) ?? beyondVocabulary,
  ints: (proto) => readAll(proto.ints, readInteger),
  floats: (proto) => proto.floats,
  strings: (proto) => readAll(proto.strings, readText),
  tensor: (proto, read) => read.tensor(proto.t ?? missing(proto)),
  graph: (proto, read) => read.graph(proto.g ?? missing(proto)),
};

function readAll<From, To>(elements: readonly From[], read: (element: From) => To | typeof beyondVocabulary): unknown {
  const all = elements.map(read);
  return all.includes(beyondVocabulary) ? beyondVocabulary : all;
}

function missing(proto: AttributeProto): never {
  throw new GraftError("model-invalid", `attribute "${proto.name}" is empty`);
}

const maximumInt64 = 2n ** 63n - 1n;

/** The ends of int64 mean "as far as possible" and survive as ±2^63; other integers must be exact. */
function readInteger(integer: bigint): number | typeof beyondVocabulary {
  const number = Number(integer);
  const isExact = Number.isSafeInteger(number) || integer === maximumInt64 || integer === -maximumInt64 - 1n;
  return isExact ? number : beyondVocabulary;
}

function writeInteger(number: number): bigint {
  if (number >= 2 ** 63) return maximumInt64;
  return number <= -(2 ** 63) ? -maximumInt64 - 1n : BigInt(number);
}

function readText(bytes: Uint8Array): string | typeof beyondVocabulary {
  try {
    return text.decode(bytes);
  } catch {
    return beyondVocabulary;
  }
}

/** The attributes of a node that differ from ONNX's defaults, in the vocabulary's order. */
export function writeAttributes<K extends Operator>(
  operator: K,
  attributes: OperatorAttributes[K],
  writeGraph: (graph: Graph) => GraphProto,
): AttributeProto[] {
  const written: AttributeProto[] = [];
  const { attributes: schemas } = schemaOf(operator);
  for (const key in schemas) {
    const { name, kind, required, fallback } = schemas[key];
    const value: unknown = attributes[key];
    if (value === undefined || (!required && isSame(value, fallback))) continue;
    written.push(writeAttribute(name, kind, value, writeGraph));
  }
  return written;
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, index) => each === b[index]);
  return Object.is(a, b);
}

/** One attribute. The value must be of the kind; the vocabulary's types see to that. */
export function writeAttribute(
  name: string,
  kind: AttributeKind,
  value: unknown,
  writeGraph?: (graph: Graph) => GraphProto,
): AttributeProto {
  const proto = create(AttributeProtoSchema, { name, type: typeOfKind[kind] });
  switch (kind) {
    case "int":
      proto.i = writeInteger(Number(value));
      break;
    case "bool":
      proto.i = value === true ? 1n : 0n;
      break;
    case "dtype":
      proto.i = BigInt(codeOfDType(value as DType));
      break;
    case "float":
      // Beyond float32 it is infinite, as wherever else a number becomes one.
      proto.f = Math.fround(Number(value));
      break;
    case "string":
      proto.s = encodeText(value);
      break;
    case "ints":
      proto.ints = (value as readonly number[]).map(writeInteger);
      break;
    case "floats":
      proto.floats = (value as readonly number[]).map(Math.fround);
      break;
    case "strings":
      proto.strings = (value as readonly string[]).map(encodeText);
      break;
    case "tensor":
      proto.t = writeTensor(value as Tensor);
      break;
    case "graph":
      if (writeGraph !== undefined) proto.g = writeGraph(value as Graph);
      break;
  }
  return proto;
}

const encoder = new TextEncoder();

function encodeText(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(String(value));
}
