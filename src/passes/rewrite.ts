/** @file Rewriting a graph node by node. */
import { allNodes, type Builder, definitionsOf, type Graph, type Node } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { removeDeadNodes } from "./prune.ts";

/**
 * Copies a graph node by node. Where `replace` returns true it has appended to the builder what defines the node's
 * outputs instead (`build.define`); other nodes are taken over as they are.
 */
export function rewriteNodes(graph: Graph, replace: (node: Node, build: Builder) => boolean): Graph {
  const build = newBuilder({ ...graph, nodes: [] });
  for (const node of allNodes(graph)) build.reserve(definitionsOf(node).map(({ name }) => name));
  for (const node of graph.nodes) if (!replace(node, build)) build.adopt(node);
  return removeDeadNodes({ ...build.graph(graph.outputs), ...(graph.extras && { extras: graph.extras }) });
}
