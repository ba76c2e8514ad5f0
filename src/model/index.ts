/** @file The model room: what a model is, over the graph. */

export type { LayeredGraph, LayerScope, LayerWeight } from "../graph/index.ts";
export type { Base, Provenance, ValueRange } from "./base.ts";
export {
  describeModel,
  type GradientDescription,
  type ModelDescription,
  type OperatorCount,
  type ParameterCount,
  type ValueDescription,
} from "./describe.ts";
export { modelWithGradients } from "./gradients.ts";
