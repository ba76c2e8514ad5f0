/** @file The training step as one graph: a batch, the learning rate and the state go in; loss, metrics and state come out. */

import { type Builder, findValue, type Graph, mapGraph, type Value, verify } from "../graph/index.ts";
import {
  type LoweredGraph,
  lowerForTraining,
  removeDeadNodes,
  removeDuplicateNodes,
  type StatisticUpdate,
} from "../passes/index.ts";
import { GraftError, isFloating, type NumericTensor, tensorOf } from "../tensor/index.ts";
import { type BatchGradients, gradientsInParts, gradientsOfWhole } from "./batchGradients.ts";
import type { Loss } from "./losses.ts";
import { type Clipping, clipGradients, initialSlot, type Optimizer } from "./optimizers.ts";

export interface TrainingStepOptions {
  /** The forward graph, with inferred types. Inputs keep their names. */
  readonly graph: Graph;
  /** The value the loss is taken of. Default: the graph's first output. */
  readonly output?: string;
  /** The names of the initializers to train. Everything else stays frozen: no gradient path leads to it. */
  readonly trainable: readonly string[];
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly clipping?: Clipping;
  /**
   * The number of examples of every batch. Where it is given, the graph takes the form in which its step runs fastest
   * (`lowerForTraining`), and runs with this batch alone.
   */
  readonly batch?: number;
  /**
   * The number of examples that go through the graph at once: a divisor of `batch`. The step is the same, but for
   * rounding; fewer hold less memory. Default: the whole batch.
   */
  readonly microBatch?: number;
  /** Whether the step takes `sample_weights`, float32 `[N]`. */
  readonly sampleWeights?: boolean;
  /**
   * Initializers that a step replaces by values of the graph, not by the optimizer: the moving statistics of batch norm
   * (`trainingForm`). The values are outputs of the graph. A batch that meets in its statistics has no micro-batches.
   */
  readonly updates?: readonly StatisticUpdate[];
  /** The factor on the learning rate of a parameter, by name: at least 0. Default: 1 for each. */
  readonly rateOf?: (name: string) => number;
}

/** One tensor that stays between steps: the output of a step is the input of the next. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  readonly initial: NumericTensor;
}

export interface TrainingStep {
  /**
   * Inputs: the forward graph's (the masks of dropout are among them), `labels` (int64 `[N]` class indices, or float32 targets of the output's shape),
   * `sample_weights` where asked for, `learning_rate` (float32 scalar), and the state. Outputs: `loss` (scalar),
   * `accuracy` where labels stand for classes (scalar, the share of the batch classified right), and the state after
   * the step.
   */
  readonly graph: Graph;
  readonly state: readonly StateTensor[];
}

/**
 * Builds the training step of the named initializers.
 *
 * @throws GraftError `usage` for a trainable or updated name that is not an initializer of floating-point numbers, a factor
 *   that is not a number from 0 on, or updates with micro-batches; `not-differentiable` where the loss does not reach one
 */
export function buildTrainingStep(options: TrainingStepOptions): TrainingStep {
  const { trainable, updates = [], optimizer, clipping = {}, rateOf = () => 1 } = options;
  const parameters = trainable.map((name) => trainableTensor(options.graph, name));
  const statistics = updates.map(({ parameter }) => trainableTensor(options.graph, parameter));
  const { build, loss, accuracy, gradients, values, updated } = differentiate(options);
  const learningRate = build.input("learning_rate", "float32", []);
  const arrived = values.map((value, index) => {
    const gradient = gradients[index];
    if (gradient !== undefined) return gradient;
    throw new GraftError("not-differentiable", "the loss does not depend on a value that is to be trained", {
      path: [`value "${value.name}"`],
      hint: "train only what lies before the output",
    });
  });

  const state: StateTensor[] = [];
  const outputs: Value[] = [name(build, loss, "loss")];
  if (accuracy !== undefined) outputs.push(name(build, accuracy, "accuracy"));
  const keep = (input: Value, next: Value, initial: NumericTensor) => {
    const named = name(build, next, `${input.name}:next`);
    outputs.push(named);
    state.push({ input: input.name, output: named.name, initial });
  };
  const step = optimizer.countsSteps ? countedStep(build, keep) : undefined;
  clipGradients(build, arrived, clipping).forEach((gradient, index) => {
    const [value, tensor] = [values[index], parameters[index]];
    if (value === undefined || tensor === undefined) return;
    const slots = optimizer.slots.map((slot) => build.input(`${value.name}:${slot}`, value.dtype, tensor.shape));
    const updated = optimizer.update(build, {
      parameter: value,
      gradient,
      learningRate: build.scale(build.castLike(learningRate, value), rateFactor(value.name, rateOf)),
      slots,
      step: step === undefined ? learningRate : build.castLike(step, value),
    });
    keep(value, updated.parameter, tensor);
    updated.slots.forEach((next, position) => {
      const slot = slots[position];
      if (slot !== undefined) keep(slot, next, initialSlot(tensor));
    });
  });
  updated.forEach(({ statistic, next }, index) => {
    const tensor = statistics[index];
    if (tensor !== undefined) keep(statistic, next, tensor);
  });
  const whole = verify(build.graph(outputs, "training_step"));
  return { graph: verify(removeDeadNodes(removeDuplicateNodes(whole))), state };
}

interface Differentiated extends BatchGradients {
  /** The parameters. */
  readonly values: readonly Value[];
  readonly updated: readonly { readonly statistic: Value; readonly next: Value }[];
}

/** The loss and its gradients by the parameters, in the form that the options ask for. */
function differentiate(options: TrainingStepOptions): Differentiated {
  const { trainable, updates = [], loss, batch, microBatch = batch, sampleWeights = false } = options;
  const parts = batch === undefined || microBatch === undefined ? 1 : batch / microBatch;
  if (!Number.isInteger(parts)) {
    throw new GraftError("usage", "the batch does not divide into micro-batches", {
      expected: `a divisor of ${batch}`,
      actual: `${microBatch}`,
    });
  }
  if (parts !== 1 && updates.length > 0) {
    throw new GraftError("usage", "statistics of a batch cannot be taken in micro-batches", {
      path: updates.slice(0, 1).map(({ parameter }) => `value "${parameter}"`),
      hint: "leave microBatch out, or keep batch norm in inference mode",
    });
  }
  const names = options.graph.inputs.map((input) => input.name);
  const read = parts === 1 ? options.graph : renameInputs(options.graph);
  const { graph, derivatives }: LoweredGraph =
    microBatch === undefined
      ? { graph: read, derivatives: new Map() }
      : lowerForTraining(read, { trainable, updated: updates.map(({ parameter }) => parameter), batch: microBatch });
  const values = trainable.map((each) => findValue(graph, each));
  const output = options.output === undefined ? firstOutput(graph) : findValue(graph, options.output);
  const updated = updates.map(({ parameter, next }) => ({
    statistic: findValue(graph, parameter),
    next: findValue(graph, next),
  }));
  const statistics = updated.map(({ statistic }) => statistic);
  const problem = { graph, output, parameters: values, statistics, loss, hasSampleWeights: sampleWeights, derivatives };
  return { ...(parts === 1 ? gradientsOfWhole(problem) : gradientsInParts(problem, parts, names)), values, updated };
}

/** Other names for the inputs of one part: those of the whole batch keep theirs. */
function renameInputs(graph: Graph): Graph {
  const renamed = new Map(graph.inputs.map((input) => [input, { ...input, name: `${input.name}/part` }]));
  return mapGraph(graph, (value) => renamed.get(value) ?? value);
}

/** The number of this step, from 1, kept as state. */
function countedStep(build: Builder, keep: (input: Value, next: Value, initial: NumericTensor) => void): Value {
  const before = build.input("iterations", "int64", []);
  const now = build.add(before, build.scalar(1, before));
  keep(before, now, tensorOf("int64", [], [0]));
  return now;
}

function firstOutput(graph: Graph): Value {
  const [output] = graph.outputs;
  if (output !== undefined) return output;
  throw new GraftError("usage", "a graph without outputs cannot be trained", { path: [`graph "${graph.name}"`] });
}

function rateFactor(name: string, rateOf: (name: string) => number): number {
  const factor = rateOf(name);
  if (factor >= 0 && Number.isFinite(factor)) return factor;
  throw new GraftError("usage", "the factor on a learning rate lies outside its range", {
    path: [`value "${name}"`],
    expected: "a number from 0 on",
    actual: String(factor),
  });
}

function trainableTensor(graph: Graph, name: string): NumericTensor {
  for (const [value, tensor] of graph.initializers) {
    if (value.name !== name) continue;
    if (tensor.dtype !== "string" && isFloating(tensor.dtype)) return tensor;
    throw new GraftError("usage", "only floating-point values can be trained", {
      path: [`value "${name}"`],
      actual: tensor.dtype,
    });
  }
  throw new GraftError("usage", `the graph has no initializer "${name}" to train`, { path: [`graph "${graph.name}"`] });
}

/** The value under a name of its own, for the step's interface. */
function name(build: Builder, value: Value, wished: string): Value {
  return build.apply("Identity", [value], {}, wished);
}
