/** @file Shapes of operators that move elements: joins, cuts, padding, reshapes, and what makes new tensors. */
import type { Application, MovementOperators } from "../graph/index.ts";
import { type Dimension, GraftError, normalizeAxis, type Shape } from "../tensor/index.ts";
import { broadcastShapes } from "./broadcast.ts";
import { addDimensions, multiplyDimensions, productOf } from "./dimension.ts";
import { indexingShapes } from "./indexing.ts";
import { sameAsInput } from "./pointwise.ts";
import { reshapedShape } from "./reshape.ts";
import {
  expectLength,
  expectRank,
  inputAt,
  integersOf,
  type Known,
  lengthOf,
  replaceAxis,
  type ShapeRules,
  shapeFrom,
  typed,
  unify,
  unknownOfRank,
} from "./rule.ts";
import { slicedShape } from "./slice.ts";

export const movementShapes: ShapeRules<MovementOperators> = {
  ...indexingShapes,
  CenterCropPad: (application, known) => {
    const x = inputAt(application, 0);
    if (x.shape === undefined) return [typed(x, undefined)];
    const axes = axesWithin(application.attributes.axes ?? [...x.shape.keys()], x.shape.length);
    const sizes = shapeFrom(application.inputs[1], known);
    expectLength(sizes, axes.length, "CenterCropPad's shape");
    return [
      typed(
        x,
        x.shape.map((size, axis) => (axes.includes(axis) ? (sizes?.[axes.indexOf(axis)] ?? null) : size)),
      ),
    ];
  },
  // Sizes add up along the axis and agree along the others.
  Concat: (application) => {
    const shapes = application.inputs.map((_, index) => inputAt(application, index).shape);
    const like = typed(inputAt(application, 0), undefined);
    const ranked = shapes.filter((shape) => shape !== undefined);
    const [first] = ranked;
    if (first === undefined) return [like];
    const along = normalizeAxis(application.attributes.axis, first.length);
    for (const shape of ranked) expectRank({ dtype: undefined, shape }, "a joined input", first.length);
    const all = shapes.map((shape) => shape ?? unknownOfRank(first.length));
    return [
      typed(
        like,
        first.map((_, axis) =>
          all
            .map((shape) => shape[axis] ?? null)
            .reduce((a, b) =>
              axis === along ? addDimensions(a, b) : unify(a, b, `the joined inputs' sizes of axis ${axis}`),
            ),
        ),
      ),
    ];
  },
  ConstantOfShape: (application, known) => [
    { dtype: application.attributes.value?.dtype ?? "float32", shape: shapeFrom(inputAt(application, 0), known) },
  ],
  // [N, C, H, W] → [N, C / b², H·b, W·b]
  DepthToSpace: (application) => {
    const x = inputAt(application, 0);
    const { blocksize } = application.attributes;
    const [n, c, h, w] = expectRank(x, "DepthToSpace's input", 4) ?? [];
    return [typed(x, [n ?? null, divided(c, blocksize ** 2), times(h, blocksize), times(w, blocksize)])];
  },
  Expand: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, broadcastShapes([x.shape, shapeFrom(application.inputs[1], known)]))];
  },
  EyeLike: (application) => {
    const x = inputAt(application, 0);
    return [{ dtype: application.attributes.dtype ?? x.dtype, shape: expectRank(x, "EyeLike's input", 2) }];
  },
  // [d₀, …] → [∏ before the axis, ∏ from it on]
  Flatten: (application) => {
    const x = inputAt(application, 0);
    if (x.shape === undefined) return [typed(x, [null, null])];
    const rank = x.shape.length;
    const { axis } = application.attributes;
    const split = axis === rank ? rank : normalizeAxis(axis, rank);
    return [typed(x, [productOf(x.shape.slice(0, split)), productOf(x.shape.slice(split))])];
  },
  Pad: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, x.shape && paddedShape(x.shape, application, known))];
  },
  Range: (application, known) => {
    const [start, limit, delta] = [0, 1, 2].map((index) => known.elementsOf(inputAt(application, index))?.[0]);
    return [typed(inputAt(application, 0), [rangeLength(start, limit, delta)])];
  },
  Reshape: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, reshapedShape(x.shape, application, known))];
  },
  ReverseSequence: (application) => {
    expectRank(inputAt(application, 0), "ReverseSequence's input", 2, Number.POSITIVE_INFINITY);
    return sameAsInput(application);
  },
  Shape: (application) => {
    const { shape } = inputAt(application, 0);
    if (shape === undefined) return [{ dtype: "int64", shape: [null] }];
    const [start, end] = shapeRange(shape.length, application.attributes);
    return [{ dtype: "int64", shape: [Math.max(end - start, 0)] }];
  },
  Size: () => [{ dtype: "int64", shape: [] }],
  Slice: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, x.shape && slicedShape(x.shape, application, known))];
  },
  // [N, C, H, W] → [N, C·b², H / b, W / b]
  SpaceToDepth: (application) => {
    const x = inputAt(application, 0);
    const { blocksize } = application.attributes;
    const [n, c, h, w] = expectRank(x, "SpaceToDepth's input", 4) ?? [];
    return [typed(x, [n ?? null, times(c, blocksize ** 2), divided(h, blocksize), divided(w, blocksize)])];
  },
  Split: (application, known) => {
    const x = inputAt(application, 0);
    const count = application.outputs.length;
    const { shape } = x;
    if (shape === undefined) return Array.from({ length: count }, () => typed(x, undefined));
    const along = normalizeAxis(application.attributes.axis, shape.length);
    return splitSizes(shape[along] ?? null, application, known).map((size) =>
      typed(x, replaceAxis(shape, along, size)),
    );
  },
  Squeeze: (application, known) => {
    const x = inputAt(application, 0);
    return [typed(x, x.shape && squeezedShape(x.shape, application, known))];
  },
  Tile: (application, known) => {
    const x = inputAt(application, 0);
    const repeats = shapeFrom(application.inputs[1], known);
    if (x.shape === undefined) return [typed(x, repeats && unknownOfRank(repeats.length))];
    expectLength(repeats, x.shape.length, "Tile's repeats");
    return [
      typed(
        x,
        x.shape.map((size, axis) => multiplyDimensions(size, repeats?.[axis] ?? null)),
      ),
    ];
  },
  Transpose: (application) => {
    const x = inputAt(application, 0);
    const { perm } = application.attributes;
    const { shape } = x;
    if (shape === undefined) return [typed(x, perm && unknownOfRank(perm.length))];
    const order = perm ?? [...shape.keys()].reverse();
    if (order.length !== shape.length || shape.some((_, axis) => !order.includes(axis))) {
      throw new GraftError("model-invalid", "perm is no permutation of the axes", {
        expected: `the axes 0 to ${shape.length - 1}, each once`,
        actual: `[${order.join(", ")}]`,
      });
    }
    return [
      typed(
        x,
        order.map((axis) => shape[axis] ?? null),
      ),
    ];
  },
  Trilu: (application) => {
    expectRank(inputAt(application, 0), "Trilu's input", 2, Number.POSITIVE_INFINITY);
    return sameAsInput(application);
  },
  Unsqueeze: (application, known) => {
    const x = inputAt(application, 0);
    const axes = integersOf(application.inputs[1], known);
    const count = lengthOf(application.inputs[1], known);
    if (x.shape === undefined || count === undefined) return [typed(x, undefined)];
    const rank = x.shape.length + count;
    if (axes === undefined) return [typed(x, unknownOfRank(rank))];
    const added = axesWithin(axes, rank);
    const rest = x.shape.values();
    return [
      typed(
        x,
        Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : (rest.next().value ?? null))),
      ),
    ];
  },
};

/** Normalized, each at most once. */
function axesWithin(axes: readonly number[], rank: number): readonly number[] {
  const normal = axes.map((axis) => normalizeAxis(axis, rank));
  if (new Set(normal).size === normal.length) return normal;
  throw new GraftError("model-invalid", "an axis is named twice", { actual: `[${axes.join(", ")}]` });
}

/** The slice of the axes that Shape writes: `end` is not included. */
export function shapeRange(rank: number, { start, end }: MovementOperators["Shape"]): readonly [number, number] {
  const clamp = (axis: number) => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  return [clamp(start), clamp(end ?? rank)];
}

/** max(⌈(limit − start) / delta⌉, 0) */
function rangeLength(
  start: Dimension | undefined,
  limit: Dimension | undefined,
  delta: Dimension | undefined,
): Dimension {
  if (start === 0 && delta === 1 && typeof limit === "string") return limit;
  if (typeof start !== "number" || typeof limit !== "number" || typeof delta !== "number") return null;
  if (delta === 0) throw new GraftError("model-invalid", "a Range needs a step other than 0");
  return Math.max(Math.ceil((limit - start) / delta), 0);
}

function paddedShape(shape: Shape, application: Application<"Pad">, known: Known): Shape {
  const axesInput = application.inputs[3];
  const given = axesInput === undefined ? [...shape.keys()] : integersOf(axesInput, known);
  if (given === undefined) return unknownOfRank(shape.length);
  const axes = axesWithin(given, shape.length);
  const pads = known.elementsOf(application.inputs[1]);
  expectLength(pads, 2 * axes.length, "pads");
  return shape.map((size, axis) => {
    const position = axes.indexOf(axis);
    if (position < 0) return size;
    const begin = pads?.[position] ?? null;
    const end = pads?.[position + axes.length] ?? null;
    const padded = addDimensions(size, addDimensions(begin, end));
    if (typeof padded !== "number" || padded >= 0) return padded;
    throw new GraftError("model-invalid", "the padding cuts away more than there is", {
      expected: `at most ${size} in all`,
      actual: `${begin} and ${end}`,
    });
  });
}

/** Given sizes, or equal parts of which the last is smaller where they do not come out even. */
function splitSizes(size: Dimension, application: Application<"Split">, known: Known): readonly Dimension[] {
  const count = application.outputs.length;
  if (application.inputs[1] !== undefined) {
    const parts = shapeFrom(application.inputs[1], known) ?? unknownOfRank(count);
    expectLength(parts, count, "split");
    const total = parts.reduce(addDimensions, 0);
    unify(size, total, "the axis's size and the sum of its parts");
    return parts;
  }
  const { numOutputs } = application.attributes;
  if (numOutputs !== undefined && numOutputs !== count) {
    throw new GraftError("model-invalid", "Split has the wrong number of outputs", {
      expected: `num_outputs ${numOutputs}`,
      actual: `${count}`,
    });
  }
  if (count === 1) return [size];
  if (typeof size !== "number") return unknownOfRank(count);
  const part = Math.ceil(size / count);
  return Array.from({ length: count }, (_, index) => Math.max(Math.min(part, size - index * part), 0));
}

function squeezedShape(shape: Shape, application: Application<"Squeeze">, known: Known): Shape | undefined {
  if (application.inputs[1] === undefined) {
    return shape.every((size) => typeof size === "number") ? shape.filter((size) => size !== 1) : undefined;
  }
  const axes = integersOf(application.inputs[1], known);
  if (axes === undefined) {
    const count = lengthOf(application.inputs[1], known);
    return count === undefined ? undefined : unknownOfRank(Math.max(shape.length - count, 0));
  }
  const squeezed = axesWithin(axes, shape.length);
  for (const axis of squeezed) unify(1, shape[axis], `the size of squeezed axis ${axis}`);
  return shape.filter((_, axis) => !squeezed.includes(axis));
}

function times(size: Dimension | undefined, factor: number): Dimension {
  return multiplyDimensions(size ?? null, factor);
}

function divided(size: Dimension | undefined, factor: number): Dimension {
  if (factor >= 1 && (typeof size !== "number" || size % factor === 0)) {
    return typeof size === "number" ? size / factor : factor === 1 ? (size ?? null) : null;
  }
  throw new GraftError("model-invalid", "the blocks do not divide the size", {
    expected: `a multiple of ${factor}`,
    actual: String(size),
  });
}
