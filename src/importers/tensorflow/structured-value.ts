/** @file Python's nested arguments and results, as SavedModels describe them (struct.proto). */
import { GraftError } from "../../tensor/index.ts";
import { typeOfNumber } from "./data-types.ts";
import type { TfShape, TfType } from "./graph-def.ts";
import { readShape } from "./tensor-proto.ts";
import type { Message } from "./wire.ts";

export type Structured =
  | { readonly kind: "tensor"; readonly name: string; readonly dtype: TfType; readonly shape: TfShape }
  /** None, a number, a text, a truth value. */
  | { readonly kind: "value"; readonly value: null | number | string | boolean }
  | { readonly kind: "items"; readonly items: readonly Structured[] }
  | { readonly kind: "entries"; readonly entries: readonly (readonly [string, Structured])[] }
  /** What is made of several tensors (ragged, sparse), or is unknown here. */
  | { readonly kind: "composite"; readonly name: string };

/** A tensor in a structure, and the way to it: `1/image`. */
export interface StructuredLeaf {
  readonly path: string;
  readonly leaf: Extract<Structured, { kind: "tensor" | "composite" }>;
}

const deepest = 32;

/** The structure of a StructuredValue. Throws GraftError `model-refused` where it nests deeper than 32 levels. */
export function readStructured(message: Message | undefined, depth = 0): Structured {
  if (depth > deepest) throw new GraftError("model-refused", "arguments are nested too deeply");
  if (message === undefined) return { kind: "value", value: null };
  const inner = (field: number, name: string): Structured[] =>
    (message.message(field, name)?.messages(1, "StructuredValue") ?? []).map((item) => readStructured(item, depth + 1));
  if (message.has(51)) return { kind: "items", items: inner(51, "ListValue") };
  if (message.has(52)) return { kind: "items", items: inner(52, "TupleValue") };
  if (message.has(53)) {
    const fields = message.message(53, "DictValue")?.map(1, "StructuredValue") ?? new Map<string, Message>();
    const entries = [...fields].map(([key, value]) => [key, readStructured(value, depth + 1)] as const);
    // As tf.nest flattens dictionaries: by the order of their keys.
    return { kind: "entries", entries: entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) };
  }
  if (message.has(54)) {
    const pairs = message.message(54, "NamedTupleValue")?.messages(2, "PairValue") ?? [];
    const entries = pairs.map(
      (pair) => [pair.text(1), readStructured(pair.message(2, "StructuredValue"), depth + 1)] as const,
    );
    return { kind: "entries", entries };
  }
  const spec = message.message(33, "TensorSpecProto") ?? message.message(35, "BoundedTensorSpecProto");
  if (spec !== undefined) {
    const shape = readShape(spec.message(2, "TensorShapeProto"));
    return { kind: "tensor", name: spec.text(1), dtype: typeOfNumber(spec.integer(3)), shape };
  }
  const composite = message.message(34, "TypeSpecProto");
  if (composite !== undefined) return { kind: "composite", name: composite.text(3) || "a type of its own" };
  return { kind: "value", value: readValue(message) };
}

function readValue(message: Message): null | number | string | boolean {
  if (message.has(14)) return message.boolean(14);
  if (message.has(13)) return message.text(13);
  if (message.has(11)) return message.doubles(11)[0] ?? 0;
  if (message.has(12)) {
    // Signed numbers lie in zigzag order here.
    const stored = message.integer(12);
    return stored % 2 === 0 ? stored / 2 : -(stored + 1) / 2;
  }
  return null;
}

/** The tensors of a structure in the order in which TensorFlow flattens it. */
export function leavesOf(structure: Structured, path = ""): StructuredLeaf[] {
  const below = (key: string): string => (path === "" ? key : `${path}/${key}`);
  switch (structure.kind) {
    case "tensor":
    case "composite":
      return [{ path, leaf: structure }];
    case "value":
      return [];
    case "items":
      return structure.items.flatMap((item, index) => leavesOf(item, below(String(index))));
    case "entries":
      return structure.entries.flatMap(([key, item]) => leavesOf(item, below(key)));
  }
}

/** An entry of a dictionary or a named tuple. */
export function entryOf(structure: Structured | undefined, key: string): Structured | undefined {
  if (structure?.kind !== "entries") return undefined;
  return structure.entries.find(([name]) => name === key)?.[1];
}

/** The items of a list or tuple; nothing of others. */
export function itemsOf(structure: Structured | undefined): readonly Structured[] {
  return structure?.kind === "items" ? structure.items : [];
}
