/** @file Walking and rewriting graphs, subgraphs included. Nothing here recurses along nodes: chains may be long. */
import { GraftError } from "../tensor/index.ts";
import type { Graph, Node, OperatorNode, Value } from "./graph.ts";
import { type Operator, schemaOf } from "./operators.ts";

/** The graphs a node holds in its attributes (the branches of an If, the body of a Loop). */
export function subgraphsOf(node: Node): readonly Graph[] {
  if (node.kind === "foreign") return node.attributes.flatMap((attribute) => attribute.graphs);
  return graphAttributes(node.operator).map((key) => (node.attributes as Record<string, unknown>)[key] as Graph);
}

function graphAttributes(operator: Operator): readonly string[] {
  const { attributes } = schemaOf(operator);
  return Object.entries<{ kind: string }>(attributes).flatMap(([key, { kind }]) => (kind === "graph" ? [key] : []));
}

/** Every value a node reads: its inputs, then what its subgraphs capture from around them. */
export function usesOf(node: Node): readonly Value[] {
  const inputs = node.inputs.filter((input) => input !== undefined);
  const subgraphs = subgraphsOf(node);
  return subgraphs.length === 0 ? inputs : [...inputs, ...subgraphs.flatMap((graph) => [...capturesOf(graph)])];
}

/** Every value a node defines. */
export function definitionsOf(node: Node): readonly Value[] {
  return node.outputs.filter((output) => output !== undefined);
}

/** The values of outer graphs that a graph uses. */
export function capturesOf(graph: Graph): ReadonlySet<Value> {
  const defined = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  const captures = new Set<Value>();
  const use = (value: Value) => {
    if (!defined.has(value)) captures.add(value);
  };
  for (const node of graph.nodes) {
    for (const value of usesOf(node)) use(value);
    for (const value of definitionsOf(node)) defined.add(value);
  }
  for (const output of graph.outputs) use(output);
  return captures;
}

/** The value of that name, in the graph itself. Throws GraftError `usage`, with names there are, where it has none. */
export function findValue(graph: Graph, name: string): Value {
  const values = [...graph.inputs, ...graph.initializers.keys(), ...graph.nodes.flatMap(definitionsOf)];
  const found = values.find((value) => value.name === name);
  if (found !== undefined) return found;
  const names = [...new Set(values.map((value) => value.name))];
  throw new GraftError("usage", `the graph has no value "${name}"`, {
    hint: `it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`,
  });
}

/** Which node defines each value of the graph (subgraphs not included). */
export function producersOf(graph: Graph): ReadonlyMap<Value, Node> {
  return new Map(graph.nodes.flatMap((node) => definitionsOf(node).map((value) => [value, node] as const)));
}

/** Which nodes read each value of the graph, in order. Graph outputs are not readers. */
export function consumersOf(graph: Graph): ReadonlyMap<Value, readonly Node[]> {
  const consumers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of new Set(usesOf(node))) {
      const known = consumers.get(value);
      if (known) known.push(node);
      else consumers.set(value, [node]);
    }
  }
  return consumers;
}

/** Every node of the graph and of the graphs inside it, outermost first. */
export function* allNodes(graph: Graph): Generator<Node> {
  const waiting = [graph];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const node of next.nodes) {
      yield node;
      waiting.push(...subgraphsOf(node));
    }
  }
}

/** A copy of the node that reads and defines other values; values it does not mention stay. */
export function mapNode(node: Node, map: (value: Value) => Value): Node {
  const each = (value: Value | undefined) => (value === undefined ? undefined : map(value));
  const moved = { ...node, inputs: node.inputs.map(each), outputs: node.outputs.map(each) };
  return subgraphsOf(node).length === 0 ? moved : mapSubgraphs(moved, (graph) => mapGraph(graph, map));
}

/** A copy of the graph, subgraphs included, with every value replaced by `map(value)`. */
export function mapGraph(graph: Graph, map: (value: Value) => Value): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map(map),
    outputs: graph.outputs.map(map),
    initializers: new Map([...graph.initializers].map(([value, tensor]) => [map(value), tensor])),
    nodes: graph.nodes.map((node) => mapNode(node, map)),
  };
}

/** A copy of the node whose subgraphs are replaced. */
export function mapSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  if (node.kind === "foreign") {
    return { ...node, attributes: node.attributes.map((each) => ({ ...each, graphs: each.graphs.map(map) })) };
  }
  const attributes: Record<string, unknown> = { ...node.attributes };
  for (const key of graphAttributes(node.operator)) attributes[key] = map(attributes[key] as Graph);
  // The keys and kinds are unchanged, which the type of a union of nodes cannot express.
  return { ...node, attributes } as OperatorNode as Node;
}
