/** @file What a model is, in figures: what `graft inspect` prints and anyone can ask for. */
import { gradientReach } from "../gradient/index.ts";
import { allNodes, describeNode, findValue, type Graph, showType, type Value } from "../graph/index.ts";
import { checkResources, type OnnxModel } from "../onnx/index.ts";
import { inferShapes } from "../shapes/index.ts";
import { byteLength, elementCount, isFloating } from "../tensor/index.ts";

export interface ValueDescription {
  readonly name: string;
  /** For reading: `float32[N, 3, 224, 224]`. */
  readonly type: string;
  readonly dtype: string | null;
  /** Sizes are numbers, names, or `null` where unknown; the whole is `null` where not even the rank is known. */
  readonly shape: readonly (number | string | null)[] | null;
}

/** Weights: floating-point constants of rank 1 and above. */
export interface ParameterCount {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

export interface OperatorCount {
  readonly domain: string;
  readonly operator: string;
  readonly nodes: number;
}

/** How deep gradients of one output reach. */
export interface GradientDescription {
  readonly output: string;
  /** The weights that a gradient arrives at: these can be trained. */
  readonly parameters: ParameterCount;
  /** The graph's inputs that a gradient arrives at. */
  readonly reachesInputs: readonly string[];
  readonly barriers: readonly { readonly node: string; readonly operator: string; readonly reason: string }[];
}

export interface ModelDescription {
  readonly irVersion: number;
  readonly opset: number;
  readonly producer: string;
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
  readonly parameters: ParameterCount;
  /** By number of nodes, most first; those of subgraphs included. */
  readonly operators: readonly OperatorCount[];
  /** Operators outside the vocabulary: they run, frozen, and gradients do not pass them. */
  readonly foreignOperators: readonly OperatorCount[];
  readonly gradients: readonly GradientDescription[];
  /** What the file held that is not written again. */
  readonly leftOut: readonly string[];
}

/**
 * Describes a model. `output` names the value whose gradients are followed; by default every floating-point output.
 *
 * @throws GraftError `usage` where the graph has no value of that name, `model-invalid` where its shapes contradict,
 *   `model-refused` where it would ask for too much
 */
export function describeModel(model: OnnxModel, { output }: { readonly output?: string } = {}): ModelDescription {
  const graph = inferShapes(model.graph);
  // With shapes inferred the check sees further than it did on reading.
  checkResources({ graph });
  const from =
    output === undefined ? graph.outputs.filter((each) => isFloating(each.dtype)) : [findValue(graph, output)];
  const operators = countOperators(graph);
  return {
    irVersion: model.irVersion,
    opset: model.opsetImports.get("") ?? 0,
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    inputs: graph.inputs.map(describeValue),
    outputs: graph.outputs.map(describeValue),
    parameters: countParameters(graph, () => true),
    operators: operators.map(({ foreign: _, ...count }) => count),
    foreignOperators: operators.filter(({ foreign }) => foreign).map(({ foreign: _, ...count }) => count),
    gradients: from.map((value) => describeGradients(graph, value)),
    leftOut: model.leftOut,
  };
}

function describeGradients(graph: Graph, output: Value): GradientDescription {
  const { reached, barriers } = gradientReach(graph, output);
  return {
    output: output.name,
    parameters: countParameters(graph, (value) => reached.has(value)),
    reachesInputs: graph.inputs.filter((input) => reached.has(input)).map(({ name }) => name),
    barriers: barriers.map(({ node, reason }) => ({ node: describeNode(node), operator: node.operator, reason })),
  };
}

function describeValue(value: Value): ValueDescription {
  return { name: value.name, type: showType(value), dtype: value.dtype ?? null, shape: value.shape ?? null };
}

function countParameters(graph: Graph, isCounted: (value: Value) => boolean): ParameterCount {
  const weights = [...graph.initializers].filter(
    ([value, tensor]) => isFloating(tensor.dtype) && tensor.shape.length > 0 && isCounted(value),
  );
  const sum = (of: (tensor: (typeof weights)[number][1]) => number) =>
    weights.reduce((total, [, tensor]) => total + of(tensor), 0);
  return {
    tensors: weights.length,
    elements: sum(({ shape }) => elementCount(shape)),
    bytes: sum(({ dtype, shape }) => byteLength(dtype, elementCount(shape))),
  };
}

function countOperators(graph: Graph): readonly (OperatorCount & { readonly foreign: boolean })[] {
  const counts = new Map<string, { domain: string; operator: string; nodes: number; foreign: boolean }>();
  for (const node of allNodes(graph)) {
    const domain = node.kind === "foreign" ? node.domain : "";
    const key = `${node.kind} ${domain} ${node.operator}`;
    const known = counts.get(key);
    if (known) known.nodes++;
    else counts.set(key, { domain, operator: node.operator, nodes: 1, foreign: node.kind === "foreign" });
  }
  return [...counts.values()].sort((a, b) => b.nodes - a.nodes || (a.operator < b.operator ? -1 : 1));
}
