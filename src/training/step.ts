/** @file The training step as one graph: a batch, the learning rate and the state go in; loss, metrics and state come out. */

import { backpropagate } from "../gradient/index.ts";
import { type Builder, type Graph, type Value, verify } from "../graph/index.ts";
import { findValue, lowerForTraining, removeDeadNodes, removeDuplicateNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError, isFloating, type NumericTensor, tensorOf } from "../tensor/index.ts";
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
  /** Whether the step takes `sample_weights`, float32 `[N]`. */
  readonly sampleWeights?: boolean;
}

/** One tensor that stays between steps: the output of a step is the input of the next. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  readonly initial: NumericTensor;
}

export interface TrainingStep {
  /**
   * Inputs: the forward graph's, `labels` (int64 `[N]` class indices, or float32 targets of the output's shape),
   * `sample_weights` where asked for, `learning_rate` (float32 scalar), and the state. Outputs: `loss` (scalar),
   * `accuracy` where labels are class indices (scalar, the share of the batch classified right), and the state after
   * the step.
   */
  readonly graph: Graph;
  readonly state: readonly StateTensor[];
}

/**
 * Builds the training step of the named initializers.
 *
 * @throws GraftError `usage` for a trainable name that is not an initializer of floating-point numbers,
 *   `not-differentiable` where the loss does not reach one
 */
export function buildTrainingStep(options: TrainingStepOptions): TrainingStep {
  const { trainable, loss, optimizer, clipping = {}, batch } = options;
  for (const name of trainable) trainableTensor(options.graph, name);
  const { graph, derivatives } =
    batch === undefined ? { graph: options.graph, derivatives: undefined } : lowerForTraining(options.graph, { trainable, batch });
  const parameters = trainable.map((name) => trainableTensor(graph, name));
  const frozen = new Map(graph.initializers);
  for (const { value } of parameters) frozen.delete(value);
  const build = newBuilder({ ...graph, initializers: frozen });
  const output = options.output === undefined ? firstOutput(graph) : findValue(graph, options.output);
  for (const { value } of parameters) build.adoptInput(value);
  const forward = [...build.nodes];

  const labels = labelsInput(build, loss, output);
  const sampleWeights = options.sampleWeights ? build.input("sample_weights", "float32", [batchOf(output)]) : undefined;
  const values = loss.build(build, { output, labels, sampleWeights });
  const learningRate = build.input("learning_rate", "float32", []);

  const seeds = new Map([[output, values.gradient]]);
  const gradients = backpropagate(
    build,
    forward,
    seeds,
    parameters.map(({ value }) => value),
    derivatives,
  );
  const arrived = parameters.map(({ value }) => {
    const gradient = gradients.get(value);
    if (gradient !== undefined) return gradient;
    throw new GraftError("not-differentiable", "the loss does not depend on a value that is to be trained", {
      path: [`value "${value.name}"`],
      hint: "train only what lies before the output",
    });
  });

  const state: StateTensor[] = [];
  const outputs: Value[] = [name(build, values.loss, "loss")];
  if (loss.labels === "indices") outputs.push(accuracy(build, output, labels));
  const keep = (input: Value, next: Value, initial: NumericTensor) => {
    const named = name(build, next, `${input.name}:next`);
    outputs.push(named);
    state.push({ input: input.name, output: named.name, initial });
  };
  const step = optimizer.countsSteps ? countedStep(build, keep) : undefined;
  clipGradients(build, arrived, clipping).forEach((gradient, index) => {
    const parameter = parameters[index];
    if (parameter === undefined) return;
    const { value, tensor } = parameter;
    const slots = optimizer.slots.map((slot) => build.input(`${value.name}:${slot}`, value.dtype, tensor.shape));
    const updated = optimizer.update(build, {
      parameter: value,
      gradient,
      learningRate: build.castLike(learningRate, value),
      slots,
      step: step === undefined ? learningRate : build.castLike(step, value),
    });
    keep(value, updated.parameter, tensor);
    updated.slots.forEach((next, position) => {
      const slot = slots[position];
      if (slot !== undefined) keep(slot, next, initialSlot(tensor));
    });
  });
  const whole = verify(build.graph(outputs, "training_step"));
  return { graph: verify(removeDeadNodes(removeDuplicateNodes(whole))), state };
}

/** The share of rows whose largest logit is the label's. */
function accuracy(build: Builder, logits: Value, labels: Value): Value {
  const guesses = build.apply("ArgMax", [logits], { axis: 1, keepdims: false });
  const right = build.cast(build.equal(guesses, labels), "float32");
  return build.apply("ReduceMean", [right], { keepdims: false }, "accuracy");
}

/** The number of this step, from 1, kept as state. */
function countedStep(build: Builder, keep: (input: Value, next: Value, initial: NumericTensor) => void): Value {
  const before = build.input("iterations", "int64", []);
  const now = build.add(before, build.scalar(1, before));
  keep(before, now, tensorOf("int64", [], [0]));
  return now;
}

function labelsInput(build: Builder, loss: Loss, output: Value): Value {
  if (loss.labels === "indices") return build.input("labels", "int64", [batchOf(output)]);
  return build.input("labels", output.dtype, output.shape);
}

function batchOf(output: Value): number | string | null {
  return output.shape?.[0] ?? null;
}

function firstOutput(graph: Graph): Value {
  const [output] = graph.outputs;
  if (output !== undefined) return output;
  throw new GraftError("usage", "a graph without outputs cannot be trained", { path: [`graph "${graph.name}"`] });
}

function trainableTensor(graph: Graph, name: string): { readonly value: Value; readonly tensor: NumericTensor } {
  for (const [value, tensor] of graph.initializers) {
    if (value.name !== name) continue;
    if (tensor.dtype !== "string" && isFloating(tensor.dtype)) return { value, tensor };
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
