/** @file Layers that work in training only: dropout, noise, random changes of pictures. At inference they pass on what comes. */
import type { Value } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { channelsOf, floatAt, inputAt, rankOf, scalar } from "./orient.ts";

/** An ONNX Dropout, which training puts to work again. */
const dropout: LowerLayer = (inputs, call) => {
  const { build, name } = call;
  const { data } = floatAt(inputs, call);
  const ratio = scalar(call, rateOf(call));
  return { data: data.map((x) => build.apply("Dropout", [x, ratio], {}, name)) };
};

/** A Dropout of ones, one a channel, by which the channels are multiplied: whole channels are dropped in training. */
const spatialDropout: LowerLayer = (inputs, call) => {
  const { build, name } = call;
  const input = floatAt(inputs, call);
  const channels = channelsOf(input);
  const rank = rankOf(input);
  const ratio = scalar(call, rateOf(call));
  const drop = (x: Value) => {
    const axis = input.data.nativeAxis(-1);
    const sizes = Array.from({ length: rank - 1 }, (_, index) => build.ints([index + 1 === axis ? channels : 1]));
    const shape = build.concat([build.sizeOf(x, 0), ...sizes], 0);
    const ones = build.apply("ConstantOfShape", [shape], { value: float32([1], Float32Array.of(1)) });
    return build.apply("Mul", [x, build.apply("Dropout", [ones, ratio], {}, `${name}/channels`)], {}, name);
  };
  return { data: input.data.map(drop) };
};

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
