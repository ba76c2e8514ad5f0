/** @file What the calls of a functional model are given: nodes of Keras 1 and 2, `args` and `kwargs` of Keras 3. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { fieldOf, isRecord, type JsonRecord } from "./config.ts";
import type { Argument, LayerCallPart, Reference } from "./model-parts.ts";

const deepest = 32;

/** Reads one entry of `inbound_nodes`. `keepsStructure`: operations, whose lists of one stay lists. */
export function callPart(node: Json, keepsStructure: boolean): LayerCallPart {
  if (isRecord(node) && (Object.hasOwn(node, "args") || Object.hasOwn(node, "kwargs"))) return newerCall(node);
  const named = new Map<string, Argument>();
  const first = olderArgument(node, named, 0);
  const isLoneList = !keepsStructure && first.kind === "list" && first.items.length === 1;
  const only = isLoneList ? first.items[0] : undefined;
  return { positional: [only ?? first], named };
}

function newerCall(node: JsonRecord): LayerCallPart {
  const positional = fieldOf(node, "args") ?? [];
  const named = fieldOf(node, "kwargs") ?? {};
  if (!Array.isArray(positional) || !isRecord(named)) throw badNode(node);
  const entries = Object.entries(named).map(([key, value]) => [key, newerArgument(value, 0)] as const);
  return { positional: positional.map((value) => newerArgument(value, 0)), named: new Map(entries) };
}

/** `[name, node, output]`, and with a fourth the call's further arguments. */
function isTriple(value: Json): value is readonly [string, number, Json, ...Json[]] {
  return (
    Array.isArray(value) &&
    (value.length === 3 || value.length === 4) &&
    typeof value[0] === "string" &&
    typeof value[1] === "number"
  );
}

/** The first argument of an older call, whose further arguments are repeated at each of its tensors. */
function olderArgument(value: Json, named: Map<string, Argument>, depth: number): Argument {
  if (depth > deepest) throw badNode(value);
  if (isTriple(value)) {
    const [layer, node, third, further] = value;
    if (isRecord(further)) for (const [key, each] of Object.entries(further)) named.set(key, furtherArgument(each, 0));
    if (layer === "_CONSTANT_VALUE" && node === -1) return { kind: "constant", value: third };
    return reference(layer, node, third);
  }
  if (Array.isArray(value)) return { kind: "list", items: value.map((each) => olderArgument(each, named, depth + 1)) };
  if (isRecord(value)) {
    const entries = Object.entries(value).map(([key, each]) => [key, olderArgument(each, named, depth + 1)] as const);
    return { kind: "entries", entries: new Map(entries) };
  }
  throw badNode(value);
}

/** A further argument of an older call: a value, or a tensor as `[name, node, output]`. */
function furtherArgument(value: Json, depth: number): Argument {
  if (depth > deepest) throw badNode(value);
  if (isTriple(value) && value.length === 3 && typeof value[2] === "number") {
    return reference(value[0], value[1], value[2]);
  }
  if (Array.isArray(value)) return listOf(value.map((each) => furtherArgument(each, depth + 1)));
  return { kind: "constant", value };
}

function newerArgument(value: Json, depth: number): Argument {
  if (depth > deepest) throw badNode(value);
  if (Array.isArray(value)) return listOf(value.map((each) => newerArgument(each, depth + 1)));
  if (!isRecord(value)) return { kind: "constant", value };
  const className = fieldOf(value, "class_name");
  if (className === "__keras_tensor__") return history(value);
  const items = fieldOf(value, "items") ?? fieldOf(value, "config");
  if ((className === "__tuple__" || className === "__list__") && Array.isArray(items)) {
    return listOf(items.map((each) => newerArgument(each, depth + 1)));
  }
  if (className === undefined) {
    const entries = Object.entries(value).map(([key, each]) => [key, newerArgument(each, depth + 1)] as const);
    return { kind: "entries", entries: new Map(entries) };
  }
  return { kind: "constant", value };
}

function history(value: JsonRecord): Argument {
  const config = fieldOf(value, "config");
  const found = isRecord(config) ? fieldOf(config, "keras_history") : undefined;
  if (found === undefined || !isTriple(found)) throw badNode(value);
  return reference(found[0], found[1], found[2]);
}

/** A list of constants is a constant. */
function listOf(items: readonly Argument[]): Argument {
  const values = items.flatMap((each) => (each.kind === "constant" ? [each.value] : []));
  return values.length === items.length ? { kind: "constant", value: values } : { kind: "list", items };
}

function reference(layer: string, call: number, output: Json): Argument {
  return { kind: "reference", reference: checked(layer, call, output) };
}

function checked(layer: string, call: number, output: Json | undefined): Reference {
  const isIndex = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
  if (!isIndex(call) || !isIndex(output)) throw badNode([layer, call, output ?? null]);
  return { layer, call, output };
}

/** The ports of `input_layers` and `output_layers`: triples, alone, in lists, or by names. */
export function portsIn(
  value: Json | undefined,
  key?: string,
  depth = 0,
): { key: string | undefined; reference: Reference }[] {
  if (value === undefined || value === null || depth > deepest) throw badNode(value ?? null);
  if (isTriple(value)) return [{ key, reference: checked(value[0], value[1], value[2]) }];
  if (Array.isArray(value)) return value.flatMap((each) => portsIn(each, key, depth + 1));
  if (!isRecord(value)) throw badNode(value);
  // Keras flattens what is named in the order of the names.
  return Object.keys(value)
    .sort()
    .flatMap((each) => portsIn(value[each], each, depth + 1));
}

/** Every reference in an argument. */
export function referencesIn(argument: Argument): readonly Reference[] {
  if (argument.kind === "reference") return [argument.reference];
  if (argument.kind === "list") return argument.items.flatMap(referencesIn);
  return argument.kind === "entries" ? [...argument.entries.values()].flatMap(referencesIn) : [];
}

/** An argument with its references changed. */
export function mapReferences(argument: Argument, change: (reference: Reference) => Reference): Argument {
  if (argument.kind === "reference") return { ...argument, reference: change(argument.reference) };
  if (argument.kind === "list")
    return { ...argument, items: argument.items.map((each) => mapReferences(each, change)) };
  if (argument.kind === "constant") return argument;
  const entries = [...argument.entries].map(([key, each]) => [key, mapReferences(each, change)] as const);
  return { ...argument, entries: new Map(entries) };
}

function badNode(value: Json): GraftError {
  return new GraftError("model-invalid", "a node of the model cannot be read", {
    actual: JSON.stringify(value).slice(0, 80),
  });
}
