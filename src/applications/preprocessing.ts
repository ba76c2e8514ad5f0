/** @file From pixels to what a family takes: Keras's `preprocess_input` and its modes. */

/**
 * Keras's modes. `tf`: x / 127.5 − 1. `torch`: (x / 255 − mean) / deviation a channel. `caffe`: BGR less the mean.
 * `raw`: the pixels as they are, because layers inside scale them.
 */
export type PreprocessingMode = "tf" | "torch" | "caffe" | "raw";

const torchMean = [0.485, 0.456, 0.406];
const torchDeviation = [0.229, 0.224, 0.225];
/** In the order blue, green, red. */
const caffeMean = [103.939, 116.779, 123.68];

/**
 * Pixels `[…, 3]` in RGB, 0–255 and channels last, as the mode's input in the same order of axes. The numbers are those of
 * Keras, which works in float32.
 */
export function preprocessInput(pixels: ArrayLike<number>, mode: PreprocessingMode): Float32Array {
  const values = Float32Array.from(pixels);
  if (values.length % 3 !== 0 && mode !== "raw" && mode !== "tf") {
    throw new RangeError(`pixels have three channels, not ${values.length} values`);
  }
  for (let index = 0; index < values.length; index++) {
    const channel = index % 3;
    const value = values[index] ?? 0;
    switch (mode) {
      case "tf":
        values[index] = Math.fround(value / 127.5) - 1;
        break;
      case "torch":
        values[index] =
          Math.fround(Math.fround(value / 255) - (torchMean[channel] ?? 0)) / (torchDeviation[channel] ?? 1);
        break;
      case "caffe":
        // Red and blue change places below, so that each is already shifted as what it becomes.
        values[index] = value - (caffeMean[2 - channel] ?? 0);
        break;
      default:
        break;
    }
  }
  if (mode === "caffe") {
    for (let index = 0; index + 2 < values.length; index += 3) {
      const red = values[index] ?? 0;
      values[index] = values[index + 2] ?? 0;
      values[index + 2] = red;
    }
  }
  return values;
}
