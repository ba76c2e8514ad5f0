/** @file The derivative of broadcasting. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printGraph } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import type { Shape } from "../tensor/index.ts";
import { checkGradient, randomNumbers, randomTensor } from "../testing/index.ts";
import { sumToShapeOf } from "./broadcast.ts";

/** What is appended to sum a gradient of one shape to another. */
function appended(gradient: Shape, value: Shape): string {
  const b = newBuilder();
  const [dy, x] = [b.input("dy", "float32", gradient), b.input("x", "float32", value)];
  return printGraph(b.graph([sumToShapeOf(b, dy, x)]));
}

describe("summing a gradient to the shape of what was broadcast", () => {
  it("leaves it alone where nothing was", () => {
    expect(appended(["N", 3], ["N", 3])).toMatchInlineSnapshot(
      `"graph graph(dy: float32[N, 3], x: float32[N, 3]) -> dy"`,
    );
  });

  it("keeps axes of size 1 and drops axes that were added", () => {
    expect(appended(["N", 4, 3], [1, 3])).toMatchInlineSnapshot(`
      "graph graph(dy: float32[N, 4, 3], x: float32[1, 3]) -> ReduceSum_1
        constant: int64[1] = [1]
        constant_1: int64[1] = [0]
        ReduceSum: float32[N, 1, 3] = ReduceSum(dy, constant)
        ReduceSum_1: float32[1, 3] = ReduceSum(ReduceSum, constant_1) {keepdims: false}"
    `);
  });

  it("finds out at run time whether a symbolic axis was broadcast", () => {
    expect(appended(["M", 3], ["N", 3])).toMatchInlineSnapshot(`
      "graph graph(dy: float32[M, 3], x: float32[N, 3]) -> Reshape_1
        constant: int64[1] = [1]
        constant_1: int64[1] = [-1]
        constant_2: int64[2] = [-1, 3]
        Shape: int64[2] = Shape(x)
        Equal: bool[2] = Equal(Shape, constant)
        Shape_1: int64[2] = Shape(dy)
        Greater: bool[2] = Greater(Shape_1, constant)
        And: bool[2] = And(Equal, Greater)
        NonZero: int64[1, ?] = NonZero(And)
        Reshape: int64[?] = Reshape(NonZero, constant_1)
        ReduceSum: float32[?, ?] = ReduceSum(dy, Reshape) {noopWithEmptyAxes: true}
        Reshape_1: float32[N, 3] = Reshape(ReduceSum, constant_2)"
    `);
  });

  it("agrees with differences for random shapes, their sizes known or not", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.boolean()),
        fc.nat(4),
        fc.nat(1000),
        async (full, coins, dropped, seed) => {
          const coin = () => coins.next().value === true;
          const shape = full.map((size) => (coin() ? 1 : size)).slice(Math.min(dropped, full.length));
          const random = randomNumbers(seed);
          const declared = (sizes: readonly number[], name: string) =>
            sizes.map((size, axis) => (coin() ? `${name}${axis}` : size));
          const input = (sizes: readonly number[], name: string) => ({
            tensor: randomTensor(random, "float64", sizes),
            declared: declared(sizes, name),
          });
          await checkGradient({ a: input(full, "A"), b: input(shape, "B") }, (build, { a, b }) => build.mul(a, b));
        },
      ),
      { seed: 9, numRuns: 40 },
    ));
});
