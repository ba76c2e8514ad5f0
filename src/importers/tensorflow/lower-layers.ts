/** @file Layers of a graph that came without: nodes that follow each other in one name scope are one. */
import {
  definitionsOf,
  type Graph,
  type LayerScope,
  type LayerWeight,
  type Node,
  usesOf,
  type Value,
} from "../../graph/index.ts";
import { isFloating, type Shape } from "../../tensor/index.ts";
import type { TfNode } from "./graph-def.ts";
import type { Weight } from "./operators/weight.ts";

/** A node of TensorFlow, and the nodes it became. */
export interface LoweredNode {
  readonly node: TfNode;
  readonly first: number;
  readonly end: number;
}

/** Nodes of one scope that stand together. */
interface Group {
  readonly scope: string;
  readonly operators: readonly string[];
  readonly nodes: readonly Node[];
}

/** What Keras calls a layer that has such an operator; the first that is there names the layer. */
const classNames: readonly (readonly [operator: string, className: string])[] = [
  ["DepthwiseConv2dNative", "DepthwiseConv2D"],
  ["FusedDepthwiseConv2dNative", "DepthwiseConv2D"],
  ["_FusedDepthwiseConv2dNative", "DepthwiseConv2D"],
  ["Conv2D", "Conv2D"],
  ["_FusedConv2D", "Conv2D"],
  ["Conv3D", "Conv3D"],
  ["Conv2DBackpropInput", "Conv2DTranspose"],
  ["FusedBatchNorm", "BatchNormalization"],
  ["FusedBatchNormV2", "BatchNormalization"],
  ["FusedBatchNormV3", "BatchNormalization"],
  ["MatMul", "Dense"],
  ["_FusedMatMul", "Dense"],
  ["MaxPool", "MaxPooling2D"],
  ["AvgPool", "AveragePooling2D"],
  ["ResizeBilinear", "Resizing"],
  ["ResizeNearestNeighbor", "Resizing"],
  ["Softmax", "Softmax"],
  ["Relu6", "ReLU"],
  ["Relu", "ReLU"],
  ["ConcatV2", "Concatenate"],
];

/** Operators of ONNX that name a layer, whatever TensorFlow spelled them with. */
const byOnnx: readonly (readonly [operator: string, className: string])[] = [
  ["BatchNormalization", "BatchNormalization"],
  ["GlobalAveragePool", "GlobalAveragePooling2D"],
];

/** What is remembered of how the graph came about. */
interface Origin {
  /** The node of TensorFlow that a node comes from. */
  readonly origins: ReadonlyMap<Node, TfNode>;
  /** Values that lie as `[N, C, …spatial]`. */
  readonly maps: ReadonlySet<Value>;
}

/** The layers of a graph in their order. */
export function layersOf(graph: Graph, origin: Origin, weights: readonly Weight[]): readonly LayerScope[] {
  const groups = grouped(graph, origin.origins);
  const prefix = commonPrefix(groups.map(({ scope }) => scope));
  const byValue = new Map(
    weights.flatMap((weight) => (weight.value === undefined ? [] : [[weight.value, weight] as const])),
  );
  const statistics = new Set(graph.nodes.flatMap(statisticsOf));
  const names = new Set<string>();
  const layerOf = new Map<Value, string>(graph.inputs.map((input) => [input, input.name]));
  const counted = new Set<Value>();
  const readers = lastReaders(groups, graph);
  const inputLayers = graph.inputs.map(
    (input): LayerScope => ({
      name: unused(input.name, names),
      className: "InputLayer",
      inputs: [],
      output: input.name,
      outputShape: kerasShape(input, origin.maps),
      values: [],
      weights: [],
    }),
  );
  const layers = groups.map((group, index): LayerScope => {
    const name = unused(group.scope.slice(prefix.length), names);
    const uses = [...new Set(group.nodes.flatMap(usesOf))];
    const own = uses.filter((value) => byValue.has(value) && !counted.has(value));
    for (const value of own) counted.add(value);
    const defined = group.nodes.flatMap(definitionsOf);
    const inputs = new Set(uses.flatMap((value) => layerOf.get(value) ?? []));
    for (const value of defined) layerOf.set(value, name);
    const output = defined.findLast((value) => (readers.get(value) ?? -1) > index) ?? defined.at(-1);
    return {
      name,
      className: classOf(group),
      inputs: [...inputs],
      output: output?.name ?? "",
      outputShape: kerasShape(output, origin.maps),
      values: defined.map((value) => value.name),
      ...weightsOf(own, byValue, statistics),
    };
  });
  return [...inputLayers, ...layers];
}

function grouped(graph: Graph, origins: ReadonlyMap<Node, TfNode>): readonly Group[] {
  const groups: { scope: string; operators: string[]; nodes: Node[] }[] = [];
  for (const node of graph.nodes) {
    const origin = origins.get(node);
    const name = origin?.name ?? node.name;
    const scope = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : name;
    const last = groups.at(-1);
    if (last !== undefined && last.scope === scope) {
      last.nodes.push(node);
      if (origin !== undefined) last.operators.push(origin.op);
    } else groups.push({ scope, operators: origin === undefined ? [] : [origin.op], nodes: [node] });
  }
  return groups;
}

/** The scopes' common folders, with the slash after them. */
function commonPrefix(scopes: readonly string[]): string {
  const [first = "", ...others] = scopes;
  const folders = first.split("/").slice(0, -1);
  let count = folders.length;
  for (const scope of others) {
    const parts = scope.split("/").slice(0, -1);
    let same = 0;
    while (same < count && parts[same] === folders[same]) same++;
    count = same;
  }
  return count === 0 ? "" : `${folders.slice(0, count).join("/")}/`;
}

function unused(name: string, names: Set<string>): string {
  let candidate = name;
  for (let count = 1; names.has(candidate); count++) candidate = `${name}_${count}`;
  names.add(candidate);
  return candidate;
}

/** The last group that reads each value; the graph itself reads its outputs after all. */
function lastReaders(groups: readonly Group[], graph: Graph): ReadonlyMap<Value, number> {
  const readers = new Map<Value, number>();
  for (const [index, { nodes }] of groups.entries()) {
    for (const value of nodes.flatMap(usesOf)) readers.set(value, index);
  }
  for (const output of graph.outputs) readers.set(output, groups.length);
  return readers;
}

function classOf({ operators, nodes }: Group): string {
  const computed = byOnnx.find(([operator]) => nodes.some((node) => node.operator === operator));
  const found = computed ?? classNames.find(([operator]) => operators.includes(operator));
  return found?.[1] ?? operators.at(-1) ?? nodes.at(-1)?.operator ?? "";
}

/** The statistics of a batch norm, which gradients never change. */
function statisticsOf(node: Node): readonly Value[] {
  if (node.operator !== "BatchNormalization") return [];
  return node.inputs.slice(3).filter((value) => value !== undefined);
}

/** A layer's weights. One whose weights are all frozen is a frozen layer, not one without anything to train. */
function weightsOf(
  values: readonly Value[],
  byValue: ReadonlyMap<Value, Weight>,
  statistics: ReadonlySet<Value>,
): Pick<LayerScope, "weights" | "trainable"> {
  const own = values.map((value) => ({ value, isTrainable: byValue.get(value)?.isTrainable === true }));
  const mayTrain = ({ value }: { readonly value: Value }) => isFloating(value.dtype) && !statistics.has(value);
  const isFrozen = own.some(mayTrain) && !own.some(({ isTrainable }) => isTrainable);
  const weights = own.map(
    (each): LayerWeight => ({
      name: each.value.name,
      isTrainable: mayTrain(each) && (isFrozen || each.isTrainable),
    }),
  );
  return isFrozen ? { weights, trainable: false } : { weights };
}

/** What Keras would say of a shape: the channels last, the batch and what is open `null`. */
function kerasShape(value: Value | undefined, maps: ReadonlySet<Value>): readonly (number | null)[] | undefined {
  const [batch = null, channels = null, ...spatial] = value?.shape ?? [];
  const isMap = value !== undefined && maps.has(value);
  const shape: Shape | undefined = isMap ? [batch, ...spatial, channels] : value?.shape;
  return shape?.map((size, axis) => (axis > 0 && typeof size === "number" ? size : null));
}
