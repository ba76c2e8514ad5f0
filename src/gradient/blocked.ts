/** @file Where derivatives can flow, and the error for a path that they do not pass. */
import { definitionsOf, describeNode, type Node, usesOf, type Value } from "../graph/index.ts";
import { GraftError, isFloating } from "../tensor/index.ts";

/** A value of unknown type counts: it may be a sequence of floating-point tensors, and no path may end unnoticed. */
export function mayBeFloating({ dtype }: Value): boolean {
  return dtype === undefined || isFloating(dtype);
}

/** The error for an operator without a derivative: it names one path from a wanted value to it. */
export function blocked(nodes: readonly Node[], node: Node, dependent: ReadonlySet<Value>, reason: string): GraftError {
  const path = [describeNode(node)];
  let entry = usesOf(node).find((use) => dependent.has(use));
  for (let index = nodes.indexOf(node) - 1; index >= 0 && entry !== undefined; index--) {
    const earlier = nodes[index];
    if (earlier === undefined || !definitionsOf(earlier).includes(entry)) continue;
    path.unshift(describeNode(earlier));
    entry = usesOf(earlier).find((use) => dependent.has(use)) ?? entry;
  }
  return new GraftError("not-differentiable", `${node.operator} has no derivative: ${reason}`, {
    actual: `it on the path ${[entry?.name, ...path].filter(Boolean).join(" → ")}`,
    hint: "ask for gradients of values after it, or replace the operator",
  });
}
