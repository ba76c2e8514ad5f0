/** @file How deep gradients of a base's features reach, counted in its trainable weights. */
import { gradientReach } from "../gradient/index.ts";
import { describeNode, type LayeredGraph } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";

/** Of the numbers that could be trained, those that gradients arrive at; and what stops them, a phrase each. */
export interface BaseReach {
  readonly reached: number;
  readonly trainable: number;
  readonly barriers: readonly string[];
}

export function baseReach({ graph, layers }: LayeredGraph): BaseReach {
  const [output] = graph.outputs;
  const names = new Set(
    layers.flatMap(({ weights }) => weights.filter((each) => each.isTrainable).map(({ name }) => name)),
  );
  const weights = [...graph.initializers].filter(([{ name }]) => names.has(name));
  const { reached, barriers } =
    output === undefined ? { reached: new Set(), barriers: [] } : gradientReach(graph, output);
  const sum = (list: typeof weights) => list.reduce((total, [, { shape }]) => total + elementCount(shape), 0);
  return {
    reached: sum(weights.filter(([value]) => reached.has(value))),
    trainable: sum(weights),
    barriers: barriers.map(({ node, reason }) => `${describeNode(node)}: ${reason}`),
  };
}
