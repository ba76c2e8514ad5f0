/** @file How deep gradients reach: what can be trained behind an output, and what stops it. */
import { definitionsOf, type Graph, type Node, usesOf, type Value } from "../graph/index.ts";
import { mayBeFloating } from "./blocked.ts";
import { gradientRules } from "./table.ts";

/** A node that gradients do not pass, on a path of floating-point values. */
export interface Barrier {
  readonly node: Node;
  readonly reason: string;
}

export interface Reach {
  /** Every value that a gradient of the output arrives at, inputs and initializers included. */
  readonly reached: ReadonlySet<Value>;
  /** What stops it, in the order of the graph. Empty: gradients reach everything that the output depends on smoothly. */
  readonly barriers: readonly Barrier[];
}

/** Walks back from `output` along floating-point values, as differentiation would, without building anything. */
export function gradientReach(graph: Graph, output: Value): Reach {
  const reached = new Set<Value>([output]);
  const barriers: Barrier[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index];
    if (node === undefined || !definitionsOf(node).some((value) => reached.has(value))) continue;
    const sources = usesOf(node).filter(mayBeFloating);
    const reason = sources.length === 0 ? undefined : barrierOf(node);
    if (reason !== undefined) barriers.unshift({ node, reason });
    else for (const source of sources) reached.add(source);
  }
  return { reached, barriers };
}

function barrierOf(node: Node): string | undefined {
  if (node.kind === "foreign") return "the operator is unknown here";
  const rule = gradientRules[node.operator];
  return rule.differentiable ? undefined : rule.reason;
}
