/** @file Shapes of operators that read or write at indices. */
import type { MovementOperators } from "../graph/index.ts";
import { type Dimension, GraftError, normalizeAxis, type Shape, showShape } from "../tensor/index.ts";
import { sameAsInput } from "./pointwise.ts";
import { expectRank, inputAt, replaceAxis, type ShapeRules, typed, unify } from "./rule.ts";

type IndexingOperators = Pick<
  MovementOperators,
  "Compress" | "Gather" | "GatherElements" | "GatherND" | "NonZero" | "OneHot" | "ScatterElements" | "ScatterND"
>;

export const indexingShapes: ShapeRules<IndexingOperators> = {
  // As many as the condition has ones, which only constants tell.
  Compress: (application, known) => {
    const x = inputAt(application, 0);
    const condition = known.elementsOf(application.inputs[1]);
    expectRank(inputAt(application, 1), "Compress's condition", 1);
    const chosen: Dimension =
      condition?.every((each) => typeof each === "number") === true
        ? condition.filter((each) => each !== 0).length
        : null;
    const { axis } = application.attributes;
    if (axis === undefined) return [typed(x, [chosen])];
    return [typed(x, x.shape && replaceAxis(x.shape, normalizeAxis(axis, x.shape.length), chosen))];
  },
  // x [a…, d, b…] at indices [i…] → [a…, i…, b…]
  Gather: (application) => {
    const x = inputAt(application, 0);
    const indices = inputAt(application, 1);
    if (x.shape === undefined) return [typed(x, undefined)];
    if (x.shape.length === 0) throw new GraftError("model-invalid", "a scalar has nothing to gather from");
    const axis = normalizeAxis(application.attributes.axis, x.shape.length);
    const { shape } = indices;
    return [typed(x, shape && [...x.shape.slice(0, axis), ...shape, ...x.shape.slice(axis + 1)])];
  },
  GatherElements: (application) => {
    const x = inputAt(application, 0);
    const indices = inputAt(application, 1);
    if (x.shape && indices.shape) expectRank(indices, "the indices", x.shape.length);
    if (x.shape) normalizeAxis(application.attributes.axis, x.shape.length);
    return [typed(x, indices.shape)];
  },
  // x [b…, d…], indices [b…, i…, k] → [b…, i…, d from k on]
  GatherND: (application) => {
    const x = inputAt(application, 0);
    const indices = expectRank(inputAt(application, 1), "the indices", 1, Number.POSITIVE_INFINITY);
    const { batchDims } = application.attributes;
    const depth = indices?.[indices.length - 1];
    if (x.shape === undefined || indices === undefined || typeof depth !== "number") return [typed(x, undefined)];
    expectDepth(depth + batchDims, x.shape);
    const batch = x.shape.slice(0, batchDims).map((size, axis) => unify(size, indices[axis], "the batch sizes"));
    return [typed(x, [...batch, ...indices.slice(batchDims, -1), ...x.shape.slice(batchDims + depth)])];
  },
  // [rank, number of elements that are not zero]
  NonZero: (application) => {
    const { shape } = inputAt(application, 0);
    return [{ dtype: "int64", shape: [shape?.length ?? null, null] }];
  },
  // indices [i…] → [i… with depth inserted at the axis]
  OneHot: (application, known) => {
    const { shape } = inputAt(application, 0);
    const [depth = null] = known.elementsOf(application.inputs[1]) ?? [];
    const values = inputAt(application, 2);
    if (shape === undefined) return [typed(values, undefined)];
    const axis = normalizeAxis(application.attributes.axis, shape.length + 1);
    return [typed(values, [...shape.slice(0, axis), wholeDepth(depth), ...shape.slice(axis)])];
  },
  ScatterElements: (application) => {
    const x = inputAt(application, 0);
    const indices = inputAt(application, 1);
    if (x.shape) {
      normalizeAxis(application.attributes.axis, x.shape.length);
      expectRank(indices, "the indices", x.shape.length);
      expectRank(inputAt(application, 2), "the updates", x.shape.length);
    }
    return sameAsInput(application);
  },
  ScatterND: (application) => {
    const x = inputAt(application, 0);
    const indices = expectRank(inputAt(application, 1), "the indices", 1, Number.POSITIVE_INFINITY);
    const depth = indices?.[indices.length - 1];
    if (x.shape && typeof depth === "number") expectDepth(depth, x.shape);
    return sameAsInput(application);
  },
};

function expectDepth(depth: number, shape: Shape): void {
  if (depth >= 0 && depth <= shape.length) return;
  throw new GraftError("model-invalid", "the indices name more axes than the input has", {
    expected: `at most ${shape.length} for ${showShape(shape)}`,
    actual: String(depth),
  });
}

function wholeDepth(depth: Dimension): Dimension {
  if (typeof depth !== "number") return depth;
  if (depth >= 0) return Math.trunc(depth);
  throw new GraftError("model-invalid", "OneHot's depth is negative", { actual: String(depth) });
}
