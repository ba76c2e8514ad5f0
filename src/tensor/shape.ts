/** @file Shapes: sizes known as numbers, by name (a symbolic batch dimension), or not at all. */
import { GraftError } from "./error.ts";

/** A size: a number, a name for a size fixed only at run time ("N"), or `null` when nothing is known. */
export type Dimension = number | string | null;
export type Shape = readonly Dimension[];

/** Whether every size is a number. */
export function isStatic(shape: Shape | undefined): shape is readonly number[] {
  return shape?.every((dimension) => typeof dimension === "number") ?? false;
}

/** The product of sizes. Throws when it passes 2^53, so that no later arithmetic is silently wrong. */
export function elementCount(shape: readonly number[]): number {
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new GraftError("out-of-resources", "the tensor's size overflows", {
      expected: "a product of sizes below 2^53",
      actual: showShape(shape),
    });
  }
  return count;
}

/** A negative axis counts from the end. Throws when the axis lies outside `[-rank, rank)`. */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= Math.max(rank, 1)) {
    throw new GraftError("model-invalid", "an axis lies outside the tensor", {
      expected: `an axis in [${-rank}, ${rank})`,
      actual: String(axis),
    });
  }
  return axis < 0 ? axis + rank : axis;
}

/** Equal as far as is known: unknown sizes agree with everything, and so does a name with a number. */
export function areCompatible(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => isCompatible(size, b[axis] ?? null));
}

function isCompatible(a: Dimension, b: Dimension): boolean {
  return typeof a !== "number" || typeof b !== "number" || a === b;
}

/** Certainly equal: both known, by number or by name. */
export function areEqualDimensions(a: Dimension | undefined, b: Dimension | undefined): boolean {
  return a !== null && a !== undefined && a === b;
}

export function areEqualShapes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => areEqualDimensions(size, b[axis]));
}

export function showShape(shape: Shape | undefined): string {
  return shape === undefined ? "[…]" : `[${shape.map((size) => size ?? "?").join(", ")}]`;
}

/** The distances, in elements, between neighbours along each axis of a row-major tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}
