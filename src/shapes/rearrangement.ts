/** @file Shape arithmetic that moves elements: joining, cutting, reshaping and gathering small arrays. */
import type { MovementOperators } from "../graph/index.ts";
import { type Dimension, isReadable, isStatic, normalizeAxis, numbersOf, stridesOf } from "../tensor/index.ts";
import { arraysOf, broadcastTo, filled, type KnownArray, reshaped, strided, vector } from "./arrays.ts";
import { broadcastShapes } from "./broadcast.ts";
import { productOf } from "./dimension.ts";
import type { ElementRule, ElementRules } from "./elements.ts";
import { movementShapes, shapeRange } from "./movement.ts";
import { boundsOf, clampSlice } from "./slice.ts";

/** The same elements in the shape that the operator's shape rule gives. */
function reshaping<K extends "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze">(operator: K): ElementRule<K> {
  return (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    return [x && reshaped(x, movementShapes[operator](node, known)[0]?.shape)];
  };
}

export const rearrangement: ElementRules<MovementOperators> = {
  Concat: (node, known) => {
    const inputs = arraysOf(node.inputs, known);
    return [inputs && joined(inputs, node.attributes.axis)];
  },
  ConstantOfShape: (node, known) => {
    const sizes = known.elementsOf(node.inputs[0]);
    const { value } = node.attributes;
    if (sizes === undefined || (value !== undefined && !isReadable(value.dtype))) return [];
    const [fill = 0] = value === undefined ? [] : numbersOf(value);
    return [filled(value?.dtype ?? "float32", sizes, () => fill)];
  },
  Expand: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    const target = known.elementsOf(node.inputs[1]);
    if (x === undefined || target === undefined) return [];
    const shape = broadcastShapes([x.shape, target]);
    return [isStatic(shape) ? broadcastTo(x, shape) : undefined];
  },
  Flatten: reshaping("Flatten"),
  Gather: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    const indices = known.arrayOf(node.inputs[1]);
    return [x && indices && gathered(x, indices, node.attributes.axis)];
  },
  NonZero: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    if (x === undefined || !x.values.every((value) => typeof value === "number")) return [];
    const places = [...x.values.keys()].filter((place) => x.values[place] !== 0);
    const strides = stridesOf(x.shape);
    const count = places.length;
    return [
      filled("int64", [x.shape.length, count], (index) => {
        const axis = Math.floor(index / count);
        return Math.floor((places[index % count] ?? 0) / (strides[axis] ?? 1)) % (x.shape[axis] ?? 1);
      }),
    ];
  },
  Range: (node, known) => {
    const [start, , delta] = node.inputs.map((input) => known.elementsOf(input)?.[0]);
    const dtype = node.inputs[0]?.dtype ?? known.arrayOf(node.inputs[0])?.dtype;
    const shape = movementShapes.Range(node, known)[0]?.shape;
    if (typeof start !== "number" || typeof delta !== "number" || dtype === undefined || shape === undefined) return [];
    return [filled(dtype, shape, (index) => start + index * delta)];
  },
  Reshape: reshaping("Reshape"),
  ScatterElements: (node, known) => {
    const [x, indices, updates] = arraysOf(node.inputs, known) ?? [];
    if (x?.shape.length !== 1 || node.attributes.reduction !== "none") return [];
    return [scattered(x, indices?.values, updates?.values)];
  },
  ScatterND: (node, known) => {
    const [x, indices, updates] = arraysOf(node.inputs, known) ?? [];
    if (x?.shape.length !== 1 || indices?.shape.at(-1) !== 1 || node.attributes.reduction !== "none") return [];
    return [scattered(x, indices.values, updates?.values)];
  },
  Shape: (node) => {
    const shape = node.inputs[0]?.shape;
    return [shape && vector(shape.slice(...shapeRange(shape.length, node.attributes)))];
  },
  Size: (node) => {
    const shape = node.inputs[0]?.shape;
    return [shape && { dtype: "int64", shape: [], values: [productOf(shape)] }];
  },
  Slice: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    const bounds = x && boundsOf(x.shape.length, node, known);
    if (x === undefined || bounds === undefined) return [];
    const shape = [...x.shape];
    const strides = stridesOf(x.shape);
    let offset = 0;
    for (const [index, axis] of bounds.axes.entries()) {
      const [start, end, step] = [bounds.starts[index], bounds.ends[index], bounds.steps[index]];
      if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number") return [];
      const slice = clampSlice(x.shape[axis] ?? 0, start, end, step);
      offset += slice.start * (strides[axis] ?? 0);
      shape[axis] = slice.count;
      strides[axis] = (strides[axis] ?? 0) * slice.step;
    }
    return [strided(x, shape, strides, offset)];
  },
  Split: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    if (x === undefined) return [];
    const axis = normalizeAxis(node.attributes.axis, x.shape.length);
    const strides = stridesOf(x.shape);
    let begin = 0;
    return movementShapes.Split({ ...node, inputs: [typedAs(x), node.inputs[1]] }, known).map(({ shape }) => {
      if (!isStatic(shape)) return undefined;
      const part = strided(x, shape, strides, begin * (strides[axis] ?? 0));
      begin += shape[axis] ?? 0;
      return part;
    });
  },
  Squeeze: reshaping("Squeeze"),
  // Every axis becomes a pair, of which the first repeats: strides (0, own).
  Tile: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    const repeats = known.elementsOf(node.inputs[1]);
    if (x === undefined || !isStatic(repeats) || repeats.length !== x.shape.length) return [];
    const own = stridesOf(x.shape);
    const pairs = x.shape.flatMap((size, axis) => [repeats[axis] ?? 1, size]);
    const tiled = strided(
      x,
      pairs,
      own.flatMap((stride) => [0, stride]),
    );
    return [
      tiled &&
        reshaped(
          tiled,
          x.shape.map((size, axis) => size * (repeats[axis] ?? 1)),
        ),
    ];
  },
  Transpose: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    return [x && transposed(x, node.attributes.perm ?? [...x.shape.keys()].reverse())];
  },
  Unsqueeze: reshaping("Unsqueeze"),
};

export function transposed(x: KnownArray, perm: readonly number[]): KnownArray | undefined {
  const strides = stridesOf(x.shape);
  return strided(
    x,
    perm.map((axis) => x.shape[axis] ?? 1),
    perm.map((axis) => strides[axis] ?? 0),
  );
}

function typedAs(x: KnownArray) {
  return { name: "", dtype: x.dtype, shape: x.shape };
}

/** Before the axis, rows; from it on, one run of each input after the other. */
function joined(inputs: readonly KnownArray[], axis: number): KnownArray | undefined {
  const [first] = inputs;
  if (first === undefined) return undefined;
  const along = normalizeAxis(axis, first.shape.length);
  const rows = first.shape.slice(0, along).reduce((product, size) => product * size, 1);
  const total = inputs.reduce((sum, input) => sum + (input.shape[along] ?? 0), 0);
  const values: Dimension[] = [];
  for (let row = 0; row < rows; row++) {
    for (const { values: all } of inputs) {
      const run = all.length / rows;
      values.push(...all.slice(row * run, (row + 1) * run));
    }
  }
  const shape = first.shape.map((size, index) => (index === along ? total : size));
  return filled(first.dtype, shape, (index) => values[index] ?? null);
}

function gathered(x: KnownArray, indices: KnownArray, axis: number): KnownArray | undefined {
  const along = normalizeAxis(axis, x.shape.length);
  const size = x.shape[along] ?? 0;
  const inner = x.shape.slice(along + 1).reduce((product, each) => product * each, 1);
  const count = indices.values.length;
  return filled(x.dtype, [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)], (place) => {
    const index = indices.values[Math.floor(place / inner) % count];
    if (typeof index !== "number") return null;
    const outer = Math.floor(place / (inner * count));
    return x.values[(outer * size + (index < 0 ? index + size : index)) * inner + (place % inner)] ?? null;
  });
}

/** A vector with some elements replaced. An unknown place could be any. */
function scattered(
  x: KnownArray,
  indices: readonly Dimension[] | undefined,
  updates: readonly Dimension[] | undefined,
): KnownArray | undefined {
  if (indices === undefined || updates === undefined || !isStatic(indices)) return undefined;
  const values = [...x.values];
  for (const [position, index] of indices.entries()) {
    const place = index < 0 ? index + values.length : index;
    if (place >= 0 && place < values.length) values[place] = updates[position] ?? null;
  }
  return { ...x, values };
}

/** What the reductions of shape arithmetic need: every group of elements that is reduced to one. */
export function groupsAlong(x: KnownArray, axes: readonly number[]): readonly (readonly Dimension[])[] | undefined {
  const reduced = new Set(axes.map((axis) => normalizeAxis(axis, x.shape.length)));
  const all = [...x.shape.keys()];
  const kept = all.filter((axis) => !reduced.has(axis));
  const ordered = transposed(x, [...kept, ...all.filter((axis) => reduced.has(axis))]);
  const count = kept.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1);
  const run = x.values.length / Math.max(count, 1);
  return ordered && Array.from({ length: count }, (_, row) => ordered.values.slice(row * run, (row + 1) * run));
}
