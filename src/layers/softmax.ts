/** @file Softmax over one axis or several. */
import type { Builder, Value } from "../graph/index.ts";

/** Over several axes: exp(x − max), over its sum. Axes count from 0. */
export function softmaxOver(build: Builder, x: Value, axes: readonly number[], name: string): Value {
  const [axis = -1] = axes;
  if (axes.length === 1) return build.apply("Softmax", [x], { axis }, name);
  const powers = build.exp(build.sub(x, build.apply("ReduceMax", [x, build.ints(axes)])));
  return build.apply("Div", [powers, build.reduceSum(powers, axes)], {}, name);
}
