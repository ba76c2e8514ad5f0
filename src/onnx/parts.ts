/** @file A model's bytes in pieces, so that weights need not be copied: the same bytes as protobuf writes in one. */
import { create, type DescMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "./proto/onnx_pb.ts";

/** Pieces below this are joined. */
const smallest = 2 ** 16;
/** Numbers of the fields that are taken apart (onnx.proto). */
const [graphField, initializerField, rawDataField] = [7, 5, 9];
const lengthDelimited = 2;

/** The pieces, whose large ones look into the memory of the weights. Protobuf writes fields by number, unknown ones last. */
export function modelParts(model: ModelProto): readonly Uint8Array[] {
  const { graph } = model;
  if (graph === undefined) return [toBinary(ModelProtoSchema, model)];
  return joined([
    ...before(ModelProtoSchema, model, graphField),
    ...nested(graphField, graphParts(graph)),
    ...after(ModelProtoSchema, model, graphField),
  ]);
}

function graphParts(graph: GraphProto): Uint8Array[] {
  return [
    ...before(GraphProtoSchema, graph, initializerField),
    ...graph.initializer.flatMap((tensor) => nested(initializerField, tensorParts(tensor))),
    ...after(GraphProtoSchema, graph, initializerField),
  ];
}

function tensorParts(tensor: TensorProto): Uint8Array[] {
  if (!Object.hasOwn(tensor, "rawData")) return [toBinary(TensorProtoSchema, tensor)];
  return [
    ...before(TensorProtoSchema, tensor, rawDataField),
    ...nested(rawDataField, [tensor.rawData]),
    ...after(TensorProtoSchema, tensor, rawDataField),
  ];
}

function before<D extends DescMessage>(schema: D, message: MessageShape<D>, field: number): Uint8Array[] {
  return [
    toBinary(
      schema,
      only(schema, message, (number) => number < field),
    ),
  ];
}

function after<D extends DescMessage>(schema: D, message: MessageShape<D>, field: number): Uint8Array[] {
  const part = only(schema, message, (number) => number > field);
  if (message.$unknown !== undefined) part.$unknown = message.$unknown;
  return [toBinary(schema, part)];
}

/** A message with some of its fields. A field that a message does not hold as its own is not set. */
function only<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  isKept: (number: number) => boolean,
): MessageShape<D> & Message {
  const part = create(schema);
  for (const { number, localName } of schema.fields) {
    if (isKept(number) && Object.hasOwn(message, localName)) {
      Object.assign(part, { [localName]: Reflect.get(message, localName) });
    }
  }
  return part;
}

/** A field that holds a message or bytes: its tag and length before it. */
function nested(field: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return [Uint8Array.from([...varint((field << 3) | lengthDelimited), ...varint(size)]), ...parts];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function joined(parts: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) result.push(concatenated(small));
    small = [];
  };
  for (const part of parts) {
    if (part.length < smallest) small.push(part);
    else {
      flush();
      result.push(part);
    }
  }
  flush();
  return result;
}

/** One after another, in new memory. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
