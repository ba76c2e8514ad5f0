/** @file Derivatives of pools. ONNX Runtime pools by convolution, and so derives, in float32 only. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AutoPad, Builder, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { elementCount, numbersOf, tensorOf } from "../tensor/index.ts";
import { checkGradient, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const dtype = "float32";
const random = randomNumbers(12);

type Declared = "static" | "batch" | "spatial";

function declaredAs(shape: readonly number[], declared: Declared): (number | string)[] {
  return shape.map((size, axis) => (declared === "static" || (declared === "batch" && axis > 1) ? size : `d${axis}`));
}

/** Numbers no two of which are so close that a difference would swap them. */
function distinct(shape: readonly number[]) {
  const count = elementCount(shape);
  const keys = Array.from({ length: count }, () => random());
  const order = keys.map((key) => keys.filter((other) => other < key).length);
  return tensorOf(
    dtype,
    shape,
    order.map((rank) => 0.1 * rank - 0.05 * count),
  );
}

const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 1 }),
  end: fc.integer({ min: 0, max: 1 }),
  extra: fc.integer({ min: 0, max: 4 }),
});

const pool = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 2 }),
  ceilMode: fc.boolean(),
  autoPad: fc.constantFrom<AutoPad>("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
  declared: fc.constantFrom<Declared>("static", "batch", "spatial"),
});

/** Checks a pool over random windows; `make` gets the attributes that all pools share. */
async function checkPools(
  make: (b: Builder, x: Value, attributes: { kernelShape: number[] }) => Value,
  tensor: (shape: readonly number[]) => ReturnType<typeof distinct>,
  seed: number,
): Promise<void> {
  const property = fc.asyncProperty(pool, async ({ axes, batch, channels, ceilMode, autoPad, declared }) => {
    const isSame = autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER";
    const windows = axes.map((each) => ({
      ...each,
      // ONNX Runtime does not dilate where it pads to the same size, and then pads less than nothing for small kernels.
      dilation: isSame ? 1 : each.dilation,
      stride: isSame ? Math.min(each.stride, each.kernel) : each.stride,
      begin: Math.min(each.begin, each.kernel - 1),
      end: Math.min(each.end, each.kernel - 1),
    }));
    const sizes = windows.map((each) => (each.kernel - 1) * each.dilation + 1 + each.extra);
    // Its own inference forgets that a window must not start beyond the map.
    const isInside = windows.every(({ stride, begin, end, extra }, index) => {
      const count = Math.ceil((begin + extra + end) / stride);
      return count * stride < (sizes[index] ?? 0) + begin;
    });
    const rounded = ceilMode && autoPad === "NOTSET" && isInside;
    const attributes = {
      autoPad,
      ceilMode: rounded,
      kernelShape: windows.map((each) => each.kernel),
      strides: windows.map((each) => each.stride),
      dilations: windows.map((each) => each.dilation),
      ...(autoPad === "NOTSET"
        ? { pads: [...windows.map((each) => each.begin), ...windows.map((each) => each.end)] }
        : {}),
    };
    const shape = [batch, channels, ...sizes];
    const as = (rounded || isSame) && declared === "spatial" ? "batch" : declared;
    await checkGradient(
      { x: { tensor: tensor(shape), declared: declaredAs(shape, as) } },
      (b, { x }) => make(b, x, attributes),
      { dtype },
    );
  });
  await fc.assert(property, { numRuns: 50, seed, endOnFailure: true });
}

describe("MaxPool", () => {
  it("derives over random windows", async () => {
    await checkPools((b, x, attributes) => b.apply("MaxPool", [x], attributes), distinct, 1);
  });

  it("derives one whose indices are read too", async () => {
    const tensor = distinct([2, 2, 5, 5]);
    await checkGradient(
      { x: { tensor } },
      (b, { x }) => b.applyAll("MaxPool", [x], 2, { kernelShape: [3, 3], strides: [2, 2] })[0] ?? x,
      { dtype },
    );
  });

  it("gives a tie's gradient to the first element of the window", async () => {
    const b = newBuilder();
    const x = b.input("x", dtype, [1, 1, 2, 4]);
    const y = b.apply("MaxPool", [x], { kernelShape: [2, 2], strides: [1, 2], pads: [0, 0, 0, 0] }, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x"] }), {
      x: tensorOf(dtype, [1, 1, 2, 4], [0, 1, 2, 2, 1, 1, 0, 2]),
      dy: tensorOf(dtype, [1, 1, 1, 2], [5, 7]),
    });
    expect([...(results.get("grad:x")?.data ?? [])]).toEqual([0, 5, 7, 0, 0, 0, 0, 0]);
  });

  it("gives no gradient to padding, however small the elements", async () => {
    const b = newBuilder();
    const x = b.input("x", dtype, [1, 1, 2]);
    const y = b.apply("MaxPool", [x], { kernelShape: [3], pads: [1, 1] }, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x"] }), {
      x: tensorOf(dtype, [1, 1, 2], [-1e38, -2e38]),
      dy: tensorOf(dtype, [1, 1, 2], [1, 1]),
    });
    expect([...(results.get("grad:x")?.data ?? [])]).toEqual([2, 0]);
  });

  it("refuses ceil_mode on a map whose size nobody knows", () => {
    const b = newBuilder();
    const x = b.input("x", dtype, ["N", 2, "H"]);
    const y = b.apply("MaxPool", [x], { kernelShape: [2], strides: [2], ceilMode: true }, "y");
    expect(() => withGradients(b.graph([y]), { output: "y", wanted: ["x"] })).toThrow(/MaxPool "y": .*must be known/);
  });
});

describe("AveragePool", () => {
  for (const countIncludePad of [false, true]) {
    it(`derives over random windows ${countIncludePad ? "that count their padding" : "that do not count their padding"}`, async () => {
      await checkPools(
        (b, x, attributes) => b.apply("AveragePool", [x], { ...attributes, countIncludePad }),
        (shape) => randomTensor(random, dtype, shape),
        countIncludePad ? 3 : 2,
      );
    });
  }
});

describe("LpPool", () => {
  for (const p of [1, 2, 3]) {
    it(`derives over random windows with p = ${p}`, async () => {
      await checkPools(
        (b, x, attributes) => b.apply("LpPool", [x], { ...attributes, p }),
        // Away from the kink at 0.
        (shape) => randomTensor(random, dtype, shape, [0.5, 1.5]),
        3 + p,
      );
    });
  }

  it("is 0 where all elements are", async () => {
    const b = newBuilder();
    const x = b.input("x", dtype, [1, 1, 4]);
    const y = b.apply("LpPool", [x], { kernelShape: [2], strides: [2] }, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x"] }), {
      x: tensorOf(dtype, [1, 1, 4], [0, 0, 3, 4]),
      dy: tensorOf(dtype, [1, 1, 2], [1, 5]),
    });
    const gradient = results.get("grad:x");
    expect(gradient && numbersOf(gradient)).toEqual([0, 0, 3, 4]);
  });
});

describe("pools of whole maps", () => {
  for (const spatial of [[5], [3, 4], [2, 3, 2]]) {
    for (const declared of ["static", "batch", "spatial"] as const) {
      const shape = [2, 3, ...spatial];
      const as = declaredAs(shape, declared);
      it(`derive [${as}]`, async () => {
        const tensor = distinct(shape);
        await checkGradient({ x: { tensor, declared: as } }, (b, { x }) => b.apply("GlobalMaxPool", [x]), { dtype });
        await checkGradient({ x: { tensor, declared: as } }, (b, { x }) => b.apply("GlobalAveragePool", [x]), {
          dtype,
        });
        for (const p of [1, 2, 3]) {
          await checkGradient({ x: { tensor, declared: as } }, (b, { x }) => b.apply("GlobalLpPool", [x], { p }), {
            dtype,
          });
        }
      });
    }
  }
});

describe("MaxUnpool", () => {
  it("derives what a MaxPool left", async () => {
    const indices = tensorOf("int64", [1, 2, 2, 2], [1, 6, 8, 15, 17, 18, 28, 31]);
    await checkGradient(
      { x: [1, 2, 2, 2], indices: { tensor: indices } },
      (b, values) => b.apply("MaxUnpool", [values.x, values.indices], { kernelShape: [2, 2], strides: [2, 2] }),
      { dtype },
    );
  });
});
