/** @file How the vocabulary describes an operator: how many inputs and outputs, which attributes, with which defaults. */
import type { DType, Tensor } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";

/** The kinds of attribute ONNX writes (onnx.proto, AttributeProto); booleans and element types travel as integers. */
export interface AttributeKinds {
  int: number;
  float: number;
  string: string;
  bool: boolean;
  dtype: DType;
  ints: readonly number[];
  floats: readonly number[];
  strings: readonly string[];
  tensor: Tensor;
  graph: Graph;
}
export type AttributeKind = keyof AttributeKinds;

/** One attribute: its name in ONNX, its kind, and what it is when it is not written. */
export interface AttributeSchema<T = unknown> {
  readonly name: string;
  readonly kind: AttributeKind;
  readonly required: boolean;
  /** The value when absent; `undefined` for required attributes and for those whose absence means something itself. */
  readonly fallback: T | undefined;
}

/** How many values: exactly `minimum` to `maximum`, `Infinity` for a variadic list. */
export type Arity = readonly [minimum: number, maximum: number];

export interface OperatorSchema<Attributes = object> {
  readonly inputs: Arity;
  readonly outputs: Arity;
  readonly attributes: { readonly [A in keyof Attributes]: AttributeSchema<Attributes[A]> };
}

/** A total table: one schema for each operator of a family. */
export type Schemas<Family> = { readonly [K in keyof Family]: OperatorSchema<Family[K]> };

export type NoAttributes = Record<never, never>;

/** An operator without attributes. */
export function plain(inputs: number | Arity, outputs: number | Arity = 1): OperatorSchema<NoAttributes> {
  return { inputs: arity(inputs), outputs: arity(outputs), attributes: {} };
}

export function schema<Attributes>(
  inputs: number | Arity,
  outputs: number | Arity,
  attributes: { readonly [A in keyof Attributes]: AttributeSchema<Attributes[A]> },
): OperatorSchema<Attributes> {
  return { inputs: arity(inputs), outputs: arity(outputs), attributes };
}

function arity(count: number | Arity): Arity {
  return typeof count === "number" ? [count, count] : count;
}

/** An attribute that is `fallback` when absent. */
export function attribute<K extends AttributeKind, T extends AttributeKinds[K]>(
  name: string,
  kind: K,
  fallback: T,
): AttributeSchema<T> {
  return { name, kind, required: false, fallback };
}

/** An attribute whose absence is a meaning of its own. */
export function optional<K extends AttributeKind>(
  name: string,
  kind: K,
): AttributeSchema<AttributeKinds[K] | undefined> {
  return { name, kind, required: false, fallback: undefined };
}

export function required<K extends AttributeKind>(name: string, kind: K): AttributeSchema<AttributeKinds[K]> {
  return { name, kind, required: true, fallback: undefined };
}

/** A string attribute with a closed set of values. */
export function choice<T extends string>(name: string, fallback: T): AttributeSchema<T> {
  return { name, kind: "string", required: false, fallback };
}

/** An attribute whose default is NaN-free float32, as ONNX stores it. */
export function float(name: string, fallback: number): AttributeSchema<number> {
  return { name, kind: "float", required: false, fallback: Math.fround(fallback) };
}
