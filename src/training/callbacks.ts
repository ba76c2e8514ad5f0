/** @file Callbacks with Keras's names: what looks on while a model is trained, and may stop it. */
import type { Graph } from "../graph/index.ts";
import { GraftError, type NumericTensor } from "../tensor/index.ts";

/** What is known of an epoch when it has ended. */
export interface EpochRecord {
  /** From 0. */
  readonly epoch: number;
  /** The mean over the epoch's examples, as they were when their step was taken. */
  readonly loss: number;
  /** The share of the epoch's examples that was classified right when their step was taken; absent where that means nothing. */
  readonly accuracy?: number;
  /** Of all validation examples after the epoch's last step. */
  readonly valLoss?: number;
  readonly valAccuracy?: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  /** How long the epoch took. The only field that two runs with one seed need not share. */
  readonly seconds: number;
}

/** A number of an epoch that can be watched. */
export type Monitor = "loss" | "accuracy" | "valLoss" | "valAccuracy";

export interface BatchRecord {
  /** In the epoch, from 0. */
  readonly batch: number;
  /** How many batches the epoch has. */
  readonly batches: number;
  /** How many examples the batch has: the last one may have fewer. */
  readonly size: number;
  readonly loss: number;
  readonly accuracy?: number;
}

/** What a callback may do to the training it looks at. */
export interface TrainingHandle {
  readonly epochs: number;
  /** Of the next step. */
  readonly learningRate: number;
  /** A rate from now on. Throws GraftError `usage` where a schedule decides, as Keras does. */
  setLearningRate(learningRate: number): void;
  /** Ends the training after the epoch's callbacks. */
  stop(reason: string): void;
  /** What is trained, as it is now, by name: weights and the statistics of batch norm in training. A copy. */
  readWeights(): Promise<ReadonlyMap<string, NumericTensor>>;
  /** Replaces what is trained. */
  writeWeights(weights: ReadonlyMap<string, NumericTensor>): Promise<void>;
  /** The whole model in inference form, with the weights as they are now. */
  readGraph(): Promise<Graph>;
}

/** What a callback must remember over an interruption. */
export interface CallbackState {
  /** As JSON; numbers that are not finite survive. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly tensors?: ReadonlyMap<string, NumericTensor>;
}

/** Any object with some of these. Calls are awaited, one after another. */
export interface Callback {
  onTrainBegin?(handle: TrainingHandle): void | Promise<void>;
  onEpochBegin?(epoch: number, handle: TrainingHandle): void | Promise<void>;
  onBatchEnd?(record: BatchRecord, handle: TrainingHandle): void | Promise<void>;
  onEpochEnd?(record: EpochRecord, handle: TrainingHandle): void | Promise<void>;
  onTrainEnd?(handle: TrainingHandle): void | Promise<void>;
  /** Goes into every checkpoint. */
  saveState?(): CallbackState;
  /** Called after `onTrainBegin` where a training goes on from a checkpoint. */
  loadState?(state: CallbackState): void;
}

export interface MonitorOptions {
  /** Default: `valLoss`. */
  readonly monitor?: Monitor;
  /** A smaller change is no improvement. Default: 0; of `reduceLROnPlateau` 1e-4. */
  readonly minDelta?: number;
  /** Whether less is better. Default: by the monitor. */
  readonly mode?: "auto" | "min" | "max";
}

export interface EarlyStoppingOptions extends MonitorOptions {
  /** How many epochs without an improvement end the training. Default: 0. */
  readonly patience?: number;
  /** Whether the weights of the best epoch come back at the end. Default: false. */
  readonly restoreBestWeights?: boolean;
  /** An improvement must be better than this as well. */
  readonly baseline?: number;
  /** The first epochs are not looked at. Default: 0. */
  readonly startFromEpoch?: number;
}

/** Stops when a figure no longer improves (`keras.callbacks.EarlyStopping`). */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = "valLoss", patience = 0, restoreBestWeights = false, baseline, startFromEpoch = 0 } = options;
  checkAtLeastZero("earlyStopping", { patience, startFromEpoch });
  const isImprovement = comparison("earlyStopping", options, monitor, 0);
  let [wait, best, bestEpoch]: [number, number | undefined, number] = [0, undefined, 0];
  let bestWeights: ReadonlyMap<string, NumericTensor> | undefined;
  return {
    onTrainBegin() {
      [wait, best, bestEpoch, bestWeights] = [0, undefined, 0, undefined];
    },
    async onEpochEnd(record, handle) {
      const current = monitored("earlyStopping", record, monitor);
      const { epoch } = record;
      if (epoch < startFromEpoch) return;
      if (restoreBestWeights && bestWeights === undefined) {
        [bestWeights, bestEpoch] = [await handle.readWeights(), epoch];
      }
      wait += 1;
      if (isImprovement(current, best)) {
        [best, bestEpoch] = [current, epoch];
        if (restoreBestWeights) bestWeights = await handle.readWeights();
        if (baseline === undefined || isImprovement(current, baseline)) wait = 0;
        return;
      }
      if (wait >= patience && epoch > 0) {
        handle.stop(`${monitor} has not improved since epoch ${bestEpoch + 1}`);
      }
    },
    async onTrainEnd(handle) {
      if (bestWeights !== undefined) await handle.writeWeights(bestWeights);
    },
    saveState: () => ({ values: { wait, best, bestEpoch }, ...(bestWeights && { tensors: bestWeights }) }),
    loadState({ values, tensors }) {
      [wait, best, bestEpoch] = [Number(values["wait"]), numberOf(values["best"]), Number(values["bestEpoch"])];
      bestWeights = tensors;
    },
  };
}

export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** What the rate is multiplied by, below 1. Default: 0.1. */
  readonly factor?: number;
  /** How many epochs without an improvement lower the rate. Default: 10. */
  readonly patience?: number;
  /** How many epochs after a lowering do not count. Default: 0. */
  readonly cooldown?: number;
  /** The rate never falls below this. Default: 0. */
  readonly minLearningRate?: number;
}

/** Lowers the learning rate when a figure no longer improves (`keras.callbacks.ReduceLROnPlateau`). */
export function reduceLROnPlateau(options: ReduceLROnPlateauOptions = {}): Callback {
  const { monitor = "valLoss", factor = 0.1, patience = 10, cooldown = 0, minLearningRate = 0 } = options;
  checkAtLeastZero("reduceLROnPlateau", { factor, patience, cooldown, minLearningRate });
  if (factor >= 1) throw outOfRange("reduceLROnPlateau", "factor", "a number in [0, 1)", factor);
  const isImprovement = comparison("reduceLROnPlateau", options, monitor, 1e-4);
  let [wait, left, best]: [number, number, number | undefined] = [0, 0, undefined];
  return {
    onTrainBegin() {
      [wait, left, best] = [0, 0, undefined];
    },
    onEpochEnd(record, handle) {
      const current = monitored("reduceLROnPlateau", record, monitor);
      if (left > 0) [left, wait] = [left - 1, 0];
      if (isImprovement(current, best)) {
        [best, wait] = [current, 0];
        return;
      }
      if (left > 0) return;
      wait += 1;
      if (wait < patience || handle.learningRate <= minLearningRate) return;
      handle.setLearningRate(Math.max(handle.learningRate * factor, minLearningRate));
      [left, wait] = [cooldown, 0];
    },
    saveState: () => ({ values: { wait, left, best } }),
    loadState({ values }) {
      [wait, left, best] = [Number(values["wait"]), Number(values["left"]), numberOf(values["best"])];
    },
  };
}

/** Sets the rate before each epoch, from its number and the rate so far (`keras.callbacks.LearningRateScheduler`). */
export function learningRateScheduler(rateOf: (epoch: number, learningRate: number) => number): Callback {
  return { onEpochBegin: (epoch, handle) => handle.setLearningRate(rateOf(epoch, handle.learningRate)) };
}

/** Whether `current` is better than `reference` by more than `minDelta`; better than nothing it always is. */
export function comparison(
  name: string,
  { mode = "auto", minDelta }: MonitorOptions,
  monitor: Monitor,
  defaultDelta: number,
): (current: number, reference: number | undefined) => boolean {
  const delta = Math.abs(minDelta ?? defaultDelta);
  if (!Number.isFinite(delta)) throw outOfRange(name, "minDelta", "a number", minDelta);
  const isLessBetter = mode === "auto" ? monitor === "loss" || monitor === "valLoss" : mode === "min";
  return (current, reference) => {
    if (reference === undefined) return true;
    return isLessBetter ? current + delta < reference : current - delta > reference;
  };
}

/** The figure that is watched. Throws GraftError `usage` where the epoch does not have it. */
export function monitored(name: string, record: EpochRecord, monitor: Monitor): number {
  const value = record[monitor];
  if (value !== undefined) return value;
  throw new GraftError("usage", "the figure that is watched is not measured", {
    path: [name],
    expected: monitor,
    actual: ["loss", "accuracy", "valLoss", "valAccuracy"].filter((each) => Object.hasOwn(record, each)).join(", "),
    hint: "give validationData, or watch another figure",
  });
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function checkAtLeastZero(name: string, numbers: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(numbers)) {
    if (!(value >= 0)) throw outOfRange(name, key, "a number from 0 on", value);
  }
}

function outOfRange(name: string, key: string, expected: string, actual: unknown): GraftError {
  return new GraftError("usage", "a callback's option lies outside its range", {
    path: [name, key],
    expected,
    actual: String(actual),
  });
}
