/** @file What a pass is, and how passes are run: in order, each result verified where asked. */
import { type Graph, verify } from "../graph/index.ts";

/** From a graph to one that computes the same outputs, unless the pass's name says what it changes. */
export type Pass = (graph: Graph) => Graph;

/** Runs passes in order. With `checked`, the graph is verified after each. Throws what a pass or the verifier throws. */
export function runPasses(
  graph: Graph,
  passes: readonly Pass[],
  { checked = false }: { readonly checked?: boolean } = {},
): Graph {
  return passes.reduce((current, pass) => (checked ? verify(pass(current)) : pass(current)), graph);
}
