/**
 * @file Transfer learning in one call: features of the frozen base, a regularised head on them, then fine-tuning from the
 * head down where it helps on photos set apart; figures from photos held back, or from cross-validation where there are
 * too few to hold any back.
 */
import { classCounts, concatenate, type Dataset, splitByContent, subset } from "../data/index.ts";
import {
  type ChosenThreshold,
  chooseThreshold,
  type DoubtfulLabel,
  doubtfulLabels,
  type Evaluation,
  evaluateClassifier,
  fitTemperature,
  type TemperatureFit,
} from "../evaluation/index.ts";
import type { Graph } from "../graph/index.ts";
import { type Base, classifierGraph, headlessGraph, withViews, withWeights } from "../model/index.ts";
import { onnxModelOf, readModel, writeModel } from "../onnx/index.ts";
import { GraftError, type NumericTensor } from "../tensor/index.ts";
import { extractFeatures, fitLinearHead, frozenDigest, type LinearHead } from "../training/index.ts";
import { type FineTuned, fineTune } from "./fineTune.ts";
import { logitsOf, rightness } from "./linear.ts";
import { measureRange, type RangeTrial } from "./measureRange.ts";
import { type FineTune, planFineTuning, testFraction, validationFraction } from "./plan.ts";
import type { TransferPlatform } from "./platform.ts";

export interface TransferParts {
  /** What is learnt from. */
  readonly train: Dataset;
  /** What decides whether fine-tuning helps. Empty: split off the training photos where there are enough. */
  readonly validation: Dataset;
  /** What the final figure is taken on. Empty: split off where there are enough, else the figure is cross-validated. */
  readonly test: Dataset;
}

export interface TransferOptions {
  /** Default: `auto`. */
  readonly fineTune?: FineTune | undefined;
  /** How often fine-tuning goes over the photos. Default: by their number. */
  readonly epochs?: number | undefined;
  /** Decides splits, folds and the order of photos: the same seed gives the same bytes. Default: 0. */
  readonly seed?: number | undefined;
  /** `balanced`: every class counts the same, however many photos it has. Default: every photo counts the same. */
  readonly classWeights?: "balanced" | undefined;
  /**
   * 2: at the whole picture and at its middle, features averaged, which is better and takes twice as long; 1: at the
   * whole picture. Default: 2.
   */
  readonly views?: 1 | 2 | undefined;
  /** How much is held back where nothing is. Default: by the number of photos. */
  readonly testFraction?: number | undefined;
  /** How many seconds fine-tuning may end in. Default: no limit. */
  readonly secondsLeft?: (() => number) | undefined;
}

/** What came of it. */
export interface Transferred extends Calibration {
  readonly base: Base;
  /** From pixels to probabilities: the artifact's graph. */
  readonly graph: Graph;
  readonly parts: TransferParts;
  /** The photos that cross-validation judged: each by a head that had not seen it. */
  readonly unseen: Dataset;
  /** Where `evaluation` comes from: photos held back, or cross-validation on all of them. */
  readonly judgedBy: "test" | "cross-validation";
  readonly evaluation: Evaluation;
  /** The logits that `evaluation` is taken of. */
  readonly judged: { readonly dataset: Dataset; readonly logits: Float32Array };
  /** The frozen base with its head, on the same photos as `evaluation`. */
  readonly frozen: {
    readonly evaluation: Evaluation;
    readonly head: Omit<LinearHead, "kernel" | "bias" | "outOfFold">;
  };
  readonly fineTuned: FineTuningResult;
  /** Of the photos of `unseen`. */
  readonly doubtful: readonly DoubtfulLabel[];
  readonly rangeTrials: readonly RangeTrial[];
  /** SHA-256 over what stayed frozen: in the base as it came, and in the graph that came out. */
  readonly frozenDigest: { readonly before: string; readonly after: string; readonly tensors: number };
}

/** From answers to photos that the model did not learn from. */
interface Calibration {
  readonly temperature: TemperatureFit;
  readonly threshold: ChosenThreshold;
}

export type FineTuningResult =
  | { readonly tried: false; readonly kept: false; readonly reason: string }
  | (FineTuned & {
      readonly tried: true;
      readonly kept: boolean;
      readonly reason: string;
      readonly calibration: Calibration;
      /** On the same photos as the result's `evaluation`. */
      readonly evaluation: Evaluation;
    });

/**
 * Fits a classifier on a base to labelled photos. Deterministic but for `secondsLeft`.
 *
 * @throws GraftError `bad-data` where a class has no photo, or the features cannot be used
 */
export async function transferTo(
  given: Base,
  asked: TransferParts,
  options: TransferOptions,
  platform: TransferPlatform,
): Promise<Transferred> {
  const { seed = 0 } = options;
  const { runtime, progress, timed } = platform;
  const parts = splitOff(asked, options, seed);
  const { classNames } = parts.train;
  const classes = classNames.length;
  const featuresOf = (base: Base, data: Dataset) => timed("features", () => featureRows(base, data, platform));

  const { base: plain, trials } = await measureRange(given, parts.train, featuresOf);
  const looking = (each: Base) => withViews(each, options.views);
  const base = looking(plain);
  const pool = parts.validation.labels.length > 0 ? concatenate([parts.train, parts.validation]) : parts.train;
  const rows = await featuresOf(base, pool);
  const testRows = parts.test.labels.length > 0 ? await featuresOf(base, parts.test) : new Float32Array();
  const weightsOf = (data: Dataset) => (options.classWeights === "balanced" ? balanced(data) : undefined);
  const headOn = async (data: Dataset, features: Float32Array) =>
    await fitLinearHead({
      features,
      labels: data.labels,
      classes,
      seed,
      groups: data.groups ?? data.digests,
      classWeights: weightsOf(data),
      runtime,
      signal: platform.signal,
    });

  progress("head", 0, 1);
  const final = await timed("head", () => headOn(pool, rows));
  progress("head", 1, 1);
  const isHeldBack = parts.test.labels.length > 0;
  const judgedBy = isHeldBack ? "test" : "cross-validation";
  const unseen = heldOut(pool, final, classes);
  if (!isHeldBack && unseen.data.labels.length === 0) throw nothingToJudgeBy();
  const judgedData = isHeldBack ? parts.test : unseen.data;
  const frozenLogits = isHeldBack ? logitsOf(testRows, final, classes) : unseen.logits;
  const { regularization, crossValidated } = final;
  const judge = (logits: Float32Array, { temperature: { temperature }, threshold: { threshold } }: Calibration) =>
    evaluateClassifier({
      logits,
      labels: judgedData.labels,
      classNames,
      names: judgedData.names,
      temperature,
      threshold,
    });
  const frozenCalibration = calibrate(unseen.logits, unseen.data.labels, classes);
  const frozenEvaluation = judge(frozenLogits, frozenCalibration);

  const fineTuned = await timed("fine-tuning", tryFineTuning);
  const tuned = fineTuned.kept ? fineTuned : undefined;
  const calibration = tuned?.calibration ?? frozenCalibration;
  const weights: ReadonlyMap<string, NumericTensor> = tuned?.weights ?? new Map();
  const graph = classifierGraph(looking({ ...plain, graph: withWeights(plain.graph, weights) }), tuned?.head ?? final, {
    temperature: calibration.temperature.temperature,
  });
  const trained = new Set(weights.keys());
  const frozenNames = new Set(
    [...plain.graph.initializers.keys()].map(({ name }) => name).filter((name) => !trained.has(name)),
  );
  return {
    base,
    graph,
    ...calibration,
    parts,
    unseen: unseen.data,
    judgedBy,
    evaluation: tuned?.evaluation ?? frozenEvaluation,
    judged: { dataset: judgedData, logits: tuned?.testLogits ?? frozenLogits },
    frozen: { evaluation: frozenEvaluation, head: { regularization, crossValidated } },
    fineTuned,
    doubtful: doubtfulLabels({ logits: unseen.logits }, unseen.data.labels, classNames, unseen.data.names),
    rangeTrials: trials,
    frozenDigest: {
      before: await frozenDigest(plain.graph, trained),
      // As it is read back from the bytes that are written.
      after: await frozenDigest(readModel(writeModel(onnxModelOf(graph))).graph, trained, frozenNames),
      tensors: frozenNames.size,
    },
  };

  async function tryFineTuning(): Promise<FineTuningResult> {
    const skip = (reason: string) => ({ tried: false, kept: false, reason }) as const;
    const n = parts.validation.labels.length;
    if (options.testFraction === 0 && !isHeldBack && options.fineTune !== "none" && options.fineTune !== 0) {
      return skip("no photos are held back to judge it by");
    }
    if (options.fineTune === "none" || n === 0 || !isHeldBack) {
      return skip(planFineTuning(options.fineTune ?? "auto", { n: isHeldBack ? n : 0, mistakes: 0 }).reason);
    }
    const width = base.features;
    const trainRows = rows.subarray(0, parts.train.labels.length * width);
    const validationRows = rows.subarray(parts.train.labels.length * width);
    const start = await headOn(parts.train, trainRows);
    const before = logitsOf(validationRows, start, classes);
    const mistakes = rightness(before, parts.validation.labels, classes).filter((right) => right === 0).length;
    const plan = planFineTuning(options.fineTune ?? "auto", { n, mistakes });
    if (!plan.isTried) return skip(plan.reason);
    const { secondsLeft } = options;
    const isOver = secondsLeft !== undefined && (await platform.decide("timeIsOver", () => secondsLeft() <= 0));
    if (isOver) return skip("the time was over before it could begin");
    const result = await fineTune({
      base: plain,
      looking,
      start,
      frozenLogits: before,
      parts,
      options: {
        fineTune: options.fineTune,
        epochs: options.epochs,
        seed,
        classWeights: weightsOf(parts.train),
        secondsLeft: options.secondsLeft,
      },
      platform,
    });
    if (typeof result === "string") return skip(result);
    const calibration = calibrate(result.validationLogits, parts.validation.labels, classes);
    return {
      ...result,
      tried: true,
      kept: result.verdict.helps,
      reason: result.verdict.reason,
      calibration,
      evaluation: judge(result.testLogits, calibration),
    };
  }
}

/** The photos that were held out in cross-validation, and what was said of them: the only photo of a class never is. */
function heldOut(pool: Dataset, { outOfFold }: LinearHead, classes: number) {
  const indices = [...pool.labels.keys()].filter((index) => outOfFold.isHeldOut[index] === 1);
  const logits = new Float32Array(indices.length * classes);
  for (const [row, index] of indices.entries()) {
    logits.set(outOfFold.logits.subarray(index * classes, (index + 1) * classes), row * classes);
  }
  return { data: subset(pool, indices), logits };
}

function nothingToJudgeBy(): GraftError {
  return new GraftError("bad-data", "there is one photo of each class: none is left to judge by", {
    expected: "at least two photos of a class",
    hint: "add photos",
  });
}

/** Temperature and threshold from examples that the model did not learn from. */
function calibrate(logits: Float32Array, labels: readonly number[], classes: number): Calibration {
  const temperature = fitTemperature(logits, labels);
  const threshold = chooseThreshold({ logits }, labels, { classes, temperature: temperature.temperature });
  return { temperature, threshold };
}

/** Holds photos back and sets photos apart, where the folder did not and there are enough. */
function splitOff(asked: TransferParts, options: TransferOptions, seed: number): TransferParts {
  const { train } = asked;
  const counts = classCounts(train);
  const missing = counts.indexOf(0);
  if (missing >= 0) {
    throw new GraftError("bad-data", "a class has no photo to train on", { path: [train.classNames[missing] ?? ""] });
  }
  const isGivenTest = asked.test.labels.length > 0;
  const test = isGivenTest ? 0 : (options.testFraction ?? testFraction(counts));
  const canDecide = isGivenTest || test > 0;
  const isGivenValidation = asked.validation.labels.length > 0;
  const validation = isGivenValidation || !canDecide || options.fineTune === "none" ? 0 : validationFraction;
  if (test === 0 && validation === 0) return asked;
  const sides = splitByContent(
    train.labels.map((label, index) => ({
      label: String(label),
      key: (train.groups ?? train.digests)[index] ?? "",
    })),
    { test, validation },
    seed,
  );
  const side = (wanted: string) =>
    subset(
      train,
      [...sides.keys()].filter((index) => sides[index] === wanted),
    );
  return {
    train: side("train"),
    validation: isGivenValidation ? asked.validation : side("validation"),
    test: isGivenTest ? asked.test : side("test"),
  };
}

/** The features of every photo, `[photos, features]`. */
async function featureRows(base: Base, data: Dataset, platform: TransferPlatform): Promise<Float32Array> {
  const { runtime, features: store, progress, signal } = platform;
  const table = await extractFeatures({
    graph: headlessGraph(base),
    data,
    recipe: base.recipe,
    runtime,
    store,
    signal,
    onProgress: (done, total) => progress("features", done, total),
  });
  try {
    return await table.read([...data.labels.keys()]);
  } finally {
    await table.close();
  }
}

/** Weights with which every class counts the same, 1 on average over the photos. */
function balanced(data: Dataset): number[] {
  const { labels, classNames } = data;
  return classCounts(data).map((count) => labels.length / (classNames.length * Math.max(count, 1)));
}
