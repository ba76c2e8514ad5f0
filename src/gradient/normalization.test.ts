/** @file Derivatives of normalizations, of softmax and of the losses ONNX knows. */
import { describe, it } from "vitest";
import type { LossReduction } from "../graph/index.ts";
import { tensorOf } from "../tensor/index.ts";
import { checkGradient, type InputSpec, randomNumbers, randomTensor } from "../testing/index.ts";

const random = randomNumbers(11);
const positive = (shape: readonly number[]) => ({ tensor: randomTensor(random, "float64", shape, [0.5, 1.5]) });
const symbolic = (shape: readonly number[], dtype: "float64" | "float32" = "float64"): InputSpec => ({
  tensor: randomTensor(random, dtype, shape),
  declared: ["N", ...shape.slice(1)],
});

describe("BatchNormalization", () => {
  for (const shape of [
    [4, 3],
    [2, 3, 5],
    [2, 3, 2, 4],
    [2, 3, 2, 2, 2],
  ]) {
    it(`derives by all five inputs with stored statistics, [${shape}]`, () =>
      checkGradient(
        { x: symbolic(shape), scale: [3], bias: [3], mean: [3], variance: positive([3]) },
        (b, { x, scale, bias, mean, variance }) => b.apply("BatchNormalization", [x, scale, bias, mean, variance]),
      ));

    it(`derives through the batch's own statistics in training, [${shape}]`, () =>
      checkGradient(
        { x: symbolic(shape), scale: [3], bias: [3], mean: [3], variance: positive([3]) },
        (b, { x, scale, bias, mean, variance }) =>
          b.applyAll("BatchNormalization", [x, scale, bias, mean, variance], 3, { trainingMode: true })[0] ?? x,
        { wanted: ["x", "scale", "bias"] },
      ));
  }

  it("derives the running statistics too", () =>
    checkGradient(
      { x: [4, 3, 2], scale: [3], bias: [3], mean: [3], variance: { tensor: tensorOf("float32", [3], [0.7, 1, 1.4]) } },
      (b, { x, scale, bias, mean, variance }) => {
        // ONNX Runtime writes the new statistics over the old: products, so that the inputs stay as they are.
        const inputs = [x, scale, bias, b.scale(mean, 2), b.scale(variance, 2)];
        const [y = x, runningMean = x, runningVariance = x] = b.applyAll("BatchNormalization", inputs, 3, {
          trainingMode: true,
          momentum: 0.75,
        });
        const statistics = b.mul(b.unsqueeze(runningMean, [1]), b.unsqueeze(runningVariance, [1]));
        return b.add(y, statistics);
      },
      { dtype: "float32" },
    ));
});

describe("LayerNormalization", () => {
  for (const [axis, scaleShape] of [
    [-1, [4]],
    [1, [3, 4]],
    [-2, [4]],
    [2, [1]],
  ] as const) {
    it(`derives from axis ${axis} on, with a scale of [${scaleShape}]`, () =>
      checkGradient({ x: symbolic([2, 3, 4]), scale: scaleShape, bias: scaleShape }, (b, { x, scale, bias }) =>
        b.apply("LayerNormalization", [x, scale, bias], { axis }),
      ));
  }

  it("derives without a bias", () =>
    checkGradient({ x: [2, 3, 4], scale: [4] }, (b, { x, scale }) => b.apply("LayerNormalization", [x, scale])));

  it("derives the mean and the inverse deviation as well", () =>
    checkGradient(
      { x: [2, 3, 4], scale: [4] },
      (b, { x, scale }) => {
        const [y = x, mean = x, inverse = x] = b.applyAll("LayerNormalization", [x, scale], 3, { axis: 1 });
        return b.mul(b.add(y, b.castLike(mean, x)), b.castLike(inverse, x));
      },
      { dtype: "float32" },
    ));
});

describe("GroupNormalization", () => {
  for (const [shape, numGroups] of [
    [[2, 6, 3], 3],
    [[2, 4, 2, 3], 1],
    [[2, 4, 2, 3], 4],
  ] as const) {
    it(`derives ${numGroups} groups of [${shape}]`, () =>
      checkGradient(
        { x: symbolic(shape, "float32"), scale: [shape[1]], bias: [shape[1]] },
        (b, { x, scale, bias }) => b.apply("GroupNormalization", [x, scale, bias], { numGroups }),
        { dtype: "float32" },
      ));
  }
});

describe("InstanceNormalization", () => {
  for (const shape of [
    [2, 3, 5],
    [2, 3, 4, 2],
  ]) {
    it(`derives [${shape}]`, () =>
      checkGradient(
        { x: shape, scale: [3], bias: [3] },
        (b, { x, scale, bias }) => b.apply("InstanceNormalization", [x, scale, bias]),
        { dtype: "float32" },
      ));
  }
});

describe("RMSNormalization", () => {
  for (const [axis, scaleShape] of [
    [-1, [4]],
    [1, [3, 4]],
  ] as const) {
    it(`derives from axis ${axis} on`, () =>
      checkGradient({ x: symbolic([2, 3, 4]), scale: scaleShape }, (b, { x, scale }) =>
        b.apply("RMSNormalization", [x, scale], { axis }),
      ));
  }
});

describe("LpNormalization, MeanVarianceNormalization and LRN", () => {
  for (const p of [1, 2]) {
    for (const axis of [-1, 1]) {
      it(`derives by the ${p}-norm along axis ${axis}`, () =>
        checkGradient({ x: symbolic([2, 5, 3]) }, (b, { x }) => b.apply("LpNormalization", [x], { p, axis })));
    }
  }

  for (const axes of [[0, 2, 3], [2, 3], [1]]) {
    it(`derives mean and variance over the axes ${axes}`, () =>
      checkGradient({ x: [2, 3, 4, 2] }, (b, { x }) => b.apply("MeanVarianceNormalization", [x], { axes }), {
        dtype: "float32",
      }));
  }

  // ONNX Runtime takes odd sizes only.
  for (const size of [1, 3, 5]) {
    it(`derives a response over ${size} neighbouring channels`, () =>
      checkGradient({ x: [2, 6, 3, 2] }, (b, { x }) => b.apply("LRN", [x], { size, alpha: 0.5, beta: 0.75, bias: 1 }), {
        dtype: "float32",
      }));
  }
});

describe("Softmax and LogSoftmax", () => {
  for (const operator of ["Softmax", "LogSoftmax"] as const) {
    for (const axis of [-1, 0, 1]) {
      it(`derives ${operator} along axis ${axis}`, () =>
        checkGradient({ x: symbolic([3, 4, 2]) }, (b, { x }) => b.apply(operator, [x], { axis })));
    }
  }
});

describe("losses over labels", () => {
  const reductions: readonly LossReduction[] = ["none", "sum", "mean"];
  const labels = (shape: readonly number[], numbers: readonly number[]) => ({
    tensor: tensorOf("int64", shape, numbers),
  });
  for (const operator of ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"] as const) {
    for (const reduction of reductions) {
      for (const weighted of [false, true]) {
        for (const ignoreIndex of [undefined, 1, -100]) {
          const ignored = ignoreIndex === -100 ? -100 : 1;
          const name = `derives ${operator}, ${reduction}${weighted ? ", weighted" : ""}, ignoring ${ignoreIndex}`;
          it(name, () =>
            checkGradient<string>(
              {
                x: symbolic([4, 3, 2]),
                t: labels(
                  [4, 2],
                  [0, 2, ignored, 0, 1, 2, 0, ignored].map((label) => (ignoreIndex ? label : Math.abs(label) % 3)),
                ),
                ...(weighted ? { w: positive([3]) } : {}),
              },
              (b, values) => b.apply(operator, Object.values(values), { reduction, ignoreIndex }),
              { dtype: "float64" },
            ),
          );
        }
      }
    }
  }

  it("derives the log-probabilities that the loss gives beside itself", () =>
    checkGradient({ x: [4, 3], t: labels([4], [0, 2, 1, 1]) }, (b, { x, t }) => {
      const [loss = x, logarithms = x] = b.applyAll("SoftmaxCrossEntropyLoss", [x, t], 2);
      return b.mul(loss, logarithms);
    }));
});
