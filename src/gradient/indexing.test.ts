/** @file Derivatives of operators that read or write at indices. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printGraph, type ScatterReduction } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { elementCount, int64Vector, tensorOf } from "../tensor/index.ts";
import { checkGradient, type InputSpec, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const random = randomNumbers(14);
const symbolic = (shape: readonly number[]): InputSpec => ({
  tensor: randomTensor(random, "float64", shape),
  declared: shape.map((_, axis) => `d${axis}`),
});
const input = (shape: readonly number[], isSymbolic: boolean): InputSpec => (isSymbolic ? symbolic(shape) : shape);

/** Indices into an axis, from its end too. */
function indicesInto(size: number, shape: readonly number[]) {
  const numbers = Array.from({ length: elementCount(shape) }, () => Math.floor(random() * 2 * size) - size);
  return tensorOf("int64", shape, numbers);
}

describe("Gather", () => {
  it("derives over random axes and indices, known or only at run time", async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
    const indexShape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(
        shape,
        indexShape,
        fc.nat(),
        fc.boolean(),
        fc.boolean(),
        async (sizes, of, pick, isSymbolic, fixed) => {
          const axis = pick % sizes.length;
          const tensor = indicesInto(sizes[axis] ?? 1, of);
          const x = input(sizes, isSymbolic);
          await checkGradient({ x, indices: { tensor } }, (b, v) =>
            b.gather(v.x, fixed ? b.constant(tensor) : v.indices, axis - sizes.length),
          );
        },
      ),
      { numRuns: 50, seed: 1, endOnFailure: true },
    );
  });

  it("pads a single position back, and reads others from where they were written", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", ["N", 5]);
    const first = b.gather(x, b.constant(tensorOf("int64", [], [0])), 1);
    const others = b.gather(x, b.ints([3, 1]), 1);
    const graph = b.graph([b.apply("Mul", [b.unsqueeze(first, [1]), others], {}, "y")]);
    const derived = withGradients(graph, { output: "y", wanted: ["x"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 5], dy: float32[N, 2]) -> y, grad:x
        constant: int64[] = 0
        constant_1: int64[2] = [3, 1]
        constant_2: int64[1] = [1]
        constant_3: int64[1] = [1]
        constant_4: int64[1] = [-1]
        constant_5: int64[4] = [0, 0, 0, 1]
        constant_6: float32[] = 0
        constant_7: int64[5] = [2, 1, 2, 0, 2]
        constant_8: int64[4] = [0, 0, 0, 4]
        Gather: float32[N] = Gather(x, constant) {axis: 1}
        Gather_1: float32[N, 2] = Gather(x, constant_1) {axis: 1}
        Unsqueeze: float32[N, 1] = Unsqueeze(Gather, constant_2)
        y: float32[N, 2] = Mul(Unsqueeze, Gather_1)
        Mul: float32[N, 2] = Mul(dy, Gather_1)
        ReduceSum: float32[N, 1] = ReduceSum(Mul, constant_3)
        Mul_1: float32[N, 2] = Mul(dy, Unsqueeze)
        Reshape: float32[N] = Reshape(ReduceSum, constant_4)
        Shape: int64[1] = Shape(x) {end: 1}
        Concat: int64[2] = Concat(Shape, constant_4) {axis: 0}
        Reshape_1: float32[N, 2] = Reshape(Mul_1, Concat)
        Pad: float32[N, 3] = Pad(Reshape_1, constant_5, constant_6)
        Gather_2: float32[N, 5] = Gather(Pad, constant_7) {axis: 1}
        Shape_1: int64[1] = Shape(x) {end: 1}
        Concat_1: int64[2] = Concat(Shape_1, constant_4) {axis: 0}
        Reshape_2: float32[N, 1] = Reshape(Reshape, Concat_1)
        Pad_1: float32[N, 5] = Pad(Reshape_2, constant_8, constant_6)
        Add: float32[N, 5] = Add(Gather_2, Pad_1)
        grad:x: float32[N, 5] = Identity(Add)"
    `);
  });

  it("adds up long gradients of repeated rows", async () => {
    const tensor = indicesInto(300, [400]);
    await checkGradient({ x: [300, 3] }, (b, { x }) => b.gather(x, b.constant(tensor), 0));
  });
});

describe("GatherElements", () => {
  it("derives over random axes", async () => {
    for (const axis of [0, 1, -1]) {
      const indices = { tensor: indicesInto(3, [3, 2, 3]) };
      for (const isSymbolic of [false, true]) {
        await checkGradient({ x: input([3, 3, 3], isSymbolic), indices }, (b, v) =>
          b.apply("GatherElements", [v.x, v.indices], { axis }),
        );
      }
    }
  });
});

describe("GatherND", () => {
  const cases = [
    { shape: [3, 4], indices: [5, 2], batchDims: 0 },
    { shape: [3, 4, 2], indices: [2, 3, 1], batchDims: 0 },
    { shape: [2, 3, 4], indices: [2, 5, 1], batchDims: 1 },
    { shape: [2, 3, 4, 2], indices: [2, 3, 4, 1], batchDims: 2 },
    { shape: [2, 3, 3, 2], indices: [2, 4, 2], batchDims: 1 },
    { shape: [3, 3], indices: [2], batchDims: 0 },
  ];
  for (const { shape, indices, batchDims } of cases) {
    it(`derives [${shape}] at [${indices}] after ${batchDims} batch axes`, async () => {
      const tensor = indicesInto(Math.min(...shape.slice(batchDims)), indices);
      for (const isSymbolic of [false, true]) {
        await checkGradient({ x: input(shape, isSymbolic), indices: { tensor } }, (b, v) =>
          b.apply("GatherND", [v.x, v.indices], { batchDims }),
        );
      }
    });
  }
});

describe("scatters", () => {
  /** No two numbers so close that a difference would swap them. */
  const apart = (shape: readonly number[], offset: number): InputSpec => {
    const count = elementCount(shape);
    const keys = Array.from({ length: count }, () => random());
    const numbers = keys.map((key) => 0.2 * keys.filter((other) => other < key).length - 0.1 * count + offset);
    return { tensor: tensorOf("float64", shape, numbers) };
  };
  const reductions: readonly ScatterReduction[] = ["none", "add", "mul", "max", "min"];
  for (const reduction of reductions) {
    it(`derive elements written with reduction ${reduction}`, async () => {
      const tensor =
        reduction === "none" ? tensorOf("int64", [2, 2], [0, 2, -1, 1]) : tensorOf("int64", [2, 2], [0, 1, -4, 1]);
      const inputs = { x: apart([4, 3], 0), indices: { tensor }, updates: apart([2, 2], 0.05) };
      await checkGradient(inputs, (b, v) =>
        b.apply("ScatterElements", [v.x, v.indices, v.updates], { axis: 0, reduction }),
      );
    });

    it(`derive slices written with reduction ${reduction}`, async () => {
      const tensor = tensorOf("int64", [3, 1], reduction === "none" ? [0, 2, -1] : [0, 2, -4]);
      const inputs = { x: apart([4, 3], 0), indices: { tensor }, updates: apart([3, 3], 0.05) };
      await checkGradient(inputs, (b, v) => b.apply("ScatterND", [v.x, v.indices, v.updates], { reduction }));
    });
  }

  it("derive products with zeros among the factors", async () => {
    const indices = { tensor: tensorOf("int64", [4], [0, 0, 1, 1]) };
    const updates = { tensor: tensorOf("float64", [4], [0, 2, 0, 0]) };
    await checkGradient({ x: [3], indices, updates }, (b, v) =>
      b.apply("ScatterElements", [v.x, v.indices, v.updates], { reduction: "mul" }),
    );
  });

  it("share a gradient evenly between those that attain the extreme", async () => {
    const b = newBuilder();
    const [x, updates] = [b.input("x", "float32", [2]), b.input("updates", "float32", [2])];
    const y = b.apply("ScatterElements", [x, b.ints([0, 0]), updates], { reduction: "max" }, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x", "updates"] }), {
      x: tensorOf("float32", [2], [3, 1]),
      updates: tensorOf("float32", [2], [3, 2]),
      dy: tensorOf("float32", [2], [4, 5]),
    });
    expect([...(results.get("grad:x")?.data ?? [])]).toEqual([2, 5]);
    expect([...(results.get("grad:updates")?.data ?? [])]).toEqual([2, 0]);
  });
});

describe("Compress", () => {
  for (const isSymbolic of [false, true]) {
    const condition = { tensor: tensorOf("bool", [3], [1, 0, 1]) };
    it(`derives ${isSymbolic ? "symbolic" : "known"} sizes`, async () => {
      const x = () => input([2, 4], isSymbolic);
      await checkGradient({ x: x(), condition }, (b, v) => b.apply("Compress", [v.x, v.condition], { axis: 1 }));
      await checkGradient({ x: x(), condition }, (b, v) => b.apply("Compress", [v.x, v.condition]));
      const fixed = tensorOf("bool", [3], [0, 1, 1]);
      await checkGradient({ x: x() }, (b, v) => b.apply("Compress", [v.x, b.constant(fixed)], { axis: -1 }));
      await checkGradient({ x: x() }, (b, v) => b.apply("Compress", [v.x, b.constant(fixed)]));
    });
  }
});

describe("OneHot", () => {
  it("gives its two values the sums where they were written", async () => {
    for (const axis of [0, 1, -1]) {
      const indices = { tensor: int64Vector([1, 0, -1, 2]) };
      await checkGradient(
        { indices, values: [2] },
        (b, v) => b.apply("OneHot", [v.indices, b.constant(tensorOf("int64", [], [4])), v.values], { axis }),
        { dtype: "float32" },
      );
    }
  });
});
