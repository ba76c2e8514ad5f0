/** @file Weights for builders: drawn ones, and what a builder asks for. */
import type { WeightSource, WeightSpec } from "../layers/index.ts";
import { elementCount, randomNumbers } from "../tensor/index.ts";

/**
 * First values as Keras draws them: kernels Glorot uniform (Glorot and Bengio 2010, eq. 16), scales and variances one,
 * the scales of ConvNeXt's layers 1e-6, the rest zero. The same seed gives the same weights.
 */
export function randomWeights(seed = 0): WeightSource {
  const next = randomNumbers(seed);
  return ({ weight, shape }) => {
    const values = new Float32Array(elementCount(shape));
    if (weight === "kernel") {
      const receptive = elementCount(shape.slice(0, -2));
      const limit = Math.sqrt(6 / (receptive * ((shape.at(-2) ?? 1) + (shape.at(-1) ?? 1))));
      for (let index = 0; index < values.length; index++) values[index] = limit * (2 * next() - 1);
    }
    if (weight.startsWith("variable")) return values.fill(1e-6);
    return /(^|_)(gamma|variance)$/.test(weight) ? values.fill(1) : values;
  };
}

/** The weights a builder asks for, in its order, which is Keras's. */
export function weightSpecsOf(build: (weights: WeightSource) => unknown): readonly WeightSpec[] {
  const specs: WeightSpec[] = [];
  build((spec) => {
    specs.push(spec);
    return new Float32Array(elementCount(spec.shape));
  });
  return specs;
}
