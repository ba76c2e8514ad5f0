/** @file The applications room: the models of keras.applications, built layer by layer under Keras's names. */
export { buildApplication, families, familyNamed, findFamily } from "./families.ts";
export {
  type Family,
  type FamilyName,
  type FamilyOptions,
  familyNames,
  type OwnOption,
  type PublishedWeights,
} from "./family.ts";
export type { ApplicationLayout } from "./functional.ts";
export {
  classIndex,
  type DecodedPrediction,
  decodePredictions,
  type ImageNetClass,
  parseClassIndex,
} from "./predictions.ts";
export { type PreprocessingMode, preprocessInput } from "./preprocessing.ts";
export { applicationFromQuery, queryOf } from "./query.ts";
export { publishedFor } from "./shape.ts";
export { randomWeights, weightSpecsOf } from "./weights.ts";
