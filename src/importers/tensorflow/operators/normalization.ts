/** @file Batch normalization, and softmax. */
import { Oriented, type Value } from "../../../graph/index.ts";
import { float32 } from "../../../tensor/index.ts";
import { shapeOf } from "./align.ts";
import type { Call, Given, Lower, OperatorRows } from "./call.ts";
import { isChannelsFirst, mapOf } from "./window.ts";

/**
 * With its statistics given it stays BatchNormalization, which can be trained; with `is_training` it takes those of the
 * batch.
 */
const fusedBatchNorm: Lower = (call) => {
  const { build } = call;
  const isFirst = isChannelsFirst(call, call.rank(0) === 5 ? 3 : 2);
  const { x, wrap } = mapOf(call, 0, isFirst);
  const [scale, offset] = [call.value(1), call.value(2)];
  const epsilon = call.float("epsilon", 1e-4);
  if (call.bool("is_training", true)) return batchStatistics(call, x, scale, offset, epsilon, wrap);
  const [mean, variance] = [call.value(3), call.value(4)];
  const y = call.apply("BatchNormalization", [x, scale, offset, mean, variance], { epsilon });
  const statistics = [mean, variance].map((value) => build.apply("Identity", [value]));
  return [wrap(y), ...statistics, ...statistics];
};

function batchStatistics(
  call: Call,
  x: Value,
  scale: Value,
  offset: Value,
  epsilon: number,
  wrap: (value: Value) => Oriented,
): readonly Given[] {
  const { build } = call;
  // The type of what is normalized may be float16; statistics are computed in the type of scale and offset.
  const exact = build.cast(x, scale.dtype ?? "float32");
  // Keras 2 writes layer norm so, with all rows as the channels of one picture.
  if (x.shape?.[0] !== 1) {
    call.context.remark("Batch normalization takes the statistics of the batch, as the model was saved for training.");
  }
  const axes = (x.shape ?? []).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const inner = axes.slice(1).map((axis) => axis - 1);
  const mean = build.reduceMean(exact, axes);
  const centred = build.sub(exact, mean);
  const variance = build.reduceMean(build.square(centred), axes);
  const factor = build.div(build.unsqueeze(scale, inner), build.sqrt(build.shift(variance, epsilon)));
  const shifted = call.apply("Add", [build.mul(centred, factor), build.unsqueeze(offset, inner)]);
  const y = wrap(build.cast(shifted, x.dtype ?? "float32"));
  const flat = [mean, variance].map((value) => build.squeeze(value, axes));
  return [y, ...flat, ...flat];
}

/**
 * A batch norm that the file spells out as arithmetic, as `lower-patterns.ts` writes it: x, mean and variance, then what
 * scales and what is added, where there is such.
 */
const batchNorm: Lower = (call) => {
  const { build } = call;
  const data = call.oriented(0);
  const channels = Number(shapeOf(call, call.slot(1))?.at(-1));
  const vector = (index: number): Value => {
    const slot = call.slot(index);
    if (slot.kind === "weight") return slot.weight.in({ shape: [channels] }, build);
    return build.reshape(call.value(index), [channels]);
  };
  const fixed = (value: number): Value =>
    build.constant(float32([channels], new Float32Array(channels).fill(value)), `${call.name}/fixed`);
  const hasScale = call.bool("scale", false);
  const scale = hasScale ? vector(3) : fixed(1);
  const offset = call.bool("offset", false) ? vector(hasScale ? 4 : 3) : fixed(0);
  const x = call.rank(0) < 3 ? data.last() : data.first();
  const own = { epsilon: call.float("epsilon", 1e-3) };
  return Oriented.first(build, call.apply("BatchNormalization", [x, scale, offset, vector(1), vector(2)], own));
};

/** x, mean, variance, what is added and what scales, as frozen graphs of 2015 have them. */
const globalBatchNorm: Lower = (call) => {
  const { x, wrap } = mapOf(call, 0, false);
  const [mean, variance, offset, gamma] = [1, 2, 3, 4].map((index) => call.value(index));
  const isScaled = call.bool("scale_after_normalization", true);
  const scale = isScaled || gamma === undefined ? gamma : call.build.onesLike(gamma);
  const own = { epsilon: call.float("variance_epsilon", 1e-3) };
  return wrap(call.apply("BatchNormalization", [x, scale, offset, mean, variance], own));
};

function softmax(operator: "Softmax" | "LogSoftmax"): Lower {
  return (call) => {
    const data = call.oriented(0);
    return data.map((x) => call.apply(operator, [x], { axis: data.isFirst ? data.nativeAxis(-1) : -1 }));
  };
}

export const normalizationRows: OperatorRows = [
  ["BatchNormWithGlobalNormalization", globalBatchNorm],
  ["FusedBatchNorm", fusedBatchNorm],
  ["FusedBatchNormV2", fusedBatchNorm],
  ["FusedBatchNormV3", fusedBatchNorm],
  ["LogSoftmax", softmax("LogSoftmax")],
  ["Softmax", softmax("Softmax")],
  // No operator of TensorFlow is called so.
  ["_BatchNormalization", batchNorm],
];
