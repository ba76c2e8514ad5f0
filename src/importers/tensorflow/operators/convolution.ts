/** @file Convolutions and their transposes, in two and three dimensions. */
import type { Oriented, Value } from "../../../graph/index.ts";
import { float32, GraftError, type Shape } from "../../../tensor/index.ts";
import { shapeOf } from "./align.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";
import { inner, isChannelsFirst, mapOf, padsOf, windowOf } from "./window.ts";

/** `[…spatial, in, out]` as a kernel of ONNX, `[out, in, …spatial]`; its sizes must be known. */
export function kernelOf(call: Call, index: number): { readonly value: Value; readonly shape: readonly number[] } {
  const shape = knownShape(call, index);
  const spatial = shape.length - 2;
  const perm = [spatial + 1, spatial, ...Array.from({ length: spatial }, (_, axis) => axis)];
  return { value: inLayout(call, index, shape, perm), shape };
}

/** `[…spatial, in, multiplier]` as a kernel of ONNX with a group a channel, `[in·multiplier, 1, …spatial]`. */
export function depthwiseKernelOf(call: Call, index: number): { readonly value: Value; readonly shape: Shape } {
  const shape = knownShape(call, index);
  const spatial = shape.slice(0, -2);
  const [channels = 0, multiplier = 0] = shape.slice(-2);
  const joined = [...spatial, 1, channels * multiplier];
  const perm = [spatial.length + 1, spatial.length, ...spatial.keys()];
  return { value: inLayout(call, index, joined, perm), shape };
}

/** A weight is laid out so at import; what is computed is moved at run time. */
function inLayout(call: Call, index: number, shape: readonly number[], perm: readonly number[]): Value {
  const slot = call.slot(index);
  if (slot.kind === "weight") return slot.weight.in({ shape, perm }, call.build);
  const value = call.value(index);
  const isSame = value.shape?.length === shape.length && value.shape.every((size, axis) => size === shape[axis]);
  return call.build.transpose(isSame ? value : call.build.reshape(value, shape), perm);
}

function knownShape(call: Call, index: number): readonly number[] {
  const shape = shapeOf(call, call.slot(index));
  if (shape?.every((size) => typeof size === "number")) return shape;
  throw call.refused("the shape of a kernel must be known");
}

function channelsOf(call: Call, x: Value): number {
  const channels = x.shape?.[1];
  if (typeof channels === "number") return channels;
  throw call.refused("the number of channels must be known");
}

/** A convolution with its padding; `bias` is added. Also the heart of the fused operators. */
export function convolved(call: Call, spatial: number, isDepthwise: boolean, bias: Value | undefined): Oriented {
  expectRank(call, spatial + 2);
  const window = windowOf(call, spatial);
  const { x, wrap } = mapOf(call, 0, window.isFirst);
  const channels = channelsOf(call, x);
  const kernel = isDepthwise ? depthwiseKernelOf(call, 1) : kernelOf(call, 1);
  const taken = Number(kernel.shape[spatial]);
  if (!(taken > 0) || channels % taken !== 0 || (isDepthwise && channels !== taken)) {
    throw new GraftError("model-invalid", "the kernel does not fit the channels", {
      expected: `${channels} channels`,
      actual: `${taken}`,
    });
  }
  const kernelShape = kernel.shape.slice(0, spatial).map(Number);
  const attributes = {
    group: isDepthwise ? channels : channels / taken,
    strides: window.strides,
    dilations: window.dilations,
    kernelShape,
    ...padsOf(call, x.shape?.slice(2) ?? [], kernelShape, window),
  };
  const inputs = bias === undefined ? [x, kernel.value] : [x, kernel.value, bias];
  return wrap(call.apply("Conv", inputs, attributes));
}

function expectRank(call: Call, rank: number): void {
  if (call.rank(0) !== rank) {
    throw call.refused(`maps of ${rank} axes are expected`, `${call.rank(0)} axes`);
  }
}

function convolution(spatial: number, isDepthwise: boolean): Lower {
  return (call) => convolved(call, spatial, isDepthwise, undefined);
}

/**
 * The transpose of a convolution: (input sizes, kernel `[…spatial, out, in]`, what comes out of the convolution). Where
 * sizes are open, it gives size·stride for "SAME", and for "VALID" the smallest size that the convolution covers.
 */
function transposedConvolution(spatial: number, isDepthwise: boolean): Lower {
  return (call) => {
    const window = windowOf(call, spatial);
    const { x, wrap } = mapOf(call, 2, window.isFirst);
    const kernel = isDepthwise ? depthwiseKernelOf(call, 1) : kernelOf(call, 1);
    const sides = kernel.shape.slice(0, spatial).map(Number);
    const targets = targetSizes(call, spatial);
    const begins: number[] = [];
    const ends: number[] = [];
    const added: number[] = [];
    for (const [axis, side] of sides.entries()) {
      const stride = window.strides[axis] ?? 1;
      const reach = (side - 1) * (window.dilations[axis] ?? 1) + 1;
      const size = x.shape?.[axis + 2];
      const target = targets[axis];
      const isKnown = typeof size === "number" && typeof target === "number";
      // How far the windows reach beyond the target: cut off at both ends, or made good for where it is short.
      const excess = isKnown
        ? (size - 1) * stride + reach - target
        : window.padding === "SAME"
          ? reach - stride
          : Math.min(reach - stride, 0);
      const given = window.padding === "EXPLICIT" ? window.explicit?.[axis] : undefined;
      const begin = given ?? (window.padding === "SAME" ? Math.floor(Math.max(excess, 0) / 2) : 0);
      begins.push(begin);
      ends.push(Math.max(excess - begin, 0));
      added.push(Math.max(begin - excess, 0));
    }
    const channels = channelsOf(call, x);
    const attributes = {
      group: isDepthwise ? channels : 1,
      strides: window.strides,
      dilations: window.dilations,
      kernelShape: sides,
      pads: [...begins, ...ends],
    };
    if (added.every((size, axis) => size < (window.strides[axis] ?? 1))) {
      return wrap(call.apply("ConvTranspose", [x, kernel.value], { ...attributes, outputPadding: added }));
    }
    throw call.refused("the sizes of a transposed convolution do not fit its strides");
  };
}

function targetSizes(call: Call, spatial: number): readonly unknown[] {
  const sizes = call.dimensions(0) ?? [];
  // Newer files may give the spatial sizes alone.
  return sizes.length === spatial ? sizes : inner(sizes as readonly number[], isChannelsFirst(call, spatial));
}

/** The largest kernel that takes patches apart. */
const mostPatchElements = 2 ** 22;

/** All elements of each window as channels: a convolution of every channel with a kernel of one 1 for each place. */
const patches: Lower = (call) => {
  const { build } = call;
  expectRank(call, 4);
  const ones = [1, 1, 1, 1];
  const [sides, strides, dilations] = [call.ints("ksizes", ones), call.ints("strides", ones), call.ints("rates", ones)];
  const kernelShape = inner(sides, false);
  const { x, wrap } = mapOf(call, 0, false);
  const channels = channelsOf(call, x);
  const places = kernelShape.reduce((product, side) => product * side, 1);
  if (places * places * channels > mostPatchElements) throw call.refused("the patches are too large");
  const window = {
    strides: inner(strides, false),
    dilations: inner(dilations, false),
    padding: call.text("padding", "VALID"),
    explicit: undefined,
    isFirst: false,
  };
  const data = new Float32Array(channels * places * places);
  for (let row = 0; row < channels * places; row++) data[row * places + (row % places)] = 1;
  const kernel = build.constant(float32([channels * places, 1, ...kernelShape], data), `${call.name}/places`);
  const attributes = { group: channels, strides: window.strides, dilations: window.dilations, kernelShape };
  const pads = padsOf(call, x.shape?.slice(2) ?? [], kernelShape, window);
  const y = build.apply("Conv", [x, kernel], { ...attributes, ...pads });
  // [N, C·places, h, w] to [N, places·C, h, w].
  const [height, width] = y.shape?.slice(2) ?? [];
  if (typeof height !== "number" || typeof width !== "number") throw call.refused("the sizes of patches must be known");
  const split = build.transpose(build.reshape(y, [-1, channels, places, height, width]), [0, 2, 1, 3, 4]);
  return wrap(build.reshape(split, [-1, places * channels, height, width]));
};

export const convolutionRows: OperatorRows = [
  ["Conv2D", convolution(2, false)],
  ["Conv2DBackpropInput", transposedConvolution(2, false)],
  ["Conv3D", convolution(3, false)],
  ["Conv3DBackpropInputV2", transposedConvolution(3, false)],
  ["DepthwiseConv2dNative", convolution(2, true)],
  ["ExtractImagePatches", patches],
  ["DepthwiseConv2dNativeBackpropInput", transposedConvolution(2, true)],
];
