/** @file The transfer room: from photos to a classifier, and a classifier in use. */
export {
  type AnswerOptions,
  type Classifier,
  type FailedPrediction,
  openClassifier,
  type PhotoAnswer,
  type Prediction,
  packClassifier,
} from "./classifier.ts";
export type { Scores } from "./classifierGolden.ts";
