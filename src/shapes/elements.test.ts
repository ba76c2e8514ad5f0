/** @file Tests of shape arithmetic: what is known of elements, and the shapes that follow. */
import { describe, expect, test } from "vitest";
import { Builder, type Value } from "../graph/index.ts";
import { type Shape, tensorOf } from "../tensor/index.ts";
import { Inference } from "./index.ts";

/** The elements of what is built on an input of this shape. */
function elements(shape: Shape, build: (builder: Builder, x: Value, sizes: Value) => Value) {
  const inference = new Inference();
  const builder = new Builder(inference);
  const x = builder.input("x", "float32", shape);
  return inference.elementsOf(build(builder, x, builder.apply("Shape", [x])));
}

describe("elements are followed through", () => {
  const nchw: Shape = ["N", 3, null, 8];

  test("Shape, whole and in part", () => {
    expect(elements(nchw, (_, __, sizes) => sizes)).toEqual(["N", 3, null, 8]);
    expect(elements(nchw, (b, x) => b.apply("Shape", [x], { start: -3, end: -1 }))).toEqual([3, null]);
    expect(elements([2, 3, 4], (b, x) => b.apply("Size", [x]))).toEqual([24]);
  });

  test("Gather, Concat, Slice and Split", () => {
    expect(elements(nchw, (b, _, s) => b.gather(s, b.ints([0, -1]), 0))).toEqual(["N", 8]);
    expect(elements(nchw, (b, _, s) => b.concat([b.slice(s, [0], [1], [0]), b.ints([-1])], 0))).toEqual(["N", -1]);
    expect(
      elements(nchw, (b, _, s) => b.apply("Slice", [s, b.ints([-1]), b.ints([-(2 ** 63)]), b.ints([0]), b.ints([-1])])),
    ).toEqual([8, null, 3, "N"]);
    expect(elements(nchw, (b, _, s) => b.applyAll("Split", [s], 2, { numOutputs: 2 })[1] ?? s)).toEqual([null, 8]);
  });

  test("arithmetic on numbers, and on names as far as they cancel", () => {
    expect(elements(nchw, (b, _, s) => b.mul(s, b.ints([2])))).toEqual([null, 6, null, 16]);
    expect(elements(nchw, (b, _, s) => b.mul(s, b.ints([1])))).toEqual(["N", 3, null, 8]);
    expect(elements(["N", 7], (b, _, s) => b.div(s, b.ints([2])))).toEqual([null, 3]);
    expect(elements(["N", 7], (b, _, s) => b.sub(s, s))).toEqual([0, 0]);
    expect(elements(["N", 7], (b, _, s) => b.apply("Mod", [b.neg(s), b.ints([4])]))).toEqual([null, 1]);
  });

  test("Clip, as padding is computed", () => {
    const low = (b: Builder) => b.apply("Squeeze", [b.ints([0]), b.ints([0])]);
    expect(elements([2, 7, "N"], (b, _, s) => b.apply("Clip", [b.sub(s, b.ints([5])), low(b)]))).toEqual([0, 2, null]);
    expect(elements(["N"], (b, _, s) => b.apply("Clip", [s, low(b)]))).toEqual(["N"]);
  });

  test("the choice that exporters make for Expand: -1 keeps the size", () => {
    const result = elements(["N", 1, 7], (b, _, s) => {
      const wanted = b.ints([-1, 5, -1]);
      const ones = b.apply("ConstantOfShape", [b.apply("Shape", [wanted])], { value: tensorOf("int64", [1], [1]) });
      return b.where(b.equal(wanted, b.ints([-1])), b.mul(ones, s), wanted);
    });
    expect(result).toEqual(["N", 5, 7]);
    // A size is never negative, so that a name is not -1.
    expect(elements(["N"], (b, _, s) => b.equal(s, b.ints([-1])))).toEqual([0]);
    expect(elements(["N"], (b, _, s) => b.equal(s, b.ints([1])))).toEqual([null]);
  });

  test("arrays of rank 2, as for pads", () => {
    const result = elements([1], (b) => {
      const pads = b.apply("Reshape", [b.ints([1, 2, 3, 4]), b.ints([-1, 2])]);
      const [starts, ends, axes, steps] = [[-1], [-(2 ** 63)], [0], [-1]].map((each) => b.ints(each));
      const reversed = b.apply("Slice", [pads, starts, ends, axes, steps]);
      return b.reshape(b.transpose(reversed, [1, 0]), [-1]);
    });
    expect(result).toEqual([3, 1, 4, 2]);
  });

  test("float32 as the run rounds it", () => {
    const scaled = (factor: number) =>
      elements([5], (b, _, s) => {
        const size = b.cast(s, "float32");
        return b.cast(b.apply("Floor", [b.mul(size, b.scalar(factor, size))]), "int64");
      });
    expect(scaled(2.6)).toEqual([13]);
    expect(scaled(0.5)).toEqual([2]);
  });

  test("Range, Expand, Tile, reductions and scattering", () => {
    const three = (b: Builder) => b.squeeze(b.ints([3]), [0]);
    const [zero, one] = [0, 1].map((each) => (b: Builder) => b.squeeze(b.ints([each]), [0]));
    const range = (b: Builder) => b.apply("Range", [zero?.(b), three(b), one?.(b)]);
    expect(elements([1], range)).toEqual([0, 1, 2]);
    expect(elements([1], (b) => b.apply("Tile", [range(b), b.ints([2])]))).toEqual([0, 1, 2, 0, 1, 2]);
    expect(elements([1], (b) => b.expand(b.ints([4]), b.ints([2, 1])))).toEqual([4, 4]);
    expect(elements([2, 3, 4], (b, _, s) => b.apply("ReduceProd", [s, b.ints([0])], { keepdims: false }))).toEqual([
      24,
    ]);
    const at = (b: Builder) => b.unsqueeze(b.ints([1]), [1]);
    expect(elements(["N", 3], (b, _, s) => b.apply("ScatterND", [s, at(b), b.ints([9])]))).toEqual(["N", 9]);
    expect(elements(["N", 3], (b, _, s) => b.apply("ScatterElements", [s, b.ints([1]), b.ints([9])]))).toEqual([
      "N",
      9,
    ]);
  });
});

describe("elements are not made up", () => {
  test("where 64-bit integers are too large for a double", () => {
    const huge = { dtype: "int64", shape: [2], data: new BigInt64Array([2n ** 53n + 1n, 2n ** 63n - 1n]) } as const;
    expect(elements([1], (b) => b.constant(huge))).toEqual([null, 2 ** 63]);
    expect(elements([1], (b) => b.mul(b.ints([2 ** 40]), b.ints([2 ** 40])))).toEqual([null]);
  });

  test("where an array is larger than any shape", () => {
    expect(elements([1], (b) => b.apply("ConstantOfShape", [b.ints([2000])]))).toBeUndefined();
  });

  test("where an integer is divided by zero", () => {
    expect(elements([4], (b, _, s) => b.div(s, b.ints([0])))).toEqual([null]);
  });
});
