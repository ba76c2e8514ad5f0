/** @file What a call is given, as layers take it: inputs, tensors by name, whether it trains, further arguments. */
import type { Value } from "../../graph/index.ts";
import { type CallArguments, Config, type Flow, type Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { fieldOf } from "./config.ts";
import type { Argument, LayerCallPart, LayerPart, Reference } from "./model-parts.ts";

/** Finds what a reference leads to. */
export type Resolve = (reference: Reference) => Flow;

/** A call, resolved. */
export interface BoundCall {
  readonly inputs: readonly Flow[];
  /** The inputs by name, where they came so. */
  readonly byKey: ReadonlyMap<string, Flow>;
  readonly call: CallArguments;
}

const recurrent: ReadonlySet<string> = new Set([
  "LSTM",
  "GRU",
  "SimpleRNN",
  "RNN",
  "Bidirectional",
  "ConvLSTM1D",
  "ConvLSTM2D",
  "ConvLSTM3D",
  "CuDNNLSTM",
  "CuDNNGRU",
]);

/** The parameters of `call`, where there are more than the inputs and `training`. */
const parametersOf = (className: string): readonly string[] => {
  if (recurrent.has(className)) return ["", "initial_state", "mask", "training"];
  return parameters.get(className) ?? ["", "training", "mask"];
};

const parameters: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "MultiHeadAttention",
    [
      "",
      "value",
      "key",
      "query_mask",
      "value_mask",
      "key_mask",
      "attention_mask",
      "return_attention_scores",
      "training",
      "use_causal_mask",
    ],
  ],
  [
    "GroupQueryAttention",
    [
      "",
      "value",
      "key",
      "query_mask",
      "value_mask",
      "key_mask",
      "attention_mask",
      "return_attention_scores",
      "training",
      "use_causal_mask",
    ],
  ],
  ["GroupedQueryAttention", ["", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"]],
  ["Attention", ["", "mask", "training", "return_attention_scores", "use_causal_mask"]],
  ["AdditiveAttention", ["", "mask", "training", "return_attention_scores", "use_causal_mask"]],
  ["TimeDistributed", ["", "training", "mask"]],
  ["Softmax", ["", "mask"]],
]);

/** Resolves a call of a layer or of a model. `training` is what the calls around it say.  */
export function boundCall(
  part: LayerPart,
  call: LayerCallPart,
  resolve: Resolve,
  training: boolean | undefined,
): BoundCall {
  const [positional, ...others] = call.positional;
  const names = parametersOf(part.className);
  const given = new Map<string, Argument>(call.named);
  for (const [index, argument] of others.entries()) {
    const name = names[index + 1];
    if (name === undefined) throw new GraftError("model-invalid", "the call is given too much", { path: [part.name] });
    given.set(name, argument);
  }
  const first = positional ?? firstByName(given);
  const inputs = first === undefined ? [] : flowsIn(part, first, resolve);
  const named = new Map<string, readonly Flow[]>();
  const further: [string, Json][] = [];
  for (const [key, argument] of given) {
    if (isTensors(argument)) named.set(key, flowsIn(part, argument, resolve));
    else if (argument.kind === "constant" && argument.value !== null) further.push([key, argument.value]);
  }
  const states = recurrent.has(part.className) ? inputs.slice(1) : [];
  const constants = Number(fieldOf(part.config, "num_constants") ?? 0);
  if (states.length > constants && !named.has("initial_state")) {
    named.set("initial_state", states.slice(0, states.length - constants));
  }
  const own = states.length > 0 ? inputs.slice(0, 1) : inputs;
  const config = Object.fromEntries(further);
  const flag = fieldOf(config, "training");
  return {
    inputs: masked(own, named.get("mask")),
    byKey: first?.kind === "entries" ? entriesOf(part, first.entries, resolve) : new Map(),
    call: {
      training: typeof flag === "boolean" ? flag : training,
      named,
      config: new Config(config),
    },
  };
}

/** The inputs of a call that gives even them by name. Attention's are told apart by their names. */
function firstByName(given: Map<string, Argument>): Argument | undefined {
  for (const name of ["inputs", "sequences", "sequence", "x", "images"]) {
    const argument = given.get(name);
    given.delete(name);
    if (argument !== undefined) return argument;
  }
  return undefined;
}

function isTensors(argument: Argument): boolean {
  if (argument.kind === "reference") return true;
  return argument.kind === "list" && argument.items.some(isTensors);
}

/** The tensors of an argument in their order. */
function flowsIn(part: LayerPart, argument: Argument, resolve: Resolve): readonly Flow[] {
  if (argument.kind === "reference") return [resolve(argument.reference)];
  if (argument.kind === "list") return argument.items.flatMap((each) => flowsIn(part, each, resolve));
  if (argument.kind === "entries") return [...entriesOf(part, argument.entries, resolve).values()];
  if (argument.value === null) return [];
  throw new GraftError("model-refused", "a layer is given a constant where a tensor is expected", {
    path: [`layer "${part.name}" (${part.className})`],
    actual: JSON.stringify(argument.value).slice(0, 60),
  });
}

/** Tensors by name, in the order of the names, as Keras flattens them. */
function entriesOf(
  part: LayerPart,
  entries: ReadonlyMap<string, Argument>,
  resolve: Resolve,
): ReadonlyMap<string, Flow> {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    sorted.flatMap(([key, each]) => {
      const [flow] = flowsIn(part, each, resolve);
      return flow === undefined ? [] : [[key, flow] as const];
    }),
  );
}

/** The inputs with the masks that the call names; others keep their own. */
function masked(inputs: readonly Flow[], masks: readonly Flow[] | undefined): readonly Flow[] {
  if (masks === undefined) return inputs;
  return inputs.map((input, index) => {
    const mask: Value | undefined = masks[index]?.data.last();
    return mask === undefined ? input : { ...input, mask };
  });
}

/** A call of an operation: its tensors in a row, and what it is given with `{ tensor: index }` in their places. */
export function boundOperation(
  call: LayerCallPart,
  resolve: Resolve,
): { inputs: readonly Flow[]; call: CallArguments } {
  const inputs: Flow[] = [];
  const jsonOf = (argument: Argument): Json => {
    if (argument.kind === "constant") return argument.value;
    if (argument.kind === "list") return argument.items.map(jsonOf);
    if (argument.kind === "entries")
      return Object.fromEntries([...argument.entries].map(([key, each]) => [key, jsonOf(each)]));
    inputs.push(resolve(argument.reference));
    return { tensor: inputs.length - 1 };
  };
  const args = call.positional.map(jsonOf);
  const kwargs = Object.fromEntries([...call.named].map(([key, each]) => [key, jsonOf(each)]));
  return { inputs, call: { named: new Map(), config: new Config({ args, kwargs }) } };
}
