import { describe, expect, it } from "vitest";
import { tensorOf } from "../tensor/index.ts";
import { deviation, expectClose } from "./close.ts";

const vector = (...numbers: number[]) => tensorOf("float32", [numbers.length], numbers);

describe("comparing tensors", () => {
  it("measures the largest difference by the largest element", () => {
    expect(deviation(vector(1, 2, 8), vector(1, 2, 10))).toBeCloseTo(0.2);
    expect(deviation(vector(0.5), vector(0))).toBe(0.5);
    expect(deviation(vector(3), vector(3))).toBe(0);
  });

  it("is infinite for other shapes, and for what is not finite on one side only", () => {
    expect(deviation(vector(1), tensorOf("float32", [1, 1], [1]))).toBe(Number.POSITIVE_INFINITY);
    expect(deviation(vector(Number.NaN), vector(1))).toBe(Number.POSITIVE_INFINITY);
    expect(deviation(vector(1), vector(Number.NEGATIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
    expect(deviation(vector(Number.NaN, 1), vector(Number.NaN, 1))).toBe(0);
  });

  it("says what is apart, and how far", () => {
    expect(() => expectClose(vector(1), vector(2), 0.1, "grad:x")).toThrow("grad:x is 5.00e-1 away, more than 0.1");
    expect(() => expectClose(undefined, vector(2), 0.1, "grad:x")).toThrow("grad:x is missing");
  });
});
