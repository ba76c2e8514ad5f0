/** @file GraphDef and FunctionDef from their messages (graph.proto, node_def.proto, attr_value.proto, function.proto). */
import { GraftError } from "../../tensor/index.ts";
import { typeOfNumber } from "./data-types.ts";
import type { TfAttribute } from "./graph-def.ts";
import {
  LazyNode,
  lazyFunctions,
  type SourceArgument,
  type SourceFunction,
  type SourceGraph,
  type SourceNode,
} from "./graph-source.ts";
import { readShape, readTensorProto } from "./tensor-proto.ts";
import type { Message } from "./wire.ts";

/** How deep functions' attributes may lie in attributes. */
const deepestAttribute = 8;

/** A GraphDef. Throws GraftError `model-invalid` where two nodes have one name. */
export function readGraphDef(message: Message): SourceGraph {
  const library = message.message(2, "FunctionDefLibrary");
  const functions = new Map(
    (library?.messages(1, "FunctionDef") ?? []).map((stored) => [stored.message(1, "OpDef")?.text(1) ?? "", stored]),
  );
  return { nodes: readNodes(message.messages(1, "NodeDef")), function: lazyFunctions(functions, readFunction) };
}

function readNodes(messages: readonly Message[]): ReadonlyMap<string, SourceNode> {
  const nodes = new Map<string, SourceNode>();
  for (const message of messages) {
    const node = new LazyNode(message.text(1), message.text(2), message.texts(3), () =>
      readAttributes(message.map(5, "AttrValue"), message.text(1), 0),
    );
    if (nodes.has(node.name)) throw new GraftError("model-invalid", "two nodes have one name", { path: [node.name] });
    nodes.set(node.name, node);
  }
  return nodes;
}

function readFunction(message: Message): SourceFunction {
  const signature = message.message(1, "OpDef");
  const name = signature?.text(1) ?? "";
  // Keys are numbers here: the place of the argument.
  const attributes = new Map(
    message.messages(7, "FunctionDef.ArgAttrs").map((entry) => [entry.integer(1), entry.message(2, "ArgAttrs")]),
  );
  const inputs = (signature?.messages(2, "OpDef.ArgDef") ?? []).map((argument, index) =>
    readArgument(argument, readAttributes(attributes.get(index)?.map(1, "AttrValue") ?? new Map(), name, 0)),
  );
  const outputs = (signature?.messages(3, "OpDef.ArgDef") ?? []).map((argument) => ({
    name: argument.text(1),
    dtype: typeOfArgument(argument),
  }));
  const returns = new Map(message.messages(4, "FunctionDef.ret").map((entry) => [entry.text(1), entry.text(2)]));
  return { name, inputs, outputs, nodes: readNodes(message.messages(3, "NodeDef")), returns };
}

function readArgument(message: Message, attributes: ReadonlyMap<string, TfAttribute>): SourceArgument {
  const userName = attributes.get("_user_specified_name");
  const shapes = attributes.get("_output_shapes");
  const shape = shapes?.kind === "list" ? shapes.values[0] : undefined;
  return {
    name: message.text(1),
    dtype: typeOfArgument(message),
    shape: shape?.kind === "shape" ? shape.value : undefined,
    userName: userName?.kind === "bytes" ? new TextDecoder().decode(userName.value) : undefined,
  };
}

function typeOfArgument(argument: Message): SourceArgument["dtype"] {
  const type = argument.integer(3);
  return type === 0 ? undefined : typeOfNumber(type);
}

function readAttributes(
  messages: ReadonlyMap<string, Message>,
  place: string,
  depth: number,
): ReadonlyMap<string, TfAttribute> {
  const attributes = new Map<string, TfAttribute>();
  for (const [name, message] of messages) {
    try {
      const attribute = readAttribute(message, depth);
      if (attribute !== undefined) attributes.set(name, attribute);
    } catch (cause) {
      throw cause instanceof GraftError ? cause.at(`attribute ${name}`).at(place) : cause;
    }
  }
  return attributes;
}

/** The single values of AttrValue, by the number of their field. */
const singles: readonly (readonly [number, (message: Message, field: number, depth: number) => TfAttribute])[] = [
  [2, (message, field) => ({ kind: "bytes", value: message.bytes(field) })],
  [3, (message, field) => ({ kind: "int", value: message.integer(field) })],
  [4, (message, field) => ({ kind: "float", value: message.floats(field)[0] ?? 0 })],
  [5, (message, field) => ({ kind: "bool", value: message.boolean(field) })],
  [6, (message, field) => ({ kind: "type", value: typeOfNumber(message.integer(field)) })],
  [7, (message, field) => ({ kind: "shape", value: readShape(message.message(field, "TensorShapeProto")) })],
  [
    8,
    (message, field) => ({ kind: "tensor", value: readTensorProto(required(message.message(field, "TensorProto"))) }),
  ],
  [10, (message, field, depth) => readFunctionName(required(message.message(field, "NameAttrList")), depth)],
];

/** `undefined` for what is empty: a type that was never set, a placeholder in a function's generic form. */
function readAttribute(message: Message, depth: number): TfAttribute | undefined {
  const list = message.message(1, "AttrValue.ListValue");
  if (list !== undefined) return { kind: "list", values: readList(list, depth) };
  // DT_INVALID stands for types that nobody decided.
  if (message.has(6) && message.integer(6) === 0) return undefined;
  for (const [field, read] of singles) if (message.has(field)) return read(message, field, depth);
  return undefined;
}

function readList(list: Message, depth: number): TfAttribute[] {
  return [
    ...list.byteStrings(2).map((value) => ({ kind: "bytes", value }) as const),
    ...list.integers(3).map((value) => ({ kind: "int", value }) as const),
    ...list.floats(4).map((value) => ({ kind: "float", value }) as const),
    ...list.integers(5).map((value) => ({ kind: "bool", value: value !== 0 }) as const),
    ...list.integers(6).map((value) => ({ kind: "type", value: typeOfNumber(value) }) as const),
    ...list.messages(7, "TensorShapeProto").map((shape) => ({ kind: "shape", value: readShape(shape) }) as const),
    ...list.messages(8, "TensorProto").map((tensor) => ({ kind: "tensor", value: readTensorProto(tensor) }) as const),
    ...list.messages(9, "NameAttrList").map((function_) => readFunctionName(function_, depth)),
  ];
}

function readFunctionName(message: Message, depth: number): TfAttribute {
  if (depth >= deepestAttribute) throw new GraftError("model-refused", "functions lie too deep in attributes");
  const name = message.text(1);
  return { kind: "function", name, attributes: readAttributes(message.map(2, "AttrValue"), name, depth + 1) };
}

function required(message: Message | undefined): Message {
  if (message === undefined) throw new GraftError("model-invalid", "an attribute has no value");
  return message;
}
