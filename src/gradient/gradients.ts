/** @file A graph with its gradients: what `graft gradients` writes and what anyone can run. */
import { findValue, type Graph, verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError, isFloating } from "../tensor/index.ts";
import { backpropagate } from "./walk.ts";

export interface GradientsRequest {
  /** The name of the value to derive, of shape and type `y`. */
  readonly output: string;
  /** The names of the inputs, initializers or intermediate values to derive by. */
  readonly wanted: readonly string[];
}

/**
 * The graph with one more input `dy`, the cotangent of the output, and for each wanted value `a` one more output
 * `grad:a` = dyᵀ·∂y/∂a, of the shape and type of `a`.
 *
 * @throws GraftError `usage` for names the graph does not have, `not-differentiable` where no derivative leads from the
 *   output to a wanted value
 */
export function withGradients(graph: Graph, { output, wanted }: GradientsRequest): Graph {
  const y = findValue(graph, output);
  const targets = wanted.map((name) => findValue(graph, name));
  for (const value of [y, ...targets]) {
    if (!isFloating(value.dtype)) {
      throw new GraftError("not-differentiable", "only floating-point values have gradients", {
        path: [`value "${value.name}"`],
        actual: value.dtype ?? "an unknown element type",
      });
    }
  }
  const build = newBuilder(graph);
  const dy = build.input("dy", y.dtype, y.shape);
  const gradients = backpropagate(build, [...graph.nodes], new Map([[y, dy]]), targets);
  const outputs = targets.map((target) => {
    const gradient = gradients.get(target);
    if (gradient === undefined) {
      throw new GraftError("not-differentiable", `"${output}" does not depend on it through differentiable operators`, {
        path: [`value "${target.name}"`],
        hint: "`graft inspect` shows how deep gradients reach",
      });
    }
    return build.apply("Identity", [gradient], {}, `grad:${target.name}`);
  });
  return verify(build.graph([...graph.outputs, ...outputs]));
}
