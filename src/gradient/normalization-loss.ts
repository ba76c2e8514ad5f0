/** @file Derivatives of the losses ONNX knows: by picking the labels' log-probabilities. */
import type { Builder, NormalizationOperators, Value } from "../graph/index.ts";
import { byDecomposition, type GradientRules, inputAt } from "./rule.ts";

type Losses = Pick<NormalizationOperators, "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss">;
type LossAttributes = Losses[keyof Losses];

/**
 * ℓᵢ = −w[tᵢ]·x[i, tᵢ], and 0 where tᵢ is the label to ignore; all of them, their sum, or Σℓᵢ/Σw[tᵢ] over those not ignored.
 *
 * @param scores log-probabilities `[N, classes, …]`
 * @param labels `[N, …]`
 * @param weights `[classes]`
 */
function negativeLogLikelihood(
  b: Builder,
  scores: Value,
  labels: Value,
  weights: Value | undefined,
  { ignoreIndex, reduction }: LossAttributes,
): Value {
  const ignored = ignoreIndex === undefined ? undefined : b.equal(labels, b.scalar(ignoreIndex, labels));
  const safe = ignored === undefined ? labels : b.where(ignored, b.scalar(0, labels), labels);
  const column = b.apply("GatherElements", [scores, b.unsqueeze(safe, [1])], { axis: 1 });
  const given = weights === undefined ? b.scalar(1, scores) : b.gather(weights, safe, 0);
  const weight = ignored === undefined ? given : b.where(ignored, b.scalar(0, scores), given);
  const losses = b.neg(b.mul(b.squeeze(column, [1]), weight));
  const total = (value: Value) => b.apply("ReduceSum", [value], { keepdims: false });
  if (reduction === "none") return losses;
  if (reduction === "sum") return total(losses);
  return b.div(total(losses), total(b.expand(weight, b.shapeOf(losses))));
}

export const lossGradients: GradientRules<Losses> = {
  NegativeLogLikelihoodLoss: byDecomposition(({ inputs, attributes }, b) => [
    negativeLogLikelihood(b, inputAt({ inputs }, 0), inputAt({ inputs }, 1), inputs[2], attributes),
  ]),
  // The same after a softmax; the log-probabilities are the second output.
  SoftmaxCrossEntropyLoss: byDecomposition(({ inputs, attributes }, b) => {
    const logarithms = b.apply("LogSoftmax", [inputAt({ inputs }, 0)], { axis: 1 });
    return [negativeLogLikelihood(b, logarithms, inputAt({ inputs }, 1), inputs[2], attributes), logarithms];
  }),
};
