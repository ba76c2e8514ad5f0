/** @file MobileNet (Howard et al. 2017) with Keras's layer names: keras.applications.mobilenet. */
import { pooledMap } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";
import { publishedSize } from "./shape.ts";

/** Filters of the pointwise convolutions, and the strides of the depthwise ones before them: table 1 of the paper. */
const blocks = [
  { filters: 64, strides: 1 },
  { filters: 128, strides: 2 },
  { filters: 128, strides: 1 },
  { filters: 256, strides: 2 },
  { filters: 256, strides: 1 },
  { filters: 512, strides: 2 },
  ...Array.from({ length: 5 }, () => ({ filters: 512, strides: 1 })),
  { filters: 1024, strides: 2 },
  { filters: 1024, strides: 1 },
];

const body: Family["body"] = (model, input, options) => {
  const { alpha, depthMultiplier, includeTop, classes, classifierActivation, dropout } = options;
  const width = (filters: number) => Math.trunc(filters * alpha);
  const first = { filters: width(32), kernel_size: 3, strides: 2, padding: "same", use_bias: false };
  let x = activated(model, "conv1", model.layer("Conv2D", "conv1", first, input));
  for (const [index, { filters, strides }] of blocks.entries()) {
    const block = index + 1;
    // Whatever the side, nothing is padded at its begin.
    const begins = [0, 1];
    if (strides === 2) x = model.layer("ZeroPadding2D", `conv_pad_${block}`, { padding: [begins, begins] }, x);
    const depthwise = {
      kernel_size: 3,
      strides,
      padding: strides === 1 ? "same" : "valid",
      depth_multiplier: depthMultiplier,
      use_bias: false,
    };
    x = activated(model, `conv_dw_${block}`, model.layer("DepthwiseConv2D", `conv_dw_${block}`, depthwise, x));
    const pointwise = { filters: width(filters), kernel_size: 1, padding: "same", use_bias: false };
    x = activated(model, `conv_pw_${block}`, model.layer("Conv2D", `conv_pw_${block}`, pointwise, x));
  }
  if (!includeTop) return pooledMap(model, x, options);
  x = model.layer("GlobalAveragePooling2D", undefined, { keepdims: true }, x);
  x = model.layer("Dropout", "dropout", { rate: dropout }, x);
  x = model.layer("Conv2D", "conv_preds", { filters: classes, kernel_size: 1, padding: "same" }, x);
  x = model.layer("Reshape", "reshape_2", { target_shape: [classes] }, x);
  return model.layer("Activation", "predictions", { activation: classifierActivation }, x);
};

function activated(model: FunctionalModel, name: string, x: KerasTensor): KerasTensor {
  const normalized = model.layer("BatchNormalization", `${name}_bn`, {}, x);
  return model.layer("ReLU", `${name}_relu`, { max_value: 6 }, normalized);
}

const sizes = [224, 192, 160, 128];
const alphas = [
  { alpha: 1, text: "1_0" },
  { alpha: 0.75, text: "7_5" },
  { alpha: 0.5, text: "5_0" },
  { alpha: 0.25, text: "2_5" },
];

const mobileNet: Family = {
  name: "MobileNet",
  modelName: ({ alpha, inputShape, isImageNet }) => {
    const size = isImageNet ? publishedSize(mobileNet, inputShape) : (inputShape[0] ?? "None");
    return `mobilenet_${alpha.toFixed(2)}_${size}`;
  },
  body,
  options: ["alpha", "depthMultiplier", "dropout"],
  preprocessing: "tf",
  defaultSize: 224,
  smallestSide: 32,
  published: alphas.flatMap(({ alpha, text }) =>
    sizes.flatMap((size) => {
      const file = `mobilenet_${text}_${size}_tf`;
      return published(`${kerasApplications}mobilenet/`, [`${file}.h5`], [`${file}_no_top.h5`], { alpha, size });
    }),
  ),
  license: "Apache-2.0",
  accuracy: 0.704,
  parameters: 4_253_864,
};

export const mobileNetFamilies: readonly Family[] = [mobileNet];
