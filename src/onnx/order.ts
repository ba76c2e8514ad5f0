/** @file Putting nodes into an order that can be run, where a file does not. */
import { GraftError } from "../tensor/index.ts";
import type { GraphProto, NodeProto } from "./proto/onnx_pb.ts";

/**
 * The nodes, each after those whose outputs it or its subgraphs use: the file's own order where that holds already (as
 * ONNX asks), else a stable topological one. Throws when nodes wait for one another, and names the cycle.
 */
export function orderNodes(nodes: readonly NodeProto[]): readonly NodeProto[] {
  const producers = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    for (const output of node.output) if (output !== "" && !producers.has(output)) producers.set(output, index);
  }
  // A name may be defined in an outer graph as well; what this graph's nodes define comes first.
  const needs = nodes.map((node) => [...namesUsedBy(node)].flatMap((name) => producers.get(name) ?? []));
  if (needs.every((before, index) => before.every((need) => need < index))) return nodes;

  const followers = nodes.map((): number[] => []);
  const missing = needs.map((before) => before.length);
  for (const [index, before] of needs.entries()) for (const need of before) followers[need]?.push(index);
  const ordered: number[] = [];
  const ready = new Heap();
  for (const [index, count] of missing.entries()) if (count === 0) ready.push(index);
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    ordered.push(next);
    for (const follower of followers[next] ?? []) {
      const left = (missing[follower] ?? 0) - 1;
      missing[follower] = left;
      if (left === 0) ready.push(follower);
    }
  }
  if (ordered.length < nodes.length) throw cycle(nodes, needs, missing);
  return ordered.flatMap((index) => nodes[index] ?? []);
}

/** The names a node reads: its inputs, and what its subgraphs take from around them. */
export function namesUsedBy(node: NodeProto): ReadonlySet<string> {
  const names = new Set(node.input);
  for (const attribute of node.attribute) {
    const graphs = attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs];
    for (const graph of graphs) for (const name of freeNames(graph)) names.add(name);
  }
  return names;
}

/** The names a subgraph uses and does not define. */
function freeNames(graph: GraphProto): ReadonlySet<string> {
  const defined = new Set<string>();
  for (const { name } of [...graph.input, ...graph.initializer]) defined.add(name);
  for (const { values } of graph.sparseInitializer) defined.add(values?.name ?? "");
  for (const node of graph.node) for (const output of node.output) defined.add(output);
  const free = new Set<string>();
  const use = (name: string) => {
    if (!defined.has(name)) free.add(name);
  };
  for (const node of graph.node) for (const name of namesUsedBy(node)) use(name);
  for (const { name } of graph.output) use(name);
  return free;
}

function cycle(nodes: readonly NodeProto[], needs: readonly number[][], missing: readonly number[]): GraftError {
  // Every node left over waits for another one left over: going back from any of them must come round.
  const seen = new Map<number, number>();
  const path: number[] = [];
  let at = missing.findIndex((count) => count > 0);
  while (!seen.has(at)) {
    seen.set(at, path.length);
    path.push(at);
    at = needs[at]?.find((need) => (missing[need] ?? 0) > 0) ?? at;
  }
  const round = path.slice(seen.get(at)).reverse();
  const labels = round.map((index) => `${nodes[index]?.opType} "${nodes[index]?.name || nodes[index]?.output[0]}"`);
  const shown = labels.length > 6 ? [...labels.slice(0, 3), "…", ...labels.slice(-2)] : labels;
  return new GraftError("model-invalid", "nodes wait for one another in a circle", {
    actual: [...shown, shown[0]].join(" → "),
  });
}

/** A binary heap of indices, the smallest first. */
class Heap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((items[parent] ?? 0) <= item) break;
      items[at] = items[parent] ?? 0;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < items.length && (items[child + 1] ?? 0) < (items[child] ?? 0)) child++;
      if (child >= items.length || (items[child] ?? 0) >= last) break;
      items[at] = items[child] ?? 0;
      at = child;
    }
    items[at] = last;
    return first;
  }
}
