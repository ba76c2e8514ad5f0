/** @file What of a TensorFlow 2 SavedModel is run: the root itself for inference, else a signature. */
import { GraftError, tensorOf } from "../../tensor/index.ts";
import type { Callable } from "./freeze.ts";
import type { TfPort } from "./graph-def.ts";
import type { SourceGraph } from "./graph-source.ts";
import type { ConcreteFunction, ObjectGraph, SavedObject } from "./object-graph.ts";
import { type Binding, Scope, type Variable } from "./scope.ts";
import { entryOf, itemsOf, leavesOf, type Structured, type StructuredLeaf } from "./structured-value.ts";

const trainingArgument = "training";

/** The signatures that are looked for, the first first; else the only one. */
const usualSignatures = ["serving_default", "serve", "default"];

/** What the root of Keras 3's exports holds, and no other. */
const kerasExportMark = "_misc_assets";

/** A trace that may be run, and what speaks against it. */
interface Candidate {
  readonly trace: ConcreteFunction;
  readonly leaves: readonly StructuredLeaf[];
  /** Less is better, the first number counting most. */
  readonly rank: readonly number[];
}

/**
 * Chooses what is called: the function or signature that was asked for; else the root's `__call__`, traced with
 * training=False, for images and few arguments; else a signature: `serving_default`, or the only one.
 *
 * @throws GraftError `model-refused` where there is nothing to call, or only what takes or gives ragged or sparse tensors
 */
export function chooseCallable(
  graph: SourceGraph,
  objects: ObjectGraph,
  variables: ReadonlyMap<number, Variable>,
  {
    name,
    wanted,
    assets,
  }: { readonly name: string; readonly wanted?: string | undefined; readonly assets: readonly string[] },
): Callable {
  const signatures =
    objects.object(objects.object(0)?.children.get("signatures"))?.children ?? new Map<string, number>();
  const keys = [...signatures.keys()];
  const key =
    wanted ?? usualSignatures.find((usual) => signatures.has(usual)) ?? (keys.length === 1 ? keys[0] : undefined);
  const signature = key === undefined ? [] : objects.traces(objects.object(signatures.get(key)));
  const known = new Set(signature.flatMap((trace) => leavesOf(trace.input)).map(({ leaf }) => leaf.name));
  // Keras 3's exports keep the order of inputs in a function, which the signature sorts.
  const endpoints = objects.child(kerasExportMark) === undefined ? [] : ["serve"];
  const places = wanted === undefined ? ["__call__", ...endpoints] : [wanted];
  for (const place of places) {
    const best = bestOf(objects.traces(objects.child(place)), known);
    if (best !== undefined && (wanted !== undefined || best.rank[0] !== trainingOnly)) {
      return callableOf(graph, objects, variables, best, { name, assets, signature: signature[0] });
    }
  }
  const best = bestOf(signature, known);
  if (best !== undefined) return callableOf(graph, objects, variables, best, { name, assets, signature: signature[0] });
  throw new GraftError(
    "model-refused",
    wanted === undefined ? "nothing in the model can be called" : `"${wanted}" cannot be called`,
    {
      expected: "a root with __call__, or a signature, that takes and gives plain tensors",
      actual: `signatures ${keys.join(", ") || "none"}; functions ${functionsOf(objects).join(", ") || "none"}`,
      hint: "save it with a signature: tf.saved_model.save(model, folder, signatures=…)",
    },
  );
}

function functionsOf(objects: ObjectGraph): string[] {
  const children = [...(objects.object(0)?.children ?? [])];
  return children.filter(([, id]) => objects.object(id)?.kind === "function").map(([name]) => name);
}

const trainingOnly = 3;

function bestOf(traces: readonly ConcreteFunction[], known: ReadonlySet<string>): Candidate | undefined {
  const candidates = traces.flatMap((trace): Candidate[] => {
    const leaves = leavesOf(trace.input);
    const all = [...leaves, ...leavesOf(trace.output)];
    if (all.some(({ leaf }) => leaf.kind === "composite") || leavesOf(trace.output).length === 0) return [];
    const fed = leaves.filter(({ leaf }) => !isTrainingFlag(leaf, trace));
    const tensors = fed.map(({ leaf }) => leaf).filter((leaf) => leaf.kind === "tensor");
    const foreign = tensors.filter(({ dtype }) => dtype !== "float32").length;
    const fixed = tensors.reduce((sum, { shape }) => sum + (shape?.filter((size) => size !== null).length ?? 0), 0);
    const unnamed = tensors.filter(({ name }) => !known.has(name)).length;
    return [{ trace, leaves, rank: [trainingRank(trace), fed.length, foreign, fixed, unnamed] }];
  });
  return candidates.sort((a, b) => compareRanks(a.rank, b.rank))[0];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const place = a.findIndex((rank, index) => rank !== b[index]);
  return place < 0 ? 0 : (a[place] ?? 0) - (b[place] ?? 0);
}

/** Inference first, then what knows no difference, then what takes it as a tensor. */
function trainingRank(trace: ConcreteFunction): number {
  const argument = trainingOf(trace);
  if (argument === undefined) return 1;
  if (argument.kind === "tensor") return 2;
  if (argument.kind !== "value") return 1;
  return argument.value === true || argument.value === 1 ? trainingOnly : 0;
}

function trainingOf({ input, argumentNames }: ConcreteFunction): Structured | undefined {
  const [positional, named] = itemsOf(input);
  const place = argumentNames.indexOf(trainingArgument);
  return (place < 0 ? undefined : itemsOf(positional)[place]) ?? entryOf(named, trainingArgument);
}

function isTrainingFlag(leaf: Structured, trace: ConcreteFunction): boolean {
  return leaf.kind === "tensor" && leaf === trainingOf(trace) && leaf.shape?.length === 0;
}

function callableOf(
  graph: SourceGraph,
  objects: ObjectGraph,
  variables: ReadonlyMap<number, Variable>,
  { trace, leaves, rank }: Candidate,
  {
    name,
    assets,
    signature,
  }: { readonly name: string; readonly assets: readonly string[]; readonly signature: ConcreteFunction | undefined },
): Callable {
  const root = Scope.ofGraph(graph, new Map());
  const body = root.functionNamed(trace.name);
  if (body.inputs.length !== leaves.length + trace.boundInputs.length) {
    throw new GraftError("model-invalid", "a function takes other arguments than are described", {
      path: [trace.name],
      expected: `${leaves.length} and ${trace.boundInputs.length} from the model`,
      actual: `${body.inputs.length}`,
    });
  }
  const inputs: TfPort[] = [];
  const names = distinct(inputNames(leaves, trace, signature));
  const given = leaves.map(({ leaf }, index): Binding => {
    const port = names[index] ?? `input_${index}`;
    if (isTrainingFlag(leaf, trace)) return { kind: "constant", name: port, tensor: falseOf(leaf) };
    const { dtype, shape } = leaf.kind === "tensor" ? leaf : { dtype: "variant" as const, shape: undefined };
    inputs.push({ name: port, dtype, shape: shape ?? body.inputs[index]?.shape, ref: port });
    return { kind: "input", name: port };
  });
  const bound = trace.boundInputs.map((id) => bindingOf(objects, variables, id, root, assets));
  const results = leavesOf(trace.output);
  if (results.length > body.outputs.length) {
    throw new GraftError("model-invalid", "a function gives fewer outputs than are described", { path: [trace.name] });
  }
  const outputNames = distinct(outputNamesOf(results, signature));
  const outputs = results.map(({ leaf }, index): TfPort => {
    const { dtype, shape } = leaf.kind === "tensor" ? leaf : { dtype: "variant" as const, shape: undefined };
    const ref = body.returns.get(body.outputs[index]?.name ?? "") ?? "";
    return { name: outputNames[index] ?? `output_${index}`, dtype, shape, ref };
  });
  const remarks =
    rank[0] === trainingOnly ? ["It was saved for training only: dropout and batch norm act as in training."] : [];
  return {
    name,
    scope: root.call(body, [...given, ...bound], ""),
    inputs,
    outputs,
    variableOf: () => undefined,
    remarks,
  };
}

/** Names of inputs as the signature has them, where it takes one as well; else those the tensors have, or the arguments'. */
function inputNames(
  leaves: readonly StructuredLeaf[],
  { argumentNames }: ConcreteFunction,
  signature: ConcreteFunction | undefined,
): string[] {
  const signed = signature === undefined ? [] : leavesOf(signature.input).map(({ leaf }) => leaf.name);
  const [only] = signed;
  if (only !== undefined && signed.length === 1 && leaves.length === 1) return [only];
  return leaves.map(({ path, leaf }) => {
    if (leaf.name !== "") return leaf.name;
    const [group, place = "", ...rest] = path.split("/");
    return [group === "0" ? (argumentNames[Number(place)] ?? `args_${place}`) : place, ...rest].join("_");
  });
}

/** Keys of a dictionary of outputs; else the signature's, where it gives as many; else `output_0`, `output_1`, …. */
function outputNamesOf(results: readonly StructuredLeaf[], signature: ConcreteFunction | undefined): string[] {
  if (results.every(({ path }) => path !== "" && !/^\d+(\/\d+)*$/.test(path))) return results.map(({ path }) => path);
  const signed = signature === undefined ? [] : leavesOf(signature.output).map(({ path }) => path);
  if (results.length === 1 && signed.length === 1) return signed;
  return results.map((_, index) => `output_${index}`);
}

function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let number = 1; taken.has(free); number++) free = `${name}_${number}`;
    taken.add(free);
    return free;
  });
}

function falseOf(leaf: Structured): Extract<Binding, { kind: "constant" }>["tensor"] {
  const dtype = leaf.kind === "tensor" && (leaf.dtype === "int32" || leaf.dtype === "int64") ? leaf.dtype : "bool";
  return tensorOf(dtype, [], [0]);
}

function bindingOf(
  objects: ObjectGraph,
  variables: ReadonlyMap<number, Variable>,
  id: number,
  root: Scope,
  assets: readonly string[],
): Binding {
  const object = objects.object(id);
  const variable = variables.get(id);
  if (variable !== undefined) return { kind: "variable", variable };
  if (object?.kind === "constant") return { kind: "reference", scope: root, reference: object.content?.text(1) ?? "" };
  return { kind: "resource", ...describeResource(objects, object, id, assets) };
}

/** What a resource is for people, and the operator that would make it. */
function describeResource(
  objects: ObjectGraph,
  object: SavedObject | undefined,
  id: number,
  assets: readonly string[],
): { readonly name: string; readonly op: string } {
  if (object?.kind === "asset") {
    return { op: "Asset", name: assets[object.content?.integer(1) ?? 0] ?? `asset_${id}` };
  }
  if (object?.kind === "captured tensor")
    return { op: "CapturedTensor", name: object.content?.text(1) ?? `tensor_${id}` };
  const parents = objects.objects.flatMap(({ children }) => [...children]);
  const name = parents.find(([, child]) => child === id)?.[0] ?? `resource_${id}`;
  return { op: "HashTableV2", name };
}
