/** @file Convolutions: Keras's kernels and padding, with the channels first inside. */
import type { Value } from "../graph/index.ts";
import { GraftError, unreachable } from "../tensor/index.ts";
import { activated } from "./activations.ts";
import { toOnnxDepthwise, toOnnxKernel } from "./kernels.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asFirst, channelsOf, inputAt } from "./orient.ts";

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
 * lies at the end. Where sizes are open and strides are not 1, `autoPad` says it.
 */
export function padsOf(x: Value, { kernel, strides, dilations, padding }: Window): Pads {
  const spatial = x.shape?.slice(2) ?? [];
  if (padding === "valid") return { pads: kernel.flatMap(() => [0, 0]) };
  if (padding !== "same") throw new GraftError("model-refused", "the padding is not known", { actual: padding });
  const isUnmoved = strides.every((stride) => stride === 1);
  if (!isUnmoved && spatial.some((size) => typeof size !== "number")) return { autoPad: "SAME_UPPER" as const };
  const totals = kernel.map((side, axis) => {
    const stride = strides[axis] ?? 1;
    const size = Number(isUnmoved ? 1 : spatial[axis]);
    const reach = (side - 1) * (dilations[axis] ?? 1) + 1;
    return Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  });
  const begins = totals.map((total) => Math.floor(total / 2));
  return { pads: [...begins, ...totals.map((total, axis) => total - (begins[axis] ?? 0))] };
}

/** Reads a window from a layer's config. */
export function windowOf({ config }: LayerCall, rank: number, sizes: "kernel_size" | "pool_size"): Window {
  const kernel = config.counts(sizes, rank);
  return {
    kernel,
    strides: config.counts("strides", rank, sizes === "pool_size" ? kernel : 1),
    dilations: config.counts("dilation_rate", rank, 1),
    padding: config.text("padding", "valid"),
  };
}

function convolution(rank: number): LowerLayer {
  return (inputs, call) => {
    const input = inputAt(inputs);
    const { config, build, name } = call;
    const channels = channelsOf(input);
    const group = config.count("groups", 1);
    const filters = config.count("filters");
    const window = windowOf(call, rank, "kernel_size");
    const kernel = call.weight("kernel", [...window.kernel, channels / group, filters], { toOnnx: toOnnxKernel });
    const bias = config.boolean("use_bias", true) ? call.weight("bias", [filters]) : undefined;
    return convolved(input, call, { window, group, kernel, bias, name, build });
  };
}

const depthwise: LowerLayer = (inputs, call) => {
  const input = inputAt(inputs);
  const { config, build, name } = call;
  const channels = channelsOf(input);
  const multiplier = config.count("depth_multiplier", 1);
  const window = windowOf(call, 2, "kernel_size");
  // Keras 3 says kernel, Keras 2 depthwise_kernel.
  const weight = call.kerasVersion >= 3 ? "kernel" : "depthwise_kernel";
  const kernel = call.weight(weight, [...window.kernel, channels, multiplier], { toOnnx: toOnnxDepthwise });
  const bias = config.boolean("use_bias", true) ? call.weight("bias", [channels * multiplier]) : undefined;
  return convolved(input, call, { window, group: channels, kernel, bias, name, build });
};

interface Convolution {
  readonly window: Window;
  readonly group: number;
  readonly kernel: Value;
  readonly bias: Value | undefined;
  readonly name: string;
  readonly build: LayerCall["build"];
}

function convolved(input: Flow, call: LayerCall, { window, group, kernel, bias, name, build }: Convolution): Flow {
  const x = input.data.first();
  const activation = call.config.get("activation");
  const attributes = {
    group,
    strides: [...window.strides],
    dilations: [...window.dilations],
    kernelShape: [...window.kernel],
  };
  const own = activation === undefined || activation === "linear" ? name : `${name}/convolution`;
  const inputs = bias === undefined ? [x, kernel] : [x, kernel, bias];
  const y = build.apply("Conv", inputs, { ...attributes, ...padsOf(x, window) }, own);
  return activated(asFirst(call, y ?? unreachable("a convolution gives a value")), call, activation);
}

export const convolutionLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Conv1D", { lower: convolution(1) }],
  ["Conv2D", { lower: convolution(2) }],
  ["Conv3D", { lower: convolution(3) }],
  ["DepthwiseConv2D", { lower: depthwise }],
];
