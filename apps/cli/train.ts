/** @file `graft train` and `graft resume`: from a folder of photos to a classifier, in a run's folder. */
import {
  type DryRun,
  dryRun,
  freshRunPath,
  resumeRun,
  type TrainHooks,
  type TrainResult,
  type TrainSettings,
  trainFolder,
} from "graftwork/node";
import { oneLine, percent, print } from "./output.ts";
import { progressOn } from "./progress.ts";

export interface TrainOptions extends Omit<TrainSettings, "photos"> {
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly minAccuracy?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

/** Exit code where the accuracy is below what was asked for. */
const gateFailed = 10;

/** Trains, prints what came of it, and returns the exit code. */
export async function train(photos: string, options: TrainOptions): Promise<number> {
  const { out, dryRun: isDry, json, minAccuracy, threads, quiet, ...asked } = options;
  const settings: TrainSettings = { ...asked, photos };
  if (isDry) return await estimate(settings, options);
  const path = out ?? (await freshRunPath(photos));
  return await follow((hooks) => trainFolder(path, settings, hooks), options);
}

/** Goes on with an interrupted run, by default the last one begun under runs/. */
export async function resume(run: string | undefined, options: TrainOptions): Promise<number> {
  return await follow((hooks) => resumeRun(run, hooks), options);
}

async function follow(work: (hooks: TrainHooks) => Promise<TrainResult>, options: TrainOptions): Promise<number> {
  const { json, minAccuracy, threads } = options;
  const progress = progressOn(options);
  try {
    const result = await work({
      threads,
      progress: (stage, done, total) => progress.progress(stage, done, total),
      tell: (sentence) => progress.note(oneLine(sentence)),
    });
    progress.end();
    await print(json ? `${JSON.stringify(result, undefined, 2)}\n` : described(result));
    if (minAccuracy === undefined || result.accuracy >= minAccuracy) return 0;
    progress.problem(`the accuracy ${result.accuracy} is below the ${minAccuracy} asked for`);
    return gateFailed;
  } finally {
    progress.end();
  }
}

function described(result: TrainResult): string {
  const { accuracy, accuracyInterval, n, judgedBy, frozen, fineTuned, counts } = result;
  const photos = [...counts.train, ...counts.validation, ...counts.test].reduce((sum, count) => sum + count, 0);
  const [low, high] = accuracyInterval;
  const where = judgedBy === "test" ? `${n} photos held back` : `${n} photos, each by a head that had not seen it`;
  const tuning = fineTuned.kept
    ? `fine-tuned: kept, ${fineTuned.reason} (frozen: ${percent(frozen.accuracy)})`
    : `the base stays frozen: ${fineTuned.reason}`;
  return `${[
    `${photos.toLocaleString("en-US")} photos of ${result.classes.length} kinds, base ${result.base.name} (${result.layout})`,
    `right on ${percent(accuracy)} of ${where}; 95 % interval ${percent(low)} to ${percent(high)}`,
    tuning,
    `"not sure" below ${percent(result.notSureBelow)}`,
    `${result.seconds.toFixed(1)} s, ${Math.round(result.peakMemoryBytes / 1e6)} MB at most`,
    `classifier: ${result.artifact}`,
    `report: ${result.report}`,
  ].join("\n")}\n`;
}

async function estimate(settings: TrainSettings, options: TrainOptions): Promise<number> {
  const progress = progressOn(options);
  try {
    const { threads } = options;
    const plan = await dryRun(settings, {
      threads,
      progress: (stage, done, total) => progress.progress(stage, done, total),
      tell: (sentence) => progress.note(oneLine(sentence)),
    });
    progress.end();
    await print(options.json ? `${JSON.stringify(plan, undefined, 2)}\n` : describedPlan(plan));
    return 0;
  } finally {
    progress.end();
  }
}

function describedPlan(plan: DryRun): string {
  const lines = plan.stages.map(({ stage, seconds }) => `  ${stage}: about ${seconds.toFixed(1)} s`);
  return `${[
    `${plan.photos.toLocaleString("en-US")} photos of ${plan.classes.length} kinds, base ${plan.base.name} (${plan.layout})`,
    ...lines,
    `together about ${Math.ceil(plan.seconds)} s, ${Math.round(plan.memoryBytes / 1e6)} MB of memory, ${Math.round(plan.diskBytes / 1e6)} MB on disk`,
    "Nothing was trained.",
  ].join("\n")}\n`;
}
