/** @file Writing: a graph becomes the bytes of an ONNX file, self-contained and the same every time. */
import { create, type Message } from "@bufbuild/protobuf";
import {
  definitionsOf,
  type ForeignAttribute,
  type Graph,
  type Node,
  type Operator,
  type OperatorNode,
  type Value,
  verify,
} from "../graph/index.ts";
import { GraftError, type Tensor } from "../tensor/index.ts";
import { attributeTypes, writeAttributes } from "./attributes.ts";
import { GraphExtras, ModelExtras, NodeExtras } from "./extras.ts";
import type { OnnxModel } from "./model.ts";
import { allGraphs, needsOf } from "./needs.ts";
import { concatenated, modelParts } from "./parts.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from "./proto/onnx_pb.ts";
import { writeTensor } from "./tensors.ts";
import { writeValueInfo } from "./types.ts";

/** Protobuf's own limit, which every reader of ONNX keeps. */
const maximumBytes = 2 ** 31 - 1;

/** The bytes of a file that holds the model. Throws as `writeModelParts`. */
export function writeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  return concatenated(writeModelParts(model));
}

/**
 * The bytes of a file that holds the model, all data inside, in pieces: large ones look into the memory of its weights. The operator set is the model's own, or the lowest above
 * it that has what the graph uses. Throws when the graph is not well formed, or when the file would pass protobuf's limit of 2 GiB.
 */
export function writeModelParts(model: OnnxModel): readonly Uint8Array[] {
  const graph = verify(model.graph);
  const size = constantBytes(graph);
  if (size > maximumBytes) {
    throw new GraftError("out-of-resources", "the model is too large for one ONNX file", {
      expected: "weights below 2 GiB",
      actual: `${(size / 2 ** 30).toFixed(2)} GiB`,
    });
  }
  const needs = needsOf(graph);
  const imports = new Map(model.opsetImports);
  imports.set("", Math.max(needs.opset, imports.get("") ?? 0));
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(Math.max(needs.irVersion, model.irVersion)),
    opsetImport: [...imports].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: writeGraph(graph),
    metadataProps: [...model.metadata].map(([key, value]) => ({ key, value })),
  });
  if (model.producerName !== "") proto.producerName = model.producerName;
  if (model.producerVersion !== "") proto.producerVersion = model.producerVersion;
  if (model.domain !== "") proto.domain = model.domain;
  if (model.modelVersion !== 0) proto.modelVersion = BigInt(model.modelVersion);
  if (model.docString !== "") proto.docString = model.docString;
  if (model.extras instanceof ModelExtras) {
    const { configuration, $unknown } = model.extras.model;
    proto.configuration = configuration;
    if ($unknown !== undefined) proto.$unknown = $unknown;
  }
  return modelParts(proto);
}

function constantBytes(graph: Graph): number {
  let bytes = 0;
  for (const { initializers } of allGraphs(graph)) for (const tensor of initializers.values()) bytes += sizeOf(tensor);
  return bytes;
}

function sizeOf(tensor: Tensor): number {
  if (tensor.dtype !== "string") return tensor.data.byteLength;
  return tensor.data.reduce((sum, each) => sum + each.length, 0);
}

function writeGraph(graph: Graph): GraphProto {
  const kept = graph.extras instanceof GraphExtras ? graph.extras : undefined;
  const info = (value: Value) => writeValueInfo(value, kept?.values.get(value.name));
  const outputs = new Set(graph.outputs);
  const isTold = (value: Value) =>
    !outputs.has(value) &&
    (value.dtype !== undefined || value.opaqueType !== undefined || kept?.values.has(value.name));
  const proto = create(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes.map(writeNode),
    initializer: [...graph.initializers].map(([value, tensor]) =>
      restore(writeTensor(tensor, value.name), kept?.tensors.get(value.name)),
    ),
    input: graph.inputs.map(info),
    output: graph.outputs.map(info),
    valueInfo: graph.nodes.flatMap(definitionsOf).filter(isTold).map(info),
  });
  return kept === undefined ? proto : restore(proto, kept.graph);
}

function writeNode(node: Node): NodeProto {
  const kept = node.extras instanceof NodeExtras ? node.extras : undefined;
  const attribute = node.kind === "foreign" ? node.attributes.map(writeForeign) : writeKnown(node);
  const proto = create(NodeProtoSchema, {
    input: node.inputs.map(nameOf),
    output: node.outputs.map(nameOf),
    opType: node.operator,
    attribute: attribute.map((each) => restore(each, kept?.attributes.get(each.name))),
  });
  if (node.name !== "") proto.name = node.name;
  if (node.kind === "foreign" && node.domain !== "") proto.domain = node.domain;
  return restore(proto, kept?.node);
}

function writeKnown<K extends Operator>(node: OperatorNode<K>): AttributeProto[] {
  return writeAttributes(node.operator, node.attributes, writeGraph);
}

function nameOf(value: Value | undefined): string {
  return value?.name ?? "";
}

function writeForeign({ name, graphs, encoded }: ForeignAttribute): AttributeProto {
  const proto = create(AttributeProtoSchema, { name });
  // What is encoded is ours: `readModel` made it.
  Object.assign(proto, encoded, { name });
  if (proto.type === attributeTypes.GRAPHS) proto.graphs = graphs.map(writeGraph);
  else if (graphs[0] !== undefined) proto.g = writeGraph(graphs[0]);
  return proto;
}

/** What the file said beyond the graph goes back where it was: documentation, metadata, annotations, unknown fields. */
function restore<T extends Message>(proto: T, kept: Message | undefined): T {
  for (const key of restored) {
    if (kept !== undefined && Object.hasOwn(kept, key)) Object.assign(proto, { [key]: Reflect.get(kept, key) });
  }
  return proto;
}

const restored = ["$unknown", "deviceConfigurations", "docString", "metadataProps", "quantizationAnnotation"] as const;
