/** @file Slices: bounds clamped as NumPy clamps them, for steps forward and backward. */
import type { Application } from "../graph/index.ts";
import { type Dimension, GraftError, normalizeAxis, type Shape } from "../tensor/index.ts";
import { expectLength, integersOf, type Known, lengthOf, unknownOfRank } from "./rule.ts";

/** A slice of one axis with nothing left implicit: `count` elements from `start` on, `step` apart. */
export interface AxisSlice {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/**
 * Clamps bounds to an axis of `size` elements (onnx/docs/Operators.md, Slice): negative ones count from the end, and
 * INT64_MAX or INT64_MIN mean as far as it goes. Throws when `step` is 0.
 */
export function clampSlice(size: number, start: number, end: number, step: number): AxisSlice {
  if (step === 0) throw new GraftError("model-invalid", "a slice needs a step other than 0");
  if (size === 0) return { start: 0, step, count: 0 };
  const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (bound: number, from: number) => Math.min(Math.max(bound < 0 ? bound + size : bound, from), highest);
  const isToTheEnd = end === 2 ** 31 - 1 || end >= 2 ** 63;
  // Unlike NumPy's, a start before the first element is the first element even for steps backward.
  const first = clamp(start, 0);
  // As ONNX Runtime has it, INT_MAX means the end that the step leads to: the front, for steps backward.
  const last = step < 0 && isToTheEnd ? -1 : clamp(end, lowest);
  return { start: first, step, count: Math.max(Math.ceil((last - first) / step), 0) };
}

/** Starts, ends, axes and steps of a Slice, as far as they are known. */
export interface SliceBounds {
  readonly axes: readonly number[];
  readonly starts: readonly Dimension[];
  readonly ends: readonly Dimension[];
  readonly steps: readonly Dimension[];
}

/** `undefined` where not even the sliced axes are known. */
export function boundsOf(rank: number, application: Application<"Slice">, known: Known): SliceBounds | undefined {
  const [, startsInput, endsInput, axesInput, stepsInput] = application.inputs;
  const count = lengthOf(startsInput, known) ?? lengthOf(endsInput, known) ?? lengthOf(axesInput, known);
  const given =
    axesInput === undefined
      ? count !== undefined && Array.from({ length: Math.min(count, rank + 1) }, (_, axis) => axis)
      : integersOf(axesInput, known);
  if (!given) return undefined;
  const axes = given.map((axis) => normalizeAxis(axis, rank));
  const starts = known.elementsOf(startsInput) ?? unknownOfRank(axes.length);
  const ends = known.elementsOf(endsInput) ?? unknownOfRank(axes.length);
  const steps =
    stepsInput === undefined ? axes.map(() => 1) : (known.elementsOf(stepsInput) ?? unknownOfRank(axes.length));
  expectLength(starts, axes.length, "starts");
  expectLength(ends, axes.length, "ends");
  expectLength(steps, axes.length, "steps");
  return { axes, starts, ends, steps };
}

export function slicedShape(shape: Shape, application: Application<"Slice">, known: Known): Shape {
  const bounds = boundsOf(shape.length, application, known);
  if (bounds === undefined) return unknownOfRank(shape.length);
  const result = [...shape];
  for (const [index, axis] of bounds.axes.entries()) {
    result[axis] = slicedSize(
      shape[axis] ?? null,
      bounds.starts[index] ?? null,
      bounds.ends[index] ?? null,
      bounds.steps[index] ?? null,
    );
  }
  return result;
}

const everything = 2 ** 31 - 1;

function slicedSize(size: Dimension, start: Dimension, end: Dimension, step: Dimension): Dimension {
  if (step === 0) throw new GraftError("model-invalid", "a slice needs a step other than 0");
  const forward = step === 1 && start === 0;
  if (forward && (end === size || (typeof end === "number" && end >= everything))) return size;
  if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number") return null;
  if (typeof size === "number") return clampSlice(size, start, end, step).count;
  // Clamped alike, bounds on the same side stay in order whatever the size is.
  return step > 0 && start < 0 === end < 0 && end <= start ? 0 : null;
}
