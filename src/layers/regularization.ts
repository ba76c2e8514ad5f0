/** @file Layers that work in training only: dropout, noise, random changes of pictures. At inference they pass on what comes. */
import type { Value } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { channelsOf, floatAt, inputAt, rankOf, scalar } from "./orient.ts";

/** An ONNX Dropout, which training puts to work again. Where `noise_shape` has a 1, what lies along that axis is dropped as one. */
const dropout: LowerLayer = (inputs, call) => {
  const { build, name, config } = call;
  const input = floatAt(inputs, call);
  if (config.has("noise_shape")) return droppedAsOne(input, noiseShapeOf(input, call), call);
  const ratio = scalar(call, rateOf(call));
  return { data: input.data.map((x) => build.apply("Dropout", [x, ratio], {}, name)) };
};

/** Whole channels are dropped in training. */
const spatialDropout: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const sizes = Array.from({ length: rankOf(input) - 2 }, () => 1);
  return droppedAsOne(input, [null, ...sizes, channelsOf(input)], call);
};

/** A Dropout of ones, by which the input is multiplied. `sizes` are theirs, in the model's order; null is the input's own. */
export function droppedAsOne(input: Flow, sizes: readonly (number | null)[], call: LayerCall, rate?: number): Flow {
  const { build, name } = call;
  const ratio = scalar(call, rate ?? rateOf(call));
  const drop = (x: Value) => {
    const own: Value[] = [];
    for (const [axis, size] of sizes.entries()) {
      const at = input.data.nativeAxis(axis);
      own[at] = size === null ? build.sizeOf(x, at) : build.ints([size]);
    }
    const ones = build.apply("ConstantOfShape", [build.concat(own, 0)], { value: float32([1], Float32Array.of(1)) });
    return build.apply("Mul", [x, build.apply("Dropout", [ones, ratio], {}, `${name}/noise`)], {}, name);
  };
  return { data: input.data.map(drop) };
}

function noiseShapeOf(input: Flow, { config }: LayerCall): readonly (number | null)[] {
  const shape = config.get("noise_shape");
  const isSize = (size: unknown) => size === null || (typeof size === "number" && Number.isInteger(size) && size > 0);
  if (!Array.isArray(shape) || shape.length !== rankOf(input) || !shape.every(isSize)) {
    return config.refuse("noise_shape", `${rankOf(input)} sizes`, shape);
  }
  return shape;
}

function rateOf({ config }: LayerCall): number {
  const rate = config.number("rate");
  return rate >= 0 && rate <= 1 ? rate : config.refuse("rate", "a number from 0 to 1", rate);
}

function unchanged(flow: Flow, { build, name }: LayerCall): Flow {
  return { data: flow.data.map((x) => build.apply("Identity", [x], {}, name)) };
}

const noise: LowerLayer = (inputs, call) => unchanged(inputAt(inputs), call);

/** Keras gives pictures back as floating-point numbers. */
const random: LowerLayer = (inputs, call) => {
  call.remark("Random changes of pictures (flips, rotations and the like) do nothing when the model is used.");
  return unchanged(floatAt(inputs, call), call);
};

const randomClasses = [
  "AugMix",
  "AutoContrast",
  "CutMix",
  "MixUp",
  "RandAugment",
  "RandomBrightness",
  "RandomColorDegeneration",
  "RandomColorJitter",
  "RandomContrast",
  "RandomElasticTransform",
  "RandomErasing",
  "RandomFlip",
  "RandomGaussianBlur",
  "RandomGrayscale",
  "RandomHeight",
  "RandomHue",
  "RandomInvert",
  "RandomPerspective",
  "RandomPosterization",
  "RandomRotation",
  "RandomSaturation",
  "RandomSharpness",
  "RandomShear",
  "RandomTranslation",
  "RandomWidth",
  "RandomZoom",
];

export const regularizationLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Dropout", { lower: dropout, passesMask: true }],
  ["SpatialDropout1D", { lower: spatialDropout, passesMask: true }],
  ["SpatialDropout2D", { lower: spatialDropout, passesMask: true }],
  ["SpatialDropout3D", { lower: spatialDropout, passesMask: true }],
  ["GaussianDropout", { lower: noise, passesMask: true }],
  ["GaussianNoise", { lower: noise, passesMask: true }],
  ["AlphaDropout", { lower: noise, passesMask: true }],
  ["ActivityRegularization", { lower: noise, passesMask: true }],
  ...randomClasses.map((name): readonly [string, LayerDefinition] => [name, { lower: random }]),
];
