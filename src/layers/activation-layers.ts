/** @file Layers that are an activation: by name, rectifiers of every kind, softmax. */
import type { Value } from "../graph/index.ts";
import { activated, isLinear } from "./activations.ts";
import { permuted } from "./kernels.ts";
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { asFirst, asLast, axesOf, floatAt, inputAt, rankOf, scalar, sizeAt } from "./orient.ts";
import { softmaxOver } from "./softmax.ts";

const activation: LowerLayer = (inputs, call) => {
  const input = inputAt(inputs);
  const own = call.config.get("activation");
  // A layer has a node of its own, even where it does nothing: a place where others can cut.
  if (isLinear(own)) return { data: input.data.map((x) => call.build.apply("Identity", [x], {}, call.name)) };
  return activated(floatAt(inputs, call), call, own);
};

/** max(x, 0) where the threshold is 0; in full: x above it, slope · (x − threshold) below, nothing above the maximum. */
const relu: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const most = config.has("max_value") ? config.number("max_value") : undefined;
  const slope = config.number("negative_slope", 0);
  const threshold = config.number("threshold", 0);
  const rectify = (x: Value): Value => {
    if (slope === 0 && threshold === 0) {
      return most === undefined
        ? build.apply("Relu", [x], {}, name)
        : build.apply("Clip", [x, scalar(call, 0), scalar(call, most)], {}, name);
    }
    if (threshold === 0 && most === undefined) return build.apply("LeakyRelu", [x], { alpha: slope }, name);
    const edge = build.scalar(threshold, x);
    const above = build.where(build.greater(x, edge), x, build.scalar(0, x));
    const positive = most === undefined ? above : build.apply("Clip", [above, scalar(call, 0), scalar(call, most)]);
    const below = build.apply("Relu", [build.sub(edge, x)]);
    return build.apply("Sub", [positive, build.scale(below, slope)], {}, name);
  };
  const { data } = floatAt(inputs, call);
  return { data: data.map(rectify) };
};

/** Its weight is one slope an element of the model's axes, 1 where `shared_axes` says so. */
const prelu: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const rank = rankOf(input);
  const shared = call.config.has("shared_axes") ? axesOf(input, call, "shared_axes") : [];
  const shape = Array.from({ length: rank - 1 }, (_, axis) =>
    shared.includes(axis + 1) ? 1 : sizeAt(input, axis + 1),
  );
  // Channels first, as the value: which form comes first must not decide how the weight lies.
  const toOnnx = shape.length < 2 ? undefined : permuted([shape.length - 1, ...shape.slice(1).keys()]);
  const slope = call.weight("alpha", shape, toOnnx === undefined ? {} : { toOnnx });
  return asFirst(call, call.build.apply("PRelu", [input.data.first(), slope], {}, call.name));
};

const leakyRelu: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const alpha = config.number("negative_slope", config.number("alpha", 0.3));
  return { data: floatAt(inputs, call).data.map((x) => build.apply("LeakyRelu", [x], { alpha }, name)) };
};

const elu: LowerLayer = (inputs, call) => {
  const alpha = call.config.number("alpha", 1);
  return { data: floatAt(inputs, call).data.map((x) => call.build.apply("Elu", [x], { alpha }, call.name)) };
};

const thresholdedRelu: LowerLayer = (inputs, call) => {
  const alpha = call.config.number("theta", 1);
  return {
    data: floatAt(inputs, call).data.map((x) => call.build.apply("ThresholdedRelu", [x], { alpha }, call.name)),
  };
};

/** A value far below any other, which softmax turns into nothing: Keras's own. */
const nothing = -3e38;

const softmax: LowerLayer = (inputs, call) => {
  const { build, name } = call;
  const input = floatAt(inputs, call);
  const axes = axesOf(input, call);
  const mask = inputs[1]?.data.last() ?? call.call.named.get("mask")?.[0]?.data.last() ?? input.mask;
  const masked = (x: Value) =>
    mask === undefined ? x : build.where(build.cast(mask, "bool"), x, build.scalar(nothing, x));
  if (mask !== undefined) return asLast(call, softmaxOver(build, masked(input.data.last()), axes, name));
  const native = axes.map((axis) => input.data.nativeAxis(axis));
  return { data: input.data.map((x) => softmaxOver(build, x, native, name)) };
};

export const activationLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Activation", { lower: activation, passesMask: true }],
  ["ReLU", { lower: relu, passesMask: true }],
  ["LeakyReLU", { lower: leakyRelu, passesMask: true }],
  ["PReLU", { lower: prelu, passesMask: true }],
  ["ELU", { lower: elu, passesMask: true }],
  ["ThresholdedReLU", { lower: thresholdedRelu, passesMask: true }],
  ["Softmax", { lower: softmax, passesMask: true }],
];
