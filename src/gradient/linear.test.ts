/** @file Derivatives of products of matrices. */
import { describe, expect, it } from "vitest";
import { printGraph } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { checkGradient, randomNumbers, randomTensor } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const random = randomNumbers(7);
const declared = (shape: readonly number[], as: readonly (number | string)[]) => ({
  tensor: randomTensor(random, "float64", shape),
  declared: as,
});

describe("MatMul", () => {
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [
      [2, 3],
      [3, 4],
    ],
    [[3], [3]],
    [[3], [3, 4]],
    [[2, 3], [3]],
    [
      [5, 2, 3],
      [3, 4],
    ],
    [
      [2, 3],
      [5, 3, 4],
    ],
    [
      [5, 1, 2, 3],
      [1, 6, 3, 4],
    ],
    [
      [6, 2, 3],
      [5, 1, 3, 4],
    ],
    [[5, 2, 3], [3]],
    [[3], [5, 3, 4]],
    [
      [1, 2, 3],
      [3, 4],
    ],
    [
      [4, 1, 2, 3],
      [3, 2],
    ],
  ];
  for (const [left, right] of shapes) {
    it(`derives [${left}]·[${right}]`, async () => {
      await checkGradient({ left, right }, (b, values) => b.matMul(values.left, values.right));
    });
  }

  it("derives with sizes that only a run knows", async () => {
    const inputs = {
      left: declared([5, 2, 3], ["N", "T", 3]),
      right: declared([1, 3, 4], ["M", 3, 4]),
    };
    await checkGradient(inputs, (b, { left, right }) => b.matMul(left, right));
  });

  it("adds up both gradients of a matrix times itself", async () => {
    await checkGradient({ a: [3, 3] }, (b, { a }) => b.matMul(a, a));
  });

  it("gives each gradient of a tall stack as one Gemm without transposing", () => {
    const b = newBuilder();
    const [x, w] = [b.input("x", "float32", ["N", 7, 3]), b.input("w", "float32", [3, 4])];
    const graph = b.graph([b.apply("MatMul", [x, w], {}, "y")]);
    expect(
      printGraph(removeDeadNodes(withGradients(graph, { output: "y", wanted: ["x", "w"] }))),
    ).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 7, 3], w: float32[3, 4], dy: float32[N, 7, 4]) -> y, grad:x, grad:w
        constant: int64[3] = [-1, 7, 3]
        y: float32[N, 7, 4] = MatMul(x, w)
        Flatten: float32[?, 4] = Flatten(dy) {axis: 2}
        Gemm: float32[?, 3] = Gemm(Flatten, w) {transB: true}
        Reshape: float32[N, 7, 3] = Reshape(Gemm, constant)
        Flatten_1: float32[?, 3] = Flatten(x) {axis: 2}
        Flatten_2: float32[?, 4] = Flatten(dy) {axis: 2}
        Gemm_1: float32[3, 4] = Gemm(Flatten_1, Flatten_2) {transA: true}
        grad:x: float32[N, 7, 3] = Identity(Reshape)
        grad:w: float32[3, 4] = Identity(Gemm_1)"
    `);
  });
});

describe("Gemm", () => {
  const summands: readonly (readonly number[] | undefined)[] = [undefined, [], [4], [1, 4], [2, 1], [2, 4]];
  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      for (const c of summands) {
        it(`derives ${transA ? "Aᵀ" : "A"}·${transB ? "Bᵀ" : "B"} + [${c ?? "nothing"}]`, async () => {
          const inputs = { a: transA ? [3, 2] : [2, 3], b: transB ? [4, 3] : [3, 4], ...(c ? { c } : {}) };
          await checkGradient<string>(inputs, (build, values) =>
            build.apply("Gemm", Object.values(values), { alpha: 0.5, beta: 2, transA, transB }),
          );
        });
      }
    }
  }
});

describe("Einsum", () => {
  const cases: readonly (readonly [string, ...(readonly number[])[]])[] = [
    ["ij,jk->ik", [2, 3], [3, 4]],
    ["bij,bjk->bik", [2, 3, 4], [2, 4, 5]],
    ["bhqd,bhkd->bhqk", [2, 3, 4, 5], [2, 3, 6, 5]],
    ["i,j->ij", [2], [3]],
    ["ij->ji", [2, 3]],
    ["ij->", [2, 3]],
    ["ij->i", [2, 3]],
    ["ii->i", [3, 3]],
    ["ii->", [3, 3]],
    ["bii,bi->b", [2, 3, 3], [2, 3]],
    ["i,i,i->", [3], [3], [3]],
    ["ij,jk,kl->il", [2, 3], [3, 4], [4, 2]],
    ["...ij,jk->...ik", [2, 5, 3, 4], [4, 6]],
    ["...ij,...jk->...ik", [2, 5, 3, 4], [2, 1, 4, 6]],
    ["b...,b...->b...", [2, 3, 4], [2, 1, 4]],
    ["ij,jk", [2, 3], [3, 4]],
    ["ij,ij->", [2, 1], [2, 3]],
    ["bilc,oc->bo", [2, 3, 4, 5], [6, 5]],
    ["ab,cd->ad", [2, 3], [4, 5]],
  ];
  for (const [equation, ...shapes] of cases) {
    it(`derives "${equation}" of ${shapes.map((shape) => `[${shape}]`).join(", ")}`, async () => {
      const inputs = Object.fromEntries(shapes.map((shape, index) => [`x${index}`, shape]));
      await checkGradient(inputs, (b, values) => b.apply("Einsum", Object.values(values), { equation }));
    });
  }

  it("derives with sizes that only a run knows", async () => {
    const inputs = { a: declared([2, 3, 3], ["N", "M", "M"]), c: declared([1, 4], ["K", 4]) };
    await checkGradient(inputs, (b, { a, c }) => b.apply("Einsum", [a, c], { equation: "bii,jk->bk" }));
  });
});

describe("Det", () => {
  for (const shape of [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 2, 2],
    [2, 3, 4, 4],
  ]) {
    it(`derives the determinant of [${shape}]`, async () => {
      await checkGradient({ a: shape }, (b, { a }) => b.apply("Det", [a]), { dtype: "float32" });
    });
  }
});
