/** @file Windows that move over maps: strides, dilations and padding as TensorFlow writes them. */
import { Oriented, type Value } from "../../../graph/index.ts";
import type { Dimension } from "../../../tensor/index.ts";
import type { Call } from "./call.ts";

/** How a window moves, an entry a spatial axis. */
export interface Window {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: string;
  /** Begins and ends by spatial axis, where the node gives them. */
  readonly explicit: readonly number[] | undefined;
  /** Whether TensorFlow's own order has the channels right after the batch. */
  readonly isFirst: boolean;
}

/** Reads a window over `spatial` axes. */
export function windowOf(call: Call, spatial: number): Window {
  const isFirst = isChannelsFirst(call, spatial);
  const ones = Array.from({ length: spatial + 2 }, () => 1);
  return {
    strides: inner(call.ints("strides", ones), isFirst),
    dilations: inner(call.ints("dilations", ones), isFirst),
    padding: call.text("padding", "VALID"),
    explicit: explicitPads(call, isFirst),
    isFirst,
  };
}

/** What a list with an entry an axis says of the spatial ones. */
export function inner(entries: readonly number[], isFirst: boolean): readonly number[] {
  return isFirst ? entries.slice(2) : entries.slice(1, -1);
}

export function isChannelsFirst(call: Call, spatial: number): boolean {
  const fallback = spatial === 3 ? "NDHWC" : "NHWC";
  const format = call.text("data_format", fallback);
  if (["NHWC", "NDHWC", "NWC"].includes(format)) return false;
  if (["NCHW", "NCDHW", "NCW"].includes(format)) return true;
  throw call.refused("the order of the axes is not supported", format);
}

function explicitPads(call: Call, isFirst: boolean): readonly number[] | undefined {
  const pairs = call.ints("explicit_paddings", []);
  if (pairs.length === 0) return undefined;
  const pair = Array.from({ length: pairs.length / 2 }, (_, axis) => axis);
  const axes = isFirst ? pair.slice(2) : pair.slice(1, -1);
  return [...axes.map((axis) => pairs[2 * axis] ?? 0), ...axes.map((axis) => pairs[2 * axis + 1] ?? 0)];
}

type Pads = { readonly pads: readonly number[] } | { readonly autoPad: "SAME_UPPER" };

/**
 * ONNX's pads for a window over axes of these sizes. "SAME" gives ⌈size / stride⌉, and the odd element of padding lies
 * at the end; where a size is open and the strides are not 1, `autoPad` says it.
 */
export function padsOf(call: Call, sizes: readonly Dimension[], kernel: readonly number[], window: Window): Pads {
  const { padding, explicit, strides, dilations } = window;
  if (padding === "EXPLICIT" && explicit !== undefined) return { pads: explicit };
  if (padding === "VALID") return { pads: kernel.flatMap(() => [0, 0]) };
  if (padding !== "SAME") throw call.refused("the padding is not supported", padding);
  const isUnmoved = strides.every((stride) => stride === 1);
  if (!isUnmoved && sizes.some((size) => typeof size !== "number")) return { autoPad: "SAME_UPPER" };
  const totals = kernel.map((side, axis) => {
    const stride = strides[axis] ?? 1;
    const reach = (side - 1) * (dilations[axis] ?? 1) + 1;
    const size = isUnmoved ? 1 : Number(sizes[axis]);
    return Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  });
  const begins = totals.map((total) => Math.floor(total / 2));
  return { pads: [...begins, ...totals.map((total, axis) => total - (begins[axis] ?? 0))] };
}

/** An input as `[N, C, …spatial]`, and what makes of such a value one in the node's own order. */
export function mapOf(
  call: Call,
  index: number,
  isFirst: boolean,
): { readonly x: Value; readonly wrap: (value: Value) => Oriented } {
  const data = call.oriented(index);
  if (isFirst) return { x: data.last(), wrap: (value) => Oriented.last(call.build, value) };
  return { x: data.first(), wrap: (value) => Oriented.first(call.build, value) };
}
