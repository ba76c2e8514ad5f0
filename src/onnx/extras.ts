/** @file What files say beyond the graph itself: documentation, metadata, annotations, fields newer than our schema. */
import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
} from "./proto/onnx_pb.ts";
import { saysMore } from "./types.ts";

/** What a model's message says beyond the fields of a model here. */
export class ModelExtras {
  readonly model: ModelProto;

  constructor(model: ModelProto) {
    this.model = model;
  }
}

/** What a graph's message says beyond its values and nodes. Values and tensors are found by name. */
export class GraphExtras {
  readonly graph: GraphProto;
  readonly values: ReadonlyMap<string, ValueInfoProto>;
  readonly tensors: ReadonlyMap<string, TensorProto>;

  constructor(
    graph: GraphProto,
    values: ReadonlyMap<string, ValueInfoProto>,
    tensors: ReadonlyMap<string, TensorProto>,
  ) {
    this.graph = graph;
    this.values = values;
    this.tensors = tensors;
  }
}

/** What a node's message says beyond its operator, attributes, inputs and outputs; by attribute too. */
export class NodeExtras {
  readonly node: NodeProto;
  readonly attributes: ReadonlyMap<string, AttributeProto>;

  constructor(node: NodeProto, attributes: ReadonlyMap<string, AttributeProto>) {
    this.node = node;
    this.attributes = attributes;
  }
}

/** `undefined` when the model says nothing more. */
export function modelExtrasOf({ configuration, $unknown }: ModelProto): ModelExtras | undefined {
  if (configuration.length === 0 && $unknown === undefined) return undefined;
  const rest = create(ModelProtoSchema, { configuration });
  if ($unknown !== undefined) rest.$unknown = $unknown;
  return new ModelExtras(rest);
}

/** `undefined` when the graph says nothing more. `name` tells under which name a value is known now. */
export function graphExtrasOf(proto: GraphProto, name: (original: string) => string): GraphExtras | undefined {
  const infos = [...proto.input, ...proto.output, ...proto.valueInfo].filter(saysMore);
  const values = new Map(infos.map((info) => [name(info.name), info]));
  const tensors = new Map(proto.initializer.flatMap((each) => restOfTensor(each, name)));
  const rest = create(GraphProtoSchema, {
    quantizationAnnotation: proto.quantizationAnnotation,
    metadataProps: proto.metadataProps,
  });
  if (proto.docString !== "") rest.docString = proto.docString;
  if (proto.$unknown !== undefined) rest.$unknown = proto.$unknown;
  const isSilent =
    rest.docString === "" &&
    rest.quantizationAnnotation.length === 0 &&
    rest.metadataProps.length === 0 &&
    rest.$unknown === undefined;
  return isSilent && values.size === 0 && tensors.size === 0 ? undefined : new GraphExtras(rest, values, tensors);
}

function restOfTensor(proto: TensorProto, name: (original: string) => string): [string, TensorProto][] {
  if (proto.docString === "" && proto.metadataProps.length === 0 && proto.$unknown === undefined) return [];
  const rest = create(TensorProtoSchema, { metadataProps: proto.metadataProps });
  if (proto.docString !== "") rest.docString = proto.docString;
  if (proto.$unknown !== undefined) rest.$unknown = proto.$unknown;
  return [[name(proto.name), rest]];
}

/** `undefined` when the node says nothing more. */
export function nodeExtrasOf(proto: NodeProto): NodeExtras | undefined {
  const attributes = new Map(
    proto.attribute
      .filter((each) => each.docString !== "" || each.$unknown !== undefined)
      .map((each) => [each.name, each]),
  );
  const { docString, metadataProps, deviceConfigurations, $unknown } = proto;
  const isSilent = docString === "" && metadataProps.length === 0 && deviceConfigurations.length === 0;
  if (isSilent && $unknown === undefined && attributes.size === 0) return undefined;
  const rest = create(NodeProtoSchema, { metadataProps, deviceConfigurations });
  if (docString !== "") rest.docString = docString;
  if ($unknown !== undefined) rest.$unknown = $unknown;
  return new NodeExtras(rest, attributes);
}
