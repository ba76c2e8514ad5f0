/** @file Tests of single shape rules: symbolic and unknown sizes, optional outputs, and what contradictions say. */
import { describe, expect, test } from "vitest";
import type { Builder, Value } from "../graph/index.ts";
import { GraftError, type Shape } from "../tensor/index.ts";
import { newBuilder } from "./index.ts";

/** The shapes of what is built on float32 inputs of these shapes. */
function shapes(
  inputs: readonly (Shape | undefined)[],
  build: (builder: Builder, ...values: Value[]) => Value | readonly Value[],
) {
  const builder = newBuilder();
  const result = build(builder, ...inputs.map((shape, index) => builder.input(`x${index}`, "float32", shape)));
  return ("name" in result ? [result] : result).map((value) => value.shape);
}

function refusal(...example: Parameters<typeof shapes>): string {
  try {
    shapes(...example);
  } catch (error) {
    if (error instanceof GraftError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("symbolic sizes", () => {
  test("stay through convolutions and pools that keep the size", () => {
    const weight: Shape = [8, 3, 3, 3];
    expect(shapes([["N", 3, "H", "W"], weight], (b, x, w) => b.apply("Conv", [x, w], { pads: [1, 1, 1, 1] }))).toEqual([
      ["N", 8, "H", "W"],
    ]);
    expect(
      shapes([["N", 3, "H", 9], weight], (b, x, w) =>
        b.apply("Conv", [x, w], { strides: [2, 2], autoPad: "SAME_UPPER" }),
      ),
    ).toEqual([["N", 8, null, 5]]);
    expect(
      shapes([["N", 3, "H", "W"]], (b, x) =>
        b.apply("AveragePool", [x], { kernelShape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] }),
      ),
    ).toEqual([["N", 3, "H", "W"]]);
  });

  test("cancel in a reshape", () => {
    expect(shapes([["N", 3, 4]], (b, x) => b.reshape(x, [-1, 12]))).toEqual([["N", 12]]);
    expect(shapes([["N", 3, 4]], (b, x) => b.apply("Reshape", [x, b.ints([0, -1])]))).toEqual([["N", 12]]);
    expect(shapes([[null, 3, 4]], (b, x) => b.apply("Reshape", [x, b.ints([0, -1])]))).toEqual([[null, 12]]);
    expect(
      shapes([["N", "T", 8]], (b, x) => {
        const sizes = b.concat([b.sizeOf(x, 0), b.ints([-1, 2, 4])], 0);
        return b.reshape(x, sizes);
      }),
    ).toEqual([["N", "T", 2, 4]]);
  });

  test("broadcast with ones, and yield to numbers", () => {
    expect(
      shapes(
        [
          ["N", 1],
          [1, "M"],
        ],
        (b, x, y) => b.add(x, y),
      ),
    ).toEqual([["N", "M"]]);
    expect(
      shapes(
        [
          ["N", 4],
          ["M", 4],
        ],
        (b, x, y) => b.add(x, y),
      ),
    ).toEqual([[null, 4]]);
    expect(
      shapes(
        [
          ["N", 4],
          [7, 1],
        ],
        (b, x, y) => b.add(x, y),
      ),
    ).toEqual([[7, 4]]);
  });

  test("survive whole slices, concatenation with nothing, and tiling once", () => {
    expect(shapes([["N", 6]], (b, x) => b.slice(x, [0, 1], [2 ** 63, 3], [0, 1]))).toEqual([["N", 2]]);
    expect(
      shapes(
        [
          ["N", 6],
          [0, 6],
        ],
        (b, x, y) => b.concat([x, y], 0),
      ),
    ).toEqual([["N", 6]]);
    expect(shapes([["N", 6]], (b, x) => b.apply("Tile", [x, b.ints([1, 2])]))).toEqual([["N", 12]]);
  });
});

describe("unknown ranks", () => {
  test("are tolerated, and what is known of the result is told", () => {
    expect(shapes([undefined, [8, 3, 3]], (b, x, w) => b.apply("Conv", [x, w]))).toEqual([[null, 8, null]]);
    expect(shapes([undefined], (b, x) => b.transpose(x, [1, 0]))).toEqual([[null, null]]);
    expect(shapes([undefined], (b, x) => b.apply("Flatten", [x]))).toEqual([[null, null]]);
    expect(shapes([undefined], (b, x) => b.reshape(x, [-1, 4]))).toEqual([[null, 4]]);
    expect(shapes([undefined, [2, 2]], (b, x, y) => b.add(x, y))).toEqual([undefined]);
    expect(shapes([undefined], (b, x) => b.reduceMean(x, [1]))).toEqual([undefined]);
    expect(shapes([undefined], (b, x) => b.apply("Shape", [x]))).toEqual([[null]]);
  });
});

describe("several outputs", () => {
  test("of a split that does not come out even: the last is smaller", () => {
    expect(shapes([[7, 2]], (b, x) => b.applyAll("Split", [x], 3, { numOutputs: 3 }))).toEqual([
      [3, 2],
      [3, 2],
      [1, 2],
    ]);
  });

  test("of layer normalization, TopK, Dropout and MaxPool", () => {
    const scale: Shape = [4];
    expect(shapes([["N", 3, 4], scale], (b, x, s) => b.applyAll("LayerNormalization", [x, s], 3))).toEqual([
      ["N", 3, 4],
      ["N", 3, 1],
      ["N", 3, 1],
    ]);
    expect(shapes([["N", 9]], (b, x) => b.applyAll("TopK", [x, b.ints([5])], 2))).toEqual([
      ["N", 5],
      ["N", 5],
    ]);
    expect(shapes([["N", 9]], (b, x) => b.applyAll("Dropout", [x], 2))).toEqual([
      ["N", 9],
      ["N", 9],
    ]);
    expect(shapes([[1, 2, 7]], (b, x) => b.applyAll("MaxPool", [x], 2, { kernelShape: [2] }))).toEqual([
      [1, 2, 6],
      [1, 2, 6],
    ]);
  });

  test("of recurrent layers, in both layouts", () => {
    const inputs: readonly Shape[] = [
      ["T", "N", 5],
      [2, 16, 5],
      [2, 16, 4],
    ];
    const lstm = (layout: number) =>
      shapes(inputs, (b, x, w, r) =>
        b.applyAll("LSTM", [x, w, r], 3, { direction: "bidirectional", hiddenSize: 4, layout }),
      );
    expect(lstm(0)).toEqual([
      ["T", 2, "N", 4],
      [2, "N", 4],
      [2, "N", 4],
    ]);
    expect(lstm(1)).toEqual([
      ["T", "N", 2, 4],
      ["T", 2, 4],
      ["T", 2, 4],
    ]);
  });
});

describe("indices", () => {
  test("take the place of the axis they gather from", () => {
    const at = (b: Builder) => b.reshape(b.ints([0, 1, 0, 1, 1, 1]), [2, 3]);
    expect(shapes([["N", 5, 7]], (b, x) => b.gather(x, at(b), 1))).toEqual([["N", 2, 3, 7]]);
    expect(shapes([["N", 5, 7]], (b, x) => b.apply("GatherND", [x, at(b)]))).toEqual([[2]]);
    expect(shapes([["N", 5, 7]], (b, x) => b.apply("ScatterND", [x, at(b), x]))).toEqual([["N", 5, 7]]);
    expect(shapes([["N", 5]], (b, x) => b.apply("NonZero", [x]))).toEqual([[2, null]]);
    expect(
      shapes([["N", 5]], (b, x) => b.apply("OneHot", [b.cast(x, "int64"), b.ints([3]), b.ints([0, 1])], { axis: 1 })),
    ).toEqual([["N", 3, 5]]);
  });
});

describe("einsum", () => {
  const einsum = (equation: string, ...inputs: Shape[]) =>
    shapes(inputs, (b, ...values) => b.apply("Einsum", values, { equation }))[0];

  test("reads explicit and implicit results, ellipses and spaces", () => {
    expect(einsum("bij, bjk -> bik", ["B", 2, 3], ["B", 3, 4])).toEqual(["B", 2, 4]);
    expect(einsum("ij,jk", [2, 3], [3, 4])).toEqual([2, 4]);
    expect(einsum("ba", [2, 3])).toEqual([3, 2]);
    expect(einsum("...ij,...jk->...ik", [5, 1, 2, 3], ["B", 3, 4])).toEqual([5, "B", 2, 4]);
    expect(einsum("ii->i", [3, 3])).toEqual([3]);
    expect(einsum("i,i->", [3], [3])).toEqual([]);
  });

  test("refuses what does not fit", () => {
    expect(() => einsum("ij,jk->ik", [2, 3], [4, 5])).toThrow(
      `the sizes of "j" in "ij,jk->ik" differ; expected 3, found 4`,
    );
    expect(() => einsum("ij->k", [2, 3])).toThrow(`the result's index "k" is in no operand`);
    expect(() => einsum("ij", [2, 3, 4])).toThrow("an operand's rank does not fit its term");
    expect(() => einsum("i1", [2])).toThrow("an einsum term is letters and at most one ellipsis");
  });
});

describe("contradictions name what was expected and what was found", () => {
  test.each<[string, ...Parameters<typeof shapes>]>([
    [
      "model-invalid: Conv: the input's channels do not fit the weight; expected 3 channels for the weight [8, 3, 3, 3], found [1, 4, 9, 9]",
      [
        [1, 4, 9, 9],
        [8, 3, 3, 3],
      ],
      (b, x, w) => b.apply("Conv", [x, w]),
    ],
    [
      "model-invalid: Conv: a window is larger than the padded input; expected at least 3 elements, found 2 and 0 of padding",
      [
        [1, 3, 2],
        [8, 3, 3],
      ],
      (b, x, w) => b.apply("Conv", [x, w]),
    ],
    [
      "model-invalid: Add: the shapes do not broadcast; expected sizes that are equal or 1, found [2, 3] and [4, 3]",
      [
        [2, 3],
        [4, 3],
      ],
      (b, x, y) => b.add(x, y),
    ],
    [
      "model-invalid: MatMul: the summed sizes of a matrix product differ; expected [2, 3] times […, 3, n], found [4, 5]",
      [
        [2, 3],
        [4, 5],
      ],
      (b, x, y) => b.matMul(x, y),
    ],
    [
      "model-invalid: Reshape: the elements do not fill the shape; expected a shape for the elements of [2, 3], found [4, -1]",
      [[2, 3]],
      (b, x) => b.reshape(x, [4, -1]),
    ],
    [
      "model-invalid: Concat: an axis lies outside the tensor; expected an axis in [-2, 2), found 2",
      [
        [2, 3],
        [2, 3],
      ],
      (b, x, y) => b.concat([x, y], 2),
    ],
    [
      "model-invalid: Transpose: perm is no permutation of the axes; expected the axes 0 to 1, each once, found [0, 0]",
      [[2, 3]],
      (b, x) => b.apply("Transpose", [x], { perm: [0, 0] }),
    ],
    [
      "model-invalid: TopK: TopK takes more elements than there are; expected 0 to 3, found 4",
      [[2, 3]],
      (b, x) => b.applyAll("TopK", [x, b.ints([4])], 2),
    ],
  ])("%s", (message, inputs, build) => {
    expect(refusal(inputs, build)).toBe(message);
  });
});
