/** @file A linear head applied to features that are already there, and which of its answers are right. */
import { indexOfLargest } from "../evaluation/index.ts";

/** features·kernel + bias, `[examples, classes]`, summed in double precision. */
export function logitsOf(
  features: Float32Array,
  { kernel, bias }: { readonly kernel: Float32Array; readonly bias: Float32Array },
  classes: number,
): Float32Array {
  const width = kernel.length / classes;
  const count = features.length / width;
  const logits = new Float32Array(count * classes);
  const row = new Float64Array(classes);
  for (let example = 0; example < count; example++) {
    row.set(bias);
    for (let k = 0; k < width; k++) {
      const value = features[example * width + k] ?? 0;
      if (value === 0) continue;
      for (let c = 0; c < classes; c++) row[c] = (row[c] ?? 0) + value * (kernel[k * classes + c] ?? 0);
    }
    logits.set(row, example * classes);
  }
  return logits;
}

/** By example: 1 where the largest logit is its class's, else 0. */
export function rightness(logits: Float32Array, labels: readonly number[], classes: number): number[] {
  return labels.map((label, index) =>
    indexOfLargest(logits.subarray(index * classes, (index + 1) * classes)) === label ? 1 : 0,
  );
}
