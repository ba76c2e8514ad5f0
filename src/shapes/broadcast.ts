/** @file Multidirectional broadcasting (onnx/docs/Broadcasting.md) over sizes that may be names or unknown. */
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";

/** The common shape, aligned from the last axis; `undefined` when a rank is unknown. Throws when shapes do not fit. */
export function broadcastShapes(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  const known = shapes.filter((shape) => shape !== undefined);
  if (known.length < shapes.length) return undefined;
  const rank = Math.max(0, ...known.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    known
      .map((shape) => dimensionFromEnd(shape, rank - axis))
      .reduce<Dimension>((a, b) => broadcastDimension(a, b, known), 1),
  );
}

function dimensionFromEnd(shape: Shape, distance: number): Dimension {
  return distance > shape.length ? 1 : (shape[shape.length - distance] ?? null);
}

function broadcastDimension(a: Dimension, b: Dimension, shapes: readonly Shape[]): Dimension {
  if (a === 1) return b;
  if (b === 1 || a === b) return a;
  if (typeof a === "number" && typeof b === "number") {
    throw new GraftError("model-invalid", "the shapes do not broadcast", {
      expected: "sizes that are equal or 1",
      actual: shapes.map((shape) => showShape(shape)).join(" and "),
    });
  }
  // A known size other than 1 decides: the other must be equal to it or 1.
  if (typeof a === "number") return a;
  if (typeof b === "number") return b;
  return null;
}
