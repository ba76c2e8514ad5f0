/** @file EfficientNet (Tan and Le 2019) with Keras's layer names: keras.applications.efficientnet. */
import { classified, divisible, paddingBeforeStride } from "./blocks.ts";
import { added, blockName, convolved, dropConnectRate, excited, lastNames, projection, step } from "./efficient.ts";
import { type Family, type FamilyName, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** Table 1 of the paper: filters before and after, how many blocks, the first one's stride, and how far they expand. */
const stages = [
  { kernel: 3, repeats: 1, from: 32, to: 16, expansion: 1, strides: 1 },
  { kernel: 3, repeats: 2, from: 16, to: 24, expansion: 6, strides: 2 },
  { kernel: 5, repeats: 2, from: 24, to: 40, expansion: 6, strides: 2 },
  { kernel: 3, repeats: 3, from: 40, to: 80, expansion: 6, strides: 2 },
  { kernel: 5, repeats: 3, from: 80, to: 112, expansion: 6, strides: 1 },
  { kernel: 5, repeats: 4, from: 112, to: 192, expansion: 6, strides: 2 },
  { kernel: 3, repeats: 1, from: 192, to: 320, expansion: 6, strides: 1 },
] as const;

const momentum = 0.99;
const deviations = [0.229, 0.224, 0.225];

/** How much wider, deeper and larger than B0 a variant is, and the share that its classifier drops. */
interface Variant {
  readonly name: FamilyName & `EfficientNetB${number}`;
  readonly width: number;
  readonly depth: number;
  readonly size: number;
  readonly dropout: number;
  /** MD5 of the published files with the top and without. */
  readonly digests: readonly [top: string, noTop: string];
  readonly accuracy: number;
  readonly parameters: number;
}

const variants: readonly Variant[] = [
  {
    name: "EfficientNetB0",
    width: 1,
    depth: 1,
    size: 224,
    dropout: 0.2,
    digests: ["902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"],
    accuracy: 0.771,
    parameters: 5_330_571,
  },
  {
    name: "EfficientNetB1",
    width: 1,
    depth: 1.1,
    size: 240,
    dropout: 0.2,
    digests: ["1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"],
    accuracy: 0.791,
    parameters: 7_856_239,
  },
  {
    name: "EfficientNetB2",
    width: 1.1,
    depth: 1.2,
    size: 260,
    dropout: 0.3,
    digests: ["b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"],
    accuracy: 0.801,
    parameters: 9_177_569,
  },
  {
    name: "EfficientNetB3",
    width: 1.2,
    depth: 1.4,
    size: 300,
    dropout: 0.3,
    digests: ["ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"],
    accuracy: 0.816,
    parameters: 12_320_535,
  },
  {
    name: "EfficientNetB4",
    width: 1.4,
    depth: 1.8,
    size: 380,
    dropout: 0.4,
    digests: ["18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"],
    accuracy: 0.829,
    parameters: 19_466_823,
  },
  {
    name: "EfficientNetB5",
    width: 1.6,
    depth: 2.2,
    size: 456,
    dropout: 0.4,
    digests: ["ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"],
    accuracy: 0.836,
    parameters: 30_562_527,
  },
  {
    name: "EfficientNetB6",
    width: 1.8,
    depth: 2.6,
    size: 528,
    dropout: 0.5,
    digests: ["165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"],
    accuracy: 0.84,
    parameters: 43_265_143,
  },
  {
    name: "EfficientNetB7",
    width: 2,
    depth: 3.1,
    size: 600,
    dropout: 0.5,
    digests: ["8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"],
    accuracy: 0.843,
    parameters: 66_658_687,
  },
];

const body =
  ({ width, depth, dropout }: Variant): Family["body"] =>
  (model, input, options) => {
    const scaled = (filters: number) => divisible(filters * width);
    const repeats = stages.map((stage) => Math.ceil(depth * stage.repeats));
    const blocks = repeats.reduce((sum, count) => sum + count, 0);
    let x = model.layer("Rescaling", undefined, { scale: 1 / 255 }, input);
    x = model.layer("Normalization", undefined, { axis: -1 }, x);
    // The published weights were trained on pixels divided by the variance, not by its root.
    if (options.isImageNet) {
      x = model.layer("Rescaling", undefined, { scale: deviations.map((each) => 1 / Math.sqrt(each)) }, x);
    }
    x = model.layer("ZeroPadding2D", "stem_conv_pad", { padding: paddingBeforeStride(x, 3) }, x);
    const stem = { filters: scaled(32), kernel_size: 3, strides: 2, padding: "valid" };
    x = convolved(model, step("stem", stem), momentum, x);
    let block = 0;
    for (const [index, stage] of stages.entries()) {
      for (let repeat = 0; repeat < (repeats[index] ?? 0); repeat++) {
        x = invertedResidual(model, x, {
          name: blockName(index, repeat),
          kernel: stage.kernel,
          strides: repeat === 0 ? stage.strides : 1,
          expansion: stage.expansion,
          filters: scaled(stage.to),
          dropRate: (dropConnectRate * block) / blocks,
        });
        block++;
      }
    }
    x = convolved(model, step("top", { filters: scaled(1280), kernel_size: 1 }), momentum, x);
    return classified(model, x, options, lastNames(dropout));
  };

interface Block {
  readonly name: string;
  readonly kernel: number;
  readonly strides: 1 | 2;
  readonly expansion: number;
  readonly filters: number;
  readonly dropRate: number;
}

/** Expand by a pointwise convolution, filter by a depthwise one, weigh the maps, project; added to its input where shapes allow. */
function invertedResidual(model: FunctionalModel, input: KerasTensor, block: Block): KerasTensor {
  const { name, kernel, strides, expansion, filters, dropRate } = block;
  let x = input;
  if (expansion > 1) {
    const config = { filters: input.channels * expansion, kernel_size: 1 };
    x = convolved(model, step(`${name}expand`, config), momentum, x);
  }
  if (strides === 2) {
    x = model.layer("ZeroPadding2D", `${name}dwconv_pad`, { padding: paddingBeforeStride(x, kernel) }, x);
  }
  const depthwise = {
    className: "DepthwiseConv2D",
    layer: `${name}dwconv`,
    norm: `${name}bn`,
    activation: `${name}activation`,
    config: { kernel_size: kernel, strides, padding: strides === 2 ? "valid" : "same" },
  } as const;
  x = convolved(model, depthwise, momentum, x);
  x = excited(model, name, Math.max(1, Math.trunc(input.channels / 4)), x);
  x = convolved(model, projection(name, filters), momentum, x);
  return strides === 1 && input.channels === filters ? added(model, name, dropRate, x, input) : x;
}

export const efficientNetFamilies: readonly Family[] = variants.map((variant): Family => {
  const { name, size, digests, accuracy, parameters } = variant;
  const modelName = name.toLowerCase();
  return {
    name,
    modelName: () => modelName,
    body: body(variant),
    options: [],
    preprocessing: "raw",
    defaultSize: size,
    smallestSide: 32,
    published: published(
      "https://storage.googleapis.com/keras-applications/",
      [`${modelName}.h5`, digests[0]],
      [`${modelName}_notop.h5`, digests[1]],
    ),
    license: "Apache-2.0",
    accuracy,
    parameters,
  };
});
