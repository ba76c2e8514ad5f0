/** @file Recurrent layers: LSTM, GRU, SimpleRNN, and RNN over cells, also cells on one another. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { Config, isJsonObject, type Json } from "./config.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, expectRank, floatAt } from "./orient.ts";
import { cellOf } from "./recurrent-cells.ts";
import { runCell, type SequenceResult } from "./sequences.ts";

/** A cell within an RNN: its class, its config, and how its weights are named and held. */
interface CellSpec {
  readonly className: string;
  readonly config: Config;
  readonly prefix: string;
  readonly holder: readonly string[];
}

/** A layer whose cell is its own. */
function layerOf(className: string): LowerLayer {
  return (inputs, call) => recurrent(inputs, call, [{ className, config: call.config, prefix: "", holder: ["cell"] }]);
}

/** RNN, over the cell or the cells that its config holds. */
const rnn: LowerLayer = (inputs, call) => recurrent(inputs, call, cellsOf(call.config.get("cell"), call));

function cellsOf(value: Json | undefined, { config }: LayerCall): readonly CellSpec[] {
  if (Array.isArray(value)) return stackOf(value, config);
  if (!isJsonObject(value)) return config.refuse("cell", "a cell", value);
  const { class_name: className, config: own } = value;
  if (typeof className !== "string" || !isJsonObject(own)) return config.refuse("cell", "a cell", value);
  if (className === "StackedRNNCells") return stackOf(own["cells"], config);
  return [{ className, config: new Config(own), prefix: prefixOf(own, className), holder: ["cell"] }];
}

function stackOf(cells: Json | undefined, config: Config): readonly CellSpec[] {
  const list: readonly Json[] = Array.isArray(cells) ? cells : config.refuse("cells", "a list of cells", cells);
  const counts = new Map<string, number>();
  return list.map((each, index) => {
    const className = isJsonObject(each) ? each["class_name"] : undefined;
    const own = isJsonObject(each) ? each["config"] : undefined;
    if (typeof className !== "string" || !isJsonObject(own)) return config.refuse("cells", "cells", each);
    const count = counts.get(className) ?? 0;
    counts.set(className, count + 1);
    const holder = `${snakeCase(className)}${count === 0 ? "" : `_${count}`}`;
    const prefix = `cell_${index}/${prefixOf(own, className)}`;
    return { className, config: new Config(own), prefix, holder: ["cell", "cells", holder] };
  });
}

function prefixOf(config: { readonly [key: string]: Json }, className: string): string {
  const name = config["name"];
  return `${typeof name === "string" ? name : snakeCase(className)}/`;
}

/** As Keras names things after their class: `LSTMCell` is `lstm_cell`. */
function snakeCase(className: string): string {
  return className
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/**
 * Cells on one another are layers on one another: each one's states depend only on itself and on what the one below
 * gave at the same step.
 */
function recurrent(inputs: readonly Flow[], call: LayerCall, specs: readonly CellSpec[]): readonly Flow[] {
  const { build, config } = call;
  const input = floatAt(inputs, call);
  expectRank(input, 3);
  const isTimeFirst = config.boolean("time_major", false);
  const swapped = (value: Value) => (isTimeFirst ? build.transpose(value, [1, 0, 2]) : value);
  const isReverse = config.boolean("go_backwards", false);
  const mask = call.call.named.get("mask")?.[0]?.data.last() ?? input.mask;
  const initial = [...inputs.slice(1), ...(call.call.named.get("initial_state") ?? [])].map(({ data }) => data.last());
  if (config.boolean("stateful", false)) {
    call.remark("A recurrent layer that kept its state from one call to the next starts anew at each call.");
  }
  let x = swapped(input.data.last());
  let result: SequenceResult | undefined;
  const states: Value[] = [];
  let taken = 0;
  for (const spec of specs) {
    const features = x.shape?.[2];
    if (typeof features !== "number") throw new GraftError("model-invalid", "the number of features must be known");
    const cell = cellOf(spec.className, { call, ...spec, features });
    const own = initial.slice(taken, taken + cell.states);
    taken += cell.states;
    const zeroes = config.boolean("zero_output_for_mask", false);
    const sequence = { x, mask, zeroes, isReverse, initial: own.length > 0 ? own : undefined };
    if (own.length > 0 && own.length < cell.states) {
      throw new GraftError("model-invalid", "an initial state is missing", {
        expected: `${cell.states}`,
        actual: `${own.length}`,
      });
    }
    result = runCell(sequence, cell, call);
    states.push(...result.states);
    x = result.all;
  }
  if (result === undefined) throw new GraftError("model-invalid", "it has no cell");
  if (initial.length > taken) {
    throw new GraftError("model-refused", "it takes more inputs than states (constants are not known here)");
  }
  const isSequence = config.boolean("return_sequences", false);
  const output = isSequence ? swapped(isReverse ? turned(result.all, call) : result.all) : result.last;
  const first: Flow = { ...asLast(call, named(output, call)), ...(isSequence ? { mask } : {}) };
  return config.boolean("return_state", false) ? [first, ...states.map((state) => asLast(call, state))] : [first];
}

/** The output under the layer's name. */
function named(value: Value, { build, name }: LayerCall): Value {
  return build.apply("Identity", [value], {}, name);
}

/** The steps of `[N, time, …]` from the last to the first. */
export function turned(value: Value, { build }: LayerCall): Value {
  const bounds = [build.ints([-1]), build.ints([-(2 ** 31 - 1)]), build.ints([1]), build.ints([-1])];
  return build.apply("Slice", [value, ...bounds]);
}

export const recurrentLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["SimpleRNN", { lower: layerOf("SimpleRNN") }],
  ["LSTM", { lower: layerOf("LSTM") }],
  ["GRU", { lower: layerOf("GRU") }],
  ["RNN", { lower: rnn }],
  ["UnifiedLSTM", { lower: layerOf("LSTM") }],
  ["UnifiedGRU", { lower: layerOf("GRU") }],
  ["CuDNNLSTM", { lower: layerOf("CuDNNLSTM") }],
  ["CuDNNGRU", { lower: layerOf("CuDNNGRU") }],
];
