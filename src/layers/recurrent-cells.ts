/** @file Recurrent cells: their weights in Keras's layout, as ONNX's operators take them and as formulas. */
import type { Value } from "../graph/index.ts";
import { float32, GraftError, type NumericTensor } from "../tensor/index.ts";
import { activationBy } from "./activations.ts";
import type { Config, Json } from "./config.ts";
import type { LayerCall } from "./layer.ts";

/** What a cell computes at one step: from its input `[N, features]` and its states to its states, the output first. */
export type Step = (x: Value, states: readonly Value[]) => readonly Value[];

/** A run over a whole sequence by one of ONNX's operators. */
interface Operator {
  readonly name: "LSTM" | "GRU" | "RNN";
  /** W, R and B for one direction. */
  readonly weights: readonly Value[];
  readonly activations: readonly OnnxActivation[];
  readonly linearBeforeReset?: boolean;
}

export interface Cell {
  readonly units: number;
  /** How many states it has: its output, and the carry of an LSTM. */
  readonly states: number;
  /** Absent where ONNX does not know its activations. */
  readonly operator: Operator | undefined;
  readonly step: Step;
}

/** An activation as ONNX's recurrent operators name it. */
export interface OnnxActivation {
  readonly name: string;
  readonly alpha?: number;
  readonly beta?: number;
}

const onnxActivations: ReadonlyMap<string, OnnxActivation> = new Map<string, OnnxActivation>([
  ["tanh", { name: "Tanh" }],
  ["sigmoid", { name: "Sigmoid" }],
  ["relu", { name: "Relu" }],
  ["linear", { name: "Affine", alpha: 1, beta: 0 }],
  ["softsign", { name: "Softsign" }],
  ["softplus", { name: "Softplus" }],
  ["elu", { name: "Elu", alpha: 1 }],
]);

function onnxActivationOf(value: Json | undefined, kerasVersion: number): OnnxActivation | undefined {
  const name = value === undefined ? "linear" : value;
  if (name === "hard_sigmoid") return { name: "HardSigmoid", alpha: kerasVersion >= 3 ? 1 / 6 : 0.2, beta: 0.5 };
  return typeof name === "string" ? onnxActivations.get(name) : undefined;
}

/** The activations where ONNX knows all of them. */
function allKnown(activations: readonly (OnnxActivation | undefined)[]): readonly OnnxActivation[] | undefined {
  const known = activations.filter((each) => each !== undefined);
  return known.length === activations.length ? known : undefined;
}

/** Columns `[rows, gates·units]` to `[1, gates·units, rows]`, the gates in ONNX's order. */
function gateRows(units: number, order: readonly number[]) {
  return (elements: Float32Array, shape: readonly number[]): NumericTensor => {
    const [rows = 0, columns = 0] = shape;
    const moved = new Float32Array(elements.length);
    for (const [to, from] of order.entries()) {
      for (let unit = 0; unit < units; unit++) {
        for (let row = 0; row < rows; row++) {
          moved[(to * units + unit) * rows + row] = elements[row * columns + from * units + unit] ?? 0;
        }
      }
    }
    return float32([1, columns, rows], moved);
  };
}

/** `[gates·units]` or `[2, gates·units]` to `[1, …]`, the gates in ONNX's order. */
function gateVector(units: number, order: readonly number[]) {
  return (elements: Float32Array): NumericTensor => {
    const width = units * order.length;
    const moved = elements.map((_, index) => {
      const row = Math.floor(index / width);
      const gate = Math.floor((index % width) / units);
      return elements[row * width + (order[gate] ?? 0) * units + (index % units)] ?? 0;
    });
    return float32([1, elements.length], moved);
  };
}

/** cuDNN's layout of a gate's kernel, whose rows lie as columns, to Keras's. Source: keras_h5_conversion.py. */
function fromCudnn(gates: number, isRecurrent: boolean) {
  return (elements: Float32Array, [rows = 0, columns = 0]: readonly number[]): Float32Array => {
    const units = columns / gates;
    return elements.map((_, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      const [gate, unit] = [Math.floor(column / units), column % units];
      // A square one is transposed; another is read through as if it were.
      const flat = isRecurrent ? unit * units + row : row + unit * rows;
      return elements[Math.floor(flat / units) * columns + gate * units + (flat % units)] ?? 0;
    });
  };
}

interface CellPlace {
  readonly call: LayerCall;
  readonly config: Config;
  /** Goes before the weights' names: "" or `lstm_cell/`. */
  readonly prefix: string;
  readonly holder: readonly string[];
  /** The size of what comes in. */
  readonly features: number;
  /** Whether the weights lie as cuDNN's do. */
  readonly isCudnn?: boolean;
}

interface Weights {
  readonly kernel: Value;
  readonly recurrent: Value;
  readonly bias: Value | undefined;
}

/** `order`: where each of ONNX's gates lies among Keras's. */
function weightsOf(place: CellPlace, order: readonly number[], biases = 1): Weights {
  const { call, config, prefix, holder, features, isCudnn = false } = place;
  const units = config.count("units");
  const width = units * order.length;
  const toRows = gateRows(units, order);
  const matrix = (isRecurrent: boolean) => ({
    holder,
    toOnnx: (elements: Float32Array, shape: readonly number[]) =>
      toRows(isCudnn ? fromCudnn(order.length, isRecurrent)(elements, shape) : elements, shape),
  });
  const kernel = call.weight(`${prefix}kernel`, [features, width], matrix(false));
  const recurrent = call.weight(`${prefix}recurrent_kernel`, [units, width], matrix(true));
  const shape = isCudnn ? [2 * width] : biases === 1 ? [width] : [biases, width];
  const bias = config.boolean("use_bias", true)
    ? call.weight(`${prefix}bias`, shape, { holder, toOnnx: gateVector(units, order) })
    : undefined;
  return { kernel, recurrent, bias };
}

/** ONNX adds two biases; Keras has one of them, or both. */
function biasesOf({ build, name }: LayerCall, bias: Value | undefined, width: number): readonly Value[] {
  if (bias === undefined) return [];
  if (bias.shape?.[1] === 2 * width) return [bias];
  const none = build.constant(float32([1, width], new Float32Array(width)), `${name}/no_bias`);
  return [build.concat([bias, none], 1)];
}

/** x·Wᵀ + b, with W `[1, gates·units, features]` and b `[1, …]`. */
function projected({ build }: LayerCall, x: Value, weights: Value, bias: Value | undefined): Value {
  const product = build.matMul(x, build.transpose(build.squeeze(weights, [0]), [1, 0]));
  return bias === undefined ? product : build.add(product, bias);
}

function splitBy({ build }: LayerCall, value: Value, count: number): readonly Value[] {
  return count === 1 ? [value] : build.applyAll("Split", [value], count, { axis: -1, numOutputs: count });
}

/** The `index`-th of parts that a Split gives. */
function part(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new GraftError("model-invalid", "a state is missing", { path: [`state ${index}`] });
  return value;
}

function simpleCell(place: CellPlace): Cell {
  const { call, config } = place;
  const { build } = call;
  const units = config.count("units");
  const { kernel, recurrent, bias } = weightsOf(place, [0]);
  const own = config.or("activation", "tanh");
  const activate = activationBy(call, own);
  const activations = allKnown([onnxActivationOf(own, call.kerasVersion)]);
  return {
    units,
    states: 1,
    operator: activations && { name: "RNN", weights: [kernel, recurrent, ...biasesOf(call, bias, units)], activations },
    step: (x, states) => [
      activate(build.add(projected(call, x, kernel, bias), projected(call, part(states, 0), recurrent, undefined))),
    ],
  };
}

/** Keras: i, f, c, o; ONNX: i, o, f, c. */
const lstmOrder = [0, 3, 1, 2];

/** c′ = f·c + i·g(…), h′ = o·g(c′); i, f and o by the recurrent activation. */
function lstmCell(place: CellPlace): Cell {
  const { call, config } = place;
  const { build } = call;
  const units = config.count("units");
  const { kernel, recurrent, bias } = weightsOf(place, lstmOrder);
  const [own, gates] = [config.or("activation", "tanh"), config.or("recurrent_activation", "sigmoid")];
  const [activate, gate] = [activationBy(call, own), activationBy(call, gates)];
  const named = [gates, own, own].map((each) => onnxActivationOf(each, call.kerasVersion));
  const activations = allKnown(named);
  const weights = [kernel, recurrent, ...biasesOf(call, bias, 4 * units)];
  return {
    units,
    states: 2,
    operator: activations && { name: "LSTM", weights, activations },
    step: (x, states) => {
      const input = projected(call, x, kernel, bias);
      const z = build.add(input, projected(call, part(states, 0), recurrent, undefined));
      const parts = splitBy(call, z, 4);
      const [i, o, f] = [0, 1, 2].map((index) => gate(part(parts, index)));
      const carry = build.add(build.mul(f ?? z, part(states, 1)), build.mul(i ?? z, activate(part(parts, 3))));
      return [build.mul(o ?? z, activate(carry)), carry];
    },
  };
}

/** h′ = z·h + (1 − z)·g(…); the reset gate before the product with the state, or after. */
function gruCell(place: CellPlace): Cell {
  const { call, config } = place;
  const { build } = call;
  const units = config.count("units");
  const resetsAfter = place.isCudnn === true || config.boolean("reset_after", call.kerasVersion >= 3);
  const { kernel, recurrent, bias } = weightsOf(place, [0, 1, 2], resetsAfter ? 2 : 1);
  const [own, gates] = [config.or("activation", "tanh"), config.or("recurrent_activation", "sigmoid")];
  const [activate, gate] = [activationBy(call, own), activationBy(call, gates)];
  const activations = allKnown([gates, own].map((each) => onnxActivationOf(each, call.kerasVersion)));
  const weights = [kernel, recurrent, ...biasesOf(call, bias, 3 * units)];
  const halves = bias === undefined ? [] : splitBy(call, bias, resetsAfter ? 2 : 1);
  const step: Step = (x, states) => {
    const h = part(states, 0);
    const inputs = splitBy(call, projected(call, x, kernel, halves[0]), 3);
    const [xz, xr, xh] = [0, 1, 2].map((index) => part(inputs, index));
    const rows = build.applyAll("Split", [recurrent], 3, { axis: 1, numOutputs: 3 });
    const biases = halves[1] === undefined ? [] : splitBy(call, halves[1], 3);
    const state = (index: number, value: Value) => projected(call, value, part(rows, index), biases[index]);
    const z = gate(build.add(xz ?? x, state(0, h)));
    const r = gate(build.add(xr ?? x, state(1, h)));
    const reset = resetsAfter ? build.mul(r, state(2, h)) : state(2, build.mul(r, h));
    const next = activate(build.add(xh ?? x, reset));
    return [build.add(next, build.mul(z, build.sub(h, next)))];
  };
  return {
    units,
    states: 1,
    operator: activations && { name: "GRU", weights, activations, linearBeforeReset: resetsAfter },
    step,
  };
}

const cells: ReadonlyMap<string, (place: CellPlace) => Cell> = new Map([
  ["SimpleRNN", simpleCell],
  ["SimpleRNNCell", simpleCell],
  ["LSTM", lstmCell],
  ["LSTMCell", lstmCell],
  ["GRU", gruCell],
  ["GRUCell", gruCell],
  ["CuDNNLSTM", (place) => lstmCell({ ...place, isCudnn: true })],
  ["CuDNNGRU", (place) => gruCell({ ...place, isCudnn: true })],
]);

/** The cell of a layer's or a cell's class. Throws GraftError `model-refused` for others. */
export function cellOf(className: string, place: CellPlace): Cell {
  const make = cells.get(className);
  if (make !== undefined) return make(place);
  throw new GraftError("model-refused", `the cell ${className} is not known`);
}
