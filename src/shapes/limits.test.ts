/** @file Tests of what is refused before a run: values that are too large, loops that do not end. */
import { describe, expect, test } from "vitest";
import type { Graph, Value } from "../graph/index.ts";
import { type NumericTensor, tensorOf } from "../tensor/index.ts";
import { checkAllocations, newBuilder } from "./index.ts";

const limits = { maximumBytes: 2 ** 30 };

describe("checkAllocations", () => {
  test("passes a graph within limits, and types it", () => {
    const builder = newBuilder();
    const x = builder.input("x", "float32", ["N", 3]);
    const y = builder.reshape(x, [3, -1]);
    expect(checkAllocations(builder.graph([y]), limits).outputs[0]?.shape).toEqual([3, "N"]);
  });

  test("refuses a small constant that asks for a large value, with the sizes", () => {
    const builder = newBuilder();
    const y = builder.apply("ConstantOfShape", [builder.ints([2 ** 16, 2 ** 16])]);
    expect(() => checkAllocations(builder.graph([y]), limits)).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: ConstantOfShape "ConstantOfShape": a value is too large; expected at most 1073741824 bytes, found 17179869184 bytes or more for float32[65536, 65536]]`,
    );
  });

  test("refuses a value whose known sizes alone are too large", () => {
    const builder = newBuilder();
    const x = builder.input("x", "float32", ["N", 1]);
    const y = builder.expand(x, builder.ints([1, 2 ** 40]));
    expect(() => checkAllocations(builder.graph([y]), limits)).toThrow("a value is too large");
  });

  test("refuses sizes whose product overflows", () => {
    const builder = newBuilder();
    const y = builder.apply("ConstantOfShape", [builder.ints([2 ** 50, 2 ** 50])]);
    expect(() => checkAllocations(builder.graph([y]), { maximumBytes: Number.POSITIVE_INFINITY })).toThrow(
      "a value is too large",
    );
    const x = builder.input("x", "float32", [2 ** 40]);
    expect(() => builder.apply("Tile", [x, builder.ints([2 ** 40])])).toThrow("a size overflows");
  });

  test("counts an empty value as nothing", () => {
    const builder = newBuilder();
    const y = builder.apply("ConstantOfShape", [builder.ints([2 ** 50, 0])]);
    expect(checkAllocations(builder.graph([y]), limits).outputs[0]?.shape).toEqual([2 ** 50, 0]);
  });
});

describe("loops", () => {
  /** A loop over a state of one number; `next` gives the condition, as the body sees it. */
  function loop(trips: number | undefined, next: "passed on" | "computed" | "always", start?: number): Graph {
    const iteration: Value = { name: "i", dtype: "int64", shape: [] };
    const goOn: Value = { name: "go", dtype: "bool", shape: [] };
    const state: Value = { name: "state", dtype: "float32", shape: [] };
    const inner = newBuilder();
    for (const input of [iteration, goOn, state]) inner.adoptInput(input);
    const sum = inner.add(state, state);
    const conditions = {
      "passed on": () => inner.apply("Identity", [goOn]),
      computed: () => inner.less(state, inner.scalar(10, state)),
      always: () => inner.constant(tensorOf("bool", [], [1]), "always"),
    };
    const body = inner.graph([conditions[next](), sum], "body");
    const builder = newBuilder();
    const constant = (tensor: NumericTensor) => builder.constant(tensor);
    const x = builder.input("x", "float32", []);
    const first = start === undefined ? undefined : constant(tensorOf("bool", [], [start]));
    const count = trips === undefined ? undefined : constant(tensorOf("int64", [], [trips]));
    return builder.graph([builder.apply("Loop", [count, first, x], { body }, "round")]);
  }

  test("without a trip count need a condition that can become false", () => {
    expect(() => checkAllocations(loop(undefined, "always"), limits)).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: Loop "round": the loop's condition never becomes false; expected at most 100000000 iterations, found no trip count]`,
    );
    expect(() => checkAllocations(loop(undefined, "passed on", 1), limits)).toThrow("never becomes false");
    expect(() => checkAllocations(loop(undefined, "computed"), limits)).not.toThrow();
  });

  test("may have any trip count when a condition ends them", () => {
    expect(() => checkAllocations(loop(2 ** 63, "computed"), limits)).not.toThrow();
    expect(() => checkAllocations(loop(2 ** 63, "passed on"), limits)).toThrow("never becomes false");
    expect(() => checkAllocations(loop(100, "passed on"), limits)).not.toThrow();
  });

  test("that never start are harmless", () => {
    expect(() => checkAllocations(loop(undefined, "always", 0), limits)).not.toThrow();
  });
});
