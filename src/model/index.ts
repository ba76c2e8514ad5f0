/** @file The model room: what a model is, over the graph. */

export { type DecodedPrediction, type FamilyName, familyNames, type OwnOption } from "../applications/index.ts";
export type { LayeredGraph, LayerScope, LayerWeight } from "../graph/index.ts";
export { type Artifact, readArtifact, writeArtifact } from "./artifact.ts";
export type { Json } from "./artifactField.ts";
export {
  type ArtifactFigures,
  type ArtifactMetadata,
  artifactSchema,
  baseMetadata,
  decodeBase64,
  encodeBase64,
  type GoldenSample,
} from "./artifactMetadata.ts";
export type { Base, Provenance, ValueRange } from "./base.ts";
export { wholeModel } from "./base-onnx.ts";
export { type FineTuningPoint, fineTuningPoints } from "./base-points.ts";
export { valueRanges } from "./base-ranges.ts";
export { baseReach } from "./base-reach.ts";
export { type BaseOptions, baseOf } from "./base-source.ts";
export {
  type ClassifierHead,
  classifierGraph,
  type FeatureTransform,
  type GraphHead,
  headlessGraph,
  type LogitsGraph,
  logitsGraph,
  type PixelOptions,
  withProbabilities,
  withWeights,
} from "./classifierGraph.ts";
export {
  describeModel,
  type GradientDescription,
  type ModelDescription,
  type OperatorCount,
  type ParameterCount,
  type ValueDescription,
} from "./describe.ts";
export { modelWithGradients } from "./gradients.ts";
export type { OpenedModel, SourceModel } from "./source.ts";
export { withTwoViews, withViews } from "./twoViews.ts";
