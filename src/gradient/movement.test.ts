/** @file Derivatives of operators that move elements. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PadMode, printGraph } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { int64Vector, tensorOf } from "../tensor/index.ts";
import { checkGradient, type InputSpec, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const random = randomNumbers(13);
const symbolic = (shape: readonly number[]): InputSpec => ({
  tensor: randomTensor(random, "float64", shape),
  declared: shape.map((_, axis) => `d${axis}`),
});
const input = (shape: readonly number[], isSymbolic: boolean): InputSpec => (isSymbolic ? symbolic(shape) : shape);
const vector = (numbers: readonly number[]): InputSpec => ({ tensor: int64Vector(numbers) });

describe("Slice", () => {
  const bound = fc.integer({ min: -7, max: 7 });
  const cuts = fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 5 }),
      start: bound,
      end: fc.oneof(bound, fc.constant(Number.POSITIVE_INFINITY)),
      step: fc.constantFrom(1, 1, 2, 3, -1, -2),
    }),
    { minLength: 1, maxLength: 3 },
  );

  /** As far as it goes, in the direction of the step. */
  const endOf = ({ end, step }: { end: number; step: number }) =>
    Number.isFinite(end) ? end : step > 0 ? 2 ** 63 : -(2 ** 63);

  it("derives over random bounds and steps, known or only at run time", async () => {
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), fc.boolean(), async (axes, isSymbolic, atRuntime) => {
        const x = input([2, ...axes.map(({ size }) => size)], isSymbolic);
        const [starts, ends, steps] = [axes.map(({ start }) => start), axes.map(endOf), axes.map(({ step }) => step)];
        const inputs = { x, starts: vector(starts), ends: vector(ends), steps: vector(steps) };
        await checkGradient(inputs, (b, v) => {
          const named = b.ints(axes.map((_, axis) => axis - axes.length));
          return atRuntime
            ? b.apply("Slice", [v.x, v.starts, v.ends, named, v.steps])
            : b.apply("Slice", [v.x, b.ints(starts), b.ints(ends), named, b.ints(steps)]);
        });
      }),
      { numRuns: 60, seed: 1, endOnFailure: true },
    );
  });

  it("pads the gradient back in one node", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", ["N", 6, 8]);
    const y = b.apply("Slice", [x, b.ints([1, -3]), b.ints([4, 2 ** 63]), b.ints([1, 2])], {}, "y");
    const derived = withGradients(b.graph([y]), { output: "y", wanted: ["x"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 6, 8], dy: float32[N, 3, 3]) -> y, grad:x
        constant: int64[2] = [1, -3]
        constant_1: int64[2] = [4, 9223372000000000000]
        constant_2: int64[2] = [1, 2]
        constant_3: int64[6] = [0, 1, 5, 0, 2, 0]
        constant_4: float32[] = 0
        y: float32[N, 3, 3] = Slice(x, constant, constant_1, constant_2)
        Pad: float32[N, 6, 8] = Pad(dy, constant_3, constant_4)
        grad:x: float32[N, 6, 8] = Identity(Pad)"
    `);
  });
});

describe("Pad", () => {
  const side = fc.integer({ min: -1, max: 3 });
  const pads = fc.array(fc.record({ size: fc.integer({ min: 5, max: 6 }), begin: side, end: side }), {
    minLength: 1,
    maxLength: 3,
  });

  it("derives over random modes and pads, negative ones included, known or only at run time", async () => {
    const mode = fc.constantFrom<PadMode>("constant", "reflect", "edge", "wrap");
    await fc.assert(
      fc.asyncProperty(pads, mode, fc.boolean(), fc.boolean(), async (axes, mode, isSymbolic, atRuntime) => {
        const numbers = [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)];
        const x = input([2, ...axes.map(({ size }) => size)], isSymbolic);
        await checkGradient({ x, pads: vector(numbers) }, (b, v) => {
          const named = b.ints(axes.map((_, axis) => axis + 1));
          return b.apply("Pad", [v.x, atRuntime ? v.pads : b.ints(numbers), undefined, named], { mode });
        });
      }),
      { numRuns: 60, seed: 2, endOnFailure: true },
    );
  });

  it("gives the constant the sum over the padding", async () => {
    const constant: InputSpec = { tensor: tensorOf("float64", [], [0.5]) };
    await checkGradient({ x: [2, 3], constant }, (b, values) =>
      b.apply("Pad", [values.x, b.ints([1, 0, -1, 2]), values.constant]),
    );
  });
});

describe("joins and cuts", () => {
  it("derive over random parts", async () => {
    const parts = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(parts, fc.integer({ min: -2, max: 1 }), fc.boolean(), async (sizes, axis, isSymbolic) => {
        const shape = (size: number) => (axis === 0 || axis === -2 ? [size, 2] : [2, size]);
        const entries = sizes.map((size, index) => [`x${index}`, input(shape(size), isSymbolic)] as const);
        await checkGradient(Object.fromEntries(entries), (b, values) => b.concat(Object.values(values), axis));
        const whole = sizes.reduce((a, c) => a + c, 0);
        await checkGradient({ x: input(shape(whole), isSymbolic) }, (b, { x }) => {
          // The last part is read twice, the others after it not at all.
          const [first, last] = b.applyAll("Split", [x, b.ints(sizes)], sizes.length, { axis });
          return b.mul(first ?? x, b.exp(b.reduceSum(last ?? first ?? x, [0, 1])));
        });
      }),
      { numRuns: 20, seed: 3, endOnFailure: true },
    );
  });

  it("give zeros where a part of a split is not read", async () => {
    await checkGradient({ x: [3, 7] }, (b, { x }) => {
      const parts = b.applyAll("Split", [x], 3, { axis: 1, numOutputs: 3 });
      return b.square(parts[1] ?? x);
    });
  });
});

describe("changes of shape", () => {
  for (const isSymbolic of [false, true]) {
    const x = () => input([2, 1, 6], isSymbolic);
    it(`derive ${isSymbolic ? "symbolic" : "known"} sizes`, async () => {
      await checkGradient({ x: x() }, (b, v) => b.reshape(v.x, [3, -1]));
      await checkGradient({ x: x() }, (b, v) => b.apply("Reshape", [v.x, b.ints([0, -1, 2])]));
      await checkGradient({ x: x() }, (b, v) => b.apply("Flatten", [v.x], { axis: 2 }));
      await checkGradient({ x: [2, 1, 6] }, (b, v) => b.apply("Squeeze", [v.x]));
      await checkGradient({ x: x() }, (b, v) => b.squeeze(v.x, [1]));
      await checkGradient({ x: x() }, (b, v) => b.unsqueeze(v.x, [0, -1]));
      await checkGradient({ x: x() }, (b, v) => b.apply("Transpose", [v.x]));
      await checkGradient({ x: x() }, (b, v) => b.transpose(v.x, [2, 0, 1]));
      await checkGradient({ x: x() }, (b, v) => b.expand(v.x, b.ints([3, 1, 4, 1])));
      await checkGradient({ x: x() }, (b, v) => b.apply("Tile", [v.x, b.ints([2, 3, 1])]));
      await checkGradient({ x: x(), repeats: vector([2, 1, 3]) }, (b, v) => b.apply("Tile", [v.x, v.repeats]));
      await checkGradient({ x: x() }, (b, v) => b.apply("Trilu", [v.x], { upper: false }));
      await checkGradient({ x: x(), k: { tensor: tensorOf("int64", [], [2]) } }, (b, v) =>
        b.apply("Trilu", [v.x, v.k]),
      );
    });
  }

  it("derive blocks moved between space and depth", async () => {
    for (const mode of ["DCR", "CRD"] as const) {
      const x = () => ({ x: input([2, 12, 2, 3], mode === "DCR") });
      await checkGradient(x(), (b, v) => b.apply("DepthToSpace", [v.x], { blocksize: 2, mode }));
      await checkGradient({ x: [2, 12, 2, 3] }, (b, v) => b.apply("DepthToSpace", [v.x], { blocksize: 2, mode }));
    }
    await checkGradient({ x: symbolic([2, 3, 4, 6]) }, (b, v) => b.apply("SpaceToDepth", [v.x], { blocksize: 2 }));
  });

  it("derive crops and paddings about the centre", async () => {
    const size = fc.integer({ min: 1, max: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(size, { minLength: 4, maxLength: 4 }), fc.boolean(), async (sizes, isSymbolic) => {
        const [a = 1, c = 1, ...target] = sizes;
        await checkGradient({ x: input([2, a, c], isSymbolic) }, (b, v) =>
          b.apply("CenterCropPad", [v.x, b.ints(target)], { axes: [-2, 2] }),
        );
      }),
      { numRuns: 15, seed: 5, endOnFailure: true },
    );
  });

  it("derive reversed sequences", async () => {
    const lengths = vector([3, 1, 4]);
    await checkGradient({ x: [4, 3, 2], lengths }, (b, v) => b.apply("ReverseSequence", [v.x, v.lengths]));
  });

  it("derive a range by its start and step", async () => {
    const scalar = (number: number): InputSpec => ({ tensor: tensorOf("float64", [], [number]) });
    await checkGradient(
      { start: scalar(0.5), limit: scalar(3.2), delta: scalar(0.7) },
      (b, { start, limit, delta }) => b.apply("Range", [start, limit, delta]),
      { wanted: ["start", "delta"] },
    );
  });

  it("sum what Expand repeats along axes known only at run time", async () => {
    const b = newBuilder();
    const [x, shape] = [b.input("x", "float32", ["N"]), b.input("shape", "int64", [2])];
    const y = b.apply("Expand", [x, shape], {}, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x"] }), {
      x: tensorOf("float32", [1], [1]),
      shape: int64Vector([2, 3]),
      dy: tensorOf("float32", [2, 3], [1, 2, 3, 4, 5, 6]),
    });
    expect([...(results.get("grad:x")?.data ?? [])]).toEqual([21]);
  });
});
