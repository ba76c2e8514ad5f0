/** @file Derivatives of operators that sample maps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CoordinateMode, type NearestMode, printGraph, type ResizeMode } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { elementCount, int64Vector, tensorOf } from "../tensor/index.ts";
import { checkGradient, type InputSpec, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const dtype = "float32";
const random = randomNumbers(15);

/** The batch is known only at run time. */
function batched(shape: readonly number[], type: "float32" | "float64" = dtype): InputSpec {
  return { tensor: randomTensor(random, type, shape), declared: shape.map((size, axis) => (axis === 0 ? "N" : size)) };
}

const coordinateModes: readonly CoordinateMode[] = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_crop_and_resize",
];

describe("Resize", () => {
  const axis = fc.record({ size: fc.integer({ min: 1, max: 6 }), target: fc.integer({ min: 1, max: 13 }) });
  const resize = fc.record({
    axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
    mode: fc.constantFrom<ResizeMode>("nearest", "linear", "cubic"),
    coordinateTransformationMode: fc.constantFrom(...coordinateModes),
    nearestMode: fc.constantFrom<NearestMode>("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    antialias: fc.boolean(),
    excludeOutside: fc.boolean(),
    byScales: fc.boolean(),
    start: fc.constantFrom(0, 0.1, -0.2),
    end: fc.constantFrom(1, 0.7, 1.3),
  });

  it("derives over random sizes and all modes", async () => {
    await fc.assert(
      fc.asyncProperty(resize, async ({ axes, mode, start, end, byScales, ...given }) => {
        // ONNX Runtime resizes by cubic kernels, and antialiased, in two dimensions only; it antialiases no nearest ones.
        const isPlain = mode === "nearest" || (axes.length !== 2 && mode === "linear");
        const resized = mode === "cubic" || (given.antialias && !isPlain) ? [axes[0], axes[1] ?? axes[0]] : axes;
        const known = resized.flatMap((each) => each ?? []);
        const isCropped = given.coordinateTransformationMode === "tf_crop_and_resize";
        const attributes = {
          ...given,
          mode,
          antialias: given.antialias && !isPlain && !isCropped,
          excludeOutside: given.excludeOutside && mode === "cubic",
          // Its last bits decide between neighbours there, and they are its own.
          ...(given.coordinateTransformationMode === "half_pixel_symmetric" && {
            nearestMode: "round_prefer_floor" as const,
          }),
        };
        await checkGradient(
          { x: batched([2, 2, ...known.map(({ size }) => size)]) },
          (b, { x }) => {
            const region = [0, 0, ...known.map(() => start), 1, 1, ...known.map(() => end)];
            const roi = isCropped ? b.constant(tensorOf("float32", [region.length], region)) : undefined;
            const scales = [1, 1, ...known.map(({ size, target }) => (target + 0.3) / size)];
            if (byScales) {
              return b.apply("Resize", [x, roi, b.constant(tensorOf("float32", [scales.length], scales))], attributes);
            }
            const sizes = b.concat([b.sizeOf(x, 0), b.ints([2, ...known.map(({ target }) => target)])], 0);
            return b.apply("Resize", [x, roi, undefined, sizes], attributes);
          },
          { dtype },
        );
      }),
      { numRuns: 120, seed: 1, endOnFailure: true },
    );
  });

  it("derives chosen axes, in any order, and with the aspect ratio kept", async () => {
    const chosen = [
      { axes: [-1, 2], keepAspectRatioPolicy: "stretch" },
      { axes: [2, 3], keepAspectRatioPolicy: "not_larger" },
      { axes: [2, 3], keepAspectRatioPolicy: "not_smaller" },
    ] as const;
    for (const attributes of chosen) {
      await checkGradient(
        { x: [2, 2, 4, 6] },
        (b, { x }) =>
          b.apply("Resize", [x, undefined, undefined, b.ints([9, 7])], {
            mode: "linear",
            ...attributes,
          }),
        { dtype },
      );
    }
  });

  it("sums repeated pixels without a matrix", () => {
    const b = newBuilder();
    const x = b.input("x", dtype, ["N", 3, 4, 4]);
    const scales = b.constant(tensorOf("float32", [4], [1, 1, 2, 2]));
    const y = b.apply(
      "Resize",
      [x, undefined, scales],
      { coordinateTransformationMode: "asymmetric", nearestMode: "floor" },
      "y",
    );
    const derived = withGradients(b.graph([y]), { output: "y", wanted: ["x"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 3, 4, 4], dy: float32[N, 3, 8, 8]) -> y, grad:x
        constant: float32[4] = [1, 1, 2, 2]
        constant_1: int64[5] = [-1, 3, 8, 4, 2]
        constant_2: int64[1] = [4]
        constant_3: int64[5] = [-1, 3, 4, 2, 4]
        constant_4: int64[1] = [3]
        y: float32[N, 3, 8, 8] = Resize(x, _, constant) {coordinateTransformationMode: asymmetric, nearestMode: floor}
        Reshape: float32[N, 3, 8, 4, 2] = Reshape(dy, constant_1)
        ReduceSum: float32[N, 3, 8, 4] = ReduceSum(Reshape, constant_2) {keepdims: false}
        Reshape_1: float32[N, 3, 4, 2, 4] = Reshape(ReduceSum, constant_3)
        ReduceSum_1: float32[N, 3, 4, 4] = ReduceSum(Reshape_1, constant_4) {keepdims: false}
        grad:x: float32[N, 3, 4, 4] = Identity(ReduceSum_1)"
    `);
  });

  it("multiplies by a matrix an axis", () => {
    const b = newBuilder();
    const x = b.input("x", dtype, ["N", 3, 4, 4]);
    const scales = b.constant(tensorOf("float32", [4], [1, 1, 2.5, 2.5]));
    const y = b.apply("Resize", [x, undefined, scales], { mode: "linear" }, "y");
    const derived = withGradients(b.graph([y]), { output: "y", wanted: ["x"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 3, 4, 4], dy: float32[N, 3, 10, 10]) -> y, grad:x
        constant: float32[4] = [1, 1, 2.5, 2.5]
        constant_1: float32[10, 4] = <40 elements>
        constant_2: float32[4, 10] = <40 elements>
        y: float32[N, 3, 10, 10] = Resize(x, _, constant) {mode: linear}
        MatMul: float32[N, 3, 10, 4] = MatMul(dy, constant_1)
        MatMul_1: float32[N, 3, 4, 4] = MatMul(constant_2, MatMul)
        grad:x: float32[N, 3, 4, 4] = Identity(MatMul_1)"
    `);
  });

  it("refuses a map whose size nobody knows", () => {
    const b = newBuilder();
    const x = b.input("x", dtype, ["N", 3, "H", 4]);
    const scales = b.constant(tensorOf("float32", [4], [1, 1, 2, 2]));
    const y = b.apply("Resize", [x, undefined, scales], { mode: "linear" }, "y");
    expect(() => withGradients(b.graph([y]), { output: "y", wanted: ["x"] })).toThrow(/Resize "y": .*must be known/);
  });
});

describe("GridSample", () => {
  const modes = ["linear", "nearest", "cubic"] as const;
  const paddings = ["zeros", "border", "reflection"] as const;
  /** Points at least a difference away from the kinks at pixels, borders and their reflections. */
  function grid(shape: readonly number[], sizes: readonly number[], alignCorners: boolean, within: number): InputSpec {
    const rank = sizes.length;
    const numbers = Array.from({ length: elementCount(shape) }, (_, index) => {
      const size = sizes[rank - 1 - (index % rank)] ?? 1;
      for (;;) {
        const normal = within * (2 * random() - 1);
        const pixel = alignCorners ? ((normal + 1) / 2) * (size - 1) : ((normal + 1) * size - 1) / 2;
        const halves = Math.abs(pixel * 2 - Math.round(pixel * 2));
        if (halves > 0.2) return normal;
      }
    });
    return { tensor: tensorOf(dtype, shape, numbers), declared: shape.map((size, axis) => (axis === 0 ? "N" : size)) };
  }

  for (const mode of modes) {
    for (const paddingMode of paddings) {
      for (const alignCorners of [false, true]) {
        it(`derives ${mode} samples with ${paddingMode} padding${alignCorners ? ", corners aligned" : ""}`, async () => {
          const attributes = { mode, paddingMode, alignCorners };
          const shapes =
            mode === "cubic"
              ? [[4, 5]]
              : [
                  [4, 5],
                  [3, 4, 3],
                ];
          for (const sizes of shapes) {
            const points = grid([2, ...sizes.map(() => 3), sizes.length], sizes, alignCorners, 1.8);
            await checkGradient(
              { x: batched([2, 2, ...sizes]), grid: points },
              (b, v) => b.apply("GridSample", [v.x, v.grid], attributes),
              { dtype },
            );
          }
        });
      }
    }
  }
});

describe("AffineGrid", () => {
  it("derives by the transformation", async () => {
    for (const alignCorners of [false, true]) {
      for (const sizes of [
        [2, 3, 4, 5],
        [2, 1, 2, 3, 4],
      ]) {
        const theta = batched([2, sizes.length - 2, sizes.length - 1]);
        const size = { tensor: int64Vector(sizes) };
        await checkGradient({ theta, size }, (b, v) => b.apply("AffineGrid", [v.theta, v.size], { alignCorners }), {
          dtype,
        });
        await checkGradient({ theta }, (b, v) => b.apply("AffineGrid", [v.theta, b.ints(sizes)], { alignCorners }), {
          dtype,
        });
      }
    }
  });
});

describe("RoiAlign", () => {
  const regions = {
    regions: { tensor: tensorOf(dtype, [4, 4], [0, 0, 3, 3, 1, 2, 6, 5, -2, -1, 9, 8, 4, 4, 4.2, 4.1]) },
    batch: { tensor: int64Vector([0, 1, 1, 0]) },
  };
  it("derives averages of a fixed number of samples by the map", async () => {
    for (const coordinateTransformationMode of ["half_pixel", "output_half_pixel"]) {
      await checkGradient(
        { x: batched([2, 3, 6, 7]), ...regions },
        (b, v) =>
          b.apply("RoiAlign", [v.x, v.regions, v.batch], {
            coordinateTransformationMode,
            outputHeight: 2,
            outputWidth: 3,
            samplingRatio: 2,
            spatialScale: 0.9,
          }),
        { dtype, wanted: ["x"] },
      );
    }
  });

  it("refuses maxima and adaptive numbers of samples", () => {
    for (const attributes of [{ mode: "max", samplingRatio: 2 }, { samplingRatio: 0 }]) {
      const b = newBuilder();
      const [x, r, i] = [b.input("x", dtype, [1, 1, 4, 4]), b.input("r", dtype, [1, 4]), b.input("i", "int64", [1])];
      const graph = b.graph([b.apply("RoiAlign", [x, r, i], attributes, "y")]);
      expect(() => withGradients(graph, { output: "y", wanted: ["x"] })).toThrow(/RoiAlign "y": only averages/);
    }
  });
});

describe("random numbers", () => {
  it("do not depend on what they are drawn like", async () => {
    const b = newBuilder();
    const x = b.input("x", dtype, [3]);
    const y = b.apply("RandomUniformLike", [x], {}, "y");
    const results = await runGraph(withGradients(b.graph([y]), { output: "y", wanted: ["x"] }), {
      x: tensorOf(dtype, [3], [1, 2, 3]),
      dy: tensorOf(dtype, [3], [1, 2, 3]),
    });
    expect([...(results.get("grad:x")?.data ?? [])]).toEqual([0, 0, 0]);
  });
});
