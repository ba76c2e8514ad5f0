/** @file How windows move over maps: Keras's sizes, strides, dilations and padding, as ONNX says them. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { LayerCall } from "./layer.ts";

/** How a window moves over a map, an entry an axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: string;
}

type Pads = { readonly pads: readonly number[] } | { readonly autoPad: "SAME_UPPER" };

/**
 * ONNX's pads for TensorFlow's "same" and "valid": with "same" ⌈size / stride⌉ come out, and the odd element of padding
 * lies at the end. Where sizes are open and strides are not 1, `autoPad` says it. "causal" pads before only.
 */
export function padsOf(x: Value, { kernel, strides, dilations, padding }: Window): Pads {
  const spatial = x.shape?.slice(2) ?? [];
  const reaches = kernel.map((side, axis) => (side - 1) * (dilations[axis] ?? 1) + 1);
  if (padding === "valid") return { pads: kernel.flatMap(() => [0, 0]) };
  if (padding === "causal") return { pads: [...reaches.map((reach) => reach - 1), ...reaches.map(() => 0)] };
  if (padding !== "same") throw new GraftError("model-refused", "the padding is not known", { actual: padding });
  const isUnmoved = strides.every((stride) => stride === 1);
  if (!isUnmoved && spatial.some((size) => typeof size !== "number")) return { autoPad: "SAME_UPPER" as const };
  const totals = reaches.map((reach, axis) => {
    const stride = strides[axis] ?? 1;
    const size = Number(isUnmoved ? 1 : spatial[axis]);
    return Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  });
  const begins = totals.map((total) => Math.floor(total / 2));
  return { pads: [...begins, ...totals.map((total, axis) => total - (begins[axis] ?? 0))] };
}

/** Reads a window from a layer's config. */
export function windowOf({ config }: LayerCall, rank: number, sizes: "kernel_size" | "pool_size"): Window {
  const kernel = config.counts(sizes, rank, sizes === "pool_size" ? 2 : undefined);
  return {
    kernel,
    strides: config.counts("strides", rank, sizes === "pool_size" ? kernel : 1),
    dilations: config.counts("dilation_rate", rank, 1),
    padding: config.text("padding", "valid").toLowerCase(),
  };
}
