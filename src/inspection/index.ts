/** @file The inspection room: does a model fit, and how is that known. */
export { checkFit } from "./check-fit.ts";
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
