/** @file Older forms of normalizations and softmax. Source: github.com/onnx/onnx, docs/Changelog.md. */
import type { Raiser, Steps } from "./step.ts";

/**
 * Until 13, softmax ran over all axes from `axis` (1 by default) on, taken as one:
 * y = reshape(softmax(flatten(x, axis)), shape(x)). The plain form says the same where only one of them is longer than 1.
 */
const softmaxOverOneAxis: Raiser = (step) => {
  const { node, place } = step;
  const [x] = node.inputs;
  const rank = place.rankOf(x);
  const given = Number(step.take("axis")?.i ?? 1n);
  const axis = given < 0 && rank !== undefined ? given + rank : given;
  const isLast = axis === -1 || (rank !== undefined && axis === rank - 1);
  const others = axis < 0 ? undefined : x?.shape?.slice(axis + 1);
  if (isLast) return;
  if (others !== undefined && others.length > 0 && others.every((size) => size === 1)) {
    step.set("axis", "int", axis);
    return;
  }
  const shape = step.before("Shape", [x], "shape");
  node.inputs = [step.before("Flatten", [x], "flat", [["axis", "int", axis]])];
  step.insertAfter(0, "Reshape", (inner) => [inner, shape]);
};

/** BatchNormalization 9 knows no statistics per element any more. */
const withoutSpatial: Raiser = (step) => {
  const spatial = step.take("spatial")?.i ?? 1n;
  if (spatial !== 1n) throw step.refuse("with statistics per element (spatial = 0) has no newer form");
};

/** BatchNormalization 14 says that it trains, where giving more than one output said so before. */
const trainingByAttribute: Raiser = (step) => {
  const { node, place } = step;
  if (node.outputs.slice(3).some((output) => place.isUsed(output))) {
    throw step.refuse("with saved statistics has no newer form");
  }
  if (node.outputs.length > 1) step.set("training_mode", "int", 1);
  node.outputs = node.outputs.slice(0, 3);
};

/** GroupNormalization 21: scale and bias per channel, where they were per group: each repeated for its group's channels. */
const perChannel: Raiser = (step) => {
  const { node } = step;
  const [x, scale, bias] = node.inputs;
  const groups = node.attributes.get("num_groups")?.proto.i ?? 1n;
  const channels = step.before("Shape", [x], "channels", [
    ["start", "int", 1],
    ["end", "int", 2],
  ]);
  const count = step.ints([groups], "groups");
  const size = step.before("Div", [channels, count], "group_size");
  const target = step.before("Concat", [count, size], "per_channel", [["axis", "int", 0]]);
  const repeat = (value: typeof scale, what: string) => {
    const column = step.before("Unsqueeze", [value, step.ints([1n], `${what}_axes`)], `${what}_column`);
    const spread = step.before("Expand", [column, target], `${what}_spread`);
    return step.before("Reshape", [spread, step.ints([-1n], `${what}_shape`)], what);
  };
  node.inputs = [x, repeat(scale, "scale"), repeat(bias, "bias")];
};

export const normalizationSteps: Steps = {
  BatchNormalization: [
    [9, withoutSpatial],
    [14, trainingByAttribute],
  ],
  GroupNormalization: [[21, perChannel]],
  Hardmax: [[13, softmaxOverOneAxis]],
  LogSoftmax: [[13, softmaxOverOneAxis]],
  Softmax: [[13, softmaxOverOneAxis]],
};
