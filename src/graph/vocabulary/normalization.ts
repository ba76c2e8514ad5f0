/** @file Normalizations, softmax, and the losses ONNX knows. */
import { attribute, choice, float, optional, required, type Schemas, schema } from "../schema.ts";

interface Axis {
  readonly axis: number;
}
export type LossReduction = "none" | "sum" | "mean";
interface LossAttributes {
  readonly ignoreIndex: number | undefined;
  readonly reduction: LossReduction;
}

export interface NormalizationOperators {
  BatchNormalization: { readonly epsilon: number; readonly momentum: number; readonly trainingMode: boolean };
  /** Scale and bias per channel, as from opset 21. */
  GroupNormalization: { readonly epsilon: number; readonly numGroups: number; readonly stashType: number };
  InstanceNormalization: { readonly epsilon: number };
  LRN: { readonly alpha: number; readonly beta: number; readonly bias: number; readonly size: number };
  LayerNormalization: Axis & { readonly epsilon: number; readonly stashType: number };
  LogSoftmax: Axis;
  LpNormalization: Axis & { readonly p: number };
  MeanVarianceNormalization: { readonly axes: readonly number[] };
  NegativeLogLikelihoodLoss: LossAttributes;
  RMSNormalization: Axis & { readonly epsilon: number; readonly stashType: number };
  Softmax: Axis;
  SoftmaxCrossEntropyLoss: LossAttributes;
}

const epsilon = float("epsilon", 1e-5);
const lastAxis = attribute("axis", "int", -1);
const stashType = attribute("stash_type", "int", 1);
const loss = { ignoreIndex: optional("ignore_index", "int"), reduction: choice<LossReduction>("reduction", "mean") };

export const normalizationSchemas: Schemas<NormalizationOperators> = {
  BatchNormalization: schema(5, [1, 3], {
    epsilon,
    momentum: float("momentum", 0.9),
    trainingMode: attribute("training_mode", "bool", false),
  }),
  GroupNormalization: schema(3, 1, { epsilon, numGroups: required("num_groups", "int"), stashType }),
  InstanceNormalization: schema(3, 1, { epsilon }),
  LRN: schema(1, 1, {
    alpha: float("alpha", 1e-4),
    beta: float("beta", 0.75),
    bias: float("bias", 1),
    size: required("size", "int"),
  }),
  LayerNormalization: schema([2, 3], [1, 3], { axis: lastAxis, epsilon, stashType }),
  LogSoftmax: schema(1, 1, { axis: lastAxis }),
  LpNormalization: schema(1, 1, { axis: lastAxis, p: attribute("p", "int", 2) }),
  MeanVarianceNormalization: schema(1, 1, { axes: attribute("axes", "ints", [0, 2, 3]) }),
  NegativeLogLikelihoodLoss: schema([2, 3], 1, loss),
  RMSNormalization: schema(2, 1, { axis: lastAxis, epsilon, stashType }),
  Softmax: schema(1, 1, { axis: lastAxis }),
  SoftmaxCrossEntropyLoss: schema([2, 3], [1, 2], loss),
};
