/** @file Derivatives of convolutions: each gradient is a convolution again (Dumoulin and Visin, arXiv:1603.07285). */
import type { ConvolutionOperators, Value } from "../graph/index.ts";
import { GraftError, numbersOf } from "../tensor/index.ts";
import { by, type Gradient, type GradientRules, inputAt, rankOf, type Step } from "./rule.ts";
import { range, reshapeLike, reshapeTo, sizesOf } from "./sizes.ts";
import {
  correlate,
  correlateOverBatch,
  places,
  singleChannel,
  spatialShape,
  spread,
  transposedWindowOf,
  windowOf,
} from "./window.ts";

/** Σ of dy over everything but its channels. */
function biasGradient({ build, dy }: Step): Value {
  const axes = range(rankOf(dy)).filter((axis) => axis !== 1);
  return build.reduceSum(dy, axes, false);
}

/** Whether every output pixel is a product of the weight and one input pixel. */
function isPixelwise({ attributes: { group, pads, strides, autoPad }, inputs, x, y }: Step<"Conv">): boolean {
  const kernel = spatialShape(inputAt({ inputs }, 1));
  const sameSize = strides?.every((stride) => stride === 1) ?? true;
  const unpadded = autoPad === "VALID" || (pads?.every((pad) => pad === 0) ?? true);
  return group === 1 && sameSize && unpadded && kernel.every((size) => size === 1) && rankOf(x) === rankOf(y);
}

/** `pixelwise` for a single picture: a map is a matrix [channels, pixels], and each gradient is one product. */
function singlePicture(step: Step<"Conv">): readonly Gradient[] {
  const { build: b, inputs, x, dy } = step;
  const w = inputAt(step, 1);
  const matrix = (map: Value, first: number) => reshapeTo(b, map, [...sizesOf(map, first, first + 1), -1]);
  return [
    () => reshapeLike(b, b.apply("Gemm", [matrix(w, 0), matrix(dy, 1)], { transA: true }), x),
    () => reshapeLike(b, b.apply("Gemm", [matrix(dy, 1), matrix(x, 1)], { transB: true }), w),
    inputs[2] && (() => b.reduceSum(matrix(dy, 1), [1], false)),
  ];
}

/** y = w·x at every pixel: dx = wᵀ·dy, dw = Σ dy·xᵀ over pixels and batch, for w as a matrix [M, C]. */
function pixelwise(step: Step<"Conv">): readonly Gradient[] {
  const { build: b, inputs, x, dy } = step;
  const w = inputAt(step, 1);
  const matrix = reshapeTo(b, w, sizesOf(w, 0, 2));
  const pixels = (map: Value) => (rankOf(map) === 3 ? map : reshapeTo(b, map, [...sizesOf(map, 0, 2), -1]));
  const byChannel = (map: Value) => {
    const swapped = b.transpose(map, [1, 0, ...range(rankOf(map)).slice(2)]);
    return reshapeTo(b, swapped, [...sizesOf(map, 1, 2), -1]);
  };
  return [
    () => reshapeLike(b, b.matMul(b.transpose(matrix, [1, 0]), pixels(dy)), x),
    () => reshapeLike(b, b.apply("Gemm", [byChannel(dy), byChannel(x)], { transB: true }), w),
    inputs[2] && (() => biasGradient(step)),
  ];
}

export const convolutionGradients: GradientRules<ConvolutionOperators> = {
  // y adds up windows that lie as columns in x: dx lays the windows of dy out again
  Col2Im: by((step) => [
    () => {
      const { build: b, attributes, x, dy } = step;
      const block = b.constantOf(step.inputs[2]);
      if (block === undefined) {
        throw new GraftError("not-differentiable", "the size of the windows must be known", {
          hint: "make it a constant",
        });
      }
      const window = windowOf({ ...attributes, kernelShape: numbersOf(block) }, dy);
      return reshapeLike(b, correlate(b, singleChannel(b, dy), places(b, window, dy), window), x);
    },
  ]),
  // y[n, m, p] = Σ_{c,k} w[m, c, k]·x[n, c, p·s + k·d − pad] + bias[m]:
  // dx spreads every dy[p] by w over its window; dw correlates x with dy; dbias sums dy
  Conv: by((step) => {
    if (isPixelwise(step)) return step.x.shape?.[0] === 1 ? singlePicture(step) : pixelwise(step);
    const { build: b, attributes, inputs, x, y, dy } = step;
    const { group } = attributes;
    const w = inputAt(step, 1);
    const window = windowOf({ ...attributes, kernelShape: spatialShape(w) }, x, y);
    return [
      () => spread(b, dy, w, window, x, group),
      () => correlateOverBatch(b, x, dy, window, group),
      inputs[2] && (() => biasGradient(step)),
    ];
  }),
  // y is what a convolution by w would be the adjoint of: x and y change roles in the three gradients above
  ConvTranspose: by((step) => {
    const { build: b, attributes, inputs, x, y, dy } = step;
    const { group } = attributes;
    const w = inputAt(step, 1);
    const window = transposedWindowOf({ ...attributes, kernelShape: spatialShape(w) }, x, y);
    return [
      () => correlate(b, dy, w, window, group),
      () => correlateOverBatch(b, dy, x, window, group),
      inputs[2] && (() => biasGradient(step)),
    ];
  }),
};
