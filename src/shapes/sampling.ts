/** @file Shapes of operators that sample maps or draw random numbers. */
import type { Application, SamplingOperators, ValueType } from "../graph/index.ts";
import { type Dimension, type DType, GraftError, normalizeAxis, type Shape } from "../tensor/index.ts";
import {
  expectLength,
  expectRank,
  inputAt,
  type Known,
  lengthOf,
  type ShapeRules,
  shapeFrom,
  typed,
  unify,
  unknownOfRank,
} from "./rule.ts";

function drawnLike(application: Application, dtype: DType | undefined): readonly ValueType[] {
  const x = inputAt(application, 0);
  return [{ dtype: dtype ?? x.dtype, shape: x.shape }];
}

export const samplingShapes: ShapeRules<SamplingOperators> = {
  // θ [N, 2, 3] and size (N, C, H, W) → [N, H, W, 2]; one dimension more for volumes
  AffineGrid: (application, known) => {
    const theta = inputAt(application, 0);
    const size = shapeFrom(application.inputs[1], known);
    if (size === undefined) {
      const length = lengthOf(application.inputs[1], known);
      return [
        typed(theta, length === undefined || length < 2 ? undefined : [...unknownOfRank(length - 1), length - 2]),
      ];
    }
    const [batch = null, , ...spatial] = size;
    return [typed(theta, [batch, ...spatial, spatial.length])];
  },
  Bernoulli: (application) => drawnLike(application, application.attributes.dtype),
  // x [N, C, H, W] at grid [N, P, Q, 2] → [N, C, P, Q]
  GridSample: (application) => {
    const x = inputAt(application, 0);
    const grid = inputAt(application, 1);
    const rank = x.shape?.length ?? grid.shape?.length;
    if (rank === undefined) return [typed(x, undefined)];
    expectRank(x, "the sampled input", 3, Number.POSITIVE_INFINITY);
    expectRank(grid, "the grid", rank);
    const batch = unify(x.shape?.[0], grid.shape?.[0], "the batches of input and grid");
    if (grid.shape !== undefined) unify(rank - 2, grid.shape[rank - 1], "the spatial rank and the grid's coordinates");
    return [typed(x, [batch, x.shape?.[1] ?? null, ...(grid.shape?.slice(1, -1) ?? unknownOfRank(rank - 2))])];
  },
  RandomNormalLike: (application) => drawnLike(application, application.attributes.dtype),
  RandomUniformLike: (application) => drawnLike(application, application.attributes.dtype),
  Resize: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, x.shape && resizedShape(application, x.shape, known))];
  },
  // x [N, C, H, W], regions [R, 4] → [R, C, output_height, output_width]
  RoiAlign: (application) => {
    const x = inputAt(application, 0);
    const regions = inputAt(application, 1);
    expectRank(x, "the input", 4);
    expectRank(regions, "the regions", 2);
    const { outputHeight, outputWidth } = application.attributes;
    const count = unify(
      regions.shape?.[0],
      application.inputs[2]?.shape?.[0],
      "the numbers of regions and batch indices",
    );
    return [typed(x, [count, x.shape?.[1] ?? null, outputHeight, outputWidth])];
  },
};

/** sizes as given, or ⌊size · scale⌋, on the chosen axes; policies keep the aspect ratio by one common scale. */
function resizedShape(application: Application<"Resize">, shape: Shape, known: Known): Shape {
  const { attributes, inputs } = application;
  const axes = attributes.axes?.map((axis) => normalizeAxis(axis, shape.length)) ?? [...shape.keys()];
  const result = [...shape];
  const [scales, sizes] = [inputs[2], inputs[3]];
  if (sizes !== undefined && lengthOf(sizes, known) !== 0) {
    const targets = shapeFrom(sizes, known) ?? unknownOfRank(axes.length);
    expectLength(targets, axes.length, "Resize's sizes");
    const fitted = attributes.keepAspectRatioPolicy === "stretch" ? targets : fit(attributes, shape, axes, targets);
    for (const [index, axis] of axes.entries()) result[axis] = fitted[index] ?? null;
    return result;
  }
  const factors = known.elementsOf(scales) ?? unknownOfRank(axes.length);
  // Scales of no elements leave everything to the sizes, which are missing too: nothing is resized.
  if (factors.length > 0) expectLength(factors, axes.length, "Resize's scales");
  for (const [index, axis] of axes.entries()) result[axis] = scaled(shape[axis] ?? null, factors[index] ?? null);
  return result;
}

function scaled(size: Dimension, factor: Dimension): Dimension {
  if (factor === 1) return size;
  if (typeof size !== "number" || typeof factor !== "number") return null;
  if (!(factor > 0)) throw new GraftError("model-invalid", "a scale must be positive", { actual: String(factor) });
  // In float32, as the run computes it: 5 · 2.6 is 13 there, and less in float64.
  return Math.floor(Math.fround(size * factor));
}

/** The smallest or largest of the scales for all axes, sizes rounded half up (onnx/docs/Operators.md, Resize). */
function fit(
  { keepAspectRatioPolicy }: Application<"Resize">["attributes"],
  shape: Shape,
  axes: readonly number[],
  targets: Shape,
): Shape {
  const ratios = axes.map((axis, index) => {
    const [target, size] = [targets[index], shape[axis]];
    return typeof target === "number" && typeof size === "number" ? target / size : Number.NaN;
  });
  const scale = keepAspectRatioPolicy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map((axis) => {
    const size = shape[axis];
    return Number.isNaN(scale) || typeof size !== "number" ? null : Math.floor(scale * size + 0.5);
  });
}
