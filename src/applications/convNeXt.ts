/** @file ConvNeXt (Liu et al. 2022) with Keras's layer names: keras.applications.convnext. */
import { pooledMap } from "./blocks.ts";
import { type Family, type FamilyName, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** How many blocks the four stages have, and the filters of the first, which double from stage to stage: section 2.1 of the paper. */
interface Variant {
  readonly name: FamilyName & `ConvNeXt${string}`;
  readonly depths: readonly [number, number, number, number];
  readonly filters: number;
  /** SHA-256 of the published files with the top and without. */
  readonly digests: readonly [top: string, noTop: string];
  readonly accuracy: number;
  readonly parameters: number;
}

const variants: readonly Variant[] = [
  {
    name: "ConvNeXtTiny",
    depths: [3, 3, 9, 3],
    filters: 96,
    digests: [
      "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
      "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ],
    accuracy: 0.813,
    parameters: 28_589_128,
  },
  {
    name: "ConvNeXtSmall",
    depths: [3, 3, 27, 3],
    filters: 96,
    digests: [
      "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
      "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ],
    accuracy: 0.823,
    parameters: 50_223_688,
  },
  {
    name: "ConvNeXtBase",
    depths: [3, 3, 27, 3],
    filters: 128,
    digests: [
      "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
      "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ],
    accuracy: 0.853,
    parameters: 88_591_464,
  },
  {
    name: "ConvNeXtLarge",
    depths: [3, 3, 27, 3],
    filters: 192,
    digests: [
      "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
      "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ],
    accuracy: 0.863,
    parameters: 197_767_336,
  },
  {
    name: "ConvNeXtXLarge",
    depths: [3, 3, 27, 3],
    filters: 256,
    digests: [
      "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
      "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ],
    accuracy: 0.867,
    parameters: 350_196_968,
  },
];

const normalization = { epsilon: 1e-6 };

const body =
  ({ depths, filters }: Variant): Family["body"] =>
  (model, input, options) => {
    const { name, inputShape, includePreprocessing, includeTop, classes, classifierActivation } = options;
    let x = input;
    if (includePreprocessing && inputShape[2] === 3) {
      const mean = [0.485, 0.456, 0.406].map((each) => each * 255);
      const variance = [0.229, 0.224, 0.225].map((each) => (each * 255) ** 2);
      x = model.layer("Normalization", `${name}_prestem_normalization`, { axis: -1, mean, variance }, x);
    }
    for (const [stage, depth] of depths.entries()) {
      const width = filters * 2 ** stage;
      x = stage === 0 ? stem(model, name, width, x) : downsampled(model, name, stage - 1, width, x);
      for (let index = 0; index < depth; index++) x = block(model, `${name}_stage_${stage}_block_${index}`, x);
    }
    if (!includeTop) return model.layer("LayerNormalization", undefined, normalization, pooledMap(model, x, options));
    x = model.layer("GlobalAveragePooling2D", `${name}_head_gap`, {}, x);
    x = model.layer("LayerNormalization", `${name}_head_layernorm`, normalization, x);
    return model.layer("Dense", `${name}_head_dense`, { units: classes, activation: classifierActivation }, x);
  };

/** From pixels to a map of a quarter of the sides. */
function stem(model: FunctionalModel, name: string, filters: number, x: KerasTensor): KerasTensor {
  const layers = [
    ["Conv2D", `${name}_stem_conv`, { filters, kernel_size: 4, strides: 4 }],
    ["LayerNormalization", `${name}_stem_layernorm`, normalization],
  ] as const;
  return model.sequential(`${name}_stem`, layers, x);
}

/** To half of the sides. */
function downsampled(
  model: FunctionalModel,
  name: string,
  index: number,
  filters: number,
  x: KerasTensor,
): KerasTensor {
  const layers = [
    ["LayerNormalization", `${name}_downsampling_layernorm_${index}`, normalization],
    ["Conv2D", `${name}_downsampling_conv_${index}`, { filters, kernel_size: 2, strides: 2 }],
  ] as const;
  return model.sequential(`${name}_downsampling_block_${index}`, layers, x);
}

/** Depthwise convolution, then two dense layers at every place, added to the input: figure 4 of the paper. */
function block(model: FunctionalModel, name: string, input: KerasTensor): KerasTensor {
  const { channels } = input;
  const depthwise = { filters: channels, kernel_size: 7, padding: "same", groups: channels };
  let x = model.layer("Conv2D", `${name}_depthwise_conv`, depthwise, input);
  x = model.layer("LayerNormalization", `${name}_layernorm`, normalization, x);
  x = model.layer("Dense", `${name}_pointwise_conv_1`, { units: 4 * channels }, x);
  x = model.layer("Activation", `${name}_gelu`, { activation: "gelu" }, x);
  x = model.layer("Dense", `${name}_pointwise_conv_2`, { units: channels }, x);
  x = model.layer("LayerScale", `${name}_layer_scale`, { init_values: 1e-6, projection_dim: channels }, x);
  // Where a variant would drop whole results in training; none of the published ones does.
  x = model.layer("Activation", `${name}_identity`, { activation: "linear" }, x);
  return model.operation("Add", input, x);
}

export const convNeXtFamilies: readonly Family[] = variants.map((variant): Family => {
  const { name, digests, accuracy, parameters } = variant;
  const modelName = `convnext_${name.slice("ConvNeXt".length).toLowerCase()}`;
  return {
    name,
    modelName: () => modelName,
    body: body(variant),
    options: ["includePreprocessing"],
    preprocessing: "raw",
    preprocessingOutside: "torch",
    defaultSize: 224,
    smallestSide: 32,
    published: published(
      `${kerasApplications}convnext/`,
      [`${modelName}.h5`, digests[0]],
      [`${modelName}_notop.h5`, digests[1]],
    ),
    license: "MIT",
    accuracy,
    parameters,
  };
});
