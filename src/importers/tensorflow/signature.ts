/** @file What of a TensorFlow 1 SavedModel is run: a signature over the whole graph, its variables by the restore operators. */
import { GraftError } from "../../tensor/index.ts";
import { sliceOf, type TensorBundle } from "./bundle.ts";
import { typeOfNumber } from "./data-types.ts";
import type { Callable } from "./freeze.ts";
import type { TfPort } from "./graph-def.ts";
import { dataInputs, parseReference, type SourceGraph, type SourceNode } from "./graph-source.ts";
import { once } from "./object-graph.ts";
import { type Binding, Scope, type Variable } from "./scope.ts";
import type { TensorSlice } from "./slice-key.ts";
import { readShape } from "./tensor-proto.ts";
import type { Message } from "./wire.ts";

const usualSignatures = ["serving_default", "default"];

/**
 * The signature that is called: the one asked for, `serving_default`, `default`, or the only one with outputs.
 *
 * @throws GraftError `model-refused` where none can be chosen or it takes or gives sparse or ragged tensors
 */
export function chooseSignature(
  graph: SourceGraph,
  signatures: ReadonlyMap<string, Message>,
  variableOf: Callable["variableOf"],
  { name, wanted }: { readonly name: string; readonly wanted?: string | undefined },
): Callable {
  // What initialises the model is written as a signature too; it has no outputs of its own.
  const all = new Map(
    [...signatures].filter(([name, message]) => message.has(2) && !name.startsWith("__saved_model_")),
  );
  const keys = [...all.keys()];
  const key = wanted ?? usualSignatures.find((usual) => all.has(usual)) ?? (keys.length === 1 ? keys[0] : undefined);
  const signature = key === undefined ? undefined : all.get(key);
  if (signature === undefined) {
    throw new GraftError("model-refused", "which signature to call is not clear", {
      expected: wanted ?? "serving_default, or a single one",
      actual: keys.length === 0 ? "no signatures" : keys.join(", "),
    });
  }
  const inputs = ports(signature.map(1, "TensorInfo"));
  const bindings = new Map(inputs.map((port): [string, Binding] => [port.ref, { kind: "input", name: port.ref }]));
  const outputs = ports(signature.map(2, "TensorInfo"));
  return { name, scope: Scope.ofGraph(graph, bindings), inputs, outputs, variableOf, remarks: [] };
}

/** Maps have no order of their own: names are sorted, as TensorFlow does. */
function ports(tensors: ReadonlyMap<string, Message>): TfPort[] {
  return [...tensors]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, info]) => {
      const tensor = info.text(1);
      if (tensor === "") {
        throw new GraftError("model-refused", "a signature takes or gives sparse or ragged tensors", { path: [name] });
      }
      const shape = readShape(info.message(3, "TensorShapeProto"));
      return { name, dtype: typeOfNumber(info.integer(2)), shape, ref: tensor.replace(/:0$/, "") };
    });
}

/** Where a variable's value lies in the checkpoint. */
interface Stored {
  readonly key: string;
  readonly slice?: TensorSlice | undefined;
}

/**
 * The variables of a graph by their nodes. What a RestoreV2 operator is assigned from says where a value lies; else it is
 * under the variable's own name.
 *
 * @param trained the names in the collection `trainable_variables`, if there is one
 */
export function graphVariables(
  graph: SourceGraph,
  bundle: TensorBundle,
  trained: ReadonlySet<string> | undefined,
): Callable["variableOf"] {
  const restored = restoredValues(graph, bundle);
  const variables = new Map<SourceNode, Variable>();
  return (node) => {
    const known = variables.get(node);
    if (known !== undefined || node.op === "Const") return known;
    const name = variableName(node);
    const stored = restored.get(node.name) ?? { key: name };
    const variable = {
      name,
      isTrainable: trained?.has(name) ?? !/(^|\/)moving_(mean|variance)$/.test(name),
      load: once(() => {
        const whole = bundle.tensor(stored.key);
        return stored.slice === undefined ? whole : sliceOf(whole, stored.slice);
      }),
    };
    variables.set(node, variable);
    return variable;
  };
}

function variableName(node: SourceNode): string {
  const shared = node.attributes.get("shared_name");
  const text = shared?.kind === "bytes" ? new TextDecoder().decode(shared.value) : "";
  return node.op === "VarHandleOp" && text !== "" ? text : node.name;
}

const assignments: ReadonlySet<string> = new Set(["Assign", "AssignVariableOp"]);

/** From the names of variables' nodes to where they are restored from: `Assign(variable, RestoreV2:n)`. */
function restoredValues(graph: SourceGraph, bundle: TensorBundle): ReadonlyMap<string, Stored> {
  const restored = new Map<string, Stored>();
  const operators = new Map<string, { readonly keys: readonly string[]; readonly slices: readonly string[] }>();
  for (const node of graph.nodes.values()) {
    if (!assignments.has(node.op)) continue;
    const [target, value] = dataInputs(node);
    if (target === undefined || value === undefined) continue;
    const { name, index } = passedOn(graph, value);
    const restore = graph.nodes.get(name);
    if (restore?.op !== "RestoreV2") continue;
    const [, names = "", slices = ""] = dataInputs(restore);
    const operator = operators.get(name) ?? { keys: texts(graph, names), slices: texts(graph, slices) };
    operators.set(name, operator);
    const key = operator.keys[index];
    const variable = passedOn(graph, target).name;
    if (key !== undefined && bundle.has(key))
      restored.set(variable, { key, slice: sliceOfText(operator.slices[index]) });
  }
  return restored;
}

function passedOn(graph: SourceGraph, reference: string): { readonly name: string; readonly index: number } {
  let next = parseReference(reference, false);
  for (let step = 0; step < 100; step++) {
    const node = graph.nodes.get(next.name);
    const [input] = node?.op === "Identity" ? dataInputs(node) : [];
    if (input === undefined) return next;
    next = parseReference(input, false);
  }
  return next;
}

function texts(graph: SourceGraph, reference: string): string[] {
  const value = graph.nodes.get(passedOn(graph, reference).name)?.attributes.get("value");
  if (value?.kind !== "tensor" || value.value.dtype !== "string") return [];
  return value.value.data.map((bytes) => new TextDecoder().decode(bytes));
}

/** `10 4 0,5:-`: the whole's sizes, then start and length of each axis, or `-` for all of it. Empty for all. */
function sliceOfText(text: string | undefined): TensorSlice | undefined {
  const spec = text?.trim().split(" ").at(-1);
  if (spec === undefined || spec === "") return undefined;
  const axes = spec.split(":").map((axis) => (axis === "-" ? [0, -1] : axis.split(",").map(Number)));
  return { starts: axes.map(([start]) => start ?? 0), lengths: axes.map(([, length]) => length ?? -1) };
}
