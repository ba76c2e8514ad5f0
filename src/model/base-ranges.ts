/** @file The value ranges that bases are trained on: Keras's names of the modes are `tf`, `torch` and `caffe`. */
import type { PreprocessingMode } from "../applications/index.ts";
import type { ValueRange } from "./base.ts";

function even(name: string, scale: number, offset: number): ValueRange {
  return { name, channels: "rgb", scale: [scale, scale, scale], offset: [offset, offset, offset] };
}

/** x / 127.5 − 1: MobileNet, Inception, ResNetV2, most of TensorFlow. */
export const signedRange: ValueRange = even("[-1, 1]", 1 / 127.5, -1);
/** x / 255: the convention of TensorFlow's hub for images. */
export const unitRange: ValueRange = even("[0, 1]", 1 / 255, 0);
/** The pixels as they are: EfficientNet of Keras, and whatever takes uint8. */
export const byteRange: ValueRange = even("[0, 255]", 1, 0);

const imageNetMean = [0.485, 0.456, 0.406] as const;
const imageNetDeviation = [0.229, 0.224, 0.225] as const;

/** (x / 255 − mean) / deviation: PyTorch's models. */
const imageNetRange: ValueRange = {
  name: "ImageNet mean and deviation",
  channels: "rgb",
  scale: [1 / (255 * imageNetDeviation[0]), 1 / (255 * imageNetDeviation[1]), 1 / (255 * imageNetDeviation[2])],
  offset: [
    -imageNetMean[0] / imageNetDeviation[0],
    -imageNetMean[1] / imageNetDeviation[1],
    -imageNetMean[2] / imageNetDeviation[2],
  ],
};

/** BGR less the mean of ImageNet: VGG and ResNet of Keras, which came from Caffe. */
const caffeRange: ValueRange = {
  name: "BGR less the ImageNet mean",
  channels: "bgr",
  scale: [1, 1, 1],
  offset: [-103.939, -116.779, -123.68],
};

/** What to try where nobody said which values a base was trained on. */
export const valueRanges: readonly ValueRange[] = [signedRange, unitRange, byteRange, imageNetRange, caffeRange];

/** What a model of keras.applications takes, by the mode of its preprocessing. */
export const rangeOfMode: { readonly [Mode in PreprocessingMode]: ValueRange } = {
  tf: signedRange,
  torch: imageNetRange,
  caffe: caffeRange,
  raw: byteRange,
};
