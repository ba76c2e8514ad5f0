/** @file The course of a training: epochs, batches, callbacks and checkpoints, in an order that can be gone on with. */
import type { Graph } from "../graph/index.ts";
import { GraftError, type NumericTensor } from "../tensor/index.ts";
import type { BatchRecord, Callback, CallbackState, EpochRecord, TrainingHandle } from "./callbacks.ts";
import { type Checkpoint, type CheckpointStore, encodeCheckpoint } from "./checkpoint.ts";
import type { FitProgress } from "./fit.ts";
import type { ExampleRows } from "./rows.ts";
import type { Schedule } from "./schedules.ts";
import type { Trainee } from "./trainee.ts";
import type { Validator } from "./validation.ts";

export interface FitRunOptions {
  readonly trainee: Trainee;
  readonly rows: ExampleRows;
  readonly validator: Validator | undefined;
  readonly labels: readonly number[];
  /** By example. */
  readonly weights: readonly number[];
  readonly batchSize: number;
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly schedule: Schedule;
  /** Whether callbacks may set the rate. */
  readonly isRateFree: boolean;
  readonly callbacks: readonly Callback[];
  readonly orderOf: (epoch: number) => readonly number[];
  readonly graphWith: (weights: ReadonlyMap<string, NumericTensor>) => Graph;
  readonly checkpoint:
    | { readonly store: CheckpointStore; readonly problem: string; readonly steps: number | undefined }
    | undefined;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Where a training stands: plain data, so that it goes into a checkpoint. */
interface Position {
  epoch: number;
  /** The next batch of the epoch. */
  batch: number;
  /** How many steps were taken in all. */
  step: number;
  /** Set by a callback; else the schedule decides. */
  rate: number | undefined;
  stopped: string | undefined;
  /** Over the epoch's examples so far. */
  lossSum: number;
  right: number | undefined;
  examples: number;
  seconds: number;
  history: EpochRecord[];
}

/** One training, from its beginning or from a checkpoint to its end. */
export class FitRun {
  readonly #options: FitRunOptions;
  readonly #handle: TrainingHandle;
  #at: Position;

  constructor(options: FitRunOptions) {
    this.#options = options;
    this.#at = {
      epoch: options.initialEpoch,
      step: 0,
      rate: undefined,
      stopped: undefined,
      history: [],
      ...epochStart(),
    };
    this.#handle = this.#makeHandle();
  }

  async train(
    checkpoint: Checkpoint | undefined,
  ): Promise<{ readonly history: readonly EpochRecord[]; readonly stopped: string | undefined }> {
    const { callbacks, epochs } = this.#options;
    for (const callback of callbacks) await callback.onTrainBegin?.(this.#handle);
    if (checkpoint !== undefined) await this.#goOnFrom(checkpoint);
    while (this.#at.epoch < epochs && this.#at.stopped === undefined) await this.#epoch();
    for (const callback of callbacks) await callback.onTrainEnd?.(this.#handle);
    return { history: this.#at.history, stopped: this.#at.stopped };
  }

  async #epoch(): Promise<void> {
    const { callbacks, orderOf, rows, labels, batchSize, checkpoint, signal, onProgress } = this.#options;
    const at = this.#at;
    const { epoch } = at;
    // An epoch that is gone on with has begun before.
    if (at.batch === 0) for (const callback of callbacks) await callback.onEpochBegin?.(epoch, this.#handle);
    const order = orderOf(epoch);
    const batches = Math.ceil(labels.length / batchSize);
    const started = performance.now();
    const before = at.seconds;
    let learningRate = this.#rate();
    const reader = rows.reader(order.slice(at.batch * batchSize), epoch);
    try {
      while (at.batch < batches) {
        signal?.throwIfAborted();
        learningRate = this.#rate();
        await this.#batch(order, batches, learningRate, await reader.next(this.#sizeOf(at.batch)));
        at.seconds = before + (performance.now() - started) / 1000;
        onProgress?.({ stage: "training", epoch, done: at.batch, total: batches });
        const isDue = checkpoint?.steps !== undefined && at.batch % checkpoint.steps === 0 && at.batch < batches;
        if (isDue) await this.#save();
      }
    } finally {
      await reader.close();
    }
    const validation = await this.#validate(epoch);
    const { lossSum, right, examples } = at;
    const record: EpochRecord = {
      epoch,
      loss: lossSum / examples,
      ...(right === undefined ? {} : { accuracy: right / examples }),
      ...validation,
      learningRate,
      seconds: before + (performance.now() - started) / 1000,
    };
    at.history.push(record);
    if (!Number.isFinite(record.loss)) at.stopped = "the loss is no finite number any more";
    for (const callback of callbacks) await callback.onEpochEnd?.(record, this.#handle);
    Object.assign(at, { epoch: epoch + 1, ...epochStart() });
    await this.#save();
  }

  async #batch(order: readonly number[], batches: number, learningRate: number, rows: Float32Array): Promise<void> {
    const { trainee, labels, weights, batchSize, callbacks } = this.#options;
    const at = this.#at;
    const size = this.#sizeOf(at.batch);
    const examples = order.slice(at.batch * batchSize, at.batch * batchSize + size);
    const { loss, right } = await trainee.step({
      rows,
      labels: examples.map((index) => labels[index] ?? 0),
      weights: examples.map((index) => weights[index] ?? 0),
      learningRate,
      place: [at.epoch, at.batch],
    });
    const record: BatchRecord = {
      batch: at.batch,
      batches,
      size,
      loss,
      ...(right === undefined ? {} : { accuracy: right / size }),
    };
    at.lossSum += loss * size;
    at.right = right === undefined ? undefined : (at.right ?? 0) + right;
    at.examples += size;
    at.batch += 1;
    at.step += 1;
    for (const callback of callbacks) await callback.onBatchEnd?.(record, this.#handle);
  }

  async #validate(epoch: number): Promise<{ readonly valLoss?: number; readonly valAccuracy?: number }> {
    const { validator, trainee, onProgress } = this.#options;
    if (validator === undefined) return {};
    const told =
      onProgress && ((done: number, total: number) => onProgress({ stage: "validation", epoch, done, total }));
    const { loss, accuracy } = await validator.validate(trainee, told);
    return { valLoss: loss, ...(accuracy === undefined ? {} : { valAccuracy: accuracy }) };
  }

  /** Of the next step. */
  #rate(): number {
    return this.#at.rate ?? this.#options.schedule.rateAt(this.#at.step);
  }

  #sizeOf(batch: number): number {
    const { labels, batchSize } = this.#options;
    return Math.min(batchSize, labels.length - batch * batchSize);
  }

  #makeHandle(): TrainingHandle {
    const { trainee, epochs, isRateFree, graphWith } = this.#options;
    const rate = () => this.#rate();
    return {
      epochs,
      get learningRate() {
        return rate();
      },
      setLearningRate: (learningRate) => {
        if (!isRateFree) {
          throw new GraftError("usage", "the learning rate follows a schedule: a callback cannot set it", {
            hint: "give a number as learningRate",
          });
        }
        if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
          throw new GraftError("usage", "no such learning rate", {
            expected: "a number from 0 on",
            actual: String(learningRate),
          });
        }
        this.#at.rate = learningRate;
      },
      stop: (reason) => {
        this.#at.stopped = reason;
      },
      readWeights: () => trainee.readWeights(),
      writeWeights: (weights) => trainee.writeState(weights),
      readGraph: async () => graphWith(await trainee.readWeights()),
    };
  }

  async #save(): Promise<void> {
    const { checkpoint, trainee, callbacks } = this.#options;
    if (checkpoint === undefined) return;
    const tensors = new Map<string, NumericTensor>();
    for (const [name, tensor] of await trainee.readState()) tensors.set(`state/${name}`, tensor);
    const states = callbacks.map((callback, index) => {
      const state = callback.saveState?.();
      for (const [name, tensor] of state?.tensors ?? []) tensors.set(`callback ${index}/${name}`, tensor);
      return state && { values: state.values, hasTensors: state.tensors !== undefined };
    });
    const values = { position: this.#at, callbacks: states.map((state) => state ?? null) };
    await checkpoint.store.save(await encodeCheckpoint({ problem: checkpoint.problem, values, tensors }));
  }

  async #goOnFrom({ values, tensors }: Checkpoint): Promise<void> {
    const { trainee, callbacks } = this.#options;
    // As `#save` wrote it: the checkpoint has proved to be whole, and of this training.
    const { position, callbacks: states } = values as unknown as SavedValues;
    this.#at = { ...this.#at, ...position };
    await trainee.writeState(under(tensors, "state/"));
    for (const [index, callback] of callbacks.entries()) {
      const saved = states[index];
      if (saved === undefined || saved === null) continue;
      const state: CallbackState = { values: saved.values };
      callback.loadState?.(saved.hasTensors ? { ...state, tensors: under(tensors, `callback ${index}/`) } : state);
    }
  }
}

interface SavedValues {
  readonly position: Position;
  readonly callbacks: readonly ({ readonly values: CallbackState["values"]; readonly hasTensors: boolean } | null)[];
}

function epochStart(): Pick<Position, "batch" | "lossSum" | "right" | "examples" | "seconds"> {
  return { batch: 0, lossSum: 0, right: undefined, examples: 0, seconds: 0 };
}

/** The tensors whose names begin so, by the rest of their names. */
function under(tensors: ReadonlyMap<string, NumericTensor>, prefix: string): ReadonlyMap<string, NumericTensor> {
  return new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );
}
