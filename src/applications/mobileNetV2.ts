/** @file MobileNetV2 (Sandler et al. 2018) with Keras's layer names: keras.applications.mobilenet_v2. */
import { classified, divisible, paddingBeforeStride } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** Filters, how many blocks, and the stride of the first: table 2 of the paper. All but the first expand six times. */
const stages = [
  { filters: 16, blocks: 1, strides: 1 },
  { filters: 24, blocks: 2, strides: 2 },
  { filters: 32, blocks: 3, strides: 2 },
  { filters: 64, blocks: 4, strides: 2 },
  { filters: 96, blocks: 3, strides: 1 },
  { filters: 160, blocks: 3, strides: 2 },
  { filters: 320, blocks: 1, strides: 1 },
] as const;

const expansion = 6;
const relu6 = { max_value: 6 };
const plain = { padding: "same", use_bias: false };
const normalization = { epsilon: 1e-3, momentum: 0.999 };

const body: Family["body"] = (model, input, options) => {
  const { alpha } = options;
  const normalized = (name: string, from: KerasTensor) => model.layer("BatchNormalization", name, normalization, from);
  let x = model.layer(
    "Conv2D",
    "Conv1",
    { ...plain, filters: divisible(32 * alpha), kernel_size: 3, strides: 2 },
    input,
  );
  x = model.layer("ReLU", "Conv1_relu", relu6, normalized("bn_Conv1", x));
  let block = 0;
  for (const { filters, blocks, strides } of stages) {
    for (let index = 0; index < blocks; index++) {
      x = invertedResidual(model, x, {
        block,
        filters: divisible(Math.trunc(filters * alpha)),
        strides: index ? 1 : strides,
      });
      block++;
    }
  }
  const last = { ...plain, filters: alpha > 1 ? divisible(1280 * alpha) : 1280, kernel_size: 1 };
  x = model.layer("Conv2D", "Conv_1", last, x);
  x = model.layer("ReLU", "out_relu", relu6, normalized("Conv_1_bn", x));
  return classified(model, x, options);
};

/** Expand by a pointwise convolution, filter by a depthwise one, project; added to its input where shapes allow. */
function invertedResidual(
  model: FunctionalModel,
  input: KerasTensor,
  { block, filters, strides }: { readonly block: number; readonly filters: number; readonly strides: number },
): KerasTensor {
  const prefix = block === 0 ? "expanded_conv" : `block_${block}`;
  const name = (part: string) => `${prefix}_${part}`;
  const normalized = (part: string, from: KerasTensor) =>
    model.layer("BatchNormalization", name(part), normalization, from);
  let x = input;
  if (block > 0) {
    x = model.layer("Conv2D", name("expand"), { ...plain, filters: expansion * input.channels, kernel_size: 1 }, x);
    x = model.layer("ReLU", name("expand_relu"), relu6, normalized("expand_BN", x));
  }
  if (strides === 2) x = model.layer("ZeroPadding2D", name("pad"), { padding: paddingBeforeStride(x, 3) }, x);
  const padding = strides === 1 ? "same" : "valid";
  x = model.layer("DepthwiseConv2D", name("depthwise"), { ...plain, kernel_size: 3, strides, padding }, x);
  x = model.layer("ReLU", name("depthwise_relu"), relu6, normalized("depthwise_BN", x));
  x = model.layer("Conv2D", name("project"), { ...plain, filters, kernel_size: 1 }, x);
  x = normalized("project_BN", x);
  return input.channels === filters && strides === 1 ? model.layer("Add", name("add"), {}, input, x) : x;
}

const sizes = [224, 192, 160, 128, 96];
const alphas = ["1.0", "0.35", "0.5", "0.75", "1.3", "1.4"];

export const mobileNetV2Families: readonly Family[] = [
  {
    name: "MobileNetV2",
    modelName: ({ alpha, inputShape: [height] }) => `mobilenetv2_${alpha.toFixed(2)}_${height ?? "None"}`,
    body,
    options: ["alpha"],
    preprocessing: "tf",
    defaultSize: 224,
    smallestSide: 32,
    published: alphas.flatMap((alpha) =>
      sizes.flatMap((size) => {
        const file = `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_${alpha}_${size}`;
        const folder = `${kerasApplications}mobilenet_v2/`;
        return published(folder, [`${file}.h5`], [`${file}_no_top.h5`], { alpha: Number(alpha), size });
      }),
    ),
    license: "Apache-2.0",
    accuracy: 0.713,
    parameters: 3_538_984,
  },
];
