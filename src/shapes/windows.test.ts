/** @file Tests of window geometry: pads made explicit, as the gradients of windows need them. */
import { describe, expect, test } from "vitest";
import { transposedWindowGeometry, windowGeometry } from "./index.ts";

describe("windowGeometry", () => {
  test("puts the odd element of SAME padding at the end, or at the begin for SAME_LOWER", () => {
    const attributes = { kernelShape: [3, 4], strides: [2, 1] };
    expect(windowGeometry([8, 8], { ...attributes, autoPad: "SAME_UPPER" }).pads).toEqual([0, 1, 1, 2]);
    expect(windowGeometry([8, 8], { ...attributes, autoPad: "SAME_LOWER" }).pads).toEqual([1, 2, 0, 1]);
  });

  test("says which pads depend on a size that is not known", () => {
    const { pads, output } = windowGeometry(["H", "W"], {
      kernelShape: [3, 3],
      strides: [1, 2],
      autoPad: "SAME_UPPER",
    });
    expect(pads).toEqual([1, null, 1, null]);
    expect(output).toEqual(["H", null]);
  });

  test("fills in strides, dilations and pads, and ignores pads beside VALID", () => {
    expect(windowGeometry([5], { kernelShape: [3], pads: [1, 1], autoPad: "VALID" })).toEqual({
      kernel: [3],
      strides: [1],
      dilations: [1],
      pads: [0, 0],
      output: [3],
    });
  });

  test("counts a last window that ceil_mode lets reach out, unless it starts outside", () => {
    const count = (size: number, end: number) =>
      windowGeometry([size], { kernelShape: [2], strides: [3], pads: [0, end], ceilMode: true }).output;
    expect(count(7, 0)).toEqual([3]);
    expect(count(6, 0)).toEqual([2]);
    // ⌈(6 + 1 − 2) / 3⌉ + 1 = 3, but the third would start at 6, beyond the input.
    expect(count(6, 1)).toEqual([2]);
  });

  test("refuses lists of the wrong length and sizes below one", () => {
    expect(() => windowGeometry([5, 5], { kernelShape: [3] })).toThrow("kernel_shape has the wrong length");
    expect(() => windowGeometry([5], { kernelShape: [3], pads: [1] })).toThrow("pads has the wrong length");
    expect(() => windowGeometry([5], { kernelShape: [3], strides: [0] })).toThrow("strides must be positive");
  });
});

describe("transposedWindowGeometry", () => {
  test("finds the pads that lead to the wanted size", () => {
    // 2·(4 − 1) + 3 = 9 elements, of which 8 are wanted.
    const geometry = { kernelShape: [3], strides: [2] };
    expect(transposedWindowGeometry([4], { ...geometry, outputShape: [8] })).toMatchObject({
      pads: [1, 0],
      output: [8],
    });
    expect(transposedWindowGeometry([4], { ...geometry, autoPad: "SAME_UPPER" })).toMatchObject({
      pads: [0, 1],
      output: [8],
    });
  });

  test("adds output padding", () => {
    const attributes = { kernelShape: [3], strides: [2], pads: [1, 1], outputPadding: [1] };
    expect(transposedWindowGeometry([4], attributes)).toMatchObject({ output: [8], outputPadding: [1] });
    expect(transposedWindowGeometry(["L"], attributes).output).toEqual([null]);
  });
});
