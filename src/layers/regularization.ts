/** @file Layers that work in training only: dropout, noise, random changes of pictures. At inference they pass on what comes. */
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { floatAt, inputAt, scalar } from "./orient.ts";

/** An ONNX Dropout, which training puts to work again. */
const dropout: LowerLayer = (inputs, call) => {
  const { build, name, config } = call;
  const { data } = floatAt(inputs, call);
  const rate = config.number("rate");
  if (!(rate >= 0 && rate <= 1)) return config.refuse("rate", "a number from 0 to 1", rate);
  const ratio = scalar(call, rate);
  return { data: data.map((x) => build.apply("Dropout", [x, ratio], {}, name)) };
};

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
  // Whole channels at a time in training: an ordinary Dropout there would be another layer.
  ["SpatialDropout1D", { lower: noise, passesMask: true }],
  ["SpatialDropout2D", { lower: noise, passesMask: true }],
  ["SpatialDropout3D", { lower: noise, passesMask: true }],
  ["GaussianDropout", { lower: noise, passesMask: true }],
  ["GaussianNoise", { lower: noise, passesMask: true }],
  ["AlphaDropout", { lower: noise, passesMask: true }],
  ["ActivityRegularization", { lower: noise, passesMask: true }],
  ...randomClasses.map((name): readonly [string, LayerDefinition] => [name, { lower: random }]),
];
