/** @file What must be known of a model's bytes before ONNX Runtime has them, read from the protobuf wire format alone. */
import { GraftError } from "../tensor/index.ts";

export interface ModelFacts {
  /** The version of ONNX's own operators; 0 when the model names none. */
  readonly opset: number;
}

type Kind = "model" | "opset" | "graph" | "node" | "attribute" | "tensor" | "sparse" | "function" | "training";

/** Field number → message, as far as tensors can lie below (onnx.proto3). */
const children: { readonly [K in Kind]: { readonly [field: number]: Kind } } = {
  model: { 7: "graph", 8: "opset", 20: "training", 25: "function" },
  opset: {},
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  tensor: {},
  sparse: { 1: "tensor", 2: "tensor" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
};

/**
 * Reads the facts, and refuses a model that points at files: given as bytes, it would make ONNX Runtime read files of
 * the working directory, or addresses of memory. Subgraphs are followed without recursion, contents are skipped.
 * Throws "model-refused" for data outside the bytes and "model-invalid" for bytes that are no protobuf message.
 */
export function inspectBytes(bytes: Uint8Array): ModelFacts {
  const reader = new Reader(bytes);
  const open: { readonly kind: Kind; readonly start: number; readonly end: number }[] = [
    { kind: "model", start: 0, end: bytes.length },
  ];
  let opset = 0;
  for (let message = open.pop(); message !== undefined; message = open.pop()) {
    const { kind, start, end } = message;
    reader.position = start;
    if (kind === "tensor") refuseExternal(reader, end);
    else if (kind === "opset") opset = Math.max(opset, readOpset(reader, end));
    else {
      while (reader.next(end)) {
        const child = children[kind][reader.field];
        if (child !== undefined && reader.isMessage)
          open.push({ kind: child, start: reader.start, end: reader.position });
      }
    }
  }
  return { opset };
}

function refuseExternal(reader: Reader, end: number): void {
  let name = "";
  let isExternal = false;
  while (reader.next(end)) {
    if (reader.field === 8 && reader.isMessage) name = reader.text();
    // external_data, and any data_location but the default.
    if (reader.field === 13 || (reader.field === 14 && reader.value !== 0)) isExternal = true;
  }
  if (isExternal) {
    throw new GraftError("model-refused", "the model keeps data in another file", {
      path: [`tensor "${name}"`],
      expected: "a model with all its data inside",
      hint: "read the model together with its folder first",
    });
  }
}

/** The version, when the set is ONNX's own. */
function readOpset(reader: Reader, end: number): number {
  let domain = "";
  let version = 0;
  while (reader.next(end)) {
    if (reader.field === 1 && reader.isMessage) domain = reader.text();
    if (reader.field === 2) version = reader.value;
  }
  return domain === "" || domain === "ai.onnx" ? version : 0;
}

/** Bytes after the tag by wire type; a number of variable length has been read by then. */
const fixedLengths: { readonly [wire: number]: number } = { 0: 0, 1: 8, 5: 4 };

/** Steps through the fields of a message (protobuf.dev/programming-guides/encoding). */
class Reader {
  position = 0;
  field = 0;
  /** Whether the field has a length: a message, a string or bytes, from `start` to `position`. */
  isMessage = false;
  start = 0;
  /** The number, of a field that is one. Precise below 2^53. */
  value = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves past the next field. False at the end of the message. */
  next(end: number): boolean {
    if (this.position >= end) return false;
    const tag = this.#varint(end);
    const wire = tag % 8;
    this.field = Math.floor(tag / 8);
    this.isMessage = wire === 2;
    this.value = wire === 0 ? this.#varint(end) : 0;
    const length = this.isMessage ? this.#varint(end) : fixedLengths[wire];
    // Groups (wire types 3 and 4) are no part of ONNX.
    if (length === undefined || this.position + length > end || this.field === 0) throw notAModel();
    this.start = this.position;
    this.position += length;
    return true;
  }

  text(): string {
    return new TextDecoder().decode(this.#bytes.subarray(this.start, this.position));
  }

  #varint(end: number): number {
    let value = 0;
    for (let scale = 1; this.position < end && scale <= 2 ** 63; scale *= 128) {
      const byte = this.#bytes[this.position++] ?? 0;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
    throw notAModel();
  }
}

function notAModel(): GraftError {
  return new GraftError("model-invalid", "these bytes are not an ONNX model", { expected: "a protobuf message" });
}

/**
 * A graph that, put before a model's own bytes, gives the model one more output, its first: an empty sequence.
 * Protobuf reads messages written one after the other as one message, lists joined.
 */
export function withLeadingSequence(model: Uint8Array, name: string): Uint8Array {
  const tensorType = field(1, field(1, [8, 1])); // Sequence.elem_type = TypeProto { tensor_type { elem_type: FLOAT } }
  const node = [...field(2, text(name)), ...field(4, text("SequenceEmpty"))];
  const output = [...field(1, text(name)), ...field(2, field(4, tensorType))];
  const graph = field(7, [...field(1, node), ...field(12, output)]);
  const whole = new Uint8Array(graph.length + model.length);
  whole.set(graph);
  whole.set(model, graph.length);
  return whole;
}

/** A field with a length below 128. */
function field(number: number, contents: readonly number[]): number[] {
  return [number * 8 + 2, contents.length, ...contents];
}

function text(value: string): number[] {
  return [...new TextEncoder().encode(value)];
}
