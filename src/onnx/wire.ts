/** @file A walk over protobuf's wire format before anything is decoded: well-formed, not too deep, not too much. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { GraftError } from "../tensor/index.ts";
import { GraphProtoSchema, ModelProtoSchema, NodeProtoSchema } from "./proto/onnx_pb.ts";

/** How much a file may ask for. */
export interface ReadLimits {
  /** Nodes, counted after functions are inlined. */
  readonly nodes: number;
  /**
   * Messages and unknown fields: what becomes an object each, of up to 1 KB. Beyond `freeItems` there may be one for every
   * four bytes of the file, which keeps memory below 64 MiB and 256 times the file (measured with the emptiest messages).
   */
  readonly items: number;
  /** Graphs within graphs, and functions within functions. */
  readonly depth: number;
}

export const readLimits: ReadLimits = { nodes: 250_000, items: 4_000_000, depth: 24 };

/** Small files may be dense. */
const freeItems = 20_000;
const bytesPerItem = 4;

/** Below protobuf's own limit of 100, so that ours is the one that speaks. */
const maximumMessageDepth = 96;

/** How a field lies on the wire: a varint, eight bytes, a length and what follows it, four bytes. */
type WireType = 0 | 1 | 2 | 5;
interface Field {
  readonly wireType: WireType;
  readonly isRepeated: boolean;
  readonly isText: boolean;
  readonly message: DescMessage | undefined;
}
interface Fields {
  readonly name: string;
  readonly isNode: boolean;
  readonly isGraph: boolean;
  readonly byNumber: ReadonlyMap<number, Field>;
}
const tables = new Map<DescMessage, Fields>();

function fieldsOf(message: DescMessage): Fields {
  const known = tables.get(message);
  if (known !== undefined) return known;
  const byNumber = new Map(message.fields.map((field) => [field.number, describeField(field)]));
  const isNode = message === NodeProtoSchema;
  const fields = { name: message.name, isNode, isGraph: message === GraphProtoSchema, byNumber };
  tables.set(message, fields);
  return fields;
}

function describeField({ message, scalar, fieldKind }: DescField): Field {
  return {
    wireType: message === undefined && scalar !== undefined ? wireTypeOf(scalar) : 2,
    isRepeated: fieldKind === "list",
    isText: scalar === ScalarType.STRING,
    message,
  };
}

function wireTypeOf(scalar: ScalarType): WireType {
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) return 2;
  if (scalar === ScalarType.DOUBLE) return 1;
  return scalar === ScalarType.FLOAT ? 5 : 0;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Throws when the bytes are not a well-formed ModelProto, nest too deep, or hold more nodes or items than the limits
 * allow; time is linear in the file and nothing is allocated. Specification: protobuf.dev/programming-guides/encoding.
 */
export function inspectWire(bytes: Uint8Array, limits: ReadLimits): void {
  const ends: number[] = [];
  const above: Fields[] = [];
  let fields = fieldsOf(ModelProtoSchema);
  let end = bytes.length;
  let position = 0;
  let nodes = 0;
  let items = 0;
  let graphs = 0;

  const fail = (reason: string, actual?: string): never => {
    throw new GraftError("model-invalid", `the bytes are no ONNX model: ${reason}`, {
      path: [`byte ${position}, in ${fields.name}`],
      ...(actual === undefined ? {} : { actual }),
      hint: "the file is damaged, cut short, or of another kind",
    });
  };
  const refuse = (what: string, limit: number): never => {
    throw new GraftError("model-refused", `the model has too many ${what}`, { expected: `at most ${limit}` });
  };
  /** Reads a varint; what lies above 2^53 is lost, which no length and no tag may reach. */
  const varint = (): number => {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      if (position >= end) fail("a number is cut short");
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    return fail("a number is too long");
  };
  const maximumItems = Math.min(limits.items, freeItems + bytes.length / bytesPerItem);
  const count = () => {
    if (++items > maximumItems) refuse("fields for its size", Math.floor(maximumItems));
  };
  const skip = (length: number) => {
    if (length > end - position) fail("a field reaches beyond its end", `${length} bytes of ${end - position}`);
    position += length;
  };
  const text = (length: number) => {
    if (!isText(bytes, position, length)) fail("a name is not UTF-8");
    position += length;
  };
  /** Numbers one after the other must end where their field ends. */
  const packed = ({ wireType }: Field, length: number) => {
    const width = wireType === 1 ? 8 : 4;
    if (wireType !== 0 && length % width !== 0) fail("packed numbers are cut short");
    const inside = position + length;
    if (wireType !== 0) position = inside;
    const outer = end;
    end = inside;
    while (position < inside) varint();
    end = outer;
  };
  const enter = (message: DescMessage, length: number) => {
    ends.push(end);
    above.push(fields);
    if (ends.length > maximumMessageDepth) refuse("messages within messages", maximumMessageDepth);
    fields = fieldsOf(message);
    end = position + length;
    if (fields.isNode && ++nodes > limits.nodes) refuse("nodes", limits.nodes);
    if (fields.isGraph && ++graphs > limits.depth + 1) refuse("graphs within graphs", limits.depth);
  };

  for (;;) {
    while (position === end) {
      const outer = above.pop();
      const outerEnd = ends.pop();
      if (outer === undefined || outerEnd === undefined) return;
      if (fields.isGraph) graphs--;
      fields = outer;
      end = outerEnd;
    }
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number < 1 || tag >= 2 ** 32) fail("a field has an impossible number", `${number}`);
    const field = fields.byNumber.get(number);
    const wireType = tag % 8;
    if (field === undefined || field.message !== undefined) count();
    const isPacked = field?.isRepeated === true && wireType === 2 && field.wireType !== 2;
    if (field !== undefined && field.wireType !== wireType && !isPacked) {
      fail("a field has the wrong type", `field ${number} with wire type ${wireType}`);
    }
    if (wireType === 0) varint();
    else if (wireType === 1) skip(8);
    else if (wireType === 5) skip(4);
    else if (wireType === 2) {
      const length = varint();
      if (length > end - position) fail("a field reaches beyond its end", `${length} bytes of ${end - position}`);
      if (isPacked) packed(field, length);
      else if (field?.isText) text(length);
      else if (field?.message === undefined) skip(length);
      else enter(field.message, length);
    } else fail("a field has an impossible type", `wire type ${wireType}`);
  }
}

function isText(bytes: Uint8Array, start: number, length: number): boolean {
  let index = start;
  while (index < start + length && (bytes[index] ?? 0) < 0x80) index++;
  if (index === start + length) return true;
  try {
    utf8.decode(bytes.subarray(index, start + length));
    return true;
  } catch {
    return false;
  }
}
