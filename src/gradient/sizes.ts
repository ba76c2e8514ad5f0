/** @file Reshapes whose sizes may be known only at run time. */
import type { Builder, Value } from "../graph/index.ts";
import { areEqualShapes, type Shape } from "../tensor/index.ts";

/** A size: a number (-1 is what the others leave), or the size of an axis of a value. */
export type Size = number | { readonly of: Value; readonly axis: number };

/** The sizes of the axes of a value from `start` to before `end`. */
export function sizesOf(value: Value, start = 0, end: number = value.shape?.length ?? 0): readonly Size[] {
  return (value.shape ?? []).slice(start, end).map((size, index) => sizeAt(size, value, start + index));
}

function sizeAt(size: unknown, value: Value, axis: number): Size {
  return typeof size === "number" ? size : { of: value, axis };
}

/** The sizes as an int64 vector: a constant where all of them are numbers. */
export function sizeVector(build: Builder, sizes: readonly Size[]): Value {
  if (isKnown(sizes)) return build.ints(sizes);
  return build.concat(
    sizes.map((size) => (typeof size === "number" ? build.ints([size]) : build.sizeOf(size.of, size.axis))),
    0,
  );
}

/** Reshapes to sizes. */
export function reshapeTo(build: Builder, value: Value, sizes: readonly Size[]): Value {
  const shape = sizes.map((size) => (typeof size === "number" ? size : (size.of.shape?.[size.axis] ?? null)));
  if (sizes.includes(-1)) return build.reshape(value, isKnown(sizes) ? sizes : sizeVector(build, sizes));
  return reshapeToShape(build, value, shape, () => sizeVector(build, sizes));
}

/** Reshapes to the shape of another value. */
export function reshapeLike(build: Builder, value: Value, like: Value): Value {
  if (like.shape === undefined) return build.reshape(value, build.shapeOf(like));
  return reshapeToShape(build, value, like.shape, () => build.shapeOf(like));
}

/**
 * One unknown size is what the others leave, and the shape stays a constant: ONNX Runtime's fusion of reshapes (1.30)
 * fails where a reshape to a computed shape meets the next.
 */
function reshapeToShape(build: Builder, value: Value, shape: Shape, computed: () => Value): Value {
  if (value.shape && areEqualShapes(value.shape, shape)) return value;
  const unknown = shape.filter((size) => typeof size !== "number").length;
  if (unknown > 1 || (unknown === 1 && shape.includes(0))) return build.reshape(value, computed());
  if (unknown === 0) return build.reshape(value, shape.map(Number));
  // The size has a name, which inference from the rest does not always find.
  const output = { name: build.unused("Reshape"), dtype: value.dtype, shape };
  const constant = build.ints(shape.map((size) => (typeof size === "number" ? size : -1)));
  build.define(output, "Reshape", [value, constant]);
  return output;
}

/** A tensor of these sizes, filled with a number, in the element type of `like`. */
export function filled(build: Builder, sizes: readonly Size[], number: number, like: Value): Value {
  return build.expand(build.scalar(number, like), sizeVector(build, sizes));
}

function isKnown(sizes: readonly Size[]): sizes is readonly number[] {
  return sizes.every((size) => typeof size === "number");
}

/** 0, 1, … below `end`. */
export function range(end: number): number[] {
  return Array.from({ length: end }, (_, index) => index);
}
