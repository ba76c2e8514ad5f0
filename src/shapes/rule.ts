/** @file What a shape rule is: from an operator and the types of its inputs to the types of its outputs. */
import type { Application, Operator, Value, ValueType } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape, showShape, type Tensor } from "../tensor/index.ts";
import { type KnownArray, mostElements } from "./arrays.ts";

/** What is known of values' elements while inferring. */
export interface Known {
  /** The elements of a constant. */
  constantOf(value: Value | undefined): Tensor | undefined;
  /** A small array of numbers: a constant or a result of shape arithmetic. */
  arrayOf(value: Value | undefined): KnownArray | undefined;
  /** The elements of that array, row-major, each a number, a name or `null`. */
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

/** Where nothing is known but the rank. */
export function unknownOfRank(rank: number): Shape {
  return new Array<Dimension>(rank).fill(null);
}

/** The elements of an integer input as numbers; `undefined` unless every one is a known integer. */
export function integersOf(value: Value | undefined, known: Known): readonly number[] | undefined {
  const elements = known.elementsOf(value);
  return elements?.every((element) => Number.isInteger(element)) ? (elements as readonly number[]) : undefined;
}

/** How many elements a vector of axes or sizes holds; `undefined` when unknown, or more than any tensor has axes. */
export function lengthOf(value: Value | undefined, known: Known): number | undefined {
  const elements = known.elementsOf(value);
  if (elements !== undefined) return elements.length;
  const size = value?.shape?.length === 1 ? value.shape[0] : undefined;
  return typeof size === "number" && size <= mostElements ? size : undefined;
}

/** The shape with one axis replaced. */
export function replaceAxis(shape: Shape, axis: number, size: Dimension): Shape {
  return shape.map((old, index) => (index === axis ? size : old));
}

/** Throws unless the rank is unknown or within bounds. Returns the shape, for chaining. */
export function expectRank(
  value: ValueType,
  what: string,
  minimum: number,
  maximum: number = minimum,
): Shape | undefined {
  const { shape } = value;
  if (shape !== undefined && (shape.length < minimum || shape.length > maximum)) {
    const range =
      minimum === maximum ? `${minimum}` : maximum === Infinity ? `${minimum} or more` : `${minimum} to ${maximum}`;
    throw new GraftError("model-invalid", `${what} has the wrong rank`, {
      expected: `rank ${range}`,
      actual: showShape(shape),
    });
  }
  return shape;
}

/** Two sizes that must be one: the more specific of them. Throws when they are different numbers. */
export function unify(a: Dimension | undefined, b: Dimension | undefined, what: string): Dimension {
  if (typeof a === "number" && typeof b === "number" && a !== b) {
    throw new GraftError("model-invalid", `${what} differ`, { expected: String(a), actual: String(b) });
  }
  if (typeof a === "number") return a;
  if (typeof b === "number") return b;
  return a ?? b ?? null;
}

/** A list attribute or input of the wrong length throws. */
export function expectLength(list: readonly unknown[] | undefined, length: number, what: string): void {
  if (list === undefined || list.length === length) return;
  throw new GraftError("model-invalid", `${what} has the wrong length`, {
    expected: `${length} elements`,
    actual: `${list.length}`,
  });
}

/**
 * The sizes that a vector input holds. Where only its length is known, that many unknown sizes. Throws on sizes that
 * are not whole or below zero.
 */
export function shapeFrom(value: Value | undefined, known: Known): Shape | undefined {
  const elements = known.elementsOf(value);
  if (elements === undefined) {
    const length = lengthOf(value, known);
    return length === undefined ? undefined : unknownOfRank(length);
  }
  const wrong = elements.find((size) => typeof size === "number" && !(Number.isSafeInteger(size) && size >= 0));
  if (wrong === undefined) return elements;
  throw new GraftError("model-invalid", "a size is negative or too large", {
    expected: "whole sizes from 0 to 2^53",
    actual: showShape(elements),
  });
}
