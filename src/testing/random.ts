/** @file Random numbers that are the same in every run. */
import { elementCount, type NumericTensor, tensorOf } from "../tensor/index.ts";

/** Numbers uniform in [0, 1) from a 32-bit state (mulberry32, Tommy Ettinger). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

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
