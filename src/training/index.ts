/** @file The training room: losses, optimizers and the training step as a graph. */
export { assignFolds, type FoldOptions, type Folds } from "./crossValidation.ts";
export { type CrossValidation, fitLinearHead, type LinearHead, type LinearHeadOptions } from "./linearHead.ts";
export {
  type CandidateResult,
  chooseHead,
  type FeatureCandidate,
  type HeadChoice,
  type HeadChoiceOptions,
} from "./linearHeadChoice.ts";
export {
  type CrossEntropyOptions,
  type Loss,
  type LossInputs,
  type LossValues,
  meanSquaredError,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  type WeightedMean,
} from "./losses.ts";
export {
  type AdamOptions,
  adam,
  adamW,
  type Clipping,
  type Optimizer,
  type RmspropOptions,
  rmsprop,
  sgd,
  type UpdateInputs,
  type UpdateOutputs,
} from "./optimizers.ts";
export { buildTrainingStep, type StateTensor, type TrainingStep, type TrainingStepOptions } from "./step.ts";
