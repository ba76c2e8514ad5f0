/** @file Shapes of normalizations, softmax and losses. */
import type { Application, LossReduction, NormalizationOperators, ValueType } from "../graph/index.ts";
import { type DType, normalizeAxis, type Shape } from "../tensor/index.ts";
import { sameAsInput } from "./pointwise.ts";
import { expectRank, inputAt, type ShapeRule, type ShapeRules, typed, unify, unknownOfRank } from "./rule.ts";

const alongAxis: ShapeRule<"LogSoftmax" | "LpNormalization" | "RMSNormalization" | "Softmax"> = (application) => {
  const { shape } = inputAt(application, 0);
  if (shape !== undefined) normalizeAxis(application.attributes.axis, shape.length);
  return sameAsInput(application);
};

/** Scale and bias hold one element per channel. */
function perChannel(application: Application, parameters: number): readonly ValueType[] {
  const x = inputAt(application, 0);
  const shape = expectRank(x, "the normalized input", 2, Number.POSITIVE_INFINITY);
  for (let index = 1; index <= parameters; index++) {
    const parameter = application.inputs[index];
    if (parameter === undefined) continue;
    expectRank(parameter, "a parameter of a normalization", 1);
    unify(shape?.[1], parameter.shape?.[0], "the input's channels and its parameters");
  }
  return [typed(x, shape)];
}

export const normalizationShapes: ShapeRules<NormalizationOperators> = {
  BatchNormalization: (application) => {
    // Rank 1 has one channel, by ONNX's definition.
    const x = inputAt(application, 0);
    const [y] = x.shape?.length === 1 ? sameAsInput(application) : perChannel(application, 4);
    const channels: Shape = [x.shape?.length === 1 ? 1 : (x.shape?.[1] ?? null)];
    const statistic = (index: number): ValueType =>
      typed(inputAt(application, index), inputAt(application, index).shape ?? channels);
    return [y ?? typed(x, x.shape), statistic(3), statistic(4)];
  },
  GroupNormalization: (application) => perChannel(application, 2),
  InstanceNormalization: (application) => perChannel(application, 2),
  LRN: sameAsInput,
  // y as x; mean and 1/σ with size 1 from the axis on, in the stash type
  LayerNormalization: (application) => {
    const x = inputAt(application, 0);
    const { axis, stashType } = application.attributes;
    const dtype: DType | undefined = stashTypes[stashType] ?? x.dtype;
    const shape = x.shape && statisticsShape(x.shape, axis);
    return [typed(x, x.shape), { dtype, shape }, { dtype, shape }];
  },
  LogSoftmax: alongAxis,
  LpNormalization: alongAxis,
  MeanVarianceNormalization: sameAsInput,
  NegativeLogLikelihoodLoss: (application) => [loss(application, application.attributes.reduction)],
  RMSNormalization: alongAxis,
  Softmax: alongAxis,
  SoftmaxCrossEntropyLoss: (application) => [
    loss(application, application.attributes.reduction),
    ...sameAsInput(application),
  ],
};

/** TensorProto.DataType, as far as `stash_type` may name them. */
const stashTypes: { readonly [code: number]: DType } = { 1: "float32", 10: "float16", 11: "float64", 16: "bfloat16" };

function statisticsShape(shape: Shape, axis: number): Shape {
  const first = normalizeAxis(axis, shape.length);
  return shape.map((size, index) => (index < first ? size : 1));
}

/** Scores [N, C, …] against labels [N, …]: one number, or one per label. */
function loss(application: Application, reduction: LossReduction): ValueType {
  const scores = inputAt(application, 0);
  const labels = inputAt(application, 1);
  expectRank(scores, "the scores", 2, Number.POSITIVE_INFINITY);
  if (scores.shape && labels.shape) expectRank(labels, "the labels", scores.shape.length - 1);
  if (reduction !== "none") return typed(scores, []);
  const rank = labels.shape?.length ?? (scores.shape && scores.shape.length - 1);
  if (rank === undefined) return typed(scores, undefined);
  const fromScores = scores.shape?.filter((_, axis) => axis !== 1) ?? unknownOfRank(rank);
  return typed(
    scores,
    fromScores.map((size, axis) => unify(size, labels.shape?.[axis], "the sizes of scores and labels")),
  );
}
