/** @file Short forms that many layers share: sizes that must be known, inputs, results in either order of axes. */
import { Oriented, type Value } from "../graph/index.ts";
import { float32, GraftError, isFloating } from "../tensor/index.ts";
import type { Flow, LayerCall } from "./layer.ts";

/** The `index`-th input. Throws GraftError `model-invalid` where it is missing. */
export function inputAt(inputs: readonly Flow[], index = 0): Flow {
  const input = inputs[index];
  if (input !== undefined) return input;
  throw new GraftError("model-invalid", "an input is missing", {
    expected: `${index + 1}`,
    actual: `${inputs.length}`,
  });
}

/** The `index`-th input as floating-point numbers: what Keras casts to its compute type before it calculates. */
export function floatAt(inputs: readonly Flow[], { build }: LayerCall, index = 0): Flow {
  const input = inputAt(inputs, index);
  const { dtype } = input.data;
  if (dtype === undefined || isFloating(dtype)) return input;
  return { ...input, data: input.data.map((x) => build.cast(x, "float32")) };
}

/** The size of an axis of the model (negative: from the end), which must be known. */
export function sizeAt({ data }: Flow, axis: number): number {
  const size = data.shape?.at(axis);
  if (typeof size === "number") return size;
  throw new GraftError("model-invalid", "a size must be known", { path: [`axis ${axis}`] });
}

/** The number of axes. */
export function rankOf({ data }: Flow): number {
  const rank = data.shape?.length;
  if (rank !== undefined) return rank;
  throw new GraftError("model-invalid", "the number of axes must be known");
}

/** Throws GraftError `model-invalid` where the input has another number of axes than the layer takes. */
export function expectRank(flow: Flow, rank: number): void {
  if (rankOf(flow) === rank) return;
  throw new GraftError("model-invalid", "its input has another number of axes than it takes", {
    expected: `${rank}`,
    actual: `${rankOf(flow)}`,
  });
}

/** An axis of the model counted from 0. Throws GraftError `model-invalid` where there is none. */
export function axisOf(flow: Flow, axis: number): number {
  const rank = rankOf(flow);
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new GraftError("model-invalid", "there is no such axis", { path: [`axis ${axis}`], actual: `${rank} axes` });
}

/** The axes that a layer's `axis` names, a number or a list, counted from 0 and in order. */
export function axesOf(flow: Flow, { config }: LayerCall, key = "axis", otherwise: readonly number[] = [-1]): number[] {
  const axes = config.numbers(key, otherwise).map((axis) => axisOf(flow, axis));
  return [...new Set(axes)].sort((a, b) => a - b);
}

/** The number of channels: the last axis. */
export function channelsOf(flow: Flow): number {
  return sizeAt(flow, -1);
}

/** A value in the model's own order as what goes on. */
export function asLast({ build }: LayerCall, value: Value): Flow {
  return { data: Oriented.last(build, value) };
}

/** A value `[N, C, …]` as what goes on. */
export function asFirst({ build }: LayerCall, value: Value): Flow {
  return { data: Oriented.first(build, value) };
}

/** Whether the model itself has its channels first, in this layer. */
function hasChannelsFirst({ config }: LayerCall): boolean {
  return config.get("data_format") === "channels_first";
}

/** A layer's input as maps `[N, C, …spatial]`, whichever `data_format` the layer has. */
export function mapsOf(flow: Flow, call: LayerCall): Value {
  return hasChannelsFirst(call) ? flow.data.last() : flow.data.first();
}

/** Maps `[N, C, …spatial]` as what goes on, in the layer's `data_format`. */
export function fromMaps(call: LayerCall, value: Value): Flow {
  return hasChannelsFirst(call) ? asLast(call, value) : asFirst(call, value);
}

/** Where the layer's `data_format` has the channels, as an axis of the model. */
export function channelAxis(call: LayerCall): 1 | -1 {
  return hasChannelsFirst(call) ? 1 : -1;
}

/** A constant of rank 0. */
export function scalar({ build }: Pick<LayerCall, "build">, value: number): Value {
  return build.constant(float32([], Float32Array.of(value)), `number_${value}`);
}

/** A value that weights along some of its axes are laid over. */
export interface Spread {
  /** The form that needs no transpose, where there is one. */
  readonly x: Value;
  /** The sizes that weights take to lie along the axes, all others 1. */
  over(weights: Value): Value;
  /** Where an axis of the model lies in `x`. */
  axis(axis: number): number;
  result(value: Value): Flow;
}

/** Lays weights, in the order of `axes` (of the model, sorted), over a value. */
export function spreadAlong(flow: Flow, axes: readonly number[], call: LayerCall): Spread {
  const rank = rankOf(flow);
  const isChannels = axes.length === 1 && axes[0] === rank - 1;
  if (isChannels && flow.data.isFirst) {
    const shape = Array.from({ length: rank }, (_, axis) => (axis === 1 ? channelsOf(flow) : 1));
    return {
      x: flow.data.first(),
      over: (weights) => call.build.reshape(weights, shape),
      axis: (axis) => flow.data.nativeAxis(axis),
      result: (value) => asFirst(call, value),
    };
  }
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? sizeAt(flow, axis) : 1));
  return {
    x: flow.data.last(),
    over: (weights) => (isChannels || axes.length === 0 ? weights : call.build.reshape(weights, shape)),
    axis: (axis) => axis,
    result: (value) => asLast(call, value),
  };
}
