/** @file The classes that models of keras.applications bring along: of ConvNeXt and of Inception-ResNet. */
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { channelsOf, floatAt, inputAt, rankOf, spreadAlong } from "./orient.ts";
import { droppedAsOne } from "./regularization.ts";

/** γ · x, a factor a channel. */
const layerScale: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const gamma = call.weight("gamma", [channelsOf(input)]);
  const { x, over, result } = spreadAlong(input, [rankOf(input) - 1], call);
  return result(call.build.apply("Mul", [x, over(gamma)], {}, call.name));
};

/** Drops the whole result of a block, picture by picture, in training: nothing otherwise. */
const stochasticDepth: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const sizes = Array.from({ length: rankOf(input) }, (_, axis) => (axis === 0 ? null : 1));
  return droppedAsOne(input, sizes, call, call.config.number("drop_path_rate"));
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
