/** @file Layers for a graph that came without: one for each node, under the name its weights share. */
import { definitionsOf, describeNode, type Graph, type LayerScope, type Node, type Value } from "../graph/index.ts";
import { isFloating } from "../tensor/index.ts";

/** Which inputs of an operator are weights, by their position; `false` for those that gradients never change. */
const weightInputs: ReadonlyMap<string, readonly (boolean | undefined)[]> = new Map([
  ["Conv", [undefined, true, true]],
  ["ConvTranspose", [undefined, true, true]],
  ["Gemm", [true, true, true]],
  ["MatMul", [true, true]],
  ["BatchNormalization", [undefined, true, true, false, false]],
  ["LayerNormalization", [undefined, true, true]],
  ["GroupNormalization", [undefined, true, true]],
  ["InstanceNormalization", [undefined, true, true]],
  ["RMSNormalization", [undefined, true]],
  ["PRelu", [undefined, true]],
]);
/** A constant beside one of these is a weight where it holds more than one number. */
const elementwise: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);

/**
 * A layer for each node that computes something from the graph's input. Its name is what its weights are called up to
 * the last `/` (`Conv1` of `Conv1/kernel`), else the node's, else its first output's. A weight that two nodes share
 * belongs to the first.
 */
export function layersOf(graph: Graph): readonly LayerScope[] {
  const inputs = graph.inputs.filter((value) => !graph.initializers.has(value));
  const madeBy = new Map<Value, string>(inputs.map((value) => [value, value.name]));
  const claimed = new Set<Value>();
  const taken = new Set<string>(inputs.map(({ name }) => name));
  const layers: LayerScope[] = [];
  for (const node of graph.nodes) {
    const sources = node.inputs.flatMap((value) => (value && madeBy.get(value)) ?? []);
    const [output] = definitionsOf(node);
    if (output === undefined) continue;
    const weights = weightsOf(graph, node).filter(({ value }) => !claimed.has(value));
    if (sources.length === 0 && weights.length === 0) continue;
    for (const { value } of weights) claimed.add(value);
    const name = unused(
      nameOf(
        node,
        weights.map(({ value }) => value.name),
      ),
      taken,
    );
    for (const value of definitionsOf(node)) madeBy.set(value, name);
    layers.push({
      name,
      className: node.operator,
      inputs: [...new Set(sources)],
      output: output.name,
      outputShape: channelsLast(output),
      values: definitionsOf(node).map((value) => value.name),
      weights: weights.map(({ value, isTrainable }) => ({ name: value.name, isTrainable })),
    });
  }
  return layers;
}

/** The layers that a part of a graph still holds whole. */
export function layersWithin(graph: Graph, layers: readonly LayerScope[]): readonly LayerScope[] {
  const names = new Set([...graph.inputs, ...graph.nodes.flatMap(definitionsOf)].map(({ name }) => name));
  return layers.filter(({ values, output }) => names.has(output) && values.every((name) => names.has(name)));
}

/** The layers of which something is left in a graph that was cut and folded, with what is left of each. */
export function layersLeft(graph: Graph, layers: readonly LayerScope[]): readonly LayerScope[] {
  const values = new Set([...graph.inputs, ...graph.nodes.flatMap(definitionsOf)].map(({ name }) => name));
  const weights = new Set([...graph.initializers.keys()].map(({ name }) => name));
  return layers
    .map((layer) => ({
      ...layer,
      values: layer.values.filter((name) => values.has(name)),
      weights: layer.weights.filter(({ name }) => weights.has(name)),
    }))
    .filter((layer) => values.has(layer.output) || layer.values.length > 0)
    .map((layer) => ({
      ...layer,
      output: values.has(layer.output) ? layer.output : (layer.values.at(-1) ?? layer.output),
    }));
}

function weightsOf(graph: Graph, node: Node): readonly { readonly value: Value; readonly isTrainable: boolean }[] {
  if (node.kind === "foreign") return [];
  return node.inputs.flatMap((value, index) => {
    const tensor = value && graph.initializers.get(value);
    if (value === undefined || tensor === undefined || !isFloating(tensor.dtype) || tensor.shape.length === 0)
      return [];
    const listed = weightInputs.get(node.operator)?.[index];
    const isTrainable = listed ?? (elementwise.has(node.operator) && tensor.data.length > 1 ? true : undefined);
    return isTrainable === undefined ? [] : [{ value, isTrainable }];
  });
}

function nameOf(node: Node, weights: readonly string[]): string {
  const prefixes = new Set(weights.map((name) => name.slice(0, Math.max(0, name.lastIndexOf("/")))));
  const [prefix] = prefixes;
  if (prefixes.size === 1 && prefix) return prefix;
  return node.name || (definitionsOf(node)[0]?.name ?? describeNode(node));
}

function unused(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let count = 1; taken.has(candidate); count++) candidate = `${name}_${count}`;
  taken.add(candidate);
  return candidate;
}

/** Maps are `[N, C, H, W]` in ONNX; Keras says batch first, channels last. */
function channelsLast({ shape }: Value): readonly (number | null)[] | undefined {
  if (shape === undefined) return undefined;
  const sizes = shape.map((size) => (typeof size === "number" ? size : null));
  const [batch = null, channels = null, ...spatial] = sizes;
  return spatial.length === 2 ? [batch, ...spatial, channels] : sizes;
}
