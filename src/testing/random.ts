/** @file Random tensors that are the same in every run. */
import { elementCount, type NumericTensor, tensorOf } from "../tensor/index.ts";

/** A tensor of numbers uniform in [low, high). */
export function randomTensor(
  random: () => number,
  dtype: "float32" | "float64",
  shape: readonly number[],
  [low, high]: readonly [number, number] = [-1, 1],
): NumericTensor {
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: elementCount(shape) }, () => low + (high - low) * random()),
  );
}
