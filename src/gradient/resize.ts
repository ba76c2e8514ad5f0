/** @file The derivative of Resize: a linear map for each axis, whose matrices are known when the sizes are. */
import type { NearestMode, OperatorAttributes, Value } from "../graph/index.ts";
import { areEqualDimensions, GraftError, normalizeAxis, numbersOf } from "../tensor/index.ts";
import { multiplyAlong, type SparseMatrix } from "./place.ts";
import { by, type Differentiable, rankOf, type Step } from "./rule.ts";
import { range, reshapeTo, sizesOf } from "./sizes.ts";
import { numberOf } from "./window.ts";

type Attributes = OperatorAttributes["Resize"];

/** One resized axis. */
export interface Resizing {
  readonly size: number;
  readonly target: number;
  readonly scale: number;
  /** Start and end of the part to be sampled, in fractions of the axis. */
  readonly region: readonly [start: number, end: number];
}

const { fround } = Math;

/**
 * Where an output element lies in the input (onnx/docs/Operators.md, Resize), in float32 as ONNX Runtime computes it:
 * nearest neighbours depend on the last bit.
 */
function coordinateOf(attributes: Attributes, index: number, { size, target, scale, region }: Resizing): number {
  const factor = fround(scale);
  const halfPixel = () => fround(fround(fround(index + 0.5) / factor) - 0.5);
  switch (attributes.coordinateTransformationMode) {
    case "half_pixel":
      return halfPixel();
    case "pytorch_half_pixel":
      return target > 1 ? halfPixel() : 0;
    case "asymmetric":
      return fround(index / factor);
    case "align_corners":
      return target === 1 ? 0 : fround(fround(index * fround(size - 1)) / fround(target - 1));
    case "tf_half_pixel_for_nn":
      return fround(fround(index + 0.5) / factor);
    // The centre of the input maps to the centre of the output, which differs where the scaled size is no integer.
    case "half_pixel_symmetric": {
      const adjustment = fround(target / fround(factor * size));
      const offset = fround(fround(size / 2) * fround(1 - adjustment));
      return fround(offset + (index + 0.5) / factor - 0.5);
    }
    case "tf_crop_and_resize": {
      const [start, end] = region.map(fround) as [number, number];
      if (target === 1) return fround(fround(0.5 * fround(start + end)) * fround(size - 1));
      const offset = fround(start * fround(size - 1));
      const step = fround(fround(index * fround(end - start)) * fround(size - 1));
      return fround(offset + fround(step / fround(target - 1)));
    }
  }
}

/** ONNX Runtime takes what is as near to the middle between two elements as float32 tells for the middle. */
const isMiddle = (coordinate: number): boolean => Math.abs(coordinate - Math.floor(coordinate) - 0.5) <= 1e-6;

const nearest: { readonly [M in NearestMode]: (coordinate: number) => number } = {
  round_prefer_floor: (coordinate) => (isMiddle(coordinate) ? Math.floor(coordinate) : Math.round(coordinate)),
  round_prefer_ceil: (coordinate) => (isMiddle(coordinate) ? Math.ceil(coordinate) : Math.round(coordinate)),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The interpolating kernels: weights by distance, and how far they reach. Cubic by Keys with coefficient a. */
function kernelOf({ mode, cubicCoeffA: a }: Attributes): { reach: number; weight: (distance: number) => number } {
  if (mode === "linear") return { reach: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) };
  return {
    reach: 2,
    weight: (distance) => {
      const d = Math.abs(distance);
      if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
      return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    },
  };
}

/** For each output element the input elements it is made of, with their weights. */
export function interpolation(attributes: Attributes, resizing: Resizing): SparseMatrix {
  const { size, target, scale } = resizing;
  const inside = (index: number) => Math.min(Math.max(index, 0), size - 1);
  return range(target).map((index) => {
    const coordinate = coordinateOf(attributes, index, resizing);
    const isCropped = attributes.coordinateTransformationMode === "tf_crop_and_resize";
    // Outside the image there is the extrapolation value, which no element of x made.
    if (isCropped && (coordinate < 0 || coordinate > size - 1)) return new Map();
    if (attributes.mode === "nearest") return new Map([[inside(nearest[attributes.nearestMode](coordinate)), 1]]);
    // With antialiasing, the kernel is as much wider as the image becomes smaller.
    const stretch = attributes.antialias ? Math.min(fround(scale), 1) : 1;
    const { reach, weight } = kernelOf(attributes);
    const first = Math.floor(coordinate - reach / stretch) + 1;
    const taps = range(Math.ceil((2 * reach) / stretch) + 1)
      .map((offset) => first + offset)
      .map((place) => [place, weight((place - coordinate) * stretch)] as const)
      .filter(([place]) => !attributes.excludeOutside || place === inside(place));
    const sum = taps.reduce((total, [, share]) => total + share, 0);
    const isNormalized = attributes.antialias || attributes.excludeOutside;
    const row = new Map<number, number>();
    // Beyond the border lies the border's own element.
    for (const [place, share] of taps) {
      const known = row.get(inside(place)) ?? 0;
      if (share !== 0) row.set(inside(place), known + (isNormalized ? share / sum : share));
    }
    return row;
  });
}

/** How often each input element is repeated, if that is all that happens. */
function repeats(matrix: SparseMatrix, size: number): number | undefined {
  const count = matrix.length / size;
  const repeated = (row: ReadonlyMap<number, number>, index: number) =>
    row.size === 1 && row.get(Math.floor(index / count)) === 1;
  return Number.isInteger(count) && matrix.every(repeated) ? count : undefined;
}

/** The axes that change, with all that is known of how. Throws where sizes or scales are known only at run time. */
function resizings({ build, attributes, inputs, x, y }: Step<"Resize">): (Resizing & { axis: number })[] {
  const { coordinateTransformationMode, keepAspectRatioPolicy } = attributes;
  const [, regionInput, scalesInput, sizesInput] = inputs;
  const rank = rankOf(x);
  const axes = attributes.axes?.map((axis) => normalizeAxis(axis, rank)) ?? range(rank);
  const byScales = isGiven(scalesInput);
  const isCropped = coordinateTransformationMode === "tf_crop_and_resize";
  const regions = isCropped ? constantNumbers(regionInput) : [];
  const scales = byScales ? constantNumbers(scalesInput) : [];
  const size = (axis: number) => numberOf(x.shape?.[axis], "it is resized", x);
  const common = byScales || keepAspectRatioPolicy === "stretch" ? undefined : commonScale();
  const resized = axes.flatMap((axis, index) => {
    const isSame = byScales ? scales[index] === 1 : areEqualDimensions(y.shape?.[axis], x.shape?.[axis]);
    // ONNX Runtime takes an axis of scale 1 as it is, whatever the region.
    if (isSame && (common ?? 1) === 1) return [];
    const target = numberOf(y.shape?.[axis], "it is resized to", y);
    const scale = scales[index] ?? common ?? target / size(axis);
    const region = [regions[index] ?? 0, regions[index + axes.length] ?? 1] as const;
    return [{ axis, size: size(axis), target, scale, region }];
  });
  // And where no size changes, or not that of an axis to be antialiased, it copies, whatever the scales.
  const changed = resized.filter((each) => each.size !== each.target);
  return attributes.antialias || changed.length === 0 ? changed : resized;

  /** All axes have the scale of the one that decides. */
  function commonScale(): number {
    const requested = constantNumbers(sizesInput);
    const ratios = axes.map((axis, index) => (requested[index] ?? 0) / size(axis));
    return keepAspectRatioPolicy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  }

  function constantNumbers(input: Value | undefined): number[] {
    const tensor = build.constantOf(input);
    if (tensor !== undefined) return numbersOf(tensor);
    throw new GraftError("not-differentiable", "how it resizes must be known", {
      hint: "make scales, sizes and region constants by fixing the sizes of the model's inputs",
    });
  }
}

/** Whether an input is there; an empty one stands for a missing one. */
function isGiven(input: Value | undefined): boolean {
  return input !== undefined && input.shape?.[0] !== 0;
}

/** y = (A₁ ⊗ A₂ ⊗ …)·x, with a matrix Aᵢ of weights for each resized axis: dx = (A₁ᵀ ⊗ A₂ᵀ ⊗ …)·dy. */
export const resizeGradient: Differentiable<"Resize"> = by((step) => [
  () => {
    const { build: b, attributes, dy } = step;
    return resizings(step).reduceRight((gradient, resizing) => {
      const { axis, size } = resizing;
      const matrix = interpolation(attributes, resizing);
      const count = repeats(matrix, size);
      if (count === undefined) return multiplyAlong(b, gradient, axis, matrix, size);
      const split = [...sizesOf(gradient, 0, axis), size, count, ...sizesOf(gradient, axis + 1)];
      return count === 1 ? gradient : b.reduceSum(reshapeTo(b, gradient, split), [axis + 1], false);
    }, dy);
  },
]);
