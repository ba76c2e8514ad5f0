/** @file Graphs whose variables were made constants: frozen .pb files, and TensorFlow.js graph models with their weights. */
import type { Json } from "../../layers/index.ts";
import { type DType, GraftError, numbersOf, type Tensor, tensorOf } from "../../tensor/index.ts";
import { isObject, member, parseJson } from "../json.ts";
import type { ModelFiles } from "../model-files.ts";
import { tfjsWeights } from "../tfjs-weights.ts";
import { type Callable, freeze } from "./freeze.ts";
import { withoutFusedPrelu } from "./fused-prelu.ts";
import type { FrozenGraph, TfAttribute, TfPort } from "./graph-def.ts";
import { dataInputs, LazyNode, type SourceGraph, type SourceNode } from "./graph-source.ts";
import { readGraphDef } from "./read-graph.ts";
import { readGraphJson, shapeOf, typeOf } from "./read-json.ts";
import { type Binding, Scope, type Variable } from "./scope.ts";
import { Message } from "./wire.ts";

/**
 * A TensorFlow.js graph model.
 *
 * @throws GraftError `model-invalid` where it contradicts itself or a weight is not there, `model-refused` where it
 *   needs another graph to initialise it (look-up tables)
 */
export async function freezeTfjsGraph(
  files: ModelFiles,
  entry: string,
  name: string,
): Promise<{ readonly frozen: FrozenGraph; readonly savedBy: string | undefined }> {
  const model = parseJson(await files.read(entry), entry);
  const initializer = member(model, "modelInitializer") ?? member(model, "initializerSignature");
  if (isObject(initializer) && Object.keys(initializer).length > 0) {
    throw new GraftError("model-refused", "the model fills tables before it runs (modelInitializer)", {
      path: [entry],
      hint: "convert the part after its look-up tables",
    });
  }
  const weights = await tfjsWeights(model, files, entry);
  const graph = withWeights(readGraphJson(member(model, "modelTopology")), weights);
  const signature = member(model, "signature") ?? member(member(model, "userDefinedMetadata"), "signature");
  const converter = member(model, "convertedBy");
  return {
    frozen: withoutFusedPrelu(freeze(callableOf(name, graph, signature))),
    savedBy: typeof converter === "string" && converter !== "" ? converter : undefined,
  };
}

/** A frozen GraphDef: its inputs are its placeholders, its outputs the nodes that no other takes. */
export function freezeGraphDef(bytes: Uint8Array, name: string): FrozenGraph {
  return freeze(callableOf(name, readGraphDef(Message.of(bytes, "GraphDef")), undefined));
}

/** Whether the bytes are a GraphDef: they begin with nodes, which have names and operators. */
export function isFrozenGraph(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x0a) return false;
  try {
    const nodes = Message.of(bytes, "GraphDef").messages(1, "NodeDef");
    return nodes.slice(0, 8).every((node) => node.text(1) !== "" && /^[A-Za-z_>]\w*$/.test(node.text(2)));
  } catch {
    return false;
  }
}

function callableOf(name: string, graph: SourceGraph, signature: Json | undefined): Callable {
  const inputs = ports(member(signature, "inputs")) ?? placeholdersOf(graph);
  const outputs = ports(member(signature, "outputs")) ?? resultsOf(graph);
  if (outputs.length === 0) throw new GraftError("model-invalid", "the graph has no outputs");
  const bindings = new Map(inputs.map(({ ref }): [string, Binding] => [ref, { kind: "input", name: ref }]));
  const variables = new Map<SourceNode, Variable | undefined>();
  const variableOf = (node: SourceNode): Variable | undefined => {
    if (!variables.has(node)) variables.set(node, constantVariable(node));
    return variables.get(node);
  };
  return { name, scope: Scope.ofGraph(graph, bindings), inputs, outputs, variableOf, remarks: [] };
}

/** Constants that were variables: float ones with axes. Which of them were trained is not written anywhere. */
function constantVariable(node: SourceNode): Variable | undefined {
  const value = node.op === "Const" ? node.attributes.get("value") : undefined;
  if (value?.kind !== "tensor" || !value.value.dtype.startsWith("float") || value.value.shape.length === 0)
    return undefined;
  const name = node.name.replace(/\/(ReadVariableOp|read|Conv2D\/ReadVariableOp)$/, "");
  return { name, isTrainable: true, load: () => value.value };
}

/**
 * The ports of a signature; `undefined` where it names none. The order in the file is that of the converter's hash table:
 * they are sorted by their tensors' names, which number outputs (`Identity`, `Identity_1`), numbers by their size.
 */
function ports(tensors: Json | undefined): TfPort[] | undefined {
  if (!isObject(tensors) || Object.keys(tensors).length === 0) return undefined;
  const named = Object.entries(tensors).map(([key, info]) => {
    const tensor = member(info, "name");
    if (typeof tensor !== "string")
      throw new GraftError("model-invalid", "a signature names no tensor", { path: [key] });
    const ref = tensor.replace(/:0$/, "");
    return {
      name: key.replace(/:0$/, ""),
      dtype: typeOf(member(info, "dtype") ?? 1),
      shape: shapeOf(member(info, "tensorShape")),
      ref,
    };
  });
  return named.sort((a, b) => a.ref.localeCompare(b.ref, "en", { numeric: true }));
}

function placeholdersOf(graph: SourceGraph): TfPort[] {
  return [...graph.nodes.values()]
    .filter(({ op }) => op === "Placeholder")
    .map(({ name, attributes }) => {
      const dtype = attributes.get("dtype");
      const shape = attributes.get("shape");
      return {
        name,
        dtype: dtype?.kind === "type" ? dtype.value : "float32",
        shape: shape?.kind === "shape" && shape.value?.length !== 0 ? shape.value : undefined,
        ref: name,
      };
    });
}

/** Operators that give nothing which a person asks for. */
const noResults: ReadonlySet<string> = new Set(["Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault"]);

function resultsOf(graph: SourceGraph): TfPort[] {
  const taken = new Set<string>();
  for (const node of graph.nodes.values()) for (const input of dataInputs(node)) taken.add(input.replace(/:\d+$/, ""));
  return [...graph.nodes.values()]
    .filter(({ name, op }) => !taken.has(name) && !noResults.has(op))
    .map(({ name }) => ({ name, dtype: "float32", shape: undefined, ref: name }));
}

/** The graph with the manifest's weights as its constants' values. */
function withWeights(graph: SourceGraph, weights: ReadonlyMap<string, Tensor>): SourceGraph {
  const nodes = new Map<string, SourceNode>();
  for (const [name, node] of graph.nodes) {
    nodes.set(name, node.op === "Const" ? withValue(node, weights.get(name)) : node);
  }
  return { nodes, function: (name) => graph.function(name) };
}

function withValue(node: SourceNode, weight: Tensor | undefined): SourceNode {
  return new LazyNode(node.name, node.op, node.inputs, () => {
    const { attributes } = node;
    const own = attributes.get("value");
    // What is in the manifest is written without its elements in the graph.
    if (weight === undefined && own?.kind === "tensor" && own.value.data.length === 0) return attributes;
    const dtype = attributes.get("dtype");
    if (weight === undefined) {
      throw new GraftError("model-invalid", "the manifest has no weight for a constant", { path: [node.name] });
    }
    const value = dtype?.kind === "type" ? widened(weight, dtype.value) : weight;
    return new Map<string, TfAttribute>([...attributes, ["value", { kind: "tensor", value }]]);
  });
}

/** The converter narrows int64 to int32 and float64 to float32, while the graph keeps its types. */
function widened(tensor: Tensor, dtype: string): Tensor {
  const widths: ReadonlyMap<string, DType> = new Map<string, DType>([
    ["int64", "int32"],
    ["float64", "float32"],
  ]);
  if (tensor.dtype === "string" || widths.get(dtype) !== tensor.dtype) return tensor;
  return tensorOf(dtype === "int64" ? "int64" : "float64", tensor.shape, numbersOf(tensor));
}
