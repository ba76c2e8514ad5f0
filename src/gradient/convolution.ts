/** @file Derivatives of convolutions: each gradient is a convolution again (Dumoulin and Visin, arXiv:1603.07285). */
import type { ConvolutionOperators, Value } from "../graph/index.ts";
import { by, type Gradient, type GradientRules, inputAt, rankOf, type Step } from "./rule.ts";
import { range, reshapeLike, reshapeTo, sizesOf } from "./sizes.ts";
import { correlate, correlateOverBatch, spatialShape, spread, transposedWindowOf, windowOf } from "./window.ts";

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
  // y[n, m, p] = Σ_{c,k} w[m, c, k]·x[n, c, p·s + k·d − pad] + bias[m]:
  // dx spreads every dy[p] by w over its window; dw correlates x with dy; dbias sums dy
  Conv: by((step) => {
    if (isPixelwise(step)) return pixelwise(step);
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
