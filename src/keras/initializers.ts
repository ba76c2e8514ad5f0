/** @file First values of kernels, with Keras's definitions. */
import { elementCount, float32, GraftError, type NumericTensor } from "../tensor/index.ts";

/** Keras's names. `glorot_uniform` is the default of its layers. */
export type Initializer =
  | "glorot_uniform"
  | "glorot_normal"
  | "he_uniform"
  | "he_normal"
  | "lecun_uniform"
  | "lecun_normal"
  | "zeros"
  | "ones";

/** The variance that each asks for, by the numbers of inputs and outputs of a unit. */
const variances: { readonly [name: string]: (fanIn: number, fanOut: number) => number } = {
  glorot: (fanIn, fanOut) => 2 / (fanIn + fanOut),
  he: (fanIn) => 2 / fanIn,
  lecun: (fanIn) => 1 / fanIn,
};

/** The standard deviation of a standard normal cut off at ±2, by which Keras's normal initializers are widened. */
const truncatedDeviation = 0.87962566103423978;

/**
 * Draws `[fanIn, fanOut]` (Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998): uniform in ±√(3·variance), or
 * normal cut off at two deviations. `random` gives numbers uniform in [0, 1).
 */
export function initialize(name: Initializer, shape: readonly [number, number], random: () => number): NumericTensor {
  const values = new Float32Array(elementCount(shape));
  if (name === "zeros" || name === "ones") return float32(shape, values.fill(name === "ones" ? 1 : 0));
  const [scheme = "", distribution] = name.split("_");
  const variance = Object.hasOwn(variances, scheme) ? variances[scheme]?.(...shape) : undefined;
  if (variance === undefined) {
    throw new GraftError("usage", `there is no initializer "${name}"`, {
      expected: `one of ${Object.keys(variances)
        .flatMap((each) => [`${each}_uniform`, `${each}_normal`])
        .join(", ")}, zeros, ones`,
    });
  }
  const limit = Math.sqrt(3 * variance);
  const deviation = Math.sqrt(variance) / truncatedDeviation;
  const draw = distribution === "normal" ? () => deviation * truncatedNormal(random) : () => limit * (2 * random() - 1);
  for (let index = 0; index < values.length; index++) values[index] = draw();
  return float32(shape, values);
}

/** Box and Muller's transform; what lies beyond two deviations is drawn again. */
function truncatedNormal(random: () => number): number {
  for (;;) {
    const value = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    if (Math.abs(value) <= 2) return value;
  }
}
