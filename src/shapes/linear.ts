/** @file Shapes of matrix products. */
import type { LinearOperators } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";
import { broadcastShapes } from "./broadcast.ts";
import { einsumShape } from "./einsum.ts";
import { expectRank, inputAt, type ShapeRules, typed, unify } from "./rule.ts";

export const linearShapes: ShapeRules<LinearOperators> = {
  // [*, M, M] → [*]
  Det: (application) => {
    const x = inputAt(application, 0);
    const shape = expectRank(x, "the matrix", 2, Number.POSITIVE_INFINITY);
    if (shape !== undefined) unify(shape[shape.length - 2], shape[shape.length - 1], "the sides of a square matrix");
    return [typed(x, shape?.slice(0, -2))];
  },
  Einsum: (application) => {
    const shapes = application.inputs.map((_, index) => inputAt(application, index).shape);
    return [typed(inputAt(application, 0), einsumShape(application.attributes.equation, shapes))];
  },
  // A [M, K] · B [K, N] + C → [M, N], with A and B transposed on demand
  Gemm: (application) => {
    const { transA, transB } = application.attributes;
    const a = inputAt(application, 0);
    const b = inputAt(application, 1);
    const [m, k] = sides(expectRank(a, "Gemm's A", 2), transA);
    const [l, n] = sides(expectRank(b, "Gemm's B", 2), transB);
    unify(k, l, "the summed sizes of A and B");
    const shape = [m, n];
    const c = application.inputs[2]?.shape;
    if (c !== undefined) {
      const common = broadcastShapes([shape, c]);
      if (
        common?.length !== 2 ||
        common.some((size, axis) => typeof shape[axis] === "number" && size !== shape[axis])
      ) {
        throw new GraftError("model-invalid", "Gemm's C does not broadcast to the product", {
          expected: showShape(shape),
          actual: showShape(c),
        });
      }
    }
    return [typed(a, shape)];
  },
  MatMul: (application) => {
    const a = inputAt(application, 0);
    const b = inputAt(application, 1);
    return [typed(a, a.shape && b.shape && productShape(a.shape, b.shape))];
  },
};

function sides(shape: Shape | undefined, transposed: boolean): readonly [Dimension, Dimension] {
  const [rows = null, columns = null] = shape ?? [];
  return transposed ? [columns, rows] : [rows, columns];
}

/** numpy.matmul: vectors become matrices for the product and lose that axis again; leading axes broadcast. */
function productShape(a: Shape, b: Shape): Shape | undefined {
  if (a.length === 0 || b.length === 0) {
    throw new GraftError("model-invalid", "a scalar is no factor of a matrix product", {
      expected: "rank 1 or more",
      actual: `${showShape(a)} and ${showShape(b)}`,
    });
  }
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [m = null, k = null] = left.slice(-2);
  const [l = null, n = null] = right.slice(-2);
  if (typeof k === "number" && typeof l === "number" && k !== l) {
    throw new GraftError("model-invalid", "the summed sizes of a matrix product differ", {
      expected: `${showShape(a)} times […, ${k}, n]`,
      actual: showShape(b),
    });
  }
  const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)]);
  return batch && [...batch, ...(a.length === 1 ? [] : [m]), ...(b.length === 1 ? [] : [n])];
}
