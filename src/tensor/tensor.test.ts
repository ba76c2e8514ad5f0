import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  areCompatible,
  bytesOf,
  elementCount,
  fromBfloat16,
  fromFloat16,
  GraftError,
  int64Vector,
  normalizeAxis,
  numbersOf,
  stridesOf,
  tensorOf,
  toBfloat16,
  toFloat16,
} from "./index.ts";

describe("tensors", () => {
  it("keep numbers through every readable type", () => {
    for (const dtype of ["float32", "float64", "float16", "bfloat16", "int8", "int32", "int64", "uint16"] as const) {
      expect(numbersOf(tensorOf(dtype, [2, 2], [0, 1, 2, 64]))).toEqual([0, 1, 2, 64]);
    }
    expect(numbersOf(tensorOf("bool", [3], [0, 1, 7]))).toEqual([0, 1, 1]);
  });

  it("refuse elements that do not fill the shape", () => {
    expect(() => tensorOf("float32", [2, 3], [1, 2])).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: the elements do not fill the shape; expected 6 elements for [2, 3], found 2]`,
    );
  });

  it("saturate at the ends of int64, which ONNX uses for 'to the end'", () => {
    const { data } = tensorOf("int64", [2], [2 ** 63, -(2 ** 63)]);
    expect([...(data as BigInt64Array)]).toEqual([2n ** 63n - 1n, -(2n ** 63n)]);
  });

  it("give their bytes without a copy", () => {
    const tensor = int64Vector([1, 2]);
    expect(bytesOf(tensor).buffer).toBe(tensor.data.buffer);
    expect(bytesOf(tensor).length).toBe(16);
  });

  it("do not read packed types as numbers", () => {
    expect(() => numbersOf({ dtype: "int4", shape: [2], data: Uint8Array.of(0x21) })).toThrow(GraftError);
  });
});

describe("shapes", () => {
  it("refuse products that overflow", () => {
    expect(() => elementCount([2 ** 40, 2 ** 20])).toThrow(/overflows/);
  });

  it("count negative axes from the end and refuse those outside", () => {
    expect(normalizeAxis(-1, 4)).toBe(3);
    expect(() => normalizeAxis(4, 4)).toThrow(/outside/);
  });

  it("agree where sizes are names or unknown", () => {
    expect(areCompatible(["N", 3], [5, 3])).toBe(true);
    expect(areCompatible([null, 3], [5, 4])).toBe(false);
  });

  it("have row-major strides", () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  });
});

describe("16-bit floats", () => {
  it("come back exactly from every bit pattern of binary16 but NaN", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromFloat16(bits);
      if (!Number.isNaN(value)) expect(toFloat16(value)).toBe(bits);
    }
  });

  it("round to the nearest binary16, ties to even", () => {
    fc.assert(
      fc.property(fc.double({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const bits = toFloat16(value);
        const error = Math.abs(fromFloat16(bits) - value);
        for (const neighbour of [bits - 1, bits + 1]) {
          const other = Math.abs(fromFloat16(neighbour & 0xffff) - value);
          if (Number.isFinite(other) && error > other) return false;
        }
        return true;
      }),
      { seed: 1, numRuns: 2000 },
    );
    expect(toFloat16(1 + 2 ** -11)).toBe(toFloat16(1));
    expect(toFloat16(1 + 3 * 2 ** -11)).toBe(toFloat16(1 + 2 ** -9));
    expect(toFloat16(65520)).toBe(0x7c00);
  });

  it("round to the nearest bfloat16, ties to even", () => {
    expect(fromBfloat16(toBfloat16(1 + 2 ** -8))).toBe(1);
    expect(fromBfloat16(toBfloat16(1 + 3 * 2 ** -8))).toBe(1 + 2 ** -6);
    expect(fromBfloat16(toBfloat16(Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
    expect(Number.isNaN(fromBfloat16(toBfloat16(Number.NaN)))).toBe(true);
  });
});

describe("errors", () => {
  it("say where, what was expected, what arrived and what to do, and carry the same as fields", () => {
    const error = new GraftError("bad-data", "the label is unknown", {
      path: ["labels.csv", "line 3"],
      expected: "cat or dog",
      actual: "cow",
      hint: "add the class or mend the label",
    });
    expect(error.message).toMatchInlineSnapshot(
      `"labels.csv: line 3: the label is unknown; expected cat or dog, found cow; add the class or mend the label"`,
    );
    expect(error.at("photos").path).toEqual(["photos", "labels.csv", "line 3"]);
    expect(error.at("photos")).toMatchObject({ code: "bad-data", expected: "cat or dog", actual: "cow" });
  });
});
