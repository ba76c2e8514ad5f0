/** @file Convolutions: Keras's kernels and padding, with the channels first inside. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { activated, isLinear } from "./activations.ts";
import { toOnnxDepthwise, toOnnxKernel } from "./kernels.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { channelAxis, expectRank, floatAt, fromMaps, mapsOf, sizeAt } from "./orient.ts";
import { padsOf, type Window, windowOf } from "./windows.ts";

/** The input as maps, and how many channels they have. */
function mapsAt(inputs: readonly Flow[], call: LayerCall, rank: number) {
  const input = floatAt(inputs, call);
  expectRank(input, rank + 2);
  return { x: mapsOf(input, call), channels: sizeAt(input, channelAxis(call)) };
}

function convolution(rank: number): LowerLayer {
  return (inputs, call) => {
    const { config } = call;
    const { x, channels } = mapsAt(inputs, call, rank);
    const group = config.count("groups", 1);
    const filters = config.count("filters");
    if (group < 1 || channels % group > 0 || filters % group > 0) {
      const sizes = `${channels} channels, ${filters} filters`;
      throw new GraftError("model-invalid", `${group} groups do not divide them`, { actual: sizes });
    }
    const window = windowOf(call, rank, "kernel_size");
    const kernel = call.weight("kernel", [...window.kernel, channels / group, filters], { toOnnx: toOnnxKernel });
    return finished(call, biasOf(call, filters), (bias, name) =>
      convolved(x, call, { window, group, kernel }, bias, name),
    );
  };
}

function depthwise(rank: number): LowerLayer {
  return (inputs, call) => {
    const { x, channels } = mapsAt(inputs, call, rank);
    const multiplier = call.config.count("depth_multiplier", 1);
    const window = windowOf(call, rank, "kernel_size");
    // Keras 3 says kernel, Keras 2 depthwise_kernel.
    const weight = call.kerasVersion >= 3 ? "kernel" : "depthwise_kernel";
    const kernel = call.weight(weight, [...window.kernel, channels, multiplier], { toOnnx: toOnnxDepthwise });
    const bias = biasOf(call, channels * multiplier);
    return finished(call, bias, (own, name) => convolved(x, call, { window, group: channels, kernel }, own, name));
  };
}

/** A depthwise convolution, then one of 1 × 1 over its channels. */
function separable(rank: number): LowerLayer {
  return (inputs, call) => {
    const { config, name } = call;
    const { x, channels } = mapsAt(inputs, call, rank);
    const between = channels * config.count("depth_multiplier", 1);
    const filters = config.count("filters");
    const window = windowOf(call, rank, "kernel_size");
    const depthwiseKernel = call.weight("depthwise_kernel", [...window.kernel, channels, between / channels], {
      toOnnx: toOnnxDepthwise,
    });
    const ones = window.kernel.map(() => 1);
    const kernel = call.weight("pointwise_kernel", [...ones, between, filters], { toOnnx: toOnnxKernel });
    const bias = biasOf(call, filters);
    const spatial = { window, group: channels, kernel: depthwiseKernel };
    const maps = convolved(x, call, spatial, undefined, `${name}/depthwise`);
    const point: Window = { kernel: ones, strides: ones, dilations: ones, padding: "valid" };
    return finished(call, bias, (own, last) => convolved(maps, call, { window: point, group: 1, kernel }, own, last));
  };
}

function biasOf(call: LayerCall, filters: number): Value | undefined {
  return call.config.boolean("use_bias", true) ? call.weight("bias", [filters]) : undefined;
}

interface Convolution {
  readonly window: Window;
  readonly group: number;
  readonly kernel: Value;
}

function convolved(
  x: Value,
  call: LayerCall,
  { window, group, kernel }: Convolution,
  bias: Value | undefined,
  name: string,
) {
  const attributes = {
    group,
    strides: [...window.strides],
    dilations: [...window.dilations],
    kernelShape: [...window.kernel],
  };
  const inputs = bias === undefined ? [x, kernel] : [x, kernel, bias];
  return call.build.apply("Conv", inputs, { ...attributes, ...padsOf(x, window) }, name);
}

/** The last convolution takes the layer's name where no activation follows that would. */
function finished(
  call: LayerCall,
  bias: Value | undefined,
  convolve: (bias: Value | undefined, name: string) => Value,
): Flow {
  const activation = call.config.get("activation");
  const name = isLinear(activation) ? call.name : `${call.name}/convolution`;
  return activated(fromMaps(call, convolve(bias, name)), call, activation);
}

export const convolutionLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Conv1D", { lower: convolution(1) }],
  ["Conv2D", { lower: convolution(2) }],
  ["Conv3D", { lower: convolution(3) }],
  ["DepthwiseConv1D", { lower: depthwise(1) }],
  ["DepthwiseConv2D", { lower: depthwise(2) }],
  ["SeparableConv1D", { lower: separable(1) }],
  ["SeparableConv2D", { lower: separable(2) }],
];
