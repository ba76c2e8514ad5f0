/** @file EfficientNetV2 (Tan and Le 2021) with Keras's layer names: keras.applications.efficientnet_v2. */
import { classified } from "./blocks.ts";
import { added, blockName, convolved, dropConnectRate, excited, lastNames, projection, step } from "./efficient.ts";
import { type Family, type FamilyName, kerasApplications, published, type SettledOptions } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** Blocks of one width: filters before and after, the first one's stride, how far they expand. All kernels are 3×3. */
interface Stage {
  readonly repeats: number;
  readonly from: number;
  readonly to: number;
  readonly expansion: number;
  readonly strides: 1 | 2;
  /** Whether one convolution expands and filters, without squeeze and excite. */
  readonly isFused: boolean;
}

/** Table 4 of the paper and its appendix. */
const base: readonly Stage[] = [
  { repeats: 1, from: 32, to: 16, expansion: 1, strides: 1, isFused: true },
  { repeats: 2, from: 16, to: 32, expansion: 4, strides: 2, isFused: true },
  { repeats: 2, from: 32, to: 48, expansion: 4, strides: 2, isFused: true },
  { repeats: 3, from: 48, to: 96, expansion: 4, strides: 2, isFused: false },
  { repeats: 5, from: 96, to: 112, expansion: 6, strides: 1, isFused: false },
  { repeats: 8, from: 112, to: 192, expansion: 6, strides: 2, isFused: false },
];

const small: readonly Stage[] = [
  { repeats: 2, from: 24, to: 24, expansion: 1, strides: 1, isFused: true },
  { repeats: 4, from: 24, to: 48, expansion: 4, strides: 2, isFused: true },
  { repeats: 4, from: 48, to: 64, expansion: 4, strides: 2, isFused: true },
  { repeats: 6, from: 64, to: 128, expansion: 4, strides: 2, isFused: false },
  { repeats: 9, from: 128, to: 160, expansion: 6, strides: 1, isFused: false },
  { repeats: 15, from: 160, to: 256, expansion: 6, strides: 2, isFused: false },
];

const medium: readonly Stage[] = [
  { repeats: 3, from: 24, to: 24, expansion: 1, strides: 1, isFused: true },
  { repeats: 5, from: 24, to: 48, expansion: 4, strides: 2, isFused: true },
  { repeats: 5, from: 48, to: 80, expansion: 4, strides: 2, isFused: true },
  { repeats: 7, from: 80, to: 160, expansion: 4, strides: 2, isFused: false },
  { repeats: 14, from: 160, to: 176, expansion: 6, strides: 1, isFused: false },
  { repeats: 18, from: 176, to: 304, expansion: 6, strides: 2, isFused: false },
  { repeats: 5, from: 304, to: 512, expansion: 6, strides: 1, isFused: false },
];

const large: readonly Stage[] = [
  { repeats: 4, from: 32, to: 32, expansion: 1, strides: 1, isFused: true },
  { repeats: 7, from: 32, to: 64, expansion: 4, strides: 2, isFused: true },
  { repeats: 7, from: 64, to: 96, expansion: 4, strides: 2, isFused: true },
  { repeats: 10, from: 96, to: 192, expansion: 4, strides: 2, isFused: false },
  { repeats: 19, from: 192, to: 224, expansion: 6, strides: 1, isFused: false },
  { repeats: 25, from: 224, to: 384, expansion: 6, strides: 2, isFused: false },
  { repeats: 7, from: 384, to: 640, expansion: 6, strides: 1, isFused: false },
];

const momentum = 0.9;
const dropout = 0.2;

/** How much wider, deeper and larger than its table a variant is. */
interface Variant {
  readonly name: FamilyName & `EfficientNetV2${string}`;
  readonly stages: readonly Stage[];
  readonly width: number;
  readonly depth: number;
  readonly size: number;
  /** MD5 of the published files with the top and without. */
  readonly digests: readonly [top: string, noTop: string];
  readonly accuracy: number;
  readonly parameters: number;
}

const variants: readonly Variant[] = [
  {
    name: "EfficientNetV2B0",
    stages: base,
    width: 1,
    depth: 1,
    size: 224,
    digests: ["21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"],
    accuracy: 0.787,
    parameters: 7_200_312,
  },
  {
    name: "EfficientNetV2B1",
    stages: base,
    width: 1,
    depth: 1.1,
    size: 240,
    digests: ["069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"],
    accuracy: 0.798,
    parameters: 8_212_124,
  },
  {
    name: "EfficientNetV2B2",
    stages: base,
    width: 1.1,
    depth: 1.2,
    size: 260,
    digests: ["424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"],
    accuracy: 0.805,
    parameters: 10_178_374,
  },
  {
    name: "EfficientNetV2B3",
    stages: base,
    width: 1.2,
    depth: 1.4,
    size: 300,
    digests: ["1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"],
    accuracy: 0.82,
    parameters: 14_467_622,
  },
  {
    name: "EfficientNetV2S",
    stages: small,
    width: 1,
    depth: 1,
    size: 384,
    digests: ["e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"],
    accuracy: 0.839,
    parameters: 21_612_360,
  },
  {
    name: "EfficientNetV2M",
    stages: medium,
    width: 1,
    depth: 1,
    size: 480,
    digests: ["a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"],
    accuracy: 0.853,
    parameters: 54_431_388,
  },
  {
    name: "EfficientNetV2L",
    stages: large,
    width: 1,
    depth: 1,
    size: 480,
    digests: ["27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"],
    accuracy: 0.857,
    parameters: 119_027_848,
  },
];

const body =
  ({ stages, width, depth }: Variant): Family["body"] =>
  (model, input, options) => {
    const scaled = (filters: number) => Math.max(8, Math.floor(Math.trunc(filters * width + 4) / 8) * 8);
    // Keras counts the blocks before they become more.
    const blocks = stages.reduce((sum, { repeats }) => sum + repeats, 0);
    let x = options.includePreprocessing ? normalized(model, input, stages === base, options) : input;
    x = convolved(
      model,
      step("stem", { filters: scaled(stages[0]?.from ?? 0), kernel_size: 3, strides: 2 }),
      momentum,
      x,
    );
    let index = 0;
    for (const [stage, { repeats, to, expansion, strides, isFused }] of stages.entries()) {
      for (let repeat = 0; repeat < Math.ceil(depth * repeats); repeat++) {
        const name = blockName(stage, repeat);
        const block = { name, filters: scaled(to), expansion, strides: repeat === 0 ? strides : (1 as const) };
        const y = isFused ? fusedBlock(model, x, block) : invertedResidual(model, x, block);
        const isAdded = block.strides === 1 && x.channels === block.filters;
        x = isAdded ? added(model, name, (dropConnectRate * index) / blocks, y, x) : y;
        index++;
      }
    }
    x = convolved(model, step("top", { filters: scaled(1280), kernel_size: 1 }), momentum, x);
    return classified(model, x, options, lastNames(dropout));
  };

/** Pixels 0–255 as the published weights take them: B0 to B3 by ImageNet's mean and deviation, the others to [-1, 1). */
function normalized(
  model: FunctionalModel,
  pixels: KerasTensor,
  isBase: boolean,
  { inputShape: [, , channels] }: SettledOptions,
): KerasTensor {
  if (!isBase || channels !== 3) return model.layer("Rescaling", undefined, { scale: 1 / 128, offset: -1 }, pixels);
  const x = model.layer("Rescaling", undefined, { scale: 1 / 255, offset: 0 }, pixels);
  const mean = [0.485, 0.456, 0.406];
  const variance = [0.229 ** 2, 0.224 ** 2, 0.225 ** 2];
  return model.layer("Normalization", undefined, { axis: -1, mean, variance }, x);
}

interface Block {
  readonly name: string;
  readonly filters: number;
  readonly expansion: number;
  readonly strides: 1 | 2;
}

/** Expand and filter by one convolution, project by a pointwise one; without expansion one convolution does both. */
function fusedBlock(
  model: FunctionalModel,
  input: KerasTensor,
  { name, filters, expansion, strides }: Block,
): KerasTensor {
  if (expansion === 1)
    return convolved(model, step(`${name}project`, { filters, kernel_size: 3, strides }), momentum, input);
  const wide = { filters: input.channels * expansion, kernel_size: 3, strides };
  const x = convolved(model, step(`${name}expand`, wide), momentum, input);
  return convolved(model, projection(name, filters), momentum, x);
}

/** Expand by a pointwise convolution, filter by a depthwise one, weigh the maps, project. */
function invertedResidual(
  model: FunctionalModel,
  input: KerasTensor,
  { name, filters, expansion, strides }: Block,
): KerasTensor {
  const wide = { filters: input.channels * expansion, kernel_size: 1 };
  let x = convolved(model, step(`${name}expand`, wide), momentum, input);
  const depthwise = {
    className: "DepthwiseConv2D",
    layer: `${name}dwconv2`,
    norm: `${name}bn`,
    activation: `${name}activation`,
    config: { kernel_size: 3, strides },
  } as const;
  x = convolved(model, depthwise, momentum, x);
  x = excited(model, name, Math.max(1, Math.trunc(input.channels / 4)), x);
  return convolved(model, projection(name, filters), momentum, x);
}

export const efficientNetV2Families: readonly Family[] = variants.map((variant): Family => {
  const { name, stages, size, digests, accuracy, parameters } = variant;
  const modelName = `efficientnetv2-${name.slice("EfficientNetV2".length).toLowerCase()}`;
  return {
    name,
    modelName: () => modelName,
    body: body(variant),
    options: ["includePreprocessing"],
    preprocessing: "raw",
    // Without the layers inside: for B0 to B3 what they would do, for the others nearly what they would do.
    preprocessingOutside: stages === base ? "torch" : "tf",
    defaultSize: size,
    smallestSide: 32,
    published: published(
      `${kerasApplications}efficientnet_v2/`,
      [`${modelName}.h5`, digests[0]],
      [`${modelName}_notop.h5`, digests[1]],
    ),
    license: "Apache-2.0",
    accuracy,
    parameters,
  };
});
