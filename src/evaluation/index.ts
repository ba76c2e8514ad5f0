/** @file The evaluation room: honest figures, calibration, paired comparison, doubtful labels and the report. */
export { type CalibrationFigures, fitTemperature, type ReliabilityBin, type TemperatureFit } from "./calibration.ts";
export { type DoubtfulLabel, doubtfulLabels } from "./doubtful.ts";
export {
  type ClassFigures,
  type Evaluation,
  type EvaluationOptions,
  evaluateClassifier,
  type Mistake,
} from "./evaluate.ts";
export { type Interval, wilsonInterval } from "./interval.ts";
export {
  type Alternative,
  type Better,
  type ComparePairedOptions,
  comparePaired,
  type PairedComparison,
  type PairedLossComparison,
  type PairedLossOptions,
  pairedLogLoss,
} from "./paired.ts";
export { renderReport } from "./report/report.ts";
export {
  type JudgedBy,
  type ReportArtifact,
  type ReportBase,
  type ReportCalibration,
  type ReportCandidate,
  type ReportCurves,
  type ReportData,
  type ReportDecision,
  type ReportDoubt,
  type ReportEpoch,
  type ReportFrozen,
  type ReportMistake,
  type ReportPhotos,
  type ReportRepeat,
  reportSchema,
} from "./report-data.ts";
export { type ClassifierScores, exampleLosses, type Floats, indexOfLargest } from "./scores.ts";
export { renderEvaluation } from "./text.ts";
export { type ChosenThreshold, chooseThreshold, type ThresholdFigures, type ThresholdOptions } from "./threshold.ts";
