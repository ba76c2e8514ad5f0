/** @file One node while it is lowered: its inputs, its attributes with TensorFlow's defaults, and the graph it adds to. */
import { type Builder, type Operator, type OperatorAttributes, Oriented, type Value } from "../../../graph/index.ts";
import type { Inference } from "../../../shapes/index.ts";
import {
  type Dimension,
  type DType,
  GraftError,
  normalizeAxis,
  numbersOf,
  type Shape,
  type Tensor,
} from "../../../tensor/index.ts";
import type { TfAttribute, TfFunction, TfNode, TfType } from "../graph-def.ts";
import type { Weight } from "./weight.ts";

/** A list of tensors (TensorFlow's `variant` of TensorLists), while it is known what is in it. */
export interface TensorList {
  readonly kind: "list";
  /** The elements, where each is known by itself; `undefined` for one that was never set. */
  readonly elements: readonly (Value | undefined)[] | undefined;
  /** All elements as one tensor with a leading axis, where there is no telling them apart. */
  readonly stacked: Value | undefined;
  /** What is known of an element's shape. */
  readonly elementShape: Shape | undefined;
  readonly dtype: DType;
  /** Inside a loop: the element that this round adds, in place of what is above. */
  readonly added?: { readonly at: Slot; readonly element: Value };
}

/** What a node gives. */
export type Slot =
  | { readonly kind: "tensor"; readonly data: Oriented }
  /** A variable's or a constant's value, read in `shape`, not yet in the graph; also the handle of a variable. */
  | { readonly kind: "weight"; readonly weight: Weight; readonly shape: readonly number[] }
  /** A complex tensor as two real ones, in TensorFlow's order of axes. */
  | { readonly kind: "complex"; readonly real: Value; readonly imaginary: Value }
  | TensorList;

/** What operators give back: shorter to write than slots. */
export type Given = Value | Oriented | Slot;
export type Result = Given | readonly Given[];
/** What an operator computes. */
export type Lower = (call: Call) => Result;
/** A family's part of the table. */
export type OperatorRows = readonly (readonly [op: string, lower: Lower])[];

/** What all nodes of a graph share. */
export interface Context {
  readonly build: Builder;
  /** The builder of the whole graph, where weights lie. */
  readonly outermost: Builder;
  readonly inference: Inference;
  remark(sentence: string): void;
  readonly functions: ReadonlyMap<string, TfFunction>;
  /** What a function gives for arguments, its nodes appended by `build`. */
  run(called: TfFunction, inputs: readonly Slot[], build: Builder): readonly Slot[];
  /** A builder for a graph inside this one, whose names differ from all that there are. */
  inside(): Builder;
  /** The node that a reference points to, where it is one of the same graph. */
  producerOf(reference: string | undefined): TfNode | undefined;
  /** What a reference points to, once that is lowered. */
  slotOf(reference: string | undefined): Slot | undefined;
  /** Whether the node's `index`-th input is read by this node alone. */
  isOnlyReader(node: TfNode, index: number): boolean;
}

export class Call {
  readonly node: TfNode;
  readonly build: Builder;
  readonly context: Context;
  readonly #inputs: readonly Slot[];

  constructor(node: TfNode, inputs: readonly Slot[], context: Context) {
    this.node = node;
    this.build = context.build;
    this.context = context;
    this.#inputs = inputs;
  }

  get name(): string {
    return this.node.name;
  }

  get inputs(): readonly Slot[] {
    return this.#inputs;
  }

  /** Throws GraftError `model-invalid` where the input is missing. */
  slot(index: number): Slot {
    const slot = this.#inputs.at(index);
    if (slot !== undefined) return slot;
    throw new GraftError("model-invalid", "an input is missing", {
      expected: `${index + 1}`,
      actual: `${this.#inputs.length}`,
    });
  }

  /** A real tensor; a variable lies in the graph as it is from here on. */
  oriented(index: number): Oriented {
    return orientedOf(this, this.slot(index));
  }

  /** A real tensor in TensorFlow's own order of axes. */
  value(index: number): Value {
    return this.oriented(index).last();
  }

  /** All inputs from `first` on, in TensorFlow's own order. */
  values(first = 0): readonly Value[] {
    return this.#inputs.slice(first).map((_, index) => this.value(first + index));
  }

  /** The whole numbers an input holds. Throws GraftError `model-refused` where they are not known before the run. */
  integers(index: number): readonly number[] {
    const known = this.knownIntegers(index);
    if (known !== undefined) return known;
    throw this.refused("an operand must be known before the run", `input ${index}`);
  }

  knownIntegers(index: number): readonly number[] | undefined {
    const tensor = this.constant(index);
    return tensor === undefined || tensor.dtype === "string" ? undefined : numbersOf(tensor);
  }

  /** The one whole number an input holds. */
  integer(index: number): number {
    const [first, ...others] = this.integers(index);
    if (first !== undefined && others.length === 0) return first;
    throw new GraftError("model-invalid", "an operand is one number", { path: [`input ${index}`] });
  }

  /** The elements of an input, where they are known. */
  constant(index: number): Tensor | undefined {
    const slot = this.slot(index);
    if (slot.kind === "weight") return { ...slot.weight.tensor, shape: slot.shape };
    return slot.kind === "tensor" ? this.build.constantOf(slot.data.native) : undefined;
  }

  /** The sizes an input holds, as far as they are known. */
  dimensions(index: number): readonly Dimension[] | undefined {
    return this.knownIntegers(index) ?? this.context.inference.elementsOf(this.value(index));
  }

  /** An input's rank. Throws GraftError `model-refused` where it is not known. */
  rank(index: number): number {
    const slot = this.slot(index);
    if (slot.kind === "weight") return slot.shape.length;
    const shape = slot.kind === "complex" ? slot.real.shape : this.oriented(index).shape;
    if (shape !== undefined) return shape.length;
    throw this.refused("the number of axes must be known", `input ${index}`);
  }

  /** The axis that an input names, counted from 0. */
  axis(index: number, rank: number): number {
    return normalizeAxis(this.integer(index), rank);
  }

  /** Appends a node whose output is called after this one. */
  apply<K extends Operator>(
    operator: K,
    inputs: readonly (Value | undefined)[],
    attributes?: Partial<OperatorAttributes[K]>,
  ): Value {
    return this.build.apply(operator, inputs, attributes, this.name);
  }

  /** An input as int64, which ONNX takes as indices and sizes. */
  int64(index: number): Value {
    return this.build.cast(this.value(index), "int64");
  }

  last(value: Value): Oriented {
    return Oriented.last(this.build, value);
  }

  first(value: Value): Oriented {
    return Oriented.first(this.build, value);
  }

  refused(reason: string, actual?: string): GraftError {
    return new GraftError("model-refused", reason, { ...(actual === undefined ? {} : { actual }) });
  }

  // Attributes. Files leave out those that have their defaults.

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  int(name: string, fallback: number): number {
    return this.#of(name, "int")?.value ?? fallback;
  }

  float(name: string, fallback: number): number {
    return this.#of(name, "float")?.value ?? fallback;
  }

  bool(name: string, fallback: boolean): boolean {
    return this.#of(name, "bool")?.value ?? fallback;
  }

  text(name: string, fallback: string): string {
    const value = this.#of(name, "bytes")?.value;
    return value === undefined ? fallback : new TextDecoder().decode(value);
  }

  shape(name: string): Shape | undefined {
    return this.#of(name, "shape")?.value;
  }

  tensor(name: string): Tensor | undefined {
    return this.#of(name, "tensor")?.value;
  }

  /** The function that an attribute names. */
  callee(name: string): TfFunction {
    const called = this.#of(name, "function")?.name ?? "";
    const found = this.context.functions.get(called);
    if (found !== undefined) return found;
    throw new GraftError("model-invalid", "a function is missing", { path: [name], actual: called });
  }

  /** An element type that tensors of the graph have: bfloat16 is computed in float32. */
  type(name: string, fallback: DType): DType {
    return elementType(this.#of(name, "type")?.value ?? fallback);
  }

  ints(name: string, fallback: readonly number[]): readonly number[] {
    const list = this.#of(name, "list")?.values;
    return list === undefined ? fallback : list.map((each) => (each.kind === "int" ? each.value : 0));
  }

  floats(name: string): readonly number[] {
    const list = this.#of(name, "list")?.values ?? [];
    return list.map((each) => (each.kind === "float" || each.kind === "int" ? each.value : 0));
  }

  texts(name: string): readonly string[] {
    const list = this.#of(name, "list")?.values ?? [];
    return list.map((each) => (each.kind === "bytes" ? new TextDecoder().decode(each.value) : ""));
  }

  #of<K extends TfAttribute["kind"]>(name: string, kind: K): Extract<TfAttribute, { kind: K }> | undefined {
    const attribute = this.node.attributes.get(name);
    // An empty list is written without saying of what.
    if (attribute === undefined || attribute.kind !== kind) return undefined;
    return attribute as Extract<TfAttribute, { kind: K }>;
  }
}

/** The element type in which tensors of a TensorFlow type lie in the graph. */
export function elementType(type: TfType): DType {
  if (type === "bfloat16") return "float32";
  if (type !== "resource" && type !== "variant") return type;
  throw new GraftError("model-refused", "a handle is used as a tensor", { actual: type });
}

/** The real tensor that a slot stands for. */
export function orientedOf(call: Pick<Call, "build">, slot: Slot): Oriented {
  if (slot.kind === "tensor") return slot.data;
  if (slot.kind === "weight") return Oriented.last(call.build, slot.weight.in({ shape: slot.shape }, call.build));
  const what = slot.kind === "complex" ? "a complex tensor" : "a list of tensors";
  throw new GraftError("model-refused", `the operator takes no ${what.slice(2)} here`, { actual: what });
}

/** What an operator gave, as slots. */
export function slotsOf(call: Call, result: Result): readonly Slot[] {
  const all: readonly Given[] = isMany(result) ? result : [result];
  return all.map((given): Slot => {
    if (given instanceof Oriented) return { kind: "tensor", data: given };
    return "kind" in given ? given : { kind: "tensor", data: Oriented.last(call.build, given) };
  });
}

function isMany(result: Result): result is readonly Given[] {
  return Array.isArray(result);
}
