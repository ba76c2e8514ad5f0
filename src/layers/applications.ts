/** @file The classes that models of keras.applications bring along: of ConvNeXt and of Inception-ResNet. */
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { channelsOf, floatAt, inputAt, rankOf, spreadAlong } from "./orient.ts";

/** γ · x, a factor a channel. */
const layerScale: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const gamma = call.weight("gamma", [channelsOf(input)]);
  const { x, over, result } = spreadAlong(input, [rankOf(input) - 1], call);
  return result(call.build.apply("Mul", [x, over(gamma)], {}, call.name));
};

/** Drops whole results of a block in training: nothing otherwise. */
const stochasticDepth: LowerLayer = (inputs, { build, name, remark }) => {
  remark("Layers of stochastic depth drop nothing here, in training neither.");
  return { data: inputAt(inputs).data.map((x) => build.apply("Identity", [x], {}, name)) };
};

/** The first input plus `scale` times the second. */
const customScale: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = floatAt(inputs, call);
  const other = inputAt(inputs, 1).data;
  const scaled = (x: typeof other) => build.scale(input.data.isFirst ? x.first() : x.last(), config.number("scale"));
  return { data: input.data.map((x) => build.apply("Add", [x, scaled(other)], {}, name)) };
};

export const applicationLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["LayerScale", { lower: layerScale }],
  ["StochasticDepth", { lower: stochasticDepth }],
  ["CustomScaleLayer", { lower: customScale }],
];
