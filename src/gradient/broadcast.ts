/** @file The derivative of broadcasting: what was repeated is summed. */
import type { Builder, Value } from "../graph/index.ts";
import { areEqualDimensions } from "../tensor/index.ts";
import { rankOf } from "./rule.ts";
import { range, reshapeLike } from "./sizes.ts";

/** Sums a gradient over the axes along which `value` was broadcast, so that it has the shape of `value`. */
export function sumToShapeOf(build: Builder, gradient: Value, value: Value): Value {
  const extra = rankOf(gradient) - rankOf(value);
  const axes: number[] = [];
  for (const [axis, size] of (value.shape ?? []).entries()) {
    const summed = gradient.shape?.[axis + extra];
    if (areEqualDimensions(size, summed) || (typeof size === "number" && size !== 1)) continue;
    if (size !== 1) return sumToRuntimeShape(build, gradient, value, extra);
    axes.push(axis + extra);
  }
  const kept = build.reduceSum(gradient, axes);
  return build.reduceSum(kept, range(extra), false);
}

/** The same where it shows only at run time which axes were broadcast: those of size 1 here and not there. */
function sumToRuntimeShape(build: Builder, gradient: Value, value: Value, extra: number): Value {
  const shape = build.shapeOf(value);
  const aligned = extra === 0 ? shape : build.concat([build.ints(new Array<number>(extra).fill(1)), shape], 0);
  const one = build.ints([1]);
  const repeated = build.and(build.equal(aligned, one), build.greater(build.shapeOf(gradient), one));
  const axes = build.reshape(build.apply("NonZero", [repeated]), [-1]);
  const summed = build.apply("ReduceSum", [gradient, axes], { noopWithEmptyAxes: true });
  return reshapeLike(build, summed, value);
}
