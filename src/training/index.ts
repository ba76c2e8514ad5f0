/** @file The training room: losses, optimizers and the training step as a graph. */
export {
  type BatchRecord,
  type Callback,
  type CallbackState,
  type EarlyStoppingOptions,
  type EpochRecord,
  earlyStopping,
  learningRateScheduler,
  type Monitor,
  type MonitorOptions,
  type ReduceLROnPlateauOptions,
  reduceLROnPlateau,
  type TrainingHandle,
} from "./callbacks.ts";
export type { CheckpointStore } from "./checkpoint.ts";
export {
  extractFeatures,
  type FeatureOptions,
  type FeatureRecords,
  type FeatureStore,
  type FeatureTable,
} from "./features.ts";
export {
  type FitOptions,
  type FitProgress,
  type FitResult,
  fit,
  type TrainingPlatform,
  type TrainingProblem,
} from "./fit.ts";
export { frozenDigest } from "./frozenDigest.ts";
export { Judge } from "./judge.ts";
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
export {
  type CosineDecayOptions,
  constantRate,
  cosineDecay,
  type ExponentialDecayOptions,
  exponentialDecay,
  type OneCycleOptions,
  oneCycle,
  piecewiseConstantDecay,
  type Schedule,
  warmUp,
} from "./schedules.ts";
export { buildTrainingStep, type StateTensor, type TrainingStep, type TrainingStepOptions } from "./step.ts";
export { upToLogits } from "./trainee.ts";
