/** @file The table of families: how each is built, which weights are published for it, and what its pixels are. */
import type { LayeredGraph } from "../graph/index.ts";
import type { WeightSource } from "../layers/index.ts";
import { mobileNetV2 } from "./mobileNetV2.ts";

/** What loading weights and making a base ask of any family. */
export interface FamilyOptions {
  readonly inputShape?: readonly [number | null, number | null, number];
  readonly alpha?: number;
  readonly includeTop?: boolean;
  readonly pooling?: "avg" | "max" | null;
  readonly classes?: number;
  readonly classifierActivation?: "softmax" | null;
}

export interface Family {
  /** As Keras calls it: `MobileNetV2`. */
  readonly name: string;
  build(options: FamilyOptions, weights: WeightSource): LayeredGraph;
  /** The widths for which weights are published. */
  readonly alphas: readonly number[];
  /** The sizes for which weights are published; for others those of the default are taken. */
  readonly sizes: readonly number[];
  readonly defaultSize: number;
  /** How pixels 0–255 become its input: Keras's name of the mode. `tf` is [-1, 1]. */
  readonly preprocessing: "tf";
  /** The official file's name. */
  weightsFile(alpha: number, size: number, includeTop: boolean): string;
  /** The folder that the official files lie in, ending in `/`. */
  readonly weightsAddress: string;
  readonly license: string;
}

export const families: readonly Family[] = [
  {
    name: "MobileNetV2",
    build: mobileNetV2,
    alphas: [0.35, 0.5, 0.75, 1, 1.3, 1.4],
    sizes: [96, 128, 160, 192, 224],
    defaultSize: 224,
    preprocessing: "tf",
    weightsFile: (alpha, size, includeTop) =>
      `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_${pythonFloat(alpha)}_${size}${includeTop ? "" : "_no_top"}.h5`,
    weightsAddress: "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/",
    license: "Apache-2.0",
  },
];

/** As Python prints a float: `1.0`, `0.35`. */
function pythonFloat(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
