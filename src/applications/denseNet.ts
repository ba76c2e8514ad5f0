/** @file DenseNet (Huang et al. 2016) with Keras's layer names: keras.applications.densenet. */
import { classified } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

const growth = 32;

/** Table 1 of the paper: how many layers a dense block has. */
function body(blocks: readonly number[]): Family["body"] {
  return (model, input, options) => {
    let x = model.layer("ZeroPadding2D", undefined, { padding: 3 }, input);
    x = model.layer("Conv2D", "conv1_conv", { filters: 64, kernel_size: 7, strides: 2, use_bias: false }, x);
    x = activated(model, "conv1_", x);
    x = model.layer("ZeroPadding2D", undefined, { padding: 1 }, x);
    x = model.layer("MaxPooling2D", "pool1", { pool_size: 3, strides: 2 }, x);
    for (const [index, count] of blocks.entries()) {
      const stage = index + 2;
      if (index > 0) x = transition(model, `pool${stage - 1}`, x);
      for (let block = 1; block <= count; block++) x = dense(model, `conv${stage}_block${block}`, x);
    }
    return classified(model, activated(model, "", x), options, { avg: "avg_pool", max: "max_pool" });
  };
}

/** Adds 32 channels, computed of all before them. */
function dense(model: FunctionalModel, name: string, input: KerasTensor): KerasTensor {
  let x = activated(model, `${name}_0_`, input);
  x = model.layer("Conv2D", `${name}_1_conv`, { filters: 4 * growth, kernel_size: 1, use_bias: false }, x);
  x = activated(model, `${name}_1_`, x);
  const config = { filters: growth, kernel_size: 3, padding: "same", use_bias: false };
  x = model.layer("Conv2D", `${name}_2_conv`, config, x);
  return model.layer("Concatenate", `${name}_concat`, {}, input, x);
}

/** Halves channels and sides. */
function transition(model: FunctionalModel, name: string, input: KerasTensor): KerasTensor {
  const filters = Math.floor(input.channels / 2);
  const config = { filters, kernel_size: 1, use_bias: false };
  const x = model.layer("Conv2D", `${name}_conv`, config, activated(model, `${name}_`, input));
  return model.layer("AveragePooling2D", `${name}_pool`, { pool_size: 2, strides: 2 }, x);
}

function activated(model: FunctionalModel, prefix: string, x: KerasTensor): KerasTensor {
  const normalized = model.layer("BatchNormalization", `${prefix}bn`, { epsilon: 1.001e-5 }, x);
  return model.layer("Activation", `${prefix}relu`, { activation: "relu" }, normalized);
}

interface Variant {
  readonly name: "DenseNet121" | "DenseNet169" | "DenseNet201";
  readonly blocks: readonly number[];
  readonly digests: readonly [top: string, noTop: string];
  readonly accuracy: number;
  readonly parameters: number;
}

const variants: readonly Variant[] = [
  {
    name: "DenseNet121",
    blocks: [6, 12, 24, 16],
    digests: ["9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"],
    accuracy: 0.75,
    parameters: 8_062_504,
  },
  {
    name: "DenseNet169",
    blocks: [6, 12, 32, 32],
    digests: ["d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"],
    accuracy: 0.762,
    parameters: 14_307_880,
  },
  {
    name: "DenseNet201",
    blocks: [6, 12, 48, 32],
    digests: ["1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"],
    accuracy: 0.773,
    parameters: 20_242_984,
  },
];

export const denseNetFamilies: readonly Family[] = variants.map(
  ({ name, blocks, digests: [top, noTop], accuracy, parameters }) => {
    const file = `${name.toLowerCase()}_weights_tf_dim_ordering_tf_kernels`;
    return {
      name,
      modelName: () => name.toLowerCase(),
      body: body(blocks),
      options: [],
      preprocessing: "torch",
      defaultSize: 224,
      smallestSide: 32,
      published: published(`${kerasApplications}densenet/`, [`${file}.h5`, top], [`${file}_notop.h5`, noTop]),
      license: "BSD-3-Clause",
      accuracy,
      parameters,
    };
  },
);
