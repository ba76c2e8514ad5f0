/** @file The keras room: models, layers and heads as Keras's users write them. */
export type { ActivationName } from "./activations.ts";
export { attachHead, type HeadOptions } from "./attachHead.ts";
export { BaseModel, type BaseModelOptions } from "./base-model.ts";
export type { BatchNormalizationOptions } from "./batch-normalization.ts";
export type {
  DenseOptions,
  DropoutOptions,
  GlobalPoolingOptions,
  InputLayerOptions,
  RescalingOptions,
} from "./core-layers.ts";
export { installEngine } from "./engine.ts";
export type { History, ModelFitOptions } from "./fitting.ts";
export type { Initializer } from "./initializers.ts";
export type { Layer, LayerCall, LayerOptions } from "./layer.ts";
export { type Layers, layers, sequential } from "./layers.ts";
export type { LossName, OptimizerName } from "./losses.ts";
export type { BatchOptions, LossAndAccuracy, Model, ModelCompileOptions, ModelOptions, Origin } from "./model.ts";
export { clearSession } from "./names.ts";
export type { Sequential, SequentialOptions } from "./sequential.ts";
export type { KerasShape } from "./shape.ts";
export type { SummaryOptions } from "./summary.ts";
export type { Variable } from "./variable.ts";
