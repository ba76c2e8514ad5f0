/** @file The finished graph: what no output needs is gone, and outputs are called as the ports are. */
import { type Builder, definitionsOf, type Graph, mapNode, type Node, usesOf, type Value } from "../../graph/index.ts";
import type { FrozenGraph, TfNode } from "./graph-def.ts";

/** The graph that gives `values` under the names of the ports. `origins` follow the nodes. */
export function tidied(
  build: Builder,
  values: readonly Value[],
  frozen: FrozenGraph,
  origins: Map<Node, TfNode>,
): Graph {
  const computed = new Map(build.nodes.flatMap((node) => definitionsOf(node).map((value) => [value, node] as const)));
  const renamed = new Map<Value, Value>();
  const inputs = new Set(frozen.inputs.map((port) => port.name));
  const outputs = values.map((value, index) => {
    const port = frozen.outputs[index]?.name ?? value.name;
    const name = inputs.has(port) ? build.unused(port) : port;
    const output = { ...value, name };
    if (computed.has(value) && !renamed.has(value)) {
      renamed.set(value, output);
      return value;
    }
    // An input, a constant, or given twice: computed once more under its own name.
    const before = build.nodes.length;
    build.define(output, "Identity", [value]);
    const made = build.nodes[before];
    const origin = frozen.nodes.find((node) => node.name === frozen.outputs[index]?.ref.replace(/:\d+$/, ""));
    if (made !== undefined && origin !== undefined) origins.set(made, origin);
    return output;
  });
  return renamedGraph(withoutDead(build.graph(outputs, frozen.name)), renamed, origins);
}

/** Nodes and constants that an output depends on. */
function withoutDead(graph: Graph): Graph {
  const live = new Set<Value>(graph.outputs);
  const nodes: Node[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index];
    if (node === undefined || !definitionsOf(node).some((value) => live.has(value))) continue;
    nodes.push(node);
    for (const value of usesOf(node)) live.add(value);
  }
  const initializers = new Map([...graph.initializers].filter(([value]) => live.has(value)));
  return { ...graph, nodes: nodes.reverse(), initializers };
}

function renamedGraph(graph: Graph, renamed: ReadonlyMap<Value, Value>, origins: Map<Node, TfNode>): Graph {
  const map = (value: Value) => renamed.get(value) ?? value;
  const nodes = graph.nodes.map((node) => {
    if (![...usesOf(node), ...definitionsOf(node)].some((value) => renamed.has(value))) return node;
    const changed = mapNode(node, map);
    const origin = origins.get(node);
    if (origin !== undefined) origins.set(changed, origin);
    return changed;
  });
  return { ...graph, nodes, outputs: graph.outputs.map(map) };
}
