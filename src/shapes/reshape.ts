/** @file Reshape: sizes given, copied (0) and inferred (-1). */
import type { Application } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";
import { productOf, quotientOf } from "./dimension.ts";
import { type Known, lengthOf, unknownOfRank } from "./rule.ts";

/** 0 copies the input's size at the same axis (unless `allowzero`), one -1 takes what is left. */
export function reshapedShape(
  shape: Shape | undefined,
  application: Application<"Reshape">,
  known: Known,
): Shape | undefined {
  const target = known.elementsOf(application.inputs[1]);
  if (target === undefined) {
    const length = lengthOf(application.inputs[1], known);
    return length === undefined ? undefined : unknownOfRank(length);
  }
  const { allowzero } = application.attributes;
  const copied = target.map((size, axis): Dimension => {
    if (size !== 0 || allowzero) return size;
    if (shape !== undefined && axis >= shape.length)
      throw misfit("a 0 copies an axis that the input lacks", shape, target);
    return shape?.[axis] ?? null;
  });
  const wrong = copied.some((size) => typeof size === "number" && !(Number.isSafeInteger(size) && size >= -1));
  const inferred = copied.indexOf(-1);
  if (wrong || inferred !== copied.lastIndexOf(-1))
    throw misfit("a shape has whole sizes and at most one -1", shape, target);
  if (inferred < 0) {
    if (shape !== undefined) expectSameCount(shape, copied, target);
    return inferOneUnknown(shape, copied, target);
  }
  if (shape === undefined) return copied.map((size) => (size === -1 ? null : size));
  const rest = copied.filter((_, axis) => axis !== inferred);
  // Copied axes cancel even where nothing is known of their size.
  const [kept, whole] = cancelCopies(shape, target, allowzero);
  const size = kept === undefined ? quotient(shape, rest) : quotient(whole, kept);
  return copied.map((each, axis) => (axis === inferred ? size : each));

  function quotient(of: Shape, by: Shape): Dimension {
    try {
      return quotientOf(of, by);
    } catch (error) {
      throw error instanceof GraftError && error.code === "model-invalid"
        ? misfit("the elements do not fill the shape", shape, target ?? [])
        : error;
    }
  }
}

/** What is left of target and input after taking away the axes copied by 0. */
function cancelCopies(shape: Shape, target: Shape, allowzero: boolean): readonly [Shape | undefined, Shape] {
  if (allowzero || !target.includes(0)) return [undefined, shape];
  return [target.filter((size) => size !== 0 && size !== -1), shape.filter((_, axis) => target[axis] !== 0)];
}

function expectSameCount(shape: Shape, result: Shape, target: Shape): void {
  const [before, after] = [productOf(shape), productOf(result)];
  if (typeof before === "number" && typeof after === "number" && before !== after) {
    throw misfit("the elements do not fill the shape", shape, target);
  }
}

/** A single size of which nothing is known is what the others leave. */
function inferOneUnknown(shape: Shape | undefined, result: Shape, target: Shape): Shape {
  const unknown = result.indexOf(null);
  if (shape === undefined || unknown < 0 || unknown !== result.lastIndexOf(null) || target[unknown] === 0)
    return result;
  const size = quotientOf(
    shape,
    result.filter((_, axis) => axis !== unknown),
  );
  return result.map((each, axis) => (axis === unknown ? size : each));
}

function misfit(reason: string, shape: Shape | undefined, target: Shape): GraftError {
  return new GraftError("model-invalid", reason, {
    expected: `a shape for the elements of ${showShape(shape)}`,
    actual: showShape(target),
  });
}
