/** @file The public API, name by name. What needs a platform comes from `graftwork/node` or `graftwork/web`. */
export { type Barrier, type GradientsRequest, gradientReach, type Reach, withGradients } from "./gradient/index.ts";
export {
  type ForeignNode,
  type Graph,
  type Node,
  type Operator,
  type OperatorAttributes,
  type OperatorNode,
  operators,
  printGraph,
  type Value,
  verify,
} from "./graph/index.ts";
export {
  describeModel,
  type GradientDescription,
  type ModelDescription,
  type OperatorCount,
  type ParameterCount,
  type ValueDescription,
} from "./model/index.ts";
export { type OnnxModel, onnxModelOf, readModel, writeModel } from "./onnx/index.ts";
export {
  attachHead,
  cutAfter,
  cutBefore,
  findValue,
  foldBatchNorm,
  foldConstants,
  type HeadOptions,
  type Pass,
  removeDeadNodes,
  removeDuplicateNodes,
  runPasses,
  unfoldBatchNorm,
} from "./passes/index.ts";
export type { CompileOptions, Device, Executable, Feeds, Port, Runtime, StatePair } from "./runtime/index.ts";
export { inferShapes, newBuilder } from "./shapes/index.ts";
export {
  type DType,
  type ErrorCode,
  type ErrorDetails,
  float32,
  GraftError,
  int64Vector,
  numbersOf,
  type Shape,
  type Tensor,
  tensorOf,
} from "./tensor/index.ts";
export {
  type AdamOptions,
  adam,
  adamW,
  buildTrainingStep,
  type Clipping,
  type CrossEntropyOptions,
  type Loss,
  meanSquaredError,
  type Optimizer,
  type RmspropOptions,
  rmsprop,
  type StateTensor,
  sgd,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  type TrainingStep,
  type TrainingStepOptions,
} from "./training/index.ts";
