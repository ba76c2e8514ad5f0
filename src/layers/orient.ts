/** @file Short forms that many layers share: sizes that must be known, the first input, results of work on elements. */
import { Oriented, type Value } from "../graph/index.ts";
import { float32, GraftError } from "../tensor/index.ts";
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

/** The size of an axis of the model (negative: from the end), which must be known. */
export function sizeAt({ data }: Flow, axis: number): number {
  const size = data.shape?.at(axis);
  if (typeof size === "number") return size;
  throw new GraftError("model-invalid", "a size must be known", { path: [`axis ${axis}`] });
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

/** A constant of rank 0. */
export function scalar({ build }: LayerCall, value: number): Value {
  return build.constant(float32([], Float32Array.of(value)), `number_${value}`);
}
