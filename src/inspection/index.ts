/** @file The inspection room: does a model fit, and how is that known. */
export { classFindings, isSameRange, pictureFindings, plainMargin, rangeFindings } from "./findings.ts";
export type {
  DataReport,
  Finding,
  FineTuningReport,
  FitReport,
  LayerReport,
  PictureInput,
  RangeReport,
  Severity,
} from "./report.ts";
export { compareRanges, type Pixels, type RangeEvidence, type RangeFinding } from "./statistics.ts";
