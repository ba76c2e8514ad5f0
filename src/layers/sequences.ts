/** @file Cells run over sequences: by ONNX's operators, or step by step where they do not know what a cell computes. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { LayerCall } from "./layer.ts";
import type { Cell, Step } from "./recurrent-cells.ts";

/** A sequence `[N, time, …]`, and what its run is told. */
export interface Sequence {
  readonly x: Value;
  /** Bool `[N, time]`: at steps that do not count, states stay and the last output is repeated. */
  readonly mask: Value | undefined;
  /** Gives 0 at steps that do not count. */
  readonly zeroes: boolean;
  readonly isReverse: boolean;
  /** `[N, units]` each; undefined for zeros. */
  readonly initial: readonly Value[] | undefined;
}

/** Outputs in the order of the input's steps, the last of them, and the states after it. */
export interface SequenceResult {
  readonly all: Value;
  readonly last: Value;
  readonly states: readonly Value[];
}

/** The most steps that are written out one by one. */
const mostSteps = 1024;

export function runCell(sequence: Sequence, cell: Cell, call: LayerCall): SequenceResult {
  if (cell.operator === undefined) {
    const zeros = new Array<Value>(cell.states).fill(zerosOf(sequence.x, cell.units, call));
    return runSteps({ ...sequence, initial: sequence.initial ?? zeros }, cell.step, cell.states, call);
  }
  if (sequence.mask !== undefined) return runMasked(sequence, sequence.mask, cell, call);
  const { all, states } = runOperator(sequence, cell, call, undefined);
  return { all, states, last: states[0] ?? all };
}

/** Zeros `[N, units]`. */
function zerosOf(x: Value, units: number, { build }: LayerCall): Value {
  return build.expand(build.scalar(0, x), build.concat([build.sizeOf(x, 0), build.ints([units])], 0));
}

/** The operator over `[N, time, features]`; with `lengths`, int32 `[N]`, only over the first steps of each. */
function runOperator({ x, isReverse, initial }: Sequence, cell: Cell, call: LayerCall, lengths: Value | undefined) {
  const { build, name } = call;
  const { operator } = cell;
  if (operator === undefined) throw new Error("internal: a cell without an operator");
  const [w, r, b] = operator.weights;
  const states = initial?.map((state) => build.unsqueeze(state, [0])) ?? [];
  const attributes = {
    hiddenSize: cell.units,
    direction: isReverse ? "reverse" : "forward",
    activations: operator.activations.map((each) => each.name),
    activationAlpha: listOrNone(operator.activations.flatMap(({ alpha }) => alpha ?? [])),
    activationBeta: listOrNone(operator.activations.flatMap(({ beta }) => beta ?? [])),
  } as const;
  const inputs = [build.transpose(x, [1, 0, 2]), w, r, b, lengths, ...states];
  const { linearBeforeReset = false } = operator;
  const own = `${name}/steps`;
  const outputs =
    operator.name === "GRU"
      ? build.applyAll("GRU", inputs, 2, { ...attributes, linearBeforeReset }, own)
      : build.applyAll(operator.name, inputs, operator.name === "LSTM" ? 3 : 2, attributes, own);
  const [every, ...last] = outputs;
  if (every === undefined) throw new Error("internal: a recurrent operator without outputs");
  // [time, 1, N, units] to [N, time, units].
  const all = build.transpose(build.squeeze(every, [1]), [1, 0, 2]);
  return { all, states: last.map((state) => build.squeeze(state, [0])) };
}

function listOrNone(numbers: readonly number[]): readonly number[] | undefined {
  return numbers.length > 0 ? numbers : undefined;
}

/**
 * Steps that count are moved to the front, run as sequences of different lengths, and their outputs are laid back where
 * the steps were; a step that does not count takes the output of the one before it in the direction of the run.
 */
function runMasked(sequence: Sequence, mask: Value, cell: Cell, call: LayerCall): SequenceResult {
  const { build } = call;
  const { x, isReverse, zeroes } = sequence;
  const counts = build.cast(mask, "int64");
  const time = build.sizeOf(x, 1);
  // 1, 2, 3, … where steps count, in their order; the others after them.
  const seen = build.apply("CumSum", [
    counts,
    build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(1n) }),
  ]);
  const ranks = build.where(build.cast(mask, "bool"), build.sub(time, seen), build.sub(build.neg(time), seen));
  // Of equal ranks TopK takes the first; they are steps that do not count, which nothing reads.
  const [, order] = build.applyAll("TopK", [ranks, time], 2, { axis: 1 });
  if (order === undefined) throw new Error("internal: TopK without indices");
  const packed = build.apply("GatherND", [x, build.unsqueeze(order, [2])], { batchDims: 1 });
  const lengths = build.cast(build.reduceSum(counts, [1], false), "int32");
  const { all, states } = runOperator({ ...sequence, x: packed }, cell, call, lengths);
  // The step before in a forward run is the last that counted; in a reverse one the next that does.
  const places = isReverse
    ? build.sub(seen, counts)
    : build.apply("Max", [build.shift(seen, -1), build.scalar(0, seen)]);
  const spread = build.apply("GatherND", [all, build.unsqueeze(places, [2])], { batchDims: 1 });
  // Past its end a run gives 0; before its begin nothing has come out either.
  const isNothing = zeroes ? build.apply("Not", [build.cast(mask, "bool")]) : build.equal(seen, build.scalar(0, seen));
  const outputs =
    isReverse && !zeroes ? spread : build.where(build.unsqueeze(isNothing, [2]), build.scalar(0, spread), spread);
  return { all: outputs, states, last: endOf(outputs, isReverse, call) };
}

/** The output at the end of the run. */
function endOf(all: Value, isReverse: boolean, { build }: LayerCall): Value {
  const [start, end] = isReverse ? [0, 1] : [-1, 2 ** 31 - 1];
  return build.squeeze(build.slice(all, [start], [end], [1]), [1]);
}

function runSteps(sequence: Sequence, step: Step, stateCount: number, call: LayerCall): SequenceResult {
  const { build } = call;
  const { outputs, last, states } = stepped(sequence, step, stateCount, call);
  const all = build.concat(
    outputs.map((output) => build.unsqueeze(output, [1])),
    1,
  );
  return { all, last, states };
}

/** Steps in the order of the input. */
export interface SteppedResult {
  readonly outputs: readonly Value[];
  readonly last: Value;
  readonly states: readonly Value[];
}

/** One step after another, each with nodes of its own. The first has no states where none are given: they are zeros. */
export function stepped(
  { x, mask, zeroes, isReverse, initial }: Sequence,
  step: Step,
  stateCount: number,
  call: LayerCall,
): SteppedResult {
  const { build } = call;
  const time = x.shape?.[1];
  if (typeof time !== "number" || time < 1 || time > mostSteps) {
    throw new GraftError("model-refused", "it can only be written out for a sequence of a known length", {
      expected: `1 to ${mostSteps} steps`,
      actual: `${time ?? "an open length"}`,
      hint: "give the model an input of fixed length",
    });
  }
  const slices = (value: Value): readonly Value[] =>
    time === 1
      ? [build.squeeze(value, [1])]
      : build.applyAll("Split", [value], time, { axis: 1, numOutputs: time }).map((each) => build.squeeze(each, [1]));
  const inputs = slices(x);
  const masks = mask === undefined ? [] : slices(build.cast(mask, "bool"));
  const order = inputs.map((_, index) => (isReverse ? time - 1 - index : index));
  const outputs: Value[] = new Array(time);
  let states = initial;
  let previous: Value | undefined;
  for (const index of order) {
    const [input, counts] = [inputs[index], masks[index]];
    if (input === undefined) break;
    const next = step(input, states ?? []);
    const [output] = next;
    if (output === undefined || next.length !== stateCount) throw new Error("internal: a step without its states");
    const like = (value: Value) => build.unsqueeze(counts ?? value, axesAfterFirst(value));
    const old = states;
    states =
      counts === undefined ? next : next.map((s, at) => build.where(like(s), s, old?.[at] ?? build.zerosLike(s)));
    const before = zeroes || previous === undefined ? build.scalar(0, output) : previous;
    previous = counts === undefined ? output : build.where(like(output), output, before);
    outputs[index] = previous;
  }
  if (previous === undefined || states === undefined) throw new Error("internal: no step was run");
  return { outputs, last: previous, states };
}

function axesAfterFirst({ shape = [] }: Value): number[] {
  return Array.from({ length: Math.max(0, shape.length - 1) }, (_, index) => index + 1);
}
