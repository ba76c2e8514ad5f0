/** @file Shapes between Keras's order, channels last, and the graph's, channels first. */
import type { Builder, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";

/** A shape as Keras says it: the batch first, as `null`, channels last: `[null, 5, 5, 1280]`. */
export type KerasShape = readonly (number | null)[];

/** `(None, 5, 5, 1280)`. */
export function showShape(shape: KerasShape): string {
  const [first, ...others] = shape.map((size) => size ?? "None");
  return others.length === 0 ? `(${first},)` : `(${[first, ...others].join(", ")})`;
}

/** A map `[N, C, H, W]` as `[N, H, W, C]`; everything else as it is. */
export function channelsLast(build: Builder, x: Value): Value {
  return x.shape?.length === 4 ? build.transpose(x, [0, 2, 3, 1]) : x;
}

/** A map `[N, H, W, C]` as `[N, C, H, W]`; everything else as it is. */
export function channelsFirst(build: Builder, x: Value): Value {
  return x.shape?.length === 4 ? build.transpose(x, [0, 3, 1, 2]) : x;
}

/** The shape, where it has that rank. */
export function checkRank(layer: { readonly name: string }, shape: KerasShape, rank: number): KerasShape {
  if (shape.length === rank) return shape;
  throw refused(layer, "the input has another rank", `${rank} axes`, showShape(shape));
}

/** What is wrong with a layer, by name. */
export function refused(
  { name }: { readonly name: string },
  reason: string,
  expected: string | undefined,
  actual: string,
): GraftError {
  return new GraftError("usage", reason, {
    path: [`layer "${name}"`],
    ...(expected === undefined ? {} : { expected }),
    actual,
  });
}
