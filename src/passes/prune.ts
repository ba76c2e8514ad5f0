/** @file Removing what no output needs, and what is computed twice. */
import {
  definitionsOf,
  type Graph,
  mapNode,
  type Node,
  schemaOf,
  subgraphsOf,
  usesOf,
  type Value,
} from "../graph/index.ts";

/** Removes nodes and constants that no output of the graph depends on. Inputs stay: they are the graph's interface. */
export function removeDeadNodes(graph: Graph): Graph {
  const live = new Set<Value>(graph.outputs);
  const kept: Node[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index];
    if (node === undefined || !definitionsOf(node).some((output) => live.has(output))) continue;
    kept.push(node);
    for (const use of usesOf(node)) live.add(use);
  }
  const inputs = new Set(graph.inputs);
  const initializers = new Map([...graph.initializers].filter(([value]) => live.has(value) || inputs.has(value)));
  return { ...graph, initializers, nodes: kept.reverse() };
}

/**
 * Computes once what is computed twice from the same values: the later node goes, its readers take the earlier one's
 * outputs. Nodes that draw random numbers, hold graphs or are foreign stay, and so do those that give the graph's outputs.
 */
export function removeDuplicateNodes(graph: Graph): Graph {
  const outputs = new Set(graph.outputs);
  const replacements = new Map<Value, Value>();
  const replaced = (value: Value) => replacements.get(value) ?? value;
  const identities = numberedIdentities();
  const seen = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = replacements.size === 0 ? original : mapNode(original, replaced);
    const key = mayRepeat(node) ? keyOf(node, identities) : undefined;
    const twin = key === undefined ? undefined : seen.get(key);
    const serves = twin !== undefined && node.outputs.every((output, index) => !output || twin.outputs[index]);
    if (twin === undefined || !serves || definitionsOf(node).some((output) => outputs.has(output))) {
      if (key !== undefined) seen.set(key, node);
      nodes.push(node);
      continue;
    }
    node.outputs.forEach((output, index) => {
      const same = twin.outputs[index];
      if (output !== undefined && same !== undefined) replacements.set(output, same);
    });
  }
  return { ...graph, nodes };
}

/** Replaces uses of values by others, subgraphs included. Definitions and the graph's own outputs stay. */
export function replaceUses(graph: Graph, replacements: ReadonlyMap<Value, Value>): Graph {
  if (replacements.size === 0) return graph;
  const last = (value: Value): Value => {
    let current = value;
    for (let next = replacements.get(current); next !== undefined; next = replacements.get(current)) current = next;
    return current;
  };
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...mapNode(node, last), outputs: node.outputs })) };
}

/** Whether two such nodes give the same outputs from the same inputs. */
function mayRepeat(node: Node): boolean {
  if (node.kind === "foreign" || subgraphsOf(node).length > 0) return false;
  return !("seed" in schemaOf(node.operator).attributes);
}

/** Values numbered as they come: an identity short enough to build keys from. */
function numberedIdentities(): (value: Value | undefined) => number {
  const numbers = new Map<Value | undefined, number>();
  return (value) => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  };
}

function keyOf(node: Node, identity: (value: Value | undefined) => number): string | undefined {
  const attributes = Object.entries(node.attributes as Record<string, unknown>);
  // Tensors as attributes are rare and may be large: not worth comparing.
  if (attributes.some(([, value]) => typeof value === "object" && value !== null && "data" in value)) return undefined;
  return `${node.operator}(${node.inputs.map(identity)})${JSON.stringify(attributes)}`;
}
