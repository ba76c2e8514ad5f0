/** @file Deterministic preprocessing: what models do to their inputs before the first weights. */
import type { Value } from "../graph/index.ts";
import { elementCount, float32 } from "../tensor/index.ts";
import { type Config, isJsonObject, type Json } from "./config.ts";
import type { LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { axesOf, floatAt, rankOf, sizeAt, spreadAlong } from "./orient.ts";

/** A number, nested lists of numbers, or an array as Keras serializes it: `{ config: { value: […] } }`. */
function arrayOf(config: Config, key: string): { shape: readonly number[]; data: Float32Array } {
  const field = config.get(key);
  const value = isJsonObject(field) && isJsonObject(field["config"]) ? field["config"]["value"] : field;
  const shape: number[] = [];
  let level: Json | undefined = value;
  while (Array.isArray(level)) {
    shape.push(level.length);
    level = level[0];
  }
  const flat: readonly unknown[] = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  const isNumber = (each: unknown): each is number => typeof each === "number";
  if (!flat.every(isNumber) || flat.length !== elementCount(shape)) return config.refuse(key, "numbers", value);
  return { shape, data: Float32Array.from(flat) };
}

const rescaling: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = floatAt(inputs, call);
  const rank = rankOf(input);
  const fields = ["scale", "offset"].map((key) => (config.has(key) ? arrayOf(config, key) : undefined));
  const [scale, offset] = fields;
  // Lists lie along the last axis; anything of more axes over the model's own order.
  const isChannels = fields.every((field) => (field?.shape.length ?? 0) <= 1);
  const { x, over, result } = spreadAlong(input, isChannels ? [rank - 1] : [], call);
  const laid = (field: { shape: readonly number[]; data: Float32Array }): Value => {
    const value = build.constant(float32(field.shape, field.data), `${name}/fixed`);
    return field.data.length > 1 ? over(value) : value;
  };
  const scaled = scale === undefined ? x : build.mul(x, laid(scale));
  return result(build.apply("Add", [scaled, laid(offset ?? { shape: [], data: Float32Array.of(0) })], {}, name));
};

/** Keras's epsilon, below which no deviation is divided by. */
const least = 1e-7;

/** (x − mean) / max(√variance, ε), with statistics that were adapted (weights) or given (config). */
const normalization: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = floatAt(inputs, call);
  const axes = config.has("axis") ? axesOf(input, call) : [];
  const { x, over, result } = spreadAlong(input, axes, call);
  const sizes = axes.map((axis) => sizeAt(input, axis));
  const [mean, variance] = config.has("mean") ? givenStatistics(call, sizes) : adaptedStatistics(call, sizes);
  const deviation = build.apply("Max", [build.sqrt(variance), build.scalar(least, variance)]);
  if (config.boolean("invert", false)) {
    return result(build.apply("Add", [build.mul(x, over(deviation)), over(mean)], {}, name));
  }
  return result(build.apply("Div", [build.sub(x, over(mean)), over(deviation)], {}, name));
};

function adaptedStatistics(call: LayerCall, sizes: readonly number[]): readonly [Value, Value] {
  const isTrainable = false;
  const mean = call.weight("mean", sizes, { isTrainable });
  const variance = call.weight("variance", sizes, { isTrainable });
  // How much data it saw: kept, as it is one of the layer's weights; nothing reads it.
  call.weight("count", [], { isTrainable });
  return [mean, variance];
}

/** Given ones may have fewer axes: they are repeated along those before. */
function givenStatistics(call: LayerCall, sizes: readonly number[]): readonly [Value, Value] {
  const statistic = (key: string): Value => {
    const { data } = arrayOf(call.config, key);
    const count = elementCount(sizes);
    if (data.length === 0 || count % data.length > 0) return call.config.refuse(key, `${count} numbers`, data.length);
    const whole = Float32Array.from({ length: count }, (_, index) => data[index % data.length] ?? 0);
    return call.build.constant(float32(sizes, whole), `${call.name}/${key}`);
  };
  return [statistic("mean"), statistic("variance")];
}

export const preprocessingLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Rescaling", { lower: rescaling, passesMask: true }],
  ["Normalization", { lower: normalization, passesMask: true }],
];
