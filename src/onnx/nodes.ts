/** @file A node in its canonical form becomes one of the vocabulary where it fits, and a foreign one where it does not. */
import { clearField, create } from "@bufbuild/protobuf";
import {
  type ForeignNode,
  type Graph,
  isOperator,
  type Node,
  type Operator,
  type OperatorNode,
  schemaOf,
} from "../graph/index.ts";
import { bytesOf, GraftError, type Tensor } from "../tensor/index.ts";
import { beyondVocabulary, readAttribute } from "./attributes.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  type TensorProto,
  TensorProtoSchema,
} from "./proto/onnx_pb.ts";
import { isIgnorable } from "./raise/newer.ts";
import type { HeldAttribute, RawNode } from "./rawNode.ts";
import { isExternal } from "./tensors.ts";

/** What reading a node needs from around it. */
export interface NodeReader {
  readonly tensor: (proto: TensorProto) => Tensor;
  /** A graph in an attribute, in the sight of where that was written. */
  readonly graph: (proto: GraphProto, held: HeldAttribute) => Graph;
}

/** Throws when an attribute of a known operator is missing or of the wrong type. */
export function readNode(raw: RawNode, read: NodeReader): Node {
  const known = raw.domain === "" && isOperator(raw.operator) ? readKnown(raw, raw.operator, read) : undefined;
  return known ?? readForeign(raw, read);
}

/** `undefined` when an attribute is beyond the vocabulary. */
function readKnown<K extends Operator>(raw: RawNode, operator: K, read: NodeReader): Node | undefined {
  const { attributes: schemas, inputs } = schemaOf(operator);
  const names = new Map<string, keyof typeof schemas>();
  for (const key in schemas) names.set(schemas[key].name, key);
  for (const [name, { proto }] of raw.attributes) {
    if (!names.has(name) && !isIgnorable(operator, name, proto)) return undefined;
  }
  const attributes: Partial<Record<keyof typeof schemas, unknown>> = {};
  // Graphs last: none is read before it is certain that the node is known, or it would be read twice.
  const isGraph = (key: keyof typeof schemas) => schemas[key].kind === "graph";
  for (const key of [...names.values()].sort((a, b) => Number(isGraph(a)) - Number(isGraph(b)))) {
    const schema = schemas[key];
    const held = raw.attributes.get(schema.name);
    if (held === undefined) {
      if (schema.required) throw new GraftError("model-invalid", `attribute "${schema.name}" is missing`);
      attributes[key] = schema.fallback;
      continue;
    }
    const value = readAttribute(held.proto, schema, {
      tensor: read.tensor,
      graph: (proto) => read.graph(proto, held),
    });
    if (value === beyondVocabulary) return undefined;
    attributes[key] = value;
  }
  const node: OperatorNode<K> = {
    kind: "operator",
    operator,
    name: raw.name,
    // Filled key by key from the operator's own schema.
    attributes: attributes as OperatorNode<K>["attributes"],
    inputs: withoutTrailing(raw.inputs, inputs[0]),
    outputs: withoutTrailing(raw.outputs, 0),
    ...(raw.extras === undefined ? {} : { extras: raw.extras }),
  };
  // A node of one operator is a member of the union of all, which TypeScript does not see for a generic operator.
  return node as unknown as Node;
}

/** Omitted values at the end say nothing, beyond the `least` that an operator names. */
function withoutTrailing<T>(values: readonly (T | undefined)[], least: number): readonly (T | undefined)[] {
  const last = values.findLastIndex((value) => value !== undefined);
  return values.slice(0, Math.max(last + 1, least));
}

function readForeign(raw: RawNode, read: NodeReader): ForeignNode {
  return {
    kind: "foreign",
    domain: raw.domain,
    operator: raw.operator,
    name: raw.name,
    attributes: [...raw.attributes].map(([name, held]) => ({
      name,
      graphs: graphsOf(held.proto).map((graph) => read.graph(graph, held)),
      encoded: encode(held.proto, name, read),
    })),
    inputs: raw.inputs,
    outputs: raw.outputs,
    ...(raw.extras === undefined ? {} : { extras: raw.extras }),
  };
}

function graphsOf({ g, graphs }: AttributeProto): readonly GraphProto[] {
  return g === undefined ? graphs : [g, ...graphs];
}

/** The attribute without its graphs, under the name it has here, and with nothing left outside the model. */
function encode(proto: AttributeProto, name: string, read: NodeReader): AttributeProto {
  const encoded = Object.assign(create(AttributeProtoSchema), proto, { name, graphs: [] });
  clearField(encoded, AttributeProtoSchema.field.g);
  if (proto.t !== undefined) encoded.t = bringInside(proto.t, read);
  encoded.tensors = proto.tensors.map((each) => bringInside(each, read));
  const sparse = proto.sparseTensor === undefined ? proto.sparseTensors : [proto.sparseTensor, ...proto.sparseTensors];
  for (const tensor of sparse.flatMap(({ values, indices }) => [values ?? [], indices ?? []].flat())) {
    if (isExternal(tensor)) {
      throw new GraftError("model-refused", "a sparse tensor of an unknown operator lies outside the model");
    }
  }
  return encoded;
}

function bringInside(proto: TensorProto, read: NodeReader): TensorProto {
  if (!isExternal(proto)) return proto;
  const tensor = read.tensor(proto);
  const copy = Object.assign(create(TensorProtoSchema), proto, { externalData: [] });
  clearField(copy, TensorProtoSchema.field.dataLocation);
  if (tensor.dtype !== "string") copy.rawData = bytesOf(tensor);
  return copy;
}
