/** @file What a shape rule is: from an operator and the types of its inputs to the types of its outputs. */
import type { Application, Operator, Value, ValueType } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape, type Tensor } from "../tensor/index.ts";

/** What is known of values' elements while inferring. */
export interface Known {
  /** The elements of a constant. */
  constantOf(value: Value | undefined): Tensor | undefined;
  /** The elements of a small integer vector or scalar, each a number, a name or `null`: results of shape arithmetic. */
  elementsOf(value: Value | undefined): readonly Dimension[] | undefined;
}

/** The types of the outputs, in order; a shape is `undefined` where it cannot be told. Throws GraftError on a contradiction. */
export type ShapeRule<K extends Operator> = (application: Application<K>, known: Known) => readonly ValueType[];

/** One rule for each operator of a family. */
export type ShapeRules<Family> = { readonly [K in keyof Family & Operator]: ShapeRule<K> };

/** The input at `index`. Throws where an operator lacks an input that it requires. */
export function inputAt(application: { readonly inputs: readonly (Value | undefined)[] }, index: number): Value {
  const value = application.inputs[index];
  if (value === undefined) throw new GraftError("model-invalid", `input ${index} is missing`);
  return value;
}

/** A type with the element type of `like`. */
export function typed(like: ValueType, shape: Shape | undefined): ValueType {
  return { dtype: like.dtype, shape };
}

/** The elements of a constant integer input as numbers; `undefined` unless every one is a known number. */
export function integersOf(value: Value | undefined, known: Known): readonly number[] | undefined {
  const elements = known.elementsOf(value);
  return elements?.every((element) => typeof element === "number") ? elements : undefined;
}
