/** @file Fine-tuning: the last blocks of the base and the head, at low rates that fall towards the pictures. */
import type { Dataset } from "../data/index.ts";
import {
  comparePaired,
  exampleLosses,
  fitTemperature,
  type PairedComparison,
  type PairedLossComparison,
  pairedLogLoss,
} from "../evaluation/index.ts";
import {
  type Base,
  type ClassifierHead,
  type FineTuningPoint,
  fineTuningPoints,
  logitsGraph,
  withWeights,
} from "../model/index.ts";
import { elementCount, GraftError, type NumericTensor } from "../tensor/index.ts";
import {
  adam,
  type Callback,
  cosineDecay,
  type EpochRecord,
  earlyStopping,
  extractFeatures,
  fit,
  softmaxCrossEntropy,
} from "../training/index.ts";
import { rightness } from "./linear.ts";
import { defaultEpochs, type FineTune } from "./plan.ts";
import type { TransferPlatform } from "./platform.ts";

/** Whether fine-tuning helps, on photos set apart. */
export interface Verdict {
  readonly helps: boolean;
  /** In words. */
  readonly reason: string;
  /** Frozen (a) against fine-tuned (b): which photos each is right about. */
  readonly answers: PairedComparison;
  /** Frozen (a) against fine-tuned (b): log losses, each calibrated. */
  readonly losses: PairedLossComparison;
}

export interface FineTuned {
  /** The base's weights that changed, by name. */
  readonly weights: ReadonlyMap<string, NumericTensor>;
  readonly head: ClassifierHead;
  /** What was trained, in words. */
  readonly description: string;
  /** The base's weights that were trained. */
  readonly trained: readonly string[];
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights were taken, from 0. */
  readonly bestEpoch: number;
  /** The frozen model, on the photos set apart. */
  readonly start: { readonly valLoss: number; readonly valAccuracy: number };
  readonly validationLogits: Float32Array;
  readonly testLogits: Float32Array;
  readonly verdict: Verdict;
}

export interface FineTuneInputs {
  readonly base: Base;
  /** How the finished model looks at pictures: training looks at each once, as a whole. */
  readonly looking: (base: Base) => Base;
  /** The head to begin with: fitted on the training photos only. */
  readonly start: ClassifierHead;
  /** Of the frozen model on the photos set apart. */
  readonly frozenLogits: Float32Array;
  readonly parts: { readonly train: Dataset; readonly validation: Dataset; readonly test: Dataset };
  readonly options: {
    readonly fineTune: FineTune | undefined;
    readonly epochs: number | undefined;
    readonly seed: number;
    readonly classWeights: readonly number[] | undefined;
    readonly secondsLeft: (() => number) | undefined;
  };
  readonly platform: TransferPlatform;
}

/** The highest rate of the head; each block below learns at `decay` times the rate of the one above. */
const [rate, decay] = [1e-4, 0.85];
const batchSize = 32;
/** The part of the log loss that fine-tuning must take away to be kept. */
const leastGain = 0.02;
/** Maps with more numbers than this a picture take too long and too much memory to be tuned without being asked. */
const largestMap = 2 ** 18;

/** How many batches tell how long an epoch takes. */
const timedBatches = 4;
const unreachable = "no part of the base can be tuned: gradients do not reach it";

/**
 * Trains the last blocks, from the frozen model on; in words why there is nothing to show, where no block can be trained,
 * where the first epoch would not end in time, or where the training came apart.
 *
 * @throws GraftError as `fit`
 */
export async function fineTune(inputs: FineTuneInputs): Promise<FineTuned | string> {
  const { base, looking, start, frozenLogits, parts, options, platform } = inputs;
  const { runtime, features: store, signal, progress } = platform;
  const points = tunedPoints(base, options.fineTune ?? "auto");
  const [deepest] = points;
  if (deepest === undefined) return unreachable;
  const { graph, headWeights } = logitsGraph(base, start);
  const epochs = options.epochs ?? defaultEpochs(parts.train.labels.length);
  const steps = Math.ceil(parts.train.labels.length / batchSize) * epochs;
  const warmupSteps = Math.ceil(steps / 10);
  const rates = ratesOf(points);
  const best = bestEpochs();
  const result = await fit(
    { graph, trainable: [...deepest.trainable, ...headWeights], trainingNodes: new Set(), recipe: base.recipe },
    parts.train,
    {
      epochs,
      batchSize,
      optimizer: adam(),
      learningRate: cosineDecay({
        initialLearningRate: 0,
        warmupTarget: rate,
        warmupSteps,
        decaySteps: Math.max(steps - warmupSteps, 1),
      }),
      loss: softmaxCrossEntropy(),
      rateOf: (name) => rates.get(name) ?? 1,
      validationData: parts.validation,
      classWeights: options.classWeights,
      callbacks: [
        earlyStopping({ monitor: "valLoss", patience: 1, restoreBestWeights: true }),
        best,
        logged(platform),
        inTime(platform, options.secondsLeft),
      ],
      seed: options.seed,
      signal,
      onProgress: ({ stage, epoch, done, total }) =>
        progress(
          epoch === undefined ? `fine-tuning: ${stage}` : `fine-tuning, epoch ${epoch + 1}: ${stage}`,
          done,
          total,
        ),
      checkpoint: platform.checkpoint?.("fine-tuning"),
    },
    { runtime, store },
  ).catch((error: unknown) => {
    if (error instanceof OutOfTime) return error.message;
    if (error instanceof GraftError && error.code === "not-differentiable") return unreachable;
    throw error;
  });
  if (typeof result === "string") return result;
  const names = new Set(headWeights);
  const weights = new Map([...result.weights].filter(([name]) => !names.has(name)));
  const { labels, classNames } = parts.validation;
  const classes = classNames.length;
  const head = headIn(result.weights, headWeights, base.features, classes);
  const finished = looking({ ...base, graph: withWeights(base.graph, weights) });
  const logits = async (data: Dataset) => await logitsBy(finished, head, data, platform);
  const validationLogits = await logits(parts.validation);
  const testLogits = await logits(parts.test);
  if (![validationLogits, testLogits].every((each) => each.every(Number.isFinite))) {
    return "it did not converge: what came of it gives no finite numbers";
  }
  return {
    weights,
    head,
    description: describePoint(deepest, points.length),
    trained: deepest.trainable,
    history: result.history,
    bestEpoch: best.epoch(),
    start: {
      valLoss: mean(exampleLosses({ logits: frozenLogits }, labels, { classes })),
      valAccuracy: mean(rightness(frozenLogits, labels, classes)),
    },
    validationLogits,
    testLogits,
    verdict: compare(frozenLogits, validationLogits, labels, classes),
  };
}

/** The part of the work of going forward that lies in what would be trained: about, by parameters and place. */
export function tuningShare(base: Base, asked: FineTune): number {
  const ends = fineTuningPoints(base).filter(({ isBlockEnd }) => isBlockEnd);
  if (ends.length === 0) return 0;
  return tunedPoints(base, asked).length / ends.length;
}

/** About how many bytes of each picture are remembered where what is trained begins. */
export function rememberedBytes(base: Base, asked: FineTune): number {
  const sizes = (tunedPoints(base, asked)[0]?.shape ?? []).slice(1).map(Number);
  return sizes.length > 0 && sizes.every(Number.isFinite) ? 4 * elementCount(sizes) : 0;
}

/** The block ends from the deepest that is tuned to the last. */
function tunedPoints(base: Base, asked: FineTune): readonly FineTuningPoint[] {
  const ends = fineTuningPoints(base).filter(({ isBlockEnd }) => isBlockEnd);
  if (asked === "none" || asked === 0) return [];
  if (asked !== "auto") return ends.slice(-Math.max(asked, 0));
  const third = ends.slice(-Math.ceil(ends.length / 3));
  const small = third.findIndex(({ shape }) => {
    const sizes = (shape ?? []).slice(1).map(Number);
    return sizes.every(Number.isFinite) && elementCount(sizes) <= largestMap;
  });
  return small < 0 ? [] : third.slice(small);
}

/** By name: the factor on the rate, 1 in the last block and smaller block by block. */
function ratesOf(points: readonly FineTuningPoint[]): ReadonlyMap<string, number> {
  // Each point names all weights after it: going from the deepest up, the last to name a weight is the closest.
  const rates = new Map<string, number>();
  for (const [index, { trainable }] of points.entries()) {
    for (const name of trainable) rates.set(name, decay ** (points.length - 1 - index));
  }
  return rates;
}

function describePoint({ value, trainable }: FineTuningPoint, blocks: number): string {
  return `the last ${blocks === 1 ? "block" : `${blocks} blocks`} of the base, ${trainable.length} tensors after "${value}", and the head`;
}

/** Which epoch had the least validation loss. */
function bestEpochs(): Callback & { epoch(): number } {
  let [epoch, least] = [0, Number.POSITIVE_INFINITY];
  return {
    onEpochEnd(record) {
      if ((record.valLoss ?? 0) >= least) return;
      [epoch, least] = [record.epoch, record.valLoss ?? 0];
    },
    saveState: () => ({ values: { epoch, least } }),
    loadState({ values }) {
      [epoch, least] = [Number(values["epoch"]), Number(values["least"])];
    },
    epoch: () => epoch,
  };
}

/** The epochs in the run's log: all but how long they took, which no two runs share. */
function logged({ log }: TransferPlatform): Callback {
  return {
    async onEpochEnd({ seconds: _, ...record }) {
      await log({ stage: "fine-tuning", ...record });
    },
  };
}

class OutOfTime extends Error {
  constructor() {
    super("the time left was too short for it");
  }
}

/** Gives up where the first epoch would take longer than there is time, and stops where another one would. */
function inTime({ decide }: TransferPlatform, secondsLeft: (() => number) | undefined): Callback {
  if (secondsLeft === undefined) return {};
  let began: number | undefined;
  return {
    onEpochBegin(epoch) {
      began = epoch === 0 ? performance.now() : undefined;
    },
    async onBatchEnd({ batch, batches }) {
      if (began === undefined || batch + 1 !== Math.min(timedBatches, batches)) return;
      const left = (((performance.now() - began) / 1000) * (batches - batch - 1)) / (batch + 1);
      const isInTime = await decide("firstEpochFits", () => secondsLeft() > 1.2 * left);
      if (!isInTime) throw new OutOfTime();
    },
    async onEpochEnd({ epoch, seconds }, handle) {
      const isOver = await decide(`stopAfterEpoch${epoch}`, () => secondsLeft() < 1.5 * seconds);
      if (isOver) handle.stop("the time is over");
    },
  };
}

async function logitsBy(
  base: Base,
  head: ClassifierHead,
  data: Dataset,
  platform: TransferPlatform,
): Promise<Float32Array> {
  const { runtime, signal, progress } = platform;
  const table = await extractFeatures({
    graph: logitsGraph(base, head).graph,
    data,
    recipe: base.recipe,
    runtime,
    signal,
    onProgress: (done, total) => progress("fine-tuning: answers", done, total),
  });
  try {
    return await table.read([...data.labels.keys()]);
  } finally {
    await table.close();
  }
}

function headIn(
  weights: ReadonlyMap<string, NumericTensor>,
  names: readonly string[],
  features: number,
  classes: number,
): ClassifierHead {
  const find = (size: number) => {
    for (const name of names) {
      const tensor = weights.get(name);
      if (tensor?.data instanceof Float32Array && tensor.data.length === size) return tensor.data;
    }
    throw new GraftError("model-invalid", "the head's weights are not where they were put", { path: [...names] });
  };
  return { kernel: find(features * classes), bias: find(classes) };
}

/** Each calibrated on the photos they are compared on: neither wins by being less sure of itself. */
function compare(before: Float32Array, after: Float32Array, labels: readonly number[], classes: number): Verdict {
  const lossesOf = (logits: Float32Array) =>
    exampleLosses({ logits }, labels, { classes, temperature: fitTemperature(logits, labels).temperature });
  const alternative = "b-is-better" as const;
  const answers = comparePaired(rightness(before, labels, classes), rightness(after, labels, classes), { alternative });
  const losses = pairedLogLoss(lossesOf(before), lossesOf(after), { alternative });
  // One test, so that chance has one chance; it must not be bought with wrong answers, and be more than a hair.
  const isNoticeable = losses.difference >= leastGain * mean(lossesOf(before));
  const helps = losses.better === "b" && answers.onlyB >= answers.onlyA && isNoticeable;
  const counted = `on ${answers.n} photos set apart it mends ${answers.onlyB} mistakes and makes ${answers.onlyA}`;
  const level = `log loss ${losses.difference >= 0 ? "less" : "more"} by ${Math.abs(losses.difference).toFixed(3)}, p = ${losses.pValue.toPrecision(2)}`;
  return {
    helps,
    reason: `${counted}; ${level}${helps ? "" : `: ${losses.better === "b" ? "too little to give up the frozen base for" : "not beyond chance"}`}`,
    answers,
    losses,
  };
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}
