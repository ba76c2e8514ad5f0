/** @file ResNet (He et al. 2015) with Keras's layer names, its strides in the first convolution of a block: keras.applications.resnet. */
import { classified } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor, LayerConfig } from "./functional.ts";

export const resNetNormalization: LayerConfig = { epsilon: 1.001e-5 };
/** Filters of the four stages, `conv2` to `conv5`. */
export const resNetFilters: readonly number[] = [64, 128, 256, 512];

/** Table 1 of the paper: how many blocks a stage has. */
function body(blocks: readonly number[]): Family["body"] {
  return (model, input, options) => {
    let x = model.layer("ZeroPadding2D", "conv1_pad", { padding: 3 }, input);
    x = model.layer("Conv2D", "conv1_conv", { filters: 64, kernel_size: 7, strides: 2 }, x);
    x = rectified(model, "conv1", "relu", normalized(model, "conv1", x));
    x = model.layer("ZeroPadding2D", "pool1_pad", { padding: 1 }, x);
    x = model.layer("MaxPooling2D", "pool1_pool", { pool_size: 3, strides: 2 }, x);
    for (const [stage, filters] of resNetFilters.entries()) {
      for (let block = 1; block <= (blocks[stage] ?? 0); block++) {
        const strides = stage > 0 && block === 1 ? 2 : 1;
        x = residual(model, `conv${stage + 2}_block${block}`, { filters, strides, isFirst: block === 1 }, x);
      }
    }
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
  const convolved = (part: number, config: LayerConfig, x: KerasTensor) =>
    normalized(model, `${name}_${part}`, model.layer("Conv2D", `${name}_${part}_conv`, config, x));
  const shortcut = isFirst ? convolved(0, { filters: 4 * filters, kernel_size: 1, strides }, input) : input;
  let x = rectified(model, `${name}_1`, "relu", convolved(1, { filters, kernel_size: 1, strides }, input));
  x = rectified(model, `${name}_2`, "relu", convolved(2, { filters, kernel_size: 3, padding: "same" }, x));
  x = convolved(3, { filters: 4 * filters, kernel_size: 1 }, x);
  return rectified(model, name, "out", model.layer("Add", `${name}_add`, {}, shortcut, x));
}

function normalized(model: FunctionalModel, name: string, x: KerasTensor): KerasTensor {
  return model.layer("BatchNormalization", `${name}_bn`, resNetNormalization, x);
}

function rectified(model: FunctionalModel, name: string, ending: string, x: KerasTensor): KerasTensor {
  return model.layer("Activation", `${name}_${ending}`, { activation: "relu" }, x);
}

/** The files of a ResNet of either kind; `name` is that of the model. */
export function resNetFiles(name: string, top: string, noTop: string): Family["published"] {
  const file = `${name}_weights_tf_dim_ordering_tf_kernels`;
  return published(`${kerasApplications}resnet/`, [`${file}.h5`, top], [`${file}_notop.h5`, noTop]);
}

const common = {
  options: [],
  preprocessing: "caffe",
  defaultSize: 224,
  smallestSide: 32,
  license: "MIT",
} as const satisfies Partial<Family>;

export const resNetFamilies: readonly Family[] = [
  {
    ...common,
    name: "ResNet50",
    modelName: () => "resnet50",
    body: body([3, 4, 6, 3]),
    published: resNetFiles("resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    accuracy: 0.749,
    parameters: 25_636_712,
  },
  {
    ...common,
    name: "ResNet101",
    modelName: () => "resnet101",
    body: body([3, 4, 23, 3]),
    published: resNetFiles("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    accuracy: 0.764,
    parameters: 44_707_176,
  },
  {
    ...common,
    name: "ResNet152",
    modelName: () => "resnet152",
    body: body([3, 8, 36, 3]),
    published: resNetFiles("resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    accuracy: 0.766,
    parameters: 60_419_944,
  },
];
