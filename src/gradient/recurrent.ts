/** @file Derivatives of recurrent layers: of the same layers unrolled over time. */
import type { Application, Builder, RecurrentOperators, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type Activations, activationsOf } from "./recurrent-activations.ts";
import { byDecomposition, type GradientRules, inputAt } from "./rule.ts";

/** The output and, for LSTM, the cell, `[batch, hidden]` each. */
type State = readonly [output: Value, ...cell: Value[]];

/** From the input `[batch, gates·hidden]`, already projected, and the state of one time to the state of the next. */
type Cell = (projected: Value, state: State) => State;

/** The weights of one direction that meet its state. */
interface Weights {
  /** R `[gates·hidden, hidden]` */
  readonly recurrent: Value;
  /** `[gates·hidden]`; where the layer joins its biases, they are all in the projected input. */
  readonly bias: Value | undefined;
  /** `[3·hidden]` */
  readonly peepholes: Value | undefined;
}

interface Layer {
  /** The inputs that hold initial states, `[directions, batch, hidden]` each. */
  readonly initial: readonly number[];
  readonly joinsBiases: boolean;
  cell(b: Builder, weights: Weights, activations: Activations): Cell;
}

/** h′ = f(U + R·h), where U = W·x + both biases. */
const rnn: Layer = {
  initial: [5],
  joinsBiases: true,
  cell:
    (b, { recurrent }, { f }) =>
    (projected, [h]) => [f(product(b, h, recurrent, projected))],
};

/** z, r = f(U + R·h); n = g(Uₙ + Rₙ·(r·h)); h′ = (1 − z)·n + z·h. */
const gruResetBefore: Layer = {
  initial: [5],
  joinsBiases: true,
  cell(b, { recurrent }, { f, g }) {
    const hidden = fixedSize(recurrent, 1, "hidden");
    const [gateWeights, newWeights] = split(b, recurrent, 0, [2 * hidden, hidden]);
    return (projected, [h]) => {
      const [gateInput, newInput] = split(b, projected, 1, [2 * hidden, hidden]);
      const [z, r] = split(b, f(product(b, h, gateWeights, gateInput)), 1, [hidden, hidden]);
      return [between(b, g(product(b, b.mul(r, h), newWeights, newInput)), h, z)];
    };
  },
};

/** z, r = f(U + R·h + b); n = g(Uₙ + r·(Rₙ·h + bₙ)); h′ = (1 − z)·n + z·h: what linear_before_reset asks for. */
const gruResetAfter: Layer = {
  initial: [5],
  joinsBiases: false,
  cell(b, { recurrent, bias }, { f, g }) {
    const hidden = fixedSize(recurrent, 1, "hidden");
    return (projected, [h]) => {
      const [gateInput, newInput] = split(b, projected, 1, [2 * hidden, hidden]);
      const [gateState, newState] = split(b, product(b, h, recurrent, bias), 1, [2 * hidden, hidden]);
      const [z, r] = split(b, f(b.add(gateInput, gateState)), 1, [hidden, hidden]);
      return [between(b, g(b.add(newInput, b.mul(r, newState))), h, z)];
    };
  },
};

/** i, f = f(U + R·h + p·c); c′ = f·c + i·g(U + R·h); o = f(U + R·h + p·c′); h′ = o·h(c′). With input_forget, f = 1 − i. */
function lstm(inputForget: boolean): Layer {
  return {
    initial: [5, 6],
    joinsBiases: true,
    cell(b, { recurrent, peepholes }, { f, g, h }) {
      const hidden = fixedSize(recurrent, 1, "hidden");
      const [pi, po, pf] = peepholes ? split(b, peepholes, 0, [hidden, hidden, hidden]) : [];
      const peep = (gate: Value, weight: Value | undefined, c: Value) =>
        weight ? b.add(gate, b.mul(weight, c)) : gate;
      return (projected, [output, cell]) => {
        const old = cell ?? output;
        const gates = product(b, output, recurrent, projected);
        const [i, o, forget, c] = split(b, gates, 1, [hidden, hidden, hidden, hidden]);
        const input = f(peep(i, pi, old));
        const kept = inputForget ? b.sub(b.scalar(1, input), input) : f(peep(forget, pf, old));
        const next = b.add(b.mul(kept, old), b.mul(input, g(c)));
        return [b.mul(f(peep(o, po, next)), h(next)), next];
      };
    },
  };
}

/** h·Rᵀ + C. */
function product(b: Builder, h: Value, recurrent: Value, summand: Value | undefined): Value {
  return b.apply("Gemm", summand ? [h, recurrent, summand] : [h, recurrent], { transB: true });
}

/** (1 − z)·n + z·h = n + z·(h − n). */
function between(b: Builder, n: Value, h: Value, z: Value): Value {
  return b.add(n, b.mul(z, b.sub(h, n)));
}

/** The layer over all times and directions: Y, then the last of each state. */
function unroll(application: Application<keyof RecurrentOperators>, b: Builder, layer: Layer): readonly Value[] {
  const { inputs, attributes } = application;
  // Here time comes first: [time, batch, …]; with layout 1 the batch does.
  const swap = (value: Value) => (attributes.layout === 1 ? b.transpose(value, [1, 0, 2]) : value);
  const x = swap(inputAt({ inputs }, 0));
  const [time, hidden] = [fixedSize(x, 0, "time"), fixedSize(inputAt({ inputs }, 2), 2, "hidden")];
  const directions = attributes.direction === "bidirectional" ? 2 : 1;
  const perDirection = (value: Value | undefined) =>
    value ? unstack(b, value, directions) : new Array<undefined>(directions).fill(undefined);
  const W = perDirection(inputAt({ inputs }, 1));
  const R = perDirection(inputAt({ inputs }, 2));
  const biases = perDirection(inputs[3]);
  const peepholes = perDirection(inputs[7]);
  const initial = layer.initial.map((index) => perDirection(inputs[index] && swap(inputs[index])));
  const nothing = b.expand(b.scalar(0, x), b.concat([b.sizeOf(x, 1), b.ints([hidden])], 0));

  const results = activationsOf(b, application, directions).map((activations, direction) => {
    const [ahead, bias] = splitBias(b, biases[direction], layer);
    const recurrent = R[direction] ?? inputAt({ inputs }, 2);
    const weights = b.transpose(W[direction] ?? inputAt({ inputs }, 1), [1, 0]);
    const projected = ahead ? b.add(b.matMul(x, weights), ahead) : b.matMul(x, weights);
    const [output = nothing, ...cell] = initial.map((states) => states[direction] ?? nothing);
    const step = layer.cell(b, { recurrent, bias, peepholes: peepholes[direction] }, activations);
    const isReverse = attributes.direction === "reverse" || direction === 1;
    return run(b, unstack(b, projected, time), [output, ...cell], step, isReverse, inputs[4]);
  });

  const y = stack(
    b,
    results.map(({ outputs }) => stack(b, outputs, 0)),
    1,
  );
  const last = layer.initial.map((_, index) =>
    stack(
      b,
      results.flatMap(({ state }) => state[index] ?? []),
      0,
    ),
  );
  return [attributes.layout === 1 ? b.transpose(y, [2, 0, 1, 3]) : y, ...last.map(swap)];
}

/** One direction. Past a sequence's length its state stays and its output is 0, so a reverse run starts at its end. */
function run(
  b: Builder,
  projected: readonly Value[],
  initial: State,
  cell: Cell,
  isReverse: boolean,
  lengths: Value | undefined,
): { readonly outputs: readonly Value[]; readonly state: State } {
  const outputs: Value[] = [];
  let state = initial;
  for (const [index, input] of (isReverse ? [...projected].reverse() : projected).entries()) {
    const [output, ...rest] = cell(input, state);
    if (lengths === undefined) {
      state = [output, ...rest];
      outputs.push(output);
      continue;
    }
    const time = isReverse ? projected.length - 1 - index : index;
    const runs = b.unsqueeze(b.greater(lengths, b.scalar(time, lengths)), [1]);
    const [oldOutput, ...oldRest] = state;
    state = [b.where(runs, output, oldOutput), ...rest.map((next, at) => b.where(runs, next, oldRest[at] ?? next))];
    outputs.push(b.where(runs, output, b.scalar(0, output)));
  }
  return { outputs: isReverse ? outputs.reverse() : outputs, state };
}

/** What is added to the projected input, and what the cell adds itself. The biases come as one vector, input's first. */
function splitBias(b: Builder, bias: Value | undefined, layer: Layer): readonly [Value?, Value?] {
  if (bias === undefined) return [];
  const half = fixedSize(bias, 0, "bias") / 2;
  const [input, recurrent] = split(b, bias, 0, [half, half]);
  return layer.joinsBiases ? [b.add(input, recurrent)] : [input, recurrent];
}

/** Values along a new axis. */
function stack(b: Builder, values: readonly Value[], axis: number): Value {
  return b.concat(
    values.map((value) => b.unsqueeze(value, [axis])),
    axis,
  );
}

/** A value's slices along its first axis. */
function unstack(b: Builder, value: Value, count: number): readonly Value[] {
  return split(b, value, 0, new Array<number>(count).fill(1)).map((part) => b.squeeze(part, [0]));
}

function split<const Sizes extends readonly number[]>(
  b: Builder,
  value: Value,
  axis: number,
  sizes: Sizes,
): { readonly [I in keyof Sizes]: Value } {
  const parts = sizes.length === 1 ? [value] : b.applyAll("Split", [value, b.ints(sizes)], sizes.length, { axis });
  // As many parts as sizes, which an array's type does not say.
  return parts as unknown as { readonly [I in keyof Sizes]: Value };
}

function fixedSize(value: Value, axis: number, what: string): number {
  const size = value.shape?.[axis];
  if (typeof size === "number") return size;
  throw new GraftError("not-differentiable", `the ${what} axis must have a fixed size to be unrolled`, {
    path: [`value "${value.name}"`],
    actual: `${size ?? "an unknown size"}`,
    hint: "fix that size of the model's input",
  });
}

export const recurrentGradients: GradientRules<RecurrentOperators> = {
  GRU: byDecomposition((application, b) =>
    unroll(application, b, application.attributes.linearBeforeReset ? gruResetAfter : gruResetBefore),
  ),
  LSTM: byDecomposition((application, b) => unroll(application, b, lstm(application.attributes.inputForget))),
  RNN: byDecomposition((application, b) => unroll(application, b, rnn)),
};
