/** @file Normalizations: of a batch's channels, of layers, of groups, of vectors. */
import type { Value } from "../graph/index.ts";
import { elementCount, float32, GraftError } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asFirst, asLast, axesOf, floatAt, rankOf, sizeAt, spreadAlong } from "./orient.ts";

function filled({ build, name }: LayerCall, shape: readonly number[], value: number): Value {
  const data = new Float32Array(elementCount(shape)).fill(value);
  return build.constant(float32(shape, data), `${name}/fixed`);
}

/** The normalized axis second, as ONNX wants it, and the way back. */
function channelsSecond(input: Flow, call: LayerCall): { x: Value; axis: number; result: (y: Value) => Flow } {
  const rank = rankOf(input);
  const axes = axesOf(input, call);
  const [axis = rank - 1] = axes;
  if (axes.length !== 1)
    throw new GraftError("model-refused", "it normalizes over several axes", { actual: `${axes}` });
  if (axis === rank - 1) return { x: input.data.first(), axis, result: (y) => asFirst(call, y) };
  const { build } = call;
  const x = input.data.last();
  if (axis === 1) return { x, axis, result: (y) => asLast(call, y) };
  const order = Array.from({ length: rank }, (_, index) => index).filter((index) => index !== axis);
  const perm = [...order.slice(0, 1), axis, ...order.slice(1)];
  const back = perm.map((_, index) => perm.indexOf(index));
  return { x: build.transpose(x, perm), axis, result: (y) => asLast(call, build.transpose(y, back)) };
}

const batchNormalization: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const { build, config, name } = call;
  const { x, axis, result } = channelsSecond(input, call);
  const channels = sizeAt(input, axis);
  const gamma = config.boolean("scale", true) ? call.weight("gamma", [channels]) : undefined;
  const beta = config.boolean("center", true) ? call.weight("beta", [channels]) : undefined;
  const statistics = ["moving_mean", "moving_variance"].map((each) =>
    call.weight(each, [channels], { isTrainable: false }),
  );
  const scale = gamma ?? filled(call, [channels], 1);
  const shift = beta ?? filled(call, [channels], 0);
  const epsilon = config.number("epsilon", 1e-3);
  // In Keras 2 a call may insist on the batch's own statistics; in Keras 3 `predict` overrules it. A frozen layer keeps
  // its moving ones.
  if (call.call.training === true && call.kerasVersion < 3 && config.get("trainable") !== false) {
    return result(batchStatistics(x, scale, shift, epsilon, call));
  }
  const attributes = { epsilon, momentum: config.number("momentum", 0.99) };
  return result(build.apply("BatchNormalization", [x, scale, shift, ...statistics], attributes, name));
};

/** Normalized by the batch's own mean and variance: what a call with `training=True` computes, even at inference. */
function batchStatistics(x: Value, scale: Value, shift: Value, epsilon: number, { build, name }: LayerCall): Value {
  const rank = x.shape?.length ?? 0;
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  const over = (weights: Value) =>
    build.reshape(
      weights,
      Array.from({ length: rank }, (_, axis) => (axis === 1 ? -1 : 1)),
    );
  const centred = build.sub(x, build.reduceMean(x, axes));
  const variance = build.reduceMean(build.square(centred), axes);
  const normal = build.div(centred, build.sqrt(build.shift(variance, epsilon)));
  return build.apply("Add", [build.mul(normal, over(scale)), over(shift)], {}, name);
}

/** Over the last axes ONNX's own operator; over others the formula. */
const layerNormalization: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const { build, config, name } = call;
  const axes = axesOf(input, call);
  const sizes = axes.map((axis) => sizeAt(input, axis));
  const epsilon = config.number("epsilon", 1e-3);
  const isScaledOnly = config.boolean("rms_scaling", false);
  const gamma = config.boolean("scale", true) || isScaledOnly ? call.weight("gamma", sizes) : undefined;
  const beta = config.boolean("center", true) && !isScaledOnly ? call.weight("beta", sizes) : undefined;
  const [first = 0] = axes;
  const isTail = first + axes.length === rankOf(input);
  if (isTail && !isScaledOnly) {
    const weights = [gamma ?? filled(call, sizes, 1), ...(beta === undefined ? [] : [beta])];
    const x = input.data.last();
    return asLast(call, build.apply("LayerNormalization", [x, ...weights], { axis: first, epsilon }, name));
  }
  const { x, over, axis, result } = spreadAlong(input, axes, call);
  const native = axes.map(axis);
  const centred = build.sub(x, build.reduceMean(x, native));
  const variance = build.reduceMean(build.square(centred), native);
  const deviation = build.sqrt(build.shift(variance, epsilon));
  return result(affine(build.div(isScaledOnly ? x : centred, deviation), gamma, beta, over, call));
};

/** γ · x + β; the last node takes the layer's name. */
function affine(
  x: Value,
  gamma: Value | undefined,
  beta: Value | undefined,
  over: (weights: Value) => Value,
  { build, name }: LayerCall,
): Value {
  const scaled = gamma === undefined ? x : build.apply("Mul", [x, over(gamma)], {}, beta === undefined ? name : "Mul");
  if (beta !== undefined) return build.apply("Add", [scaled, over(beta)], {}, name);
  return gamma === undefined ? build.apply("Identity", [scaled], {}, name) : scaled;
}

/** Every picture's channels in groups, each normalized over its channels and all other axes. */
const groupNormalization: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = floatAt(inputs, call);
  const { x, axis, result } = channelsSecond(input, call);
  const channels = sizeAt(input, axis);
  const given = config.number("groups", 32);
  const groups = given === -1 ? channels : given;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups > 0) {
    return config.refuse("groups", `a divisor of ${channels}`, given);
  }
  const gamma = config.boolean("scale", true) ? call.weight("gamma", [channels]) : undefined;
  const beta = config.boolean("center", true) ? call.weight("beta", [channels]) : undefined;
  const rank = x.shape?.length ?? 2;
  const grouped = build.apply("Reshape", [x, build.ints([0, groups, -1])]);
  const centred = build.sub(grouped, build.reduceMean(grouped, [2]));
  const variance = build.reduceMean(build.square(centred), [2]);
  const normal = build.div(centred, build.sqrt(build.shift(variance, config.number("epsilon", 1e-3))));
  const whole = build.reshape(normal, build.shapeOf(x));
  const over = (weights: Value) => build.reshape(weights, [channels, ...new Array<number>(rank - 2).fill(1)]);
  return result(affine(whole, gamma, beta, rank === 2 ? (weights) => weights : over, { ...call, name }));
};

/** x / √max(Σx², ε): vectors of length 1. */
const unitNormalization: LowerLayer = (inputs, call) => {
  const { build, name } = call;
  const input = floatAt(inputs, call);
  const axes = axesOf(input, call).map((axis) => input.data.nativeAxis(axis));
  const unit = (x: Value) => {
    const squares = build.apply("Max", [build.reduceSum(build.square(x), axes), build.scalar(1e-12, x)]);
    return build.apply("Div", [x, build.sqrt(squares)], {}, name);
  };
  return { data: input.data.map(unit) };
};

/** γ · x / √(mean x² + ε) */
const rmsNormalization: LowerLayer = (inputs, call) => {
  const { build, config } = call;
  const input = floatAt(inputs, call);
  const axes = axesOf(input, call);
  const gamma = call.weight(
    "scale",
    axes.map((axis) => sizeAt(input, axis)),
  );
  const { x, over, axis, result } = spreadAlong(input, axes, call);
  const mean = build.reduceMean(build.square(x), axes.map(axis));
  const scaled = build.div(x, build.sqrt(build.shift(mean, config.number("epsilon", 1e-6))));
  return result(affine(scaled, gamma, undefined, over, call));
};

export const normalizationLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["BatchNormalization", { lower: batchNormalization, passesMask: true }],
  ["BatchNormalizationV1", { lower: batchNormalization, passesMask: true }],
  ["SyncBatchNormalization", { lower: batchNormalization, passesMask: true }],
  ["LayerNormalization", { lower: layerNormalization, passesMask: true }],
  ["GroupNormalization", { lower: groupNormalization, passesMask: true }],
  ["UnitNormalization", { lower: unitNormalization, passesMask: true }],
  ["RMSNormalization", { lower: rmsNormalization }],
];
