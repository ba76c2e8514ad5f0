/** @file The table of derivatives: a rule, or the reason why there is none, for every operator of the vocabulary. */
import type { OperatorAttributes } from "../graph/index.ts";
import { controlGradients } from "./control.ts";
import { convolutionGradients } from "./convolution.ts";
import { linearGradients } from "./linear.ts";
import { movementGradients } from "./movement.ts";
import { normalizationGradients } from "./normalization.ts";
import { pointwiseGradients } from "./pointwise.ts";
import { poolingGradients } from "./pooling.ts";
import { recurrentGradients } from "./recurrent.ts";
import { reductionGradients } from "./reduction.ts";
import type { GradientRules } from "./rule.ts";
import { samplingGradients } from "./sampling.ts";

/** Total by type: leave an operator out and this does not compile. */
export const gradientRules: GradientRules<OperatorAttributes> = {
  ...controlGradients,
  ...convolutionGradients,
  ...linearGradients,
  ...movementGradients,
  ...normalizationGradients,
  ...pointwiseGradients,
  ...poolingGradients,
  ...recurrentGradients,
  ...reductionGradients,
  ...samplingGradients,
};
