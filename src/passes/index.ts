/** @file The passes room: graph to graph, each named after what it does. */
export { foldBatchNorm, unfoldBatchNorm } from "./batchNorm.ts";
export { cutAfter, cutBefore } from "./cut.ts";
export { foldConstants } from "./fold.ts";
export { type LoweredGraph, type LoweringOptions, lowerForTraining } from "./lowerForTraining.ts";
export { type Pass, runPasses } from "./pass.ts";
export { removeDeadNodes, removeDuplicateNodes } from "./prune.ts";
export { type DropoutMask, type StatisticUpdate, type TrainingForm, trainingForm } from "./trainingForm.ts";
