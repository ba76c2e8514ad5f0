/** @file MobileNetV3 (Howard et al. 2019), small and large, with Keras's layer names: keras.applications.mobilenet_v3. */
import { divisible, paddingBeforeStride, pooledMap } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** A row of tables 1 and 2 of the paper. */
interface Block {
  /** By how much the channels are widened for the depthwise convolution. */
  readonly expansion: number;
  readonly filters: number;
  /** Minimalistic models have 3 everywhere. */
  readonly kernel: 3 | 5;
  readonly strides: 1 | 2;
  /** Squeeze and excite, which minimalistic models have not. */
  readonly isExcited: boolean;
  /** Minimalistic models have relu everywhere. */
  readonly activation: "relu" | "hard_swish";
}

type Row = readonly [Block["expansion"], Block["filters"], Block["kernel"], Block["strides"], "se" | "", "RE" | "HS"];

function blocksOf(rows: readonly Row[]): readonly Block[] {
  return rows.map(([expansion, filters, kernel, strides, excited, activation]) => ({
    expansion,
    filters,
    kernel,
    strides,
    isExcited: excited === "se",
    activation: activation === "RE" ? "relu" : "hard_swish",
  }));
}

const small = blocksOf([
  [1, 16, 3, 2, "se", "RE"],
  [72 / 16, 24, 3, 2, "", "RE"],
  [88 / 24, 24, 3, 1, "", "RE"],
  [4, 40, 5, 2, "se", "HS"],
  [6, 40, 5, 1, "se", "HS"],
  [6, 40, 5, 1, "se", "HS"],
  [3, 48, 5, 1, "se", "HS"],
  [3, 48, 5, 1, "se", "HS"],
  [6, 96, 5, 2, "se", "HS"],
  [6, 96, 5, 1, "se", "HS"],
  [6, 96, 5, 1, "se", "HS"],
]);

const large = blocksOf([
  [1, 16, 3, 1, "", "RE"],
  [4, 24, 3, 2, "", "RE"],
  [3, 24, 3, 1, "", "RE"],
  [3, 40, 5, 2, "se", "RE"],
  [3, 40, 5, 1, "se", "RE"],
  [3, 40, 5, 1, "se", "RE"],
  [6, 80, 3, 2, "", "HS"],
  [2.5, 80, 3, 1, "", "HS"],
  [2.3, 80, 3, 1, "", "HS"],
  [2.3, 80, 3, 1, "", "HS"],
  [6, 112, 3, 1, "se", "HS"],
  [6, 112, 3, 1, "se", "HS"],
  [6, 160, 5, 2, "se", "HS"],
  [6, 160, 5, 1, "se", "HS"],
  [6, 160, 5, 1, "se", "HS"],
]);

const plain = { padding: "same", use_bias: false };

/** `lastFilters` are those of the convolution after the pool. */
function body(blocks: readonly Block[], lastFilters: number): Family["body"] {
  return (model, input, options) => {
    const { alpha, minimalistic, includePreprocessing, includeTop, classes, classifierActivation, dropoutRate } =
      options;
    const activation = minimalistic ? "relu" : "hard_swish";
    let x = input;
    if (includePreprocessing) x = model.layer("Rescaling", undefined, { scale: 1 / 127.5, offset: -1 }, x);
    x = model.layer("Conv2D", "conv", { ...plain, filters: 16, kernel_size: 3, strides: 2 }, x);
    x = activated(model, normalized(model, "conv_bn", x), activation);
    for (const [index, block] of blocks.entries()) {
      const filters = divisible(block.filters * alpha);
      const own: Block = minimalistic
        ? { ...block, filters, kernel: 3, isExcited: false, activation: "relu" }
        : { ...block, filters };
      x = invertedResidual(model, index, own, x);
    }
    x = model.layer("Conv2D", "conv_1", { ...plain, filters: divisible(x.channels * 6), kernel_size: 1 }, x);
    x = activated(model, normalized(model, "conv_1_bn", x), activation);
    if (!includeTop) return pooledMap(model, x, options, { avg: "avg_pool", max: "max_pool" });

    const last = alpha > 1 ? divisible(lastFilters * alpha) : lastFilters;
    x = model.layer("GlobalAveragePooling2D", undefined, { keepdims: true }, x);
    x = model.layer("Conv2D", "conv_2", { filters: last, kernel_size: 1, padding: "same" }, x);
    x = activated(model, x, activation);
    if (dropoutRate > 0) x = model.layer("Dropout", undefined, { rate: dropoutRate }, x);
    x = model.layer("Conv2D", "logits", { filters: classes, kernel_size: 1, padding: "same" }, x);
    x = model.layer("Flatten", undefined, {}, x);
    return model.layer("Activation", "predictions", { activation: classifierActivation }, x);
  };
}

function invertedResidual(model: FunctionalModel, index: number, block: Block, input: KerasTensor): KerasTensor {
  const { expansion, filters, kernel, strides, isExcited, activation } = block;
  const prefix = index === 0 ? "expanded_conv" : `expanded_conv_${index}`;
  const name = (part: string) => `${prefix}_${part}`;
  const widened = divisible(input.channels * expansion);
  let x = input;
  if (index > 0) {
    x = model.layer("Conv2D", name("expand"), { ...plain, filters: widened, kernel_size: 1 }, x);
    x = activated(model, normalized(model, name("expand_bn"), x), activation);
  }
  if (strides === 2) {
    x = model.layer("ZeroPadding2D", name("depthwise_pad"), { padding: paddingBeforeStride(x, kernel) }, x);
  }
  const depthwise = { kernel_size: kernel, strides, padding: strides === 1 ? "same" : "valid", use_bias: false };
  x = model.layer("DepthwiseConv2D", name("depthwise"), depthwise, x);
  x = activated(model, normalized(model, name("depthwise_bn"), x), activation);
  if (isExcited) x = excited(model, name("squeeze_excite"), widened, x);
  x = model.layer("Conv2D", name("project"), { ...plain, filters, kernel_size: 1 }, x);
  x = normalized(model, name("project_bn"), x);
  return strides === 1 && input.channels === filters ? model.layer("Add", name("add"), {}, input, x) : x;
}

/** Squeeze and excite: weighs the channels by what their means say. */
function excited(model: FunctionalModel, name: string, filters: number, input: KerasTensor): KerasTensor {
  let x = model.layer("GlobalAveragePooling2D", `${name}_avg_pool`, { keepdims: true }, input);
  const squeezed = { filters: divisible(filters * 0.25), kernel_size: 1, padding: "same" };
  x = model.layer("ReLU", `${name}_relu`, {}, model.layer("Conv2D", `${name}_conv`, squeezed, x));
  x = model.layer("Conv2D", `${name}_conv_1`, { filters, kernel_size: 1, padding: "same" }, x);
  // Keras writes its hard sigmoid, relu6(x + 3) / 6, in these steps.
  x = model.layer("ReLU", undefined, { max_value: 6 }, model.operation("Add", x, 3));
  return model.layer("Multiply", `${name}_mul`, {}, input, model.operation("Multiply", x, 1 / 6));
}

function normalized(model: FunctionalModel, name: string, x: KerasTensor): KerasTensor {
  return model.layer("BatchNormalization", name, { epsilon: 1e-3, momentum: 0.999 }, x);
}

function activated(model: FunctionalModel, x: KerasTensor, activation: Block["activation"]): KerasTensor {
  return activation === "relu"
    ? model.layer("ReLU", undefined, {}, x)
    : model.layer("Activation", undefined, { activation: "hard_swish" }, x);
}

type Digests = readonly [top: string, noTop: string];

/** The files of a size: of both published widths, and of the minimalistic model. */
function files(size: "small" | "large", narrow: Digests, wide: Digests, minimalistic: Digests): Family["published"] {
  const rows = [
    { variant: { alpha: 1, minimalistic: false }, text: "224_1.0", digests: wide },
    { variant: { alpha: 0.75, minimalistic: false }, text: "224_0.75", digests: narrow },
    { variant: { alpha: 1, minimalistic: true }, text: "minimalistic_224_1.0", digests: minimalistic },
  ];
  return rows.flatMap(({ variant, text, digests: [top, noTop] }) => {
    const file = `weights_mobilenet_v3_${size}_${text}_float`;
    const folder = `${kerasApplications}mobilenet_v3/`;
    return published(folder, [`${file}.h5`, top], [`${file}_no_top_v2.h5`, noTop], variant);
  });
}

const common = {
  options: ["alpha", "minimalistic", "dropoutRate", "includePreprocessing"],
  preprocessing: "raw",
  preprocessingOutside: "tf",
  defaultSize: 224,
  smallestSide: 32,
  isTopOfAnySize: true,
  license: "Apache-2.0",
} as const satisfies Partial<Family>;

export const mobileNetV3Families: readonly Family[] = [
  {
    ...common,
    name: "MobileNetV3Small",
    modelName: () => "MobileNetV3Small",
    body: body(small, 1024),
    published: files(
      "small",
      ["cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"],
      ["8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"],
      ["99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"],
    ),
    accuracy: 0.681,
    parameters: 2_554_968,
  },
  {
    ...common,
    name: "MobileNetV3Large",
    modelName: () => "MobileNetV3Large",
    body: body(large, 1280),
    published: files(
      "large",
      ["765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"],
      ["59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"],
      ["675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"],
    ),
    accuracy: 0.756,
    parameters: 5_507_432,
  },
];
