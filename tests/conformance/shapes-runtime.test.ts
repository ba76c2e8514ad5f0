/** @file Shape rules against what ONNX Runtime really gives, for random shapes and attributes. */
import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { AutoPad, Builder, Graph, Value } from "../../src/graph/index.ts";
import { onnxModelOf, writeModel } from "../../src/onnx/index.ts";
import { inferShapes, newBuilder } from "../../src/shapes/index.ts";
import { areCompatible, GraftError, type Shape } from "../../src/tensor/index.ts";

/** Shapes of the float32 inputs x₀, x₁, … and what is built on them. */
interface Case {
  readonly inputs: readonly (readonly number[])[];
  /** What to show beside the inputs when the example fails. */
  readonly about?: unknown;
  readonly build: (build: Builder, inputs: readonly Value[]) => readonly Value[];
}

const small = (minimum = 1, maximum = 6) => fc.integer({ min: minimum, max: maximum });
const shape = (minimum = 0, maximum = 4) => fc.array(small(), { minLength: minimum, maxLength: maximum });

function graphOf({ inputs, build }: Case, hide: (shape: readonly number[], index: number) => Shape) {
  const builder = newBuilder();
  const values = inputs.map((each, index) => builder.input(`x${index}`, "float32", hide(each, index)));
  return builder.graph(build(builder, values));
}

/** What ONNX Runtime gives for ones; `undefined` where it refuses. */
async function actualShapes(graph: Graph, inputs: Case["inputs"]) {
  const model = writeModel(onnxModelOf(graph));
  const feeds = Object.fromEntries(
    inputs.map((dims, index) => {
      const size = dims.reduce((product, each) => product * each, 1);
      return [`x${index}`, new ort.Tensor("float32", new Float32Array(size).fill(1), [...dims])];
    }),
  );
  try {
    const session = await ort.InferenceSession.create(model, {
      logSeverityLevel: 4,
      graphOptimizationLevel: "disabled",
    });
    const results = await session.run(feeds);
    await session.release();
    return graph.outputs.map(({ name }) => results[name]?.dims ?? []);
  } catch {
    return undefined;
  }
}

/** Shapes of what an error keeps from being built are `undefined`. */
function orRefused<T>(build: () => T): T | GraftError {
  try {
    return build();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
}

/** Known inputs give the shape that the run gives, or an error where it has one; unknown ones never contradict it. */
async function agrees(example: Case): Promise<"runs" | "refused"> {
  const unknown = orRefused(() => graphOf(example, (each) => each.map(() => null)));
  // Wrong whatever its inputs are, which leaves nothing to run.
  if (unknown instanceof GraftError) return "refused";
  const actual = await actualShapes(unknown, example.inputs);
  const typed = orRefused(() => graphOf(example, (each) => each));
  if (typed instanceof GraftError) {
    expect(actual, `we refuse what runs: ${typed.message}`).toBeUndefined();
    return "refused";
  }
  if (actual === undefined) return "refused";
  expect(typed.outputs.map((value) => value.shape)).toEqual(actual);
  const named = graphOf(example, (each, index) => each.map((_, axis) => `x${index}_${axis}`));
  for (const graph of [named, unknown, inferShapes(unknown)]) {
    for (const [index, value] of graph.outputs.entries()) {
      const dims = actual[index] ?? [];
      const names = new Map<string, number>(
        example.inputs.flatMap((each, i) => each.map((size, axis) => [`x${i}_${axis}`, size] as const)),
      );
      const bound = value.shape?.map((size) => (typeof size === "string" ? (names.get(size) ?? null) : size));
      expect(areCompatible(bound ?? dims, dims), `${value.name} is ${bound}, not ${dims}`).toBe(true);
    }
  }
  return "runs";
}

async function check(examples: fc.Arbitrary<Case>, numRuns = 60): Promise<void> {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(examples, async (example) => {
      if ((await agrees(example)) === "runs") runs++;
    }),
    { numRuns, seed: 7 },
  );
  expect(runs, "most examples run").toBeGreaterThan(numRuns / 4);
}

const autoPads = fc.constantFrom<AutoPad>("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER");

/** Windows that fit into the padded input: elsewhere ONNX Runtime gives empty results that mean nothing, and we refuse. */
const windows = fc
  .integer({ min: 1, max: 3 })
  .chain((rank) => {
    const perAxis = (minimum: number, maximum: number) =>
      fc.array(small(minimum, maximum), { minLength: rank, maxLength: rank });
    return fc.record({
      spatial: perAxis(1, 9),
      kernelShape: perAxis(1, 4),
      strides: perAxis(1, 3),
      dilations: perAxis(1, 2),
      pads: fc.tuple(perAxis(0, 2), perAxis(0, 2)).map(([begin, end]) => [...begin, ...end]),
      autoPad: autoPads,
      outputPadding: perAxis(0, 1),
      group: small(1, 2),
    });
  })
  .filter(({ spatial, kernelShape, dilations, pads, autoPad }) =>
    spatial.every((size, axis) => {
      const extent = ((kernelShape[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
      const padding = autoPad === "NOTSET" ? (pads[axis] ?? 0) + (pads[axis + spatial.length] ?? 0) : 0;
      return autoPad.startsWith("SAME") || extent <= size + padding;
    }),
  );

describe("shape rules give what ONNX Runtime gives", () => {
  test("for convolutions", () =>
    check(
      windows.map(({ spatial, outputPadding: _, ...attributes }) => ({
        inputs: [
          [2, 2 * attributes.group, ...spatial],
          [3 * attributes.group, 2, ...attributes.kernelShape],
        ],
        build: (build, inputs) => [build.apply("Conv", inputs, explicit(attributes))],
      })),
    ));

  test("for transposed convolutions", () =>
    check(
      windows.map(({ spatial, ...attributes }) => ({
        inputs: [
          [2, 2 * attributes.group, ...spatial],
          [2 * attributes.group, 3, ...attributes.kernelShape],
        ],
        build: (build, inputs) => {
          // More than a stride leaves out would be further input.
          const outputPadding = attributes.outputPadding.map((size, axis) =>
            attributes.strides[axis] === 1 ? 0 : size,
          );
          return [build.apply("ConvTranspose", inputs, { ...explicit(attributes), outputPadding })];
        },
      })),
    ));

  test("for transposed convolutions to a given size", () =>
    check(
      fc
        .tuple(windows, small(1, 4))
        .map(([{ spatial, pads: _, outputPadding: __, dilations: ___, ...attributes }, less]) => ({
          inputs: [
            [2, 2 * attributes.group, ...spatial],
            [2 * attributes.group, 3, ...attributes.kernelShape],
          ],
          build: (build, inputs) => {
            const outputShape = spatial.map((size, axis) =>
              Math.max(size * (attributes.strides[axis] ?? 1) - less + 1, 1),
            );
            return [build.apply("ConvTranspose", inputs, { ...attributes, outputShape })];
          },
        })),
    ));

  for (const operator of ["MaxPool", "AveragePool", "LpPool"] as const) {
    test(`for ${operator}`, () =>
      check(
        fc.tuple(windows, fc.boolean()).map(([{ spatial, group: _, outputPadding: __, ...attributes }, ceilMode]) => ({
          inputs: [[2, 3, ...spatial]],
          about: { ...attributes, ceilMode },
          build: (build, inputs) => [build.apply(operator, inputs, { ...undilated(attributes), ceilMode })],
        })),
        120,
      ));
  }

  test("for slices", () =>
    check(
      shape(1, 3).chain((dims) => {
        const bound = fc.oneof(fc.integer({ min: -8, max: 8 }), fc.constantFrom(2 ** 63, -(2 ** 63), 2 ** 31 - 1));
        const perAxis = <T>(each: fc.Arbitrary<T>) =>
          fc.array(each, { minLength: dims.length, maxLength: dims.length });
        const steps = fc.constantFrom(-3, -2, -1, 1, 2, 3);
        return fc.tuple(perAxis(bound), perAxis(bound), perAxis(steps)).map(([starts, ends, strides]) => ({
          inputs: [dims],
          about: { starts, ends, strides },
          build: (build: Builder, [x]: readonly Value[]) => {
            const axes = build.ints([...dims.keys()]);
            return [build.apply("Slice", [x, build.ints(starts), build.ints(ends), axes, build.ints(strides)])];
          },
        }));
      }),
      120,
    ));

  test("for broadcasting", () =>
    check(
      fc
        .tuple(shape(), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), small(0, 4))
        .map(([dims, ones, drop]) => ({
          inputs: [dims, dims.map((size, axis) => (ones[axis] ? 1 : size)).slice(Math.min(drop, dims.length))],
          build: (build, [a, b]) => (a && b ? [build.add(a, b), build.where(build.less(a, b), b, a)] : []),
        })),
    ));

  test("for matrix products", () =>
    check(
      fc.tuple(shape(0, 2), small(0, 2), small(0, 3), small(0, 3), small(0, 3)).map(([batch, drop, m, k, n]) => ({
        inputs: [m === 0 ? [k] : [...batch, m, k], n === 0 ? [k] : [...batch.slice(drop), k, n]],
        build: (build, [a, b]) => (a && b ? [build.matMul(a, b)] : []),
      })),
    ));

  test("for reshapes", () =>
    check(
      fc
        .tuple(shape(1, 4), fc.array(fc.constantFrom(-1, 0, 0, 1, 2, 3, 4, 6, 12), { maxLength: 4 }))
        .map(([dims, target]) => ({
          inputs: [dims],
          build: (build, [x]) => [build.apply("Reshape", [x, build.ints(target)])],
        })),
      150,
    ).catch((error: unknown) => {
      // Few random targets fit: what matters is that both refuse the same ones.
      if (!String(error).includes("most examples run")) throw error;
    }));

  test("for splits into parts that do not come out even", () =>
    check(
      fc.tuple(small(1, 9), small(1, 4)).map(([size, count]) => ({
        inputs: [[2, size]],
        build: (build, inputs) => build.applyAll("Split", inputs, count, { axis: 1, numOutputs: count }),
      })),
    ));

  test("for resizing by scales", () =>
    check(
      fc
        .tuple(small(1, 9), small(1, 9), fc.constantFrom(0.3, 0.5, 0.7, 1, 1.3, 2, 2.6))
        .map(([height, width, scale]) => ({
          inputs: [[1, 1, height, width]],
          build: (build, [x]) => {
            const scales = build.cast(build.ints([1]), "float32");
            const factor = build.scale(scales, scale);
            return [build.apply("Resize", [x, undefined, build.concat([scales, scales, factor, factor], 0)])];
          },
        })),
    ));

  test("for resizing that keeps the aspect ratio", () =>
    check(
      fc
        .tuple(small(1, 9), small(1, 9), small(1, 20), small(1, 20), fc.boolean())
        .map(([height, width, h, w, larger]) => ({
          inputs: [[1, 1, height, width]],
          build: (build, [x]) => [
            build.apply("Resize", [x, undefined, undefined, build.ints([h, w])], {
              axes: [2, 3],
              mode: "linear",
              keepAspectRatioPolicy: larger ? "not_smaller" : "not_larger",
            }),
          ],
        })),
    ));

  test("for shape arithmetic on sizes that only the run knows", () =>
    check(
      fc.tuple(shape(2, 4), small(1, 3), small(0, 1)).map(([dims, factor, axis]) => ({
        inputs: [dims],
        build: (build, [x]) => {
          if (x === undefined) return [];
          const sizes = build.apply("Shape", [x]);
          const first = build.gather(sizes, build.ints([axis]), 0);
          const rest = build.slice(sizes, [1], [2 ** 63], [0]);
          const grown = build.mul(first, build.ints([factor]));
          return [
            build.reshape(x, build.concat([build.ints([-1]), build.apply("ReduceProd", [rest])], 0)),
            build.apply("ConstantOfShape", [build.concat([grown, build.ints([2])], 0)]),
            build.apply("Tile", [x, build.apply("ConstantOfShape", [build.apply("Shape", [sizes])], { value: one })]),
          ];
        },
      })),
    ));
});

const one = { dtype: "int64", shape: [1], data: new BigInt64Array([2n]) } as const;

interface WindowExample {
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly autoPad: AutoPad;
}

/** Pads are written only where they count: ONNX Runtime refuses them beside auto_pad. */
function explicit<T extends WindowExample>(attributes: T) {
  return { ...attributes, pads: attributes.autoPad === "NOTSET" ? attributes.pads : undefined };
}

/** ONNX Runtime leaves dilations out of a pool's SAME padding, against ONNX's definition, which the rule follows. */
function undilated<T extends WindowExample>(attributes: T) {
  const dilations = attributes.autoPad.startsWith("SAME") ? attributes.dilations.map(() => 1) : attributes.dilations;
  return { ...explicit(attributes), dilations };
}
