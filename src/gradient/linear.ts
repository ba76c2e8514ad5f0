/** @file Derivatives of products of matrices. */
import type { Builder, LinearOperators, Value } from "../graph/index.ts";
import { GraftError, tensorOf } from "../tensor/index.ts";
import { sumToShapeOf } from "./broadcast.ts";
import { einsumGradients } from "./einsum.ts";
import { by, type Gradient, type GradientRules, inputAt, rankOf, type Step } from "./rule.ts";
import { range, reshapeLike } from "./sizes.ts";

/** Aᵀ of the last two axes. */
function transposed(b: Builder, a: Value): Value {
  const rank = rankOf(a);
  const perm = range(rank);
  return b.transpose(a, [...perm.slice(0, -2), rank - 1, rank - 2]);
}

/** All axes but the last as one, so that a stack of matrices is one tall matrix. */
function stacked(b: Builder, a: Value): Value {
  return rankOf(a) === 2 ? a : b.apply("Flatten", [a], { axis: rankOf(a) - 1 });
}

/** Y = AB: dA = dY·Bᵀ, dB = Aᵀ·dY; summed over the axes along which a stack was broadcast. */
function matMul({ build: b, inputs, dy }: Step<"MatMul">): readonly Gradient[] {
  const [left, right] = [inputAt({ inputs }, 0), inputAt({ inputs }, 1)];
  // A vector is a row on the left and a column on the right; its missing axis is missing in Y too.
  const [isRow, isColumn] = [rankOf(left) === 1, rankOf(right) === 1];
  const A = isRow ? b.unsqueeze(left, [0]) : left;
  const B = isColumn ? b.unsqueeze(right, [1]) : right;
  const dY = isColumn ? b.unsqueeze(isRow ? b.unsqueeze(dy, [-1]) : dy, [-1]) : isRow ? b.unsqueeze(dy, [-2]) : dy;
  const inShapeOf = (gradient: Value, matrix: Value, operand: Value) => {
    return reshapeLike(b, sumToShapeOf(b, gradient, matrix), operand);
  };

  if (rankOf(B) === 2) {
    // Every matrix of the stack meets the same B: one product of tall matrices gives each gradient.
    const rows = (product: Value) => (rankOf(A) === 2 ? product : reshapeLike(b, product, A));
    const dA = () => rows(b.apply("Gemm", [stacked(b, dY), B], { transB: true }));
    const dB = () => b.apply("Gemm", [stacked(b, A), stacked(b, dY)], { transA: true });
    return [() => inShapeOf(dA(), A, left), () => inShapeOf(dB(), B, right)];
  }
  return [
    () => inShapeOf(b.matMul(dY, transposed(b, B)), A, left),
    () => inShapeOf(b.matMul(transposed(b, A), dY), B, right),
  ];
}

/** Y = α·op(A)·op(B) + β·C, op being the identity or the transposition: each gradient is one Gemm. */
function gemm({ build: b, inputs, dy, attributes }: Step<"Gemm">): readonly Gradient[] {
  const { alpha, beta, transA, transB } = attributes;
  const [A, B, C] = [inputAt({ inputs }, 0), inputAt({ inputs }, 1), inputs[2]];
  return [
    // d op(A) = α·dY·op(B)ᵀ
    () =>
      transA
        ? b.apply("Gemm", [B, dy], { alpha, transA: transB, transB: true })
        : b.apply("Gemm", [dy, B], { alpha, transB: !transB }),
    // d op(B) = α·op(A)ᵀ·dY
    () =>
      transB
        ? b.apply("Gemm", [dy, A], { alpha, transA: true, transB: transA })
        : b.apply("Gemm", [A, dy], { alpha, transA: !transA }),
    // dC = β·dY
    C && (() => b.scale(sumToShapeOf(b, dy, C), beta)),
  ];
}

/** y = det A: dA = dy·cofactors of A, each ± the determinant of A without one row and one column. */
function det({ build: b, x, dy }: Step<"Det">): Value {
  const rank = rankOf(x);
  const n = x.shape?.[rank - 1];
  if (typeof n !== "number") {
    throw new GraftError("not-differentiable", "the matrix must have a fixed size", { actual: `${n ?? "unknown"}` });
  }
  if (n === 1) return reshapeLike(b, dy, x);
  const indices = range(n);
  const others = indices.flatMap((left) => indices.filter((index) => index !== left));
  const rest = b.constant(tensorOf("int64", [n, n - 1], others));
  // [..., n, n] → rows [..., i, n-1, n] → columns [..., i, n-1, j, n-1] → minors [..., i, j, n-1, n-1]
  const chosen = b.gather(b.gather(x, rest, rank - 2), rest, rank);
  const minors = b.transpose(chosen, [...range(rank - 2), rank - 2, rank, rank - 1, rank + 1]);
  const signs = indices.flatMap((row) => indices.map((column) => ((row + column) % 2 === 0 ? 1 : -1)));
  const sign = b.castLike(b.constant(tensorOf("float32", [n, n], signs)), x);
  return b.mul(b.unsqueeze(dy, [-1, -2]), b.mul(sign, b.apply("Det", [minors])));
}

export const linearGradients: GradientRules<LinearOperators> = {
  Det: by((step) => [() => det(step)]),
  Einsum: by(einsumGradients),
  Gemm: by(gemm),
  MatMul: by(matMul),
};
