/** @file Fitting a model to labelled pictures: epochs of steps over one graph, with what is frozen computed once. */
import type { Dataset, PixelRecipe } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import { withWeights } from "../model/index.ts";
import { onnxModelOf, readModel, writeModel } from "../onnx/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { GraftError, type NumericTensor, randomNumbers, sha256 } from "../tensor/index.ts";
import type { Callback, EpochRecord } from "./callbacks.ts";
import { type CheckpointStore, resumeFrom } from "./checkpoint.ts";
import { type FeatureStore, featureBatch } from "./features.ts";
import { FitRun } from "./fitRun.ts";
import { frozenDigest } from "./frozenDigest.ts";
import { type Loss, sigmoidCrossEntropy, softmaxCrossEntropy } from "./losses.ts";
import type { Clipping, Optimizer } from "./optimizers.ts";
import { adam } from "./optimizers.ts";
import { exampleRows } from "./rows.ts";
import { type Schedule, scheduleOf } from "./schedules.ts";
import { seedOf } from "./seeds.ts";
import { Trainee, upToLogits } from "./trainee.ts";
import { Validator } from "./validation.ts";

/** What is to be trained. */
export interface TrainingProblem {
  /**
   * In inference form: one input of pixels `[N, height, width, 3]`, uint8 or float32, RGB 0–255; its first output is
   * taken, logits or probabilities `[N, classes]`, or `[N, 1]` for two classes. A last Softmax or Sigmoid is looked
   * through.
   */
  readonly graph: Graph;
  /** The names of the initializers to train. Everything else is frozen. */
  readonly trainable: readonly string[];
  /** The first outputs of the Dropout and BatchNormalization nodes that behave as in training while the model is trained. */
  readonly trainingNodes: ReadonlySet<string>;
  readonly recipe: PixelRecipe;
}

export interface FitProgress {
  readonly stage: "features" | "validation features" | "training" | "validation";
  /** From 0; absent where the stage belongs to no epoch. */
  readonly epoch?: number;
  /** Pictures, or in `training` batches. */
  readonly done: number;
  readonly total: number;
}

export interface FitOptions {
  /** The number of the last epoch, counted from 1: with `initialEpoch` 0, how many there are. Default: 1. */
  readonly epochs?: number | undefined;
  /** Default: 32. */
  readonly batchSize?: number | undefined;
  /** Default: `adam()`. */
  readonly optimizer?: Optimizer | undefined;
  /** Default: 0.001. */
  readonly learningRate?: number | Schedule | undefined;
  /** Default: binary cross-entropy for one output, else softmax cross-entropy. */
  readonly loss?: Loss | undefined;
  readonly clipping?: Clipping | undefined;
  readonly validationData?: Dataset | undefined;
  readonly callbacks?: readonly Callback[] | undefined;
  /** By class: how much its examples count in training. Default: 1 each. */
  readonly classWeights?: ArrayLike<number> | undefined;
  /** By example: how much it counts in training. Default: 1 each. */
  readonly sampleWeights?: ArrayLike<number> | undefined;
  /** Draws the order, the augmentation and the masks of dropout: the same seed gives the same bytes. Default: 0. */
  readonly seed?: number | undefined;
  /** The epoch to begin with, from 0. Default: 0. */
  readonly initialEpoch?: number | undefined;
  /** Whether every epoch has an order of its own. Default: true. */
  readonly shuffle?: boolean | undefined;
  /** How many examples go through the graph at once: a divisor of the batch size. Fewer hold less memory. */
  readonly microBatch?: number | undefined;
  /** The factor on the learning rate of a parameter, by name. Default: 1. */
  readonly rateOf?: ((name: string) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FitProgress) => void) | undefined;
  /** Saved to after every epoch. Where it holds a checkpoint of this training, the training goes on from there. */
  readonly checkpoint?: CheckpointStore | undefined;
  /** Saves after so many steps of an epoch as well. Default: only after epochs. */
  readonly checkpointSteps?: number | undefined;
}

/** What runs a training, and where it keeps features. */
export interface TrainingPlatform {
  readonly runtime: Runtime;
  /** Default: memory. */
  readonly store?: FeatureStore | undefined;
}

export interface FitResult {
  /** What was trained, by name: weights, and the statistics of batch norm in training. */
  readonly weights: ReadonlyMap<string, NumericTensor>;
  /** The problem's graph with these weights. */
  readonly graph: Graph;
  /** A record an epoch, those before an interruption included. */
  readonly history: readonly EpochRecord[];
  /** SHA-256 over the names and bytes of everything frozen: in the graph given, and in the bytes of the trained one. */
  readonly frozenDigest: { readonly before: string; readonly after: string };
  /** Why it ended before its last epoch. */
  readonly stopped?: string;
}

/**
 * Trains the model on the dataset, with its augmentation where it has one. The last batch of an epoch may be smaller; it
 * is a step of its own, as in Keras. The same problem, data, options and seed give the same bytes, for any number of
 * threads, interrupted or not.
 *
 * @throws GraftError `usage` for options that do not fit; `bad-data` for a picture that does not decode; what
 *   `signal` was aborted with
 */
export async function fit(
  problem: TrainingProblem,
  data: Dataset,
  options: FitOptions,
  platform: TrainingPlatform,
): Promise<FitResult> {
  const { epochs = 1, initialEpoch = 0, batchSize = 32, seed = 0, validationData, signal, onProgress } = options;
  check("epochs", epochs, 0);
  check("initialEpoch", initialEpoch, 0);
  check("batchSize", batchSize, 1);
  if (data.labels.length === 0) throw new GraftError("usage", "there is nothing to train on: the dataset is empty");
  const { runtime, store } = platform;
  const { recipe } = problem;
  const plain = upToLogits(problem.graph);
  const width = problem.graph.outputs[0]?.shape?.[1];
  const loss = options.loss ?? (width === 1 ? sigmoidCrossEntropy() : softmaxCrossEntropy());
  const isOfLogits = loss.labels === "indices" || loss.classifies === true;
  checkLabels([data, ...(validationData ? [validationData] : [])], width);
  const weights = exampleWeights(data, options);
  const open: { close(): Promise<void> }[] = [];
  try {
    const trainee = await Trainee.of(
      {
        graph: isOfLogits ? plain : problem.graph,
        trainable: problem.trainable,
        trainingNodes: problem.trainingNodes,
        example: [recipe.height, recipe.width, 3],
        loss,
        optimizer: options.optimizer ?? adam(),
        clipping: options.clipping,
        rateOf: options.rateOf,
        microBatch: options.microBatch,
        seed,
        runtime,
      },
      Math.min(batchSize, data.labels.length),
    );
    open.push({ close: () => trainee.dispose() });
    const before = await frozenDigest(problem.graph, trainee.changing);
    const schedule = scheduleOf(options.learningRate ?? 0.001);
    const digest = await digestOf(problem, data, options, trainee, weights, schedule, runtime);
    const checkpoint = options.checkpoint && (await resumeFrom(options.checkpoint, digest));

    const { frozen, shape, isCostly } = trainee.split(featureBatch);
    const rowsOf = async (part: Dataset, stage: "features" | "validation features") => {
      const told = onProgress && ((done: number, total: number) => onProgress({ stage, done, total }));
      const about = { frozen, shape, isCostly, data: part, recipe, runtime, store, seed, signal };
      const rows = await exampleRows({ ...about, onProgress: told });
      open.push(rows);
      return rows;
    };
    const rows = await rowsOf(data, "features");
    let validator: Validator | undefined;
    if (validationData !== undefined) {
      // Validation pictures are looked at as they are.
      const { augmentation: _, ...unchanged } = validationData;
      const held = await rowsOf(unchanged, "validation features");
      validator = new Validator(held, validationData.labels, loss, runtime);
      open.push(validator);
    }
    const run = new FitRun({
      trainee,
      rows,
      validator,
      labels: data.labels,
      weights,
      batchSize: Math.min(batchSize, data.labels.length),
      epochs,
      initialEpoch,
      schedule,
      isRateFree: typeof options.learningRate !== "object",
      callbacks: options.callbacks ?? [],
      orderOf: (epoch) =>
        options.shuffle === false
          ? [...data.labels.keys()]
          : shuffled(data.labels.length, seedOf(seed, "order", epoch)),
      graphWith: (trained) => withWeights(problem.graph, trained),
      checkpoint: options.checkpoint && { store: options.checkpoint, problem: digest, steps: options.checkpointSteps },
      onProgress,
      signal,
    });
    const { history, stopped } = await run.train(checkpoint);
    const trained = await trainee.readWeights();
    const graph = withWeights(problem.graph, trained);
    const after = await digestInBytes(graph, problem.graph, trainee.changing);
    return {
      weights: trained,
      graph,
      history,
      frozenDigest: { before, after },
      ...(stopped === undefined ? {} : { stopped }),
    };
  } finally {
    for (const each of open.reverse()) await each.close();
  }
}

/** Of the frozen constants as they are read back from the bytes of the trained model. */
async function digestInBytes(trained: Graph, original: Graph, changing: ReadonlySet<string>): Promise<string> {
  const names = new Set([...original.initializers.keys()].map(({ name }) => name));
  return frozenDigest(readModel(writeModel(onnxModelOf(trained))).graph, changing, names);
}

/** SHA-256 of all that decides what the training gives, but for how long it goes on. */
async function digestOf(
  problem: TrainingProblem,
  data: Dataset,
  options: FitOptions,
  trainee: Trainee,
  weights: readonly number[],
  schedule: Schedule,
  { name, version, device }: Runtime,
): Promise<string> {
  const { validationData, initialEpoch = 0, batchSize = 32, seed = 0, shuffle = true, microBatch = null } = options;
  const about = (dataset: Dataset | undefined) => [
    dataset?.digests,
    dataset?.labels,
    dataset?.classNames,
    dataset?.augmentation,
  ];
  const facts = {
    model: await sha256(writeModel(onnxModelOf(problem.graph))),
    step: trainee.stepDigest,
    trainable: problem.trainable,
    trainingNodes: [...problem.trainingNodes],
    recipe: problem.recipe,
    data: about(data),
    validation: about(validationData),
    weights,
    rate: schedule.description,
    settings: { initialEpoch, batchSize, seed, shuffle, microBatch },
    runtime: { name, version, device },
  };
  return sha256(JSON.stringify(facts));
}

/** How much each example counts: its class's weight times its own. */
function exampleWeights(data: Dataset, { classWeights, sampleWeights }: FitOptions): readonly number[] {
  checkWeights("classWeights", classWeights, data.classNames.length);
  checkWeights("sampleWeights", sampleWeights, data.labels.length);
  return data.labels.map((label, index) => (classWeights?.[label] ?? 1) * (sampleWeights?.[index] ?? 1));
}

function checkWeights(name: string, weights: ArrayLike<number> | undefined, count: number): void {
  if (weights === undefined) return;
  const isFine = weights.length === count && Array.from(weights).every((weight) => weight >= 0 && weight < Infinity);
  if (isFine) return;
  throw new GraftError("usage", "the weights do not fit the examples", {
    path: [name],
    expected: `${count} numbers from 0 on`,
    actual: `${weights.length} of ${[...Array.from(weights).slice(0, 5), ...(weights.length > 5 ? ["…"] : [])].join(", ")}`,
  });
}

/** One output tells two classes apart. */
function checkLabels(datasets: readonly Dataset[], width: number | string | null | undefined): void {
  if (typeof width !== "number") return;
  const classes = width === 1 ? 2 : width;
  for (const { labels } of datasets) {
    const wrong = labels.find((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
    if (wrong === undefined) continue;
    throw new GraftError("usage", "the model has no output for a label", {
      expected: `labels from 0 to ${classes - 1}`,
      actual: String(wrong),
      hint: "give the head as many outputs as there are classes",
    });
  }
}

/** All places in a drawn order (Fisher and Yates). */
function shuffled(count: number, seed: number): readonly number[] {
  const random = randomNumbers(seed);
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}

function check(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new GraftError("usage", "an option of fit lies outside its range", {
    path: [name],
    expected: `a whole number from ${least} on`,
    actual: String(value),
  });
}
