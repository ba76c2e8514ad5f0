/** @file What is trained: steps of one batch size or another over one state, and what the model says with it. */
import { type Graph, producersOf, type Value } from "../graph/index.ts";
import { withWeights } from "../model/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { type DropoutMask, trainingForm } from "../passes/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import {
  float32,
  GraftError,
  type NumericTensor,
  randomNumbers,
  sha256,
  type Tensor,
  tensorOf,
} from "../tensor/index.ts";
import { type SplitGraph, splitAtFrontier } from "./frontier.ts";
import type { Loss } from "./losses.ts";
import type { Clipping, Optimizer } from "./optimizers.ts";
import { seedOf } from "./seeds.ts";
import { buildTrainingStep } from "./step.ts";

export interface TraineeOptions {
  /** From pixels to what the loss is taken of, in inference form. */
  readonly graph: Graph;
  readonly trainable: readonly string[];
  readonly trainingNodes: ReadonlySet<string>;
  /** `[height, width, 3]`. */
  readonly example: readonly number[];
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly clipping: Clipping | undefined;
  readonly rateOf: ((name: string) => number) | undefined;
  readonly microBatch: number | undefined;
  readonly seed: number;
  readonly runtime: Runtime;
}

/** A batch as a step takes it. */
export interface TrainingBatch {
  /** The frontier of each example, one after another. */
  readonly rows: Float32Array;
  readonly labels: readonly number[];
  /** How much each example counts. */
  readonly weights: readonly number[];
  readonly learningRate: number;
  /** What the masks of dropout are drawn by. */
  readonly place: readonly number[];
}

export interface StepResult {
  /** The mean over the examples of the batch. */
  readonly loss: number;
  /** How many were right; `undefined` where that means nothing. */
  readonly right: number | undefined;
}

interface CompiledStep {
  readonly size: number;
  readonly executable: Executable;
  readonly shape: readonly number[];
  readonly input: string;
  readonly masks: readonly DropoutMask[];
  /** How many numbers the loss is taken of for one example. */
  readonly outputs: number;
}

/** A model while it is trained. */
export class Trainee {
  readonly #options: TraineeOptions;
  readonly #splits = new Map<number, SplitGraph>();
  readonly #steps = new Map<number, CompiledStep>();
  #statistics: readonly string[] = [];
  /** The step that holds the state. */
  #current: CompiledStep | undefined;
  /** SHA-256 of the first step's model. */
  #stepDigest = "";

  private constructor(options: TraineeOptions) {
    this.#options = options;
  }

  /** With a step of `size` examples, ready to run. */
  static async of(options: TraineeOptions, size: number): Promise<Trainee> {
    const trainee = new Trainee(options);
    trainee.#current = await trainee.#step(size);
    return trainee;
  }

  /** Says all about a step but the weights that it begins with: the optimizer, the loss and their settings as well. */
  get stepDigest(): string {
    return this.#stepDigest;
  }

  /** Whether the examples of a batch meet in its statistics: then a batch cannot be filled with others. */
  get usesBatchStatistics(): boolean {
    return this.#statistics.length > 0;
  }

  /** The names of what changes in training. */
  get changing(): ReadonlySet<string> {
    return new Set([...this.#options.trainable, ...this.#statistics]);
  }

  /** The two parts of the model, for a batch. */
  split(batch: number): SplitGraph {
    const known = this.#splits.get(batch);
    if (known !== undefined) return known;
    const { graph, trainable, trainingNodes, example } = this.#options;
    const split = splitAtFrontier(graph, { trainable, trainingNodes, example, batch });
    this.#splits.set(batch, split);
    return split;
  }

  /**
   * Takes one step. A batch of fewer examples than the compiled one is filled up with examples that count nothing, where
   * examples do not meet; else it has a step of its own.
   */
  async step(batch: TrainingBatch): Promise<StepResult> {
    const count = batch.labels.length;
    const current = this.#current;
    const fits =
      current !== undefined && (count === current.size || (count < current.size && !this.usesBatchStatistics));
    const step = fits ? current : await this.#switchTo(count);
    const { size, executable, shape, input, masks, outputs } = step;
    const rows = new Float32Array(size * shape.reduce((product, each) => product * each, 1));
    rows.set(batch.rows);
    const feeds = new Map<string, Tensor>([
      [input, float32([size, ...shape], rows)],
      ["labels", this.#labels(batch.labels, size, outputs)],
      // The mean is taken over the compiled size: what counts is scaled to be a mean over the examples there are.
      ["sample_weights", float32([size], padded(batch.weights, size, size / count))],
      ["learning_rate", float32([], Float32Array.of(batch.learningRate))],
      ...masks.map((mask, index) => [mask.input, this.#mask(mask, size, [...batch.place, index])] as const),
    ]);
    const results = await executable.run(feeds);
    const share = results.get("accuracy");
    return {
      loss: scalarOf(results.get("loss")),
      right: share === undefined ? undefined : Math.round(scalarOf(share) * size),
    };
  }

  /** All that stays between steps: weights, statistics, the optimizer's memory. */
  async readState(): Promise<ReadonlyMap<string, NumericTensor>> {
    return (await this.#current?.executable.readState()) ?? new Map();
  }

  async writeState(state: ReadonlyMap<string, NumericTensor>): Promise<void> {
    await this.#current?.executable.writeState(state);
  }

  /** What is trained, by name. */
  async readWeights(): Promise<ReadonlyMap<string, NumericTensor>> {
    const names = this.changing;
    return new Map([...(await this.readState())].filter(([name]) => names.has(name)));
  }

  /** The trained part in inference form, with constant weights, for a batch. */
  async inferenceModel(batch: number): Promise<Uint8Array> {
    return writeModel(onnxModelOf(withPresent(this.split(batch).trained, await this.readWeights())));
  }

  async dispose(): Promise<void> {
    for (const { executable } of this.#steps.values()) await executable.dispose();
  }

  async #switchTo(size: number): Promise<CompiledStep> {
    const next = this.#steps.get(size) ?? (await this.#step(size));
    await next.executable.writeState(await this.readState());
    this.#current = next;
    return next;
  }

  async #step(size: number): Promise<CompiledStep> {
    const { trainable, trainingNodes, loss, optimizer, clipping, rateOf, microBatch, runtime } = this.#options;
    const { trained, shape } = this.split(size);
    const named = new Set(trained.nodes.flatMap((node) => node.outputs.flatMap((value) => value?.name ?? [])));
    const form = trainingForm(trained, new Set([...trainingNodes].filter((name) => named.has(name))));
    const output = firstOutput(form.graph);
    const { graph, state } = buildTrainingStep({
      graph: form.graph,
      output: output.name,
      trainable,
      updates: form.updates,
      loss,
      optimizer,
      batch: size,
      sampleWeights: true,
      ...(microBatch !== undefined && size % microBatch === 0 && { microBatch }),
      ...(clipping && { clipping }),
      ...(rateOf && { rateOf }),
    });
    const model = writeModel(onnxModelOf(graph));
    if (this.#steps.size === 0) this.#stepDigest = await sha256(model);
    this.#statistics = form.updates.map(({ parameter }) => parameter);
    const [input] = trained.inputs;
    const outputs = Number(output.shape?.[1] ?? 1);
    const executable = await runtime.compile(model, { state });
    const step = { size, executable, shape, input: input?.name ?? "", masks: form.masks, outputs };
    this.#steps.set(size, step);
    return step;
  }

  #labels(labels: readonly number[], size: number, outputs: number): NumericTensor {
    return labelTensor(this.#options.loss, labels, size, outputs);
  }

  #mask({ rate, shape }: DropoutMask, size: number, place: readonly number[]): NumericTensor {
    const sizes = [size, ...shape.slice(1).map(Number)];
    const random = randomNumbers(seedOf(this.#options.seed, "mask", ...place));
    const mask = new Float32Array(sizes.reduce((product, each) => product * each, 1));
    const kept = 1 / (1 - rate);
    for (let index = 0; index < mask.length; index++) mask[index] = random() < rate ? 0 : kept;
    return float32(sizes, mask);
  }
}

/** Labels as the loss takes them; places beyond them hold −1, which is never right. */
export function labelTensor(loss: Loss, labels: readonly number[], size: number, outputs: number): NumericTensor {
  const all = Array.from({ length: size }, (_, index) => labels[index] ?? -1);
  if (loss.labels === "indices") return tensorOf("int64", [size], all);
  if (outputs === 1) return float32([size, 1], Float32Array.from(all));
  const targets = new Float32Array(size * outputs);
  labels.forEach((label, row) => {
    targets[row * outputs + label] = 1;
  });
  return float32([size, outputs], targets);
}

/**
 * The graph up to what its last Softmax or Sigmoid takes: cross-entropies are taken of logits, as Keras does. Outputs
 * beyond the first are left out.
 */
export function upToLogits(graph: Graph): Graph {
  const producers = producersOf(graph);
  let output = firstOutput(graph);
  for (let node = producers.get(output); node?.kind === "operator"; node = producers.get(output)) {
    const [input] = node.inputs;
    const isActivation = node.operator === "Softmax" || node.operator === "Sigmoid";
    if (input === undefined || !(isActivation || node.operator === "Identity")) break;
    output = input;
    if (isActivation) break;
  }
  return { ...graph, outputs: [output] };
}

/** The graph with the weights it has: others of the model may lie in its other part. */
function withPresent(graph: Graph, weights: ReadonlyMap<string, NumericTensor>): Graph {
  const names = new Set([...graph.initializers.keys()].map(({ name }) => name));
  return withWeights(graph, new Map([...weights].filter(([name]) => names.has(name))));
}

function firstOutput(graph: Graph): Value {
  const [output] = graph.outputs;
  if (output !== undefined) return output;
  throw new GraftError("usage", "a graph without outputs cannot be trained", { path: [`graph "${graph.name}"`] });
}

function padded(values: readonly number[], size: number, factor: number): Float32Array {
  return Float32Array.from({ length: size }, (_, index) => (values[index] ?? 0) * factor);
}

function scalarOf(tensor: Tensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}
