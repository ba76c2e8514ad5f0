/** @file Xception (Chollet 2017) with Keras's layer names: keras.applications.xception. */
import { classified } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor, LayerConfig } from "./functional.ts";

interface Block {
  /** Of each separable convolution. */
  readonly filters: readonly number[];
  /** Whether it halves the map: by a pool, and by a convolution on the way around. */
  readonly isReducing: boolean;
}

/** What sums go around, from block 2 on: figure 5 of the paper. */
const blocks: readonly Block[] = [
  { filters: [128, 128], isReducing: true },
  { filters: [256, 256], isReducing: true },
  { filters: [728, 728], isReducing: true },
  ...Array.from({ length: 8 }, () => ({ filters: [728, 728, 728], isReducing: false })),
  { filters: [728, 1024], isReducing: true },
];

const body: Family["body"] = (model, input, options) => {
  let x = convolution(model, "block1_conv1", { filters: 32, kernel_size: 3, strides: 2 }, input);
  x = convolution(model, "block1_conv2", { filters: 64, kernel_size: 3 }, x);
  for (const [index, block] of blocks.entries()) x = residual(model, `block${index + 2}`, block, x);
  for (const [index, filters] of [1536, 2048].entries()) {
    const name = `block14_sepconv${index + 1}`;
    x = rectified(model, name, separable(model, name, filters, x));
  }
  return classified(model, x, options, { top: "avg_pool" });
};

function residual(
  model: FunctionalModel,
  name: string,
  { filters, isReducing }: Block,
  input: KerasTensor,
): KerasTensor {
  let shortcut = input;
  if (isReducing) {
    const config = { filters: filters.at(-1) ?? 0, kernel_size: 1, strides: 2, padding: "same", use_bias: false };
    shortcut = model.layer("BatchNormalization", undefined, {}, model.layer("Conv2D", undefined, config, input));
  }
  let x = input;
  for (const [index, each] of filters.entries()) {
    const part = `${name}_sepconv${index + 1}`;
    // Block 2 follows an activation.
    if (index > 0 || name !== "block2") x = rectified(model, part, x);
    x = separable(model, part, each, x);
  }
  if (isReducing) {
    x = model.layer("MaxPooling2D", `${name}_pool`, { pool_size: 3, strides: 2, padding: "same" }, x);
  }
  return model.layer("Add", undefined, {}, x, shortcut);
}

function convolution(model: FunctionalModel, name: string, config: LayerConfig, x: KerasTensor): KerasTensor {
  const y = model.layer("Conv2D", name, { ...config, use_bias: false }, x);
  return rectified(model, name, model.layer("BatchNormalization", `${name}_bn`, {}, y));
}

function separable(model: FunctionalModel, name: string, filters: number, x: KerasTensor): KerasTensor {
  const config = { filters, kernel_size: 3, padding: "same", use_bias: false };
  return model.layer("BatchNormalization", `${name}_bn`, {}, model.layer("SeparableConv2D", name, config, x));
}

function rectified(model: FunctionalModel, name: string, x: KerasTensor): KerasTensor {
  return model.layer("Activation", `${name}_act`, { activation: "relu" }, x);
}

const file = "xception_weights_tf_dim_ordering_tf_kernels";

export const xceptionFamilies: readonly Family[] = [
  {
    name: "Xception",
    modelName: () => "xception",
    body,
    options: [],
    preprocessing: "tf",
    defaultSize: 299,
    smallestSide: 71,
    published: published(
      `${kerasApplications}xception/`,
      [`${file}.h5`, "0a58e3b7378bc2990ea3b43d5981f1f6"],
      [`${file}_notop.h5`, "b0042744bf5b25fce3cb969f33bebb97"],
    ),
    license: "MIT",
    accuracy: 0.79,
    parameters: 22_910_480,
  },
];
