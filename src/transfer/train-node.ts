/** @file `graft train`: a folder of photos in, a run's folder with the artifact and the report out. */
import { rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { imageFolder } from "../data/image-folder-node.ts";
import { classCounts, type PhotoFolder } from "../data/index.ts";
import { packageVersion, writeWhole } from "../files/index.ts";
import { checkFit, type Finding } from "../inspection/index.ts";
import { type Base, baseMetadata, type ValueRange, valueRanges } from "../model/index.ts";
import { defaultBase, loadBase } from "../model/load-base-node.ts";
import type { Runtime } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { GraftError, sha256 } from "../tensor/index.ts";
import { checkpointFile } from "../training/checkpoint-node.ts";
import { featureStore } from "../training/features-node.ts";
import { aboutArtifact } from "./about.ts";
import { packClassifier } from "./classifier.ts";
import { type FineTune, validationFraction } from "./plan.ts";
import type { Progress } from "./platform.ts";
import { writeReport } from "./report-node.ts";
import { dataDigest, openRun, type RunFolder } from "./run-node.ts";
import { type Transferred, transferTo } from "./transfer.ts";

/** What a run is asked for. */
export interface TrainSettings {
  /** The folder of photos: see `imageFolder`. */
  readonly photos: string;
  /** A base by name or file: see `loadBase`. Default: the best that is on this machine. */
  readonly base?: string | undefined;
  /** The side of the pixels the base is given. Default: the base's own. */
  readonly imageSize?: number | undefined;
  /** The value of an ONNX file that is taken for the features. Default: what goes into its classifier. */
  readonly cut?: string | undefined;
  /** The name of the range of values a base was trained on, where its file does not say. Default: measured. */
  readonly range?: string | undefined;
  /** Default: 0. */
  readonly seed?: number | undefined;
  /** Default: `auto`. */
  readonly fineTune?: FineTune | undefined;
  /** Of fine-tuning. Default: by the number of photos. */
  readonly epochs?: number | undefined;
  /** The time the whole run may take; fine-tuning is fitted into what is left of it. Default: no limit. */
  readonly minutes?: number | undefined;
  /** What belongs together, by its path: see `imageFolder`. */
  readonly group?: string | undefined;
  /** Stop at the first photo that would be skipped. */
  readonly strict?: boolean | undefined;
  readonly classWeights?: "balanced" | undefined;
  /** How often each picture is looked at: see `TransferOptions`. Default: 2. */
  readonly views?: 1 | 2 | undefined;
  /** How much is held back for the final figure, where the folder holds nothing back. Default: by the number of photos. */
  readonly testFraction?: number | undefined;
}

export interface TrainHooks {
  /** Threads within one operator, and that decode. Default: one a core. They do not change the result. */
  readonly threads?: number | undefined;
  readonly progress?: Progress;
  /** Told a sentence a person should know. */
  readonly tell?: (sentence: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What `graft train --json` prints. */
export interface TrainResult {
  readonly schema: "graftwork/train/1";
  /** The run's folder. */
  readonly run: string;
  readonly artifact: string;
  /** SHA-256 of the artifact. */
  readonly artifactDigest: string;
  readonly report: string;
  /** SHA-256 over the photos, their labels and their parts. */
  readonly dataDigest: string;
  readonly base: {
    readonly name: string;
    readonly source: string;
    readonly digest: string;
    readonly license: string | null;
  };
  readonly classes: readonly string[];
  /** How many photos of each class, in the order of `classes`. */
  readonly counts: {
    readonly train: readonly number[];
    readonly validation: readonly number[];
    readonly test: readonly number[];
  };
  readonly layout: string;
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  /** Where the figures come from: photos held back, or cross-validation where there are too few to hold any back. */
  readonly judgedBy: "test" | "cross-validation";
  readonly n: number;
  readonly accuracy: number;
  readonly accuracyInterval: readonly [number, number];
  readonly balancedAccuracy: number;
  readonly logLoss: number;
  readonly calibrationError: number;
  readonly temperature: number;
  readonly notSureBelow: number;
  readonly frozen: { readonly accuracy: number; readonly logLoss: number };
  readonly fineTuned: {
    readonly tried: boolean;
    readonly accuracy: number | null;
    readonly kept: boolean;
    readonly reason: string;
  };
  readonly frozenDigest: { readonly before: string; readonly after: string; readonly tensors: number };
  readonly remarks: readonly string[];
  /** What did not fit by itself between the base and the photos, and what was done about it. */
  readonly findings: readonly Finding[];
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly versions: { readonly graftwork: string; readonly runtime: string };
}

/**
 * Trains a classifier on a folder of photos, in a run's folder: `run.json`, `metrics.jsonl`, `model.onnx`,
 * `report.html`. Interrupted at any moment, a run is gone on with by the same call, and gives the same artifact.
 *
 * @throws GraftError `usage`, `bad-data`, `model-invalid`, `model-refused`, `not-cached` or `out-of-resources`
 */
export async function trainFolder(out: string, asked: TrainSettings, hooks: TrainHooks = {}): Promise<TrainResult> {
  const started = performance.now();
  const { settings, base } = await resolveSettings(asked, hooks);
  const run = await openRun(out, withoutUndefined(settings));
  try {
    return await trainIn({ run, settings, base, hooks, started });
  } catch (error) {
    if (!run.isResumed && run.record.data === undefined) await run.discard();
    throw error;
  } finally {
    await run.close();
  }
}

/** A range by its name in `valueRanges`, or by Keras's name of the mode. */
function rangeNamed(name: string): ValueRange {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9-]+/g, "");
  const aliases = new Map([
    ["tf", "[-1, 1]"],
    ["torch", "ImageNet mean and deviation"],
    ["imagenet", "ImageNet mean and deviation"],
    ["caffe", "BGR less the ImageNet mean"],
    ["bgr", "BGR less the ImageNet mean"],
  ]);
  const wanted = plain(aliases.get(plain(name)) ?? name);
  const found = valueRanges.find((range) => plain(range.name) === wanted);
  if (found !== undefined) return found;
  throw new GraftError("usage", "there is no such range of values", {
    path: ["--range"],
    expected: valueRanges.map((range) => `"${range.name}"`).join(", "),
    actual: JSON.stringify(name),
  });
}

/** The settings with what was left open decided, and the base they name. */
export async function resolveSettings(
  asked: TrainSettings,
  { tell = () => {}, progress = () => {}, signal }: TrainHooks,
): Promise<{ readonly settings: TrainSettings & { readonly base: string }; readonly base: Base }> {
  refuseTestFraction(asked);
  const handle = asked.base ?? (await defaultBase());
  const { imageSize, cut, range } = asked;
  const base = await loadBase(handle, {
    imageSize,
    cut,
    range: range === undefined ? undefined : rangeNamed(range),
    signal,
    onProgress: ({ file, received, total }) => progress(`downloading ${basename(file)}`, received, total ?? 0),
  });
  signal?.throwIfAborted();
  for (const remark of base.remarks) tell(remark);
  // A run is gone on with from anywhere: files are named from the root, names and addresses of bases as they are.
  const named = (await isPath(handle)) ? resolve(handle) : handle;
  return { settings: { ...asked, photos: resolve(asked.photos), base: named }, base };
}

async function isPath(handle: string): Promise<boolean> {
  return await stat(handle).then(
    () => true,
    () => false,
  );
}

/** Refused before any photo is read: what is held back and what is set apart leave something to train on. */
function refuseTestFraction({ testFraction, fineTune }: TrainSettings): void {
  const most = fineTune === "none" ? 1 : 1 - validationFraction;
  if (testFraction === undefined || (testFraction >= 0 && testFraction < most)) return;
  throw new GraftError("usage", "no such part of the photos can be held back", {
    path: ["--test-fraction"],
    expected: `a number in [0, ${most})`,
    actual: String(testFraction),
  });
}

interface Job {
  readonly run: RunFolder;
  readonly settings: TrainSettings;
  readonly base: Base;
  readonly hooks: TrainHooks;
  readonly started: number;
}

async function trainIn({ run, settings, base, hooks, started }: Job): Promise<TrainResult> {
  const { progress = () => {}, tell = () => {}, signal } = hooks;
  const timings: { stage: string; seconds: number }[] = [];
  const timed = async <T>(stage: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    const seconds = (performance.now() - from) / 1000;
    const known = timings.find((timing) => timing.stage === stage);
    if (known === undefined) timings.push({ stage, seconds });
    else known.seconds += seconds;
    return result;
  };
  const photos = await timed("looking through the photos", () => readPhotos(settings, hooks));
  try {
    for (const remark of photos.remarks) tell(remark);
    if (photos.skipped.length > 0) tell(skippedSentence(photos));
    const digest = await dataDigest([photos.train, photos.validation, photos.test]);
    if (run.record.data !== undefined && run.record.data !== digest) {
      throw new GraftError("bad-data", "the photos are not those that the run began with", {
        path: [settings.photos],
        hint: "start a new run with another --out",
      });
    }
    await run.update({ data: digest });
    const runtime = await nodeRuntime({ threads: hooks.threads });
    const { minutes } = settings;
    const secondsLeft = minutes === undefined ? undefined : () => minutes * 60 - (performance.now() - started) / 1000;
    const fit = await timed("checking the fit", () =>
      checkFit(base, photos, runtime, { isRangeAsked: settings.range !== undefined }),
    );
    for (const { severity, what, action } of fit.findings) {
      if (severity !== "note") tell(`${what} ${action}`);
    }
    const transferred = await transferTo(
      fit.base,
      photos,
      { ...settings, secondsLeft },
      {
        runtime,
        features: featureStore(undefined, { onWarning: once(tell) }),
        checkpoint: (stage) => checkpointFile(run.file("checkpoints", stage)),
        progress,
        timed,
        log: run.log,
        decide: run.decide,
        signal,
      },
    );
    const artifact = run.file("model.onnx");
    const bytes = await timed("writing the artifact", async () => {
      const packed = await packClassifier(
        transferred.graph,
        aboutArtifact(transferred, { seed: settings.seed ?? 0, digest, runtime, version: packageVersion() }),
        runtime,
      );
      await writeWhole(artifact, packed);
      return packed;
    });
    const result = resultOf({
      run,
      artifact,
      artifactDigest: await sha256(bytes),
      dataDigest: digest,
      photos,
      transferred,
      findings: fit.findings,
      runtime,
      started,
    });
    await timed("writing the report", () =>
      writeReport(run.file("report.html"), {
        result,
        transferred,
        settings,
        timings,
        photos,
        bytes: bytes.length,
        digest: result.artifactDigest,
      }),
    );
    await run.update({ status: "done", result: { ...result } });
    // What was there to go on from is not needed any more.
    await rm(run.file("checkpoints"), { recursive: true, force: true });
    return result;
  } finally {
    await photos.close();
  }
}

/** Nothing is split off here: how much is held back depends on how many photos there are. */
export async function readPhotos(
  settings: TrainSettings,
  { threads, progress = () => {} }: TrainHooks,
): Promise<PhotoFolder> {
  const { seed = 0, group, strict = false } = settings;
  return await imageFolder(settings.photos, {
    seed,
    validationFraction: 0,
    testFraction: 0,
    strict,
    group,
    threads: threads === undefined ? undefined : Math.min(threads, 16),
    onProgress: (done, total) => progress("photos", done, total),
  });
}

/** The first sentence only: every table of features would say the same. */
function once(tell: (sentence: string) => void): (sentence: string) => void {
  let isTold = false;
  return (sentence) => {
    if (!isTold) tell(sentence);
    isTold = true;
  };
}

function skippedSentence({ skipped }: PhotoFolder): string {
  const some = skipped.slice(0, 3).map(({ file, reason }) => `${file} (${reason})`);
  return `${skipped.length} files are skipped: ${some.join(", ")}${skipped.length > 3 ? ", …" : ""}`;
}

interface Finished {
  readonly run: RunFolder;
  readonly artifact: string;
  readonly artifactDigest: string;
  readonly dataDigest: string;
  readonly photos: PhotoFolder;
  readonly transferred: Transferred;
  readonly findings: readonly Finding[];
  readonly runtime: Runtime;
  readonly started: number;
}

function resultOf({
  run,
  artifact,
  artifactDigest,
  dataDigest,
  photos,
  transferred,
  findings,
  runtime,
  started,
}: Finished): TrainResult {
  const { base, parts, judgedBy, evaluation, frozen, fineTuned, frozenDigest, temperature, threshold } = transferred;
  return {
    schema: "graftwork/train/1",
    run: run.path,
    artifact,
    artifactDigest,
    dataDigest,
    report: join(run.path, "report.html"),
    base: baseMetadata(base.name, base.provenance),
    classes: parts.train.classNames,
    counts: {
      train: classCounts(parts.train),
      validation: classCounts(parts.validation),
      test: classCounts(parts.test),
    },
    layout: photos.layout,
    skipped: photos.skipped.map(({ file, reason }) => ({ file, reason })),
    judgedBy,
    n: evaluation.n,
    accuracy: evaluation.accuracy,
    accuracyInterval: evaluation.accuracyInterval,
    balancedAccuracy: evaluation.balancedAccuracy,
    logLoss: evaluation.logLoss,
    calibrationError: evaluation.calibrationError,
    temperature: temperature.temperature,
    notSureBelow: threshold.threshold,
    frozen: { accuracy: frozen.evaluation.accuracy, logLoss: frozen.evaluation.logLoss },
    fineTuned: {
      tried: fineTuned.tried,
      accuracy: fineTuned.tried ? fineTuned.evaluation.accuracy : null,
      kept: fineTuned.kept,
      reason: fineTuned.reason,
    },
    frozenDigest,
    remarks: [...base.remarks, ...rangeRemarks(transferred), ...photos.remarks],
    findings,
    seconds: (performance.now() - started) / 1000,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    versions: { graftwork: packageVersion(), runtime: `${runtime.name} ${runtime.version}` },
  };
}

/** What the range of values was measured to be, where nobody said. */
function rangeRemarks({ rangeTrials: [best, second] }: Transferred): readonly string[] {
  if (best === undefined) return [];
  const runnerUp = second === undefined ? "" : `, with "${second.range.name}" ${second.logLoss.toFixed(3)}`;
  return [
    `The values it was trained on were measured: "${best.range.name}" (log loss of held-out photos ${best.logLoss.toFixed(3)}${runnerUp}); --range says otherwise.`,
  ];
}

/** Plain JSON: what was not said is left out. */
function withoutUndefined(settings: TrainSettings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
