/** @file Derivatives of reductions. */
import fc from "fast-check";
import { describe, it } from "vitest";
import type { Builder, ReductionOperators, Value } from "../graph/index.ts";
import { tensorOf } from "../tensor/index.ts";
import { type CheckOptions, checkGradient, randomNumbers, randomTensor } from "../testing/index.ts";

type Reduce = Extract<keyof ReductionOperators, `Reduce${string}`>;

const plain: readonly Reduce[] = ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare"];
/** Their kernels are for float32 only, or they need elements above 0. */
const special: readonly Reduce[] = ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"];
const float32: CheckOptions = { dtype: "float32" };

/** Inputs above 0, apart from each other so that no difference steps over a kink or a tie. */
function spaced(dtype: "float32" | "float64", shape: readonly number[], seed = 3): ReturnType<typeof tensorOf> {
  const random = randomNumbers(seed);
  const count = shape.reduce((product, size) => product * size, 1);
  const order = Array.from({ length: count }, (_, index) => index).sort(() => random() - 0.5);
  return tensorOf(
    dtype,
    shape,
    order.map((place) => 0.3 + (1.5 * place) / count),
  );
}

function reduce(b: Builder, operator: Reduce, x: Value, axes: Value | undefined, keepdims: boolean): Value {
  return b.apply(operator, axes ? [x, axes] : [x], { keepdims });
}

for (const operator of [...plain, ...special]) {
  const options = plain.includes(operator) ? {} : float32;
  const input = { tensor: spaced(options.dtype ?? "float64", [2, 3, 4]) };
  describe(operator, () => {
    for (const keepdims of [true, false]) {
      for (const axes of [[1], [0, -1], [0, 1, 2], undefined]) {
        it(`derives over ${axes ? `the axes ${axes}` : "every axis"}${keepdims ? "" : " without keeping them"}`, () =>
          checkGradient({ x: input }, (b, { x }) => reduce(b, operator, x, axes && b.ints(axes), keepdims), options));
      }
    }

    it("derives over axes that only a run knows", () =>
      checkGradient(
        { x: input, axes: { tensor: tensorOf("int64", [2], [-1, 0]) } },
        (b, { x, axes }) => reduce(b, operator, x, axes, false),
        options,
      ));

    it("derives with a symbolic size among the reduced", () =>
      checkGradient(
        { x: { ...input, declared: ["N", 3, "T"] } },
        (b, { x }) => reduce(b, operator, x, b.ints([0, 1]), false),
        options,
      ));

    it("passes the gradient on where no axes mean none", () =>
      checkGradient(
        { x: input },
        (b, { x }) => b.mul(b.apply(operator, [x], { noopWithEmptyAxes: true }), x),
        options,
      ));
  });
}

describe("reductions of random shapes", () => {
  it("agree with differences whatever the axes", () =>
    fc.assert(
      fc.asyncProperty(
        fc
          .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
          .chain((shape) =>
            fc.tuple(
              fc.constant(shape),
              fc.uniqueArray(fc.integer({ min: 0, max: shape.length - 1 }), { minLength: 1 }),
              fc.boolean(),
              fc.constantFrom(...plain),
            ),
          ),
        ([shape, axes, keepdims, operator]) =>
          checkGradient({ x: { tensor: spaced("float64", shape) } }, (b, { x }) =>
            reduce(b, operator, x, b.ints(axes), keepdims),
          ),
      ),
      { seed: 5, numRuns: 25 },
    ));
});

describe("at kinks and ties", () => {
  const gradientOf = async (operator: Reduce, elements: readonly number[], expected: readonly number[]) => {
    const { runGraph, expectClose } = await import("../testing/index.ts");
    const { newBuilder } = await import("../shapes/index.ts");
    const { withGradients } = await import("./gradients.ts");
    const b = newBuilder();
    const x = b.input("x", "float32", [elements.length]);
    const graph = b.graph([b.apply(operator, [x], { keepdims: false }, "y")]);
    const feeds = {
      x: tensorOf("float32", [elements.length], elements),
      dy: tensorOf("float32", [], [1]),
    };
    const results = await runGraph(withGradients(graph, { output: "y", wanted: ["x"] }), feeds);
    expectClose(results.get("grad:x"), tensorOf("float32", [elements.length], expected), 1e-6, "grad:x");
  };

  it("shares the gradient of a maximum evenly among ties", () => gradientOf("ReduceMax", [2, 1, 2], [0.5, 0, 0.5]));
  it("gives the product of the others where one factor is 0", () => gradientOf("ReduceProd", [2, 0, 3], [0, 6, 0]));
  it("gives 0 where two factors are 0", () => gradientOf("ReduceProd", [2, 0, 0], [0, 0, 0]));
  it("gives 0 for the length of a vector of zeros", () => gradientOf("ReduceL2", [0, 0], [0, 0]));
  it("gives 0 for the absolute value of 0", () => gradientOf("ReduceL1", [0, -2], [0, -1]));
});

describe("CumSum", () => {
  for (const exclusive of [false, true]) {
    for (const reverse of [false, true]) {
      it(`derives${exclusive ? " exclusive" : ""}${reverse ? " reversed" : ""} sums`, () =>
        checkGradient({ x: [2, 5] }, (b, { x }) =>
          b.apply("CumSum", [x, b.squeeze(b.ints([1]), [0])], { exclusive, reverse }),
        ));
    }
  }
});

describe("TopK", () => {
  for (const [axis, largest] of [
    [-1, true],
    [0, false],
  ] as const) {
    it(`sends the gradient back to the ${largest ? "largest" : "smallest"} along axis ${axis}`, () =>
      checkGradient({ x: { tensor: spaced("float64", [4, 5]) } }, (b, { x }) => {
        const [values = x] = b.applyAll("TopK", [x, b.ints([2])], 2, { axis, largest });
        return values;
      }));
  }

  it("derives by the values in the order of a second use", () =>
    checkGradient({ x: { tensor: randomTensor(randomNumbers(2), "float64", [3, 6]) } }, (b, { x }) => {
      const [values = x] = b.applyAll("TopK", [x, b.ints([6])], 2, { sorted: true });
      return b.mul(values, x);
    }));
});
