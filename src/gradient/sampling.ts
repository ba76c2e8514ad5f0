/** @file Derivatives of operators that sample maps at other places, and of those that draw random numbers. */
import { numericTypeOf, type SamplingOperators, type Value } from "../graph/index.ts";
import { GraftError, tensorOf } from "../tensor/index.ts";
import { gridSampleGradient } from "./grid-sample.ts";
import { addAlong, sizeAt, upTo } from "./place.ts";
import { resizeGradient } from "./resize.ts";
import { by, type GradientRules, inputAt, rankOf, type Step, zero } from "./rule.ts";
import { range, reshapeLike, reshapeTo, sizesOf } from "./sizes.ts";

/** The points of a grid without a transformation, with a last coordinate of 1: `[points, d + 1]`. */
function homogeneousGrid(step: Step<"AffineGrid">, rank: number): Value {
  const { build: b, attributes, x } = step;
  const identity = range(rank * (rank + 1)).map((index) => (index % (rank + 2) === 0 ? 1 : 0));
  const still = b.constant(tensorOf(numericTypeOf(x), [1, rank, rank + 1], identity));
  const size = b.concat([b.ints([1]), b.slice(inputAt(step, 1), [1], [Number.MAX_SAFE_INTEGER], [0])], 0);
  const points = b.reshape(b.apply("AffineGrid", [still, size], attributes), [-1, rank]);
  return b.apply("Pad", [points, b.ints([0, 0, 0, 1]), b.scalar(1, x)]);
}

/**
 * How much each line of a map weighs in each bin of the regions, `[R, bins, size]`: the mean of linear weights at the
 * bin's sampling points. Points more than a pixel outside weigh nothing; those nearer lie on the border.
 */
function binWeights(step: Step<"RoiAlign">, axis: number, start: Value, end: Value, bins: number): Value {
  const { build: b, attributes, x } = step;
  const { samplingRatio, spatialScale, coordinateTransformationMode } = attributes;
  const isShifted = coordinateTransformationMode === "half_pixel";
  const place = (edge: Value) => b.shift(b.scale(edge, spatialScale), isShifted ? -0.5 : 0);
  const length = b.sub(place(end), place(start));
  const extent = isShifted ? length : b.apply("Max", [length, b.scalar(1, length)]);
  const samples = range(bins * samplingRatio).map((index) => (index + 0.5) / (bins * samplingRatio));
  const fractions = b.constant(tensorOf(numericTypeOf(x), [1, samples.length], samples));
  // [R, bins·samples]
  const points = b.add(place(start), b.mul(extent, fractions));
  const size = b.castLike(b.squeeze(b.sizeOf(x, axis), [0]), x);
  const zero = b.scalar(0, x);
  const isNear = b.and(b.apply("GreaterOrEqual", [points, b.scalar(-1, x)]), b.apply("LessOrEqual", [points, size]));
  const border = b.apply("Min", [b.apply("Max", [points, zero]), b.shift(size, -1)]);
  const lines = b.castLike(upTo(b, sizeAt(x, axis)), x);
  const distance = b.apply("Abs", [b.sub(b.unsqueeze(border, [2]), lines)]);
  const weights = b.apply("Relu", [b.sub(b.scalar(1, x), distance)]);
  const near = b.mul(weights, b.unsqueeze(b.castLike(isNear, x), [2]));
  return b.reduceMean(reshapeTo(b, near, [-1, bins, samplingRatio, sizeAt(x, axis)]), [2], false);
}

/** dx[b] = Σ over the regions r of map b of Hᵣᵀ·dyᵣ·Wᵣ, with the weights of lines and columns in the bins. */
function regionGradient(step: Step<"RoiAlign">): Value {
  const { build: b, attributes, x, dy } = step;
  const { mode, outputHeight, outputWidth, samplingRatio } = attributes;
  if (mode !== "avg" || samplingRatio <= 0) {
    throw new GraftError("not-differentiable", "only averages of a fixed number of samples have a derivative here", {
      expected: 'mode "avg" and a positive sampling_ratio',
      actual: `mode "${mode}" and sampling_ratio ${samplingRatio}`,
    });
  }
  const regions = inputAt(step, 1);
  const corner = (index: number) => b.slice(regions, [index], [index + 1], [1]);
  const lines = binWeights(step, 2, corner(1), corner(3), outputHeight);
  const columns = binWeights(step, 3, corner(0), corner(2), outputWidth);
  const linesOverBins = b.unsqueeze(b.transpose(lines, [0, 2, 1]), [1]);
  const maps = b.matMul(b.matMul(linesOverBins, dy), b.unsqueeze(columns, [1]));
  return reshapeLike(b, addAlong(b, maps, 0, inputAt(step, 2), sizeAt(x, 0)), x);
}

export const samplingGradients: GradientRules<SamplingOperators> = {
  // y = grid·θᵀ, for the points of the grid with a last coordinate of 1: dθ = dyᵀ·grid
  AffineGrid: by((step) => [
    () => {
      const { build: b, x, dy } = step;
      const rank = rankOf(dy) - 2;
      const points = reshapeTo(b, dy, [...sizesOf(x, 0, 1), -1, rank]);
      return b.matMul(b.transpose(points, [0, 2, 1]), homogeneousGrid(step, rank));
    },
  ]),
  Bernoulli: zero,
  GridSample: gridSampleGradient,
  RandomNormalLike: zero,
  RandomUniformLike: zero,
  Resize: resizeGradient,
  // y = Hᵣ·x[b]·Wᵣᵀ for region r of map b
  RoiAlign: by((step) => [() => regionGradient(step)]),
};
