/** @file The graph room: the operator vocabulary, and graphs over it — built, walked, printed and verified. */
export { type Application, Builder, numericTypeOf, type Typing } from "./build.ts";
export type { GivenDerivative, GivenDerivatives } from "./derivative.ts";
export {
  describeNode,
  type Extras,
  type ForeignAttribute,
  type ForeignNode,
  type Graph,
  type Node,
  type OperatorNode,
  type Value,
  type ValueType,
} from "./graph.ts";
export type { LayeredGraph, LayerScope, LayerWeight } from "./layers.ts";
export { isOperator, type Operator, type OperatorAttributes, operators, schemaOf } from "./operators.ts";
export { Oriented } from "./oriented.ts";
export { countParameters } from "./parameters.ts";
export { printGraph, showType } from "./print.ts";
export type { AttributeKind, AttributeSchema } from "./schema.ts";
export { separatePads } from "./separate-pads.ts";
export { verify } from "./verify.ts";
export {
  allNodes,
  capturesOf,
  consumersOf,
  definitionsOf,
  findValue,
  mapGraph,
  mapNode,
  mapSubgraphs,
  producersOf,
  subgraphsOf,
  usesOf,
} from "./visit.ts";
export type { ControlOperators } from "./vocabulary/control.ts";
export type { AutoPad, ConvolutionOperators } from "./vocabulary/convolution.ts";
export type { LinearOperators } from "./vocabulary/linear.ts";
export type { MovementOperators, PadMode, ScatterReduction } from "./vocabulary/movement.ts";
export type { LossReduction, NormalizationOperators } from "./vocabulary/normalization.ts";
export type { PointwiseOperators } from "./vocabulary/pointwise.ts";
export type { PoolAttributes, PoolingOperators } from "./vocabulary/pooling.ts";
export type { RecurrentAttributes, RecurrentOperators } from "./vocabulary/recurrent.ts";
export type { ReduceAttributes, ReductionOperators } from "./vocabulary/reduction.ts";
export type { CoordinateMode, NearestMode, ResizeMode, SamplingOperators } from "./vocabulary/sampling.ts";
