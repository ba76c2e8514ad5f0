/** @file The gradients of a batch: of all of it at once, or as a loop over parts of it. */
import { backpropagate } from "../gradient/index.ts";
import {
  type Builder,
  definitionsOf,
  type GivenDerivatives,
  type Graph,
  type Node,
  usesOf,
  type Value,
} from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError, isFloating, isStatic, tensorOf, unreachable } from "../tensor/index.ts";
import type { Loss } from "./losses.ts";

export interface BatchProblem {
  /** The forward graph. Its parameters are initializers. */
  readonly graph: Graph;
  readonly output: Value;
  readonly parameters: readonly Value[];
  /** Other initializers that change from step to step: they become inputs as the parameters do. */
  readonly statistics: readonly Value[];
  readonly loss: Loss;
  readonly hasSampleWeights: boolean;
  readonly derivatives: GivenDerivatives;
}

export interface BatchGradients {
  /** Holds everything so far; the parameters are inputs of it. */
  readonly build: Builder;
  readonly loss: Value;
  /** Where labels stand for classes. */
  readonly accuracy: Value | undefined;
  /** In the order of the parameters; `undefined` where the loss does not depend on one. */
  readonly gradients: readonly (Value | undefined)[];
}

/** Forward and back through the whole batch. */
export function gradientsOfWhole(problem: BatchProblem): BatchGradients {
  const { graph, output, parameters, statistics, loss, derivatives } = problem;
  const frozen = new Map(graph.initializers);
  const state = [...parameters, ...statistics];
  for (const value of state) frozen.delete(value);
  const build = newBuilder({ ...graph, initializers: frozen });
  for (const value of state) build.adoptInput(value);
  const forward = [...build.nodes];
  const { labels, sampleWeights } = targetInputs(build, problem, output.shape?.[0] ?? null);
  const values = loss.build(build, { output, labels, sampleWeights });
  const seeds = new Map([[output, values.gradient]]);
  const gradients = backpropagate(build, forward, seeds, parameters, derivatives);
  return {
    build,
    loss: values.loss,
    accuracy: accuracyOf(build, loss, output, labels),
    gradients: parameters.map((parameter) => gradients.get(parameter)),
  };
}

/**
 * The same as a loop over `parts` parts of the batch, whose gradients are added up: the maps of one part at a time are
 * held in memory. The graph is that of one part. What depends on parameters alone is computed once, outside the loop,
 * and so is the way back from there to the parameters. `inputs` names the inputs of the whole batch, for those of a
 * part, whose own names must be others.
 *
 * The result is that of the whole batch where pictures do not meet in it: batch norm in inference mode, and a loss that
 * is a mean over examples.
 */
export function gradientsInParts(problem: BatchProblem, parts: number, inputs: readonly string[]): BatchGradients {
  const { graph, output, parameters, loss, derivatives } = problem;
  const { shared, data, boundary } = partition(graph, parameters);
  const names = [...graph.inputs, ...graph.initializers.keys(), ...graph.nodes.flatMap(definitionsOf)].map(
    ({ name }) => name,
  );
  const outside = new Set(shared.flatMap(usesOf));
  const outer = newBuilder();
  const inner = newBuilder();
  outer.reserve(names);
  inner.reserve(names);

  // Outside: the whole batch, the parameters, and what depends on them alone.
  const size = batchOf(output) * parts;
  const whole = graph.inputs.map(({ name, dtype, shape }, index) =>
    outer.input(inputs[index] ?? name, dtype, [size, ...(shape ?? []).slice(1)]),
  );
  for (const parameter of parameters) outer.adoptInput(parameter);
  const targets = targetInputs(outer, problem, size);
  for (const [value, tensor] of graph.initializers)
    if (outside.has(value) && !parameters.includes(value)) outer.adoptConstant(value, tensor);
  for (const node of shared) outer.adopt(node);

  // Inside: one part of the batch, forward and back to what comes from outside.
  const iteration = inner.input("part", "int64", []);
  const goOn = inner.input("go_on", "bool", []);
  const start = inner.mul(inner.reshape(iteration, [1]), inner.ints([batchOf(output)]));
  const end = inner.add(start, inner.ints([batchOf(output)]));
  const partOf = (value: Value) => inner.apply("Slice", [value, start, end, inner.ints([0])]);
  const shapeOf = (value: Value) => inner.ints([batchOf(output), ...(value.shape ?? []).slice(1).map(Number)]);
  for (const [value, tensor] of graph.initializers)
    if (!outside.has(value) && !parameters.includes(value)) inner.adoptConstant(value, tensor);
  graph.inputs.forEach((input, index) => {
    const value = whole[index];
    if (value !== undefined) inner.define(input, "Reshape", [partOf(value), shapeOf(value)]);
  });
  const labels = inner.apply("Reshape", [partOf(targets.labels), shapeOf(targets.labels)]);
  const { sampleWeights } = targets;
  const weights = sampleWeights && inner.apply("Reshape", [partOf(sampleWeights), shapeOf(sampleWeights)]);
  for (const node of data) inner.adopt(node);
  const values = loss.build(inner, { output, labels, sampleWeights: weights });
  const gradients = backpropagate(inner, data, new Map([[output, values.gradient]]), boundary, derivatives);
  const accuracy = accuracyOf(inner, loss, output, labels);

  // From part to part: sums of the loss, the accuracy and the gradients.
  const reached = boundary.filter((value) => gradients.has(value));
  const summands = [
    values.loss,
    ...(accuracy ? [accuracy] : []),
    ...reached.flatMap((value) => gradients.get(value) ?? []),
  ];
  const sums = summands.map((value) => {
    const before = inner.input(`${value.name}/sum`, value.dtype, value.shape);
    return { before, after: inner.add(before, value) };
  });
  const body = inner.graph([inner.apply("Identity", [goOn], {}, "goes_on"), ...sums.map(({ after }) => after)], "part");
  outer.reserve(
    [...inner.nodes.flatMap(definitionsOf), ...body.inputs, ...body.initializers.keys()].map(({ name }) => name),
  );
  const zeros = summands.map((value) => zerosOf(outer, value));
  const count = outer.constant(tensorOf("int64", [], [parts]));
  const isOn = outer.constant(tensorOf("bool", [], [1]));
  const totals = outer.applyAll("Loop", [count, isOn, ...zeros], summands.length, { body }, "sums");
  const means = totals.map((total) => outer.scale(total, 1 / parts));

  // Outside again: from the gradients of what is shared to those of the parameters.
  const [meanLoss, ...others] = means;
  const meanAccuracy = accuracy && others.shift();
  const seeds = new Map(reached.flatMap((value, index) => (others[index] ? [[value, others[index]] as const] : [])));
  const arrived = backpropagate(outer, shared, seeds, parameters);
  return {
    build: outer,
    loss: meanLoss ?? unreachable("the loop gave no loss"),
    accuracy: meanAccuracy,
    gradients: parameters.map((each) => arrived.get(each)),
  };
}

interface Partition {
  /** Nodes that depend on parameters and constants alone, of which at least one parameter. */
  readonly shared: readonly Node[];
  /** All others. */
  readonly data: readonly Node[];
  /** What the others read of parameters and of what is computed from them. */
  readonly boundary: readonly Value[];
}

function partition(graph: Graph, parameters: readonly Value[]): Partition {
  const fromData = new Set<Value>(graph.inputs);
  const fromParameters = new Set<Value>(parameters);
  const shared: Node[] = [];
  const data: Node[] = [];
  for (const node of graph.nodes) {
    const uses = usesOf(node);
    const isShared = !uses.some((use) => fromData.has(use)) && uses.some((use) => fromParameters.has(use));
    (isShared ? shared : data).push(node);
    for (const output of definitionsOf(node)) (isShared ? fromParameters : fromData).add(output);
  }
  const boundary = new Set(data.flatMap(usesOf).filter((use) => fromParameters.has(use) && isFloating(use.dtype)));
  return { shared, data, boundary: [...boundary] };
}

function targetInputs(
  build: Builder,
  { loss, output, hasSampleWeights }: BatchProblem,
  batch: number | string | null,
): { readonly labels: Value; readonly sampleWeights: Value | undefined } {
  const labels =
    loss.labels === "indices"
      ? build.input("labels", "int64", [batch])
      : build.input("labels", output.dtype, output.shape && [batch, ...output.shape.slice(1)]);
  return { labels, sampleWeights: hasSampleWeights ? build.input("sample_weights", "float32", [batch]) : undefined };
}

/**
 * The share of rows whose largest logit is the label's; of a single logit, whose sign is the label's. A row with a label
 * below 0 is never right: it only fills a batch.
 */
function accuracyOf(
  build: Builder,
  { labels: kind, classifies }: Loss,
  logits: Value,
  labels: Value,
): Value | undefined {
  const isTarget = kind === "targets";
  if (isTarget && (classifies !== true || logits.shape?.length !== 2)) return undefined;
  let right: Value;
  if (isTarget && logits.shape?.[1] === 1) {
    const guesses = build.castLike(build.greater(logits, build.scalar(0, logits)), labels);
    right = build.equal(guesses, labels);
  } else {
    const largest = (value: Value) => build.apply("ArgMax", [value], { axis: 1, keepdims: false });
    right = build.equal(largest(logits), isTarget ? largest(labels) : labels);
    if (isTarget) {
      const any = build.apply("ReduceMax", [labels, build.ints([1])], { keepdims: false });
      right = build.and(right, build.greater(any, build.scalar(0, any)));
    }
  }
  const share = build.cast(right, "float32");
  return isTarget && logits.shape?.[1] === 1
    ? build.reduceMean(share, [0, 1], false)
    : build.apply("ReduceMean", [share], { keepdims: false });
}

function batchOf(output: Value): number {
  const batch = output.shape?.[0];
  if (typeof batch === "number") return batch;
  throw new GraftError("usage", "a batch in parts must have a fixed size", { path: [`value "${output.name}"`] });
}

function zerosOf(build: Builder, like: Value): Value {
  if (!isStatic(like.shape))
    throw new GraftError("usage", "a sum over parts needs known sizes", { path: [`value "${like.name}"`] });
  const zero = like.dtype === "float64" ? tensorOf("float64", [1], [0]) : tensorOf("float32", [1], [0]);
  return build.apply("ConstantOfShape", [build.ints(like.shape)], { value: zero });
}
