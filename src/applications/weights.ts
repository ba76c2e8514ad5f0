/** @file Where a builder's weights come from: by layer, weight and shape, all as Keras names and lays them out. */
import { elementCount, randomNumbers } from "../tensor/index.ts";

/** A weight that a model has: its layer, its own name, and its shape in Keras's layout. */
export interface WeightSpec {
  readonly layer: string;
  /** `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`. */
  readonly weight: string;
  /** Keras's layout: `[height, width, in, out]`, for depthwise kernels `[height, width, in, multiplier]`. */
  readonly shape: readonly number[];
}

/** Gives the elements of a weight, row-major in Keras's layout. Asked once a weight, in Keras's order. */
export type WeightSource = (spec: WeightSpec) => Float32Array;

/**
 * First values as Keras draws them: kernels Glorot uniform (Glorot and Bengio 2010, eq. 16), scales and variances one,
 * the rest zero. The same seed gives the same weights.
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
    return weight === "gamma" || weight === "moving_variance" ? values.fill(1) : values;
  };
}

/** The weights a builder asks for, in its order. */
export function weightSpecsOf(build: (weights: WeightSource) => unknown): readonly WeightSpec[] {
  const specs: WeightSpec[] = [];
  build((spec) => {
    specs.push(spec);
    return new Float32Array(elementCount(spec.shape));
  });
  return specs;
}
