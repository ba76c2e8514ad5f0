/** @file ResNet V2 (He et al. 2016: activations before convolutions) with Keras's layer names: keras.applications.resnet_v2. */
import { classified } from "./blocks.ts";
import type { Family } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";
import { resNetFiles, resNetFilters, resNetNormalization } from "./resNet.ts";

function body(blocks: readonly number[]): Family["body"] {
  return (model, input, options) => {
    let x = model.layer("ZeroPadding2D", "conv1_pad", { padding: 3 }, input);
    x = model.layer("Conv2D", "conv1_conv", { filters: 64, kernel_size: 7, strides: 2 }, x);
    x = model.layer("ZeroPadding2D", "pool1_pad", { padding: 1 }, x);
    x = model.layer("MaxPooling2D", "pool1_pool", { pool_size: 3, strides: 2 }, x);
    for (const [stage, filters] of resNetFilters.entries()) {
      const count = blocks[stage] ?? 0;
      for (let block = 1; block <= count; block++) {
        // The last block of a stage halves the map, but not that of the last stage.
        const strides = block === count && stage < resNetFilters.length - 1 ? 2 : 1;
        x = residual(model, `conv${stage + 2}_block${block}`, { filters, strides, isFirst: block === 1 }, x);
      }
    }
    x = activated(model, "post", x);
    return classified(model, x, options, { avg: "avg_pool", max: "max_pool" });
  };
}

interface Block {
  readonly filters: number;
  readonly strides: number;
  /** The first of a stage, whose way around is a convolution. */
  readonly isFirst: boolean;
}

function residual(model: FunctionalModel, name: string, block: Block, input: KerasTensor): KerasTensor {
  const { filters, strides, isFirst } = block;
  const before = activated(model, `${name}_preact`, input);
  let shortcut = input;
  if (isFirst) {
    shortcut = model.layer("Conv2D", `${name}_0_conv`, { filters: 4 * filters, kernel_size: 1, strides }, before);
  } else if (strides > 1) {
    shortcut = model.layer("MaxPooling2D", undefined, { pool_size: 1, strides }, input);
  }
  let x = model.layer("Conv2D", `${name}_1_conv`, { filters, kernel_size: 1, use_bias: false }, before);
  x = activated(model, `${name}_1`, x);
  x = model.layer("ZeroPadding2D", `${name}_2_pad`, { padding: 1 }, x);
  x = model.layer("Conv2D", `${name}_2_conv`, { filters, kernel_size: 3, strides, use_bias: false }, x);
  x = activated(model, `${name}_2`, x);
  x = model.layer("Conv2D", `${name}_3_conv`, { filters: 4 * filters, kernel_size: 1 }, x);
  return model.layer("Add", `${name}_out`, {}, shortcut, x);
}

function activated(model: FunctionalModel, name: string, x: KerasTensor): KerasTensor {
  const normalized = model.layer("BatchNormalization", `${name}_bn`, resNetNormalization, x);
  return model.layer("Activation", `${name}_relu`, { activation: "relu" }, normalized);
}

const common = {
  options: [],
  preprocessing: "tf",
  defaultSize: 224,
  smallestSide: 32,
  license: "BSD-3-Clause",
} as const satisfies Partial<Family>;

export const resNetV2Families: readonly Family[] = [
  {
    ...common,
    name: "ResNet50V2",
    modelName: () => "resnet50v2",
    body: body([3, 4, 6, 3]),
    published: resNetFiles("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    accuracy: 0.76,
    parameters: 25_613_800,
  },
  {
    ...common,
    name: "ResNet101V2",
    modelName: () => "resnet101v2",
    body: body([3, 4, 23, 3]),
    published: resNetFiles("resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    accuracy: 0.772,
    parameters: 44_675_560,
  },
  {
    ...common,
    name: "ResNet152V2",
    modelName: () => "resnet152v2",
    body: body([3, 8, 36, 3]),
    published: resNetFiles("resnet152v2", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    accuracy: 0.78,
    parameters: 60_380_648,
  },
];
