/** @file Cutting a graph at a value. */
import { definitionsOf, type Graph, usesOf, type Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { removeDeadNodes } from "./prune.ts";

/** The part of the graph that computes `values`, which become its outputs. Inputs that it does not read go. */
export function cutAfter(graph: Graph, values: readonly Value[]): Graph {
  const part = removeDeadNodes({ ...graph, outputs: values });
  return { ...part, inputs: readInputs(part) };
}

/**
 * The part of the graph that goes on from `values`: they become inputs, and what computed them goes.
 * Throws `usage` where the outputs also need other nodes that depend on the graph's inputs.
 */
export function cutBefore(graph: Graph, values: readonly Value[]): Graph {
  const given = new Set(values);
  const nodes = graph.nodes.filter((node) => !definitionsOf(node).some((value) => given.has(value)));
  const part = removeDeadNodes({ ...graph, inputs: [...values, ...graph.inputs], nodes });
  const stray = readInputs(part).find((input) => !given.has(input));
  if (stray !== undefined) {
    throw new GraftError("usage", "the outputs do not depend on the cut alone", {
      path: [`graph "${graph.name}"`, `value "${values.map(({ name }) => name).join(", ")}"`],
      actual: `a path from input "${stray.name}" around it`,
      hint: "cut where every path passes",
    });
  }
  return { ...part, inputs: values };
}

function readInputs(graph: Graph): readonly Value[] {
  const read = new Set<Value>([...graph.nodes.flatMap(usesOf), ...graph.outputs]);
  return graph.inputs.filter((input) => read.has(input));
}
