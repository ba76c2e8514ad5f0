/** @file The formula by which cases of applications are made: weights and pixels, so that no file of weights is needed. */
import type { WeightSource, WeightSpec } from "../../src/layers/index.ts";
import { elementCount, float32, type NumericTensor } from "../../src/tensor/index.ts";

/** Numbers in [-1, 1) from a position and an index: the cases' own formula, so that no weight file is needed. */
export function unit(stream: number, index: number): number {
  let hash = (Math.imul(index, 2654435761) + Math.imul(stream, 2246822519) + 374761393) >>> 0;
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822519);
  hash ^= hash >>> 13;
  return (2 * (hash >>> 0)) / 2 ** 32 - 1;
}

/** The formula's weights, by the names that Keras has: `listed` in its order, or as the builder has them. */
export function formulaWeights(listed: readonly (readonly [string, string, unknown])[] = []): WeightSource {
  let position = 0;
  return ({ layer, weight, shape }: WeightSpec) => {
    const stream = position++;
    const last = listed[stream]?.[1] ?? weight;
    if (last === "count") return new Float32Array(elementCount(shape));
    const isDepthwise =
      weight.includes("depthwise") || /depthwise$|_dwconv2?$|^conv_dw_\d+$|depthwise_conv$/.test(layer);
    const fanIn = isDepthwise ? elementCount(shape.slice(0, 2)) : elementCount(shape.slice(0, -1));
    const [scale, offset] =
      shape.length >= 2
        ? [Math.sqrt(3 / fanIn), 0]
        : last.endsWith("gamma")
          ? [0.2, 1]
          : last.endsWith("variance")
            ? [0.5, 1]
            : [0.1, 0];
    const values = new Float32Array(elementCount(shape));
    for (let index = 0; index < values.length; index++) values[index] = offset + scale * unit(stream, index);
    return values;
  };
}

/** Pixels 0–255 in Keras's order. */
export function pixels(shape: readonly [number, number, number]): Float32Array {
  return Float32Array.from({ length: elementCount(shape) }, (_, index) =>
    Math.floor((256 * (unit(99991, index) + 1)) / 2),
  );
}

/** `[1, H, W, C]` as `[1, C, H, W]`. */
export function channelsFirst(
  values: Float32Array,
  [height, width, channels]: readonly [number, number, number],
): NumericTensor {
  const data = new Float32Array(values.length);
  values.forEach((value, index) => {
    data[(index % channels) * height * width + Math.floor(index / channels)] = value;
  });
  return float32([1, channels, height, width], data);
}
