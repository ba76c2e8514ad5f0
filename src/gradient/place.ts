/** @file The adjoints of picking: what was read at positions along an axis is written back there, over zeros. */
import { type Builder, numericTypeOf, type Value } from "../graph/index.ts";
import { elementCount, GraftError, tensorOf } from "../tensor/index.ts";
import { rankOf } from "./rule.ts";
import { filled, range, reshapeTo, type Size, sizesOf, sizeVector } from "./sizes.ts";

/** x = 0 but for x[positions[i]] += y[i] along `axis`, on which x has `size` elements. Positions lie in `[0, size)`. */
export function putAlong(build: Builder, y: Value, axis: number, positions: readonly number[], size: number): Value {
  const first = positions[0] ?? 0;
  const isRun = positions.every((position, index) => position === first + index);
  if (isRun && positions.length === size) return y;
  if (isRun && positions.length > 0)
    return padAxes(build, y, [{ axis, begin: first, end: size - first - positions.length }]);
  if (new Set(positions).size < positions.length) return addAlong(build, y, axis, positions, size);
  // Every element is read from where it was written, or from a zero behind the last.
  const sources = new Array<number>(size).fill(positions.length);
  for (const [index, position] of positions.entries()) sources[position] = index;
  return build.gather(padAxes(build, y, [{ axis, begin: 0, end: 1 }]), build.ints(sources), axis);
}

/** The same for positions `[count]` known only at run time, no two of them equal; they may count from the end. */
export function putAtRuntime(build: Builder, y: Value, axis: number, positions: Value, size: Size): Value {
  const count = build.sizeOf(y, axis);
  const nowhere = build.expand(count, sizeVector(build, [size]));
  const sources = build.apply("ScatterElements", [nowhere, positions, upTo(build, { of: y, axis })]);
  return build.gather(padAxes(build, y, [{ axis, begin: 0, end: 1 }]), sources, axis);
}

/** The largest matrix that places elements by multiplication. */
const largestMatrix = 2 ** 16;

/** x = 0 but for x[positions[i]] += y[i] along `axis`: positions may repeat and count from the end. */
export function addAlong(
  build: Builder,
  y: Value,
  axis: number,
  positions: Value | readonly number[],
  size: Size,
): Value {
  if (!("name" in positions)) {
    if (typeof size === "number" && size * positions.length <= largestMatrix) {
      return multiplyAlong(
        build,
        y,
        axis,
        positions.map((position) => new Map([[position, 1]])),
        size,
      );
    }
    return addAlong(build, y, axis, build.ints(positions), size);
  }
  // ScatterND would read fewer indices, but ONNX Runtime loses some of its additions when threads write one place.
  const zeros = filled(build, [...sizesOf(y, 0, axis), size, ...sizesOf(y, axis + 1)], 0, y);
  const column = range(rankOf(y)).map((each) => (each === axis ? -1 : 1));
  const indices = build.expand(build.reshape(positions, column), build.shapeOf(y));
  return build.apply("ScatterElements", [zeros, indices, y], { axis, reduction: "add" });
}

/** A matrix by its rows, each with the columns that are not 0. */
export type SparseMatrix = readonly ReadonlyMap<number, number>[];

/** x[…, j, …] = Σᵢ y[…, i, …]·matrix[i][j] along `axis`, for a matrix with `columns` columns. */
export function multiplyAlong(build: Builder, y: Value, axis: number, matrix: SparseMatrix, columns: number): Value {
  const rank = rankOf(y);
  if (columns * matrix.length > 2 ** 26) {
    throw new GraftError("out-of-resources", "the axis is too long for a matrix of its weights", {
      expected: "at most 2^26 weights",
      actual: `${matrix.length}·${columns}`,
    });
  }
  const dense = (rows: number, width: number, at: (row: number, column: number) => number | undefined) =>
    build.constant(
      tensorOf(
        numericTypeOf(y),
        [rows, width],
        range(elementCount([rows, width])).map((index) => at(Math.floor(index / width), index % width) ?? 0),
      ),
    );
  if (axis === rank - 2) {
    return build.matMul(
      dense(columns, matrix.length, (row, column) => matrix[column]?.get(row)),
      y,
    );
  }
  const multiplied = (last: Value) =>
    build.matMul(
      last,
      dense(matrix.length, columns, (row, column) => matrix[row]?.get(column)),
    );
  if (axis === rank - 1) return multiplied(y);
  const swap = range(rank).map((each) => (each === axis ? rank - 1 : each === rank - 1 ? axis : each));
  return build.transpose(multiplied(build.transpose(y, swap)), swap);
}

/** Zeros before and after along some axes; negative numbers cut. */
export function padAxes(
  build: Builder,
  value: Value,
  paddings: readonly { readonly axis: number; readonly begin: number; readonly end: number }[],
): Value {
  const needed = paddings.filter(({ begin, end }) => begin !== 0 || end !== 0);
  if (needed.length === 0) return value;
  const pads = new Array<number>(2 * rankOf(value)).fill(0);
  for (const { axis, begin, end } of needed) {
    pads[axis] = begin;
    pads[axis + rankOf(value)] = end;
  }
  return build.apply("Pad", [value, build.ints(pads), build.scalar(0, value)]);
}

/** 0, 1, … below a size, as an int64 vector. */
export function upTo(build: Builder, size: Size): Value {
  if (typeof size === "number") return build.ints(range(size));
  const known = size.of.shape?.[size.axis];
  if (typeof known === "number") return build.ints(range(known));
  const scalar = (number: number) => build.constant(tensorOf("int64", [], [number]));
  return build.apply("Range", [scalar(0), build.squeeze(build.sizeOf(size.of, size.axis), [0]), scalar(1)]);
}

/** The size of an axis: a number where it is known. */
export function sizeAt(value: Value, axis: number): Size {
  return sizesOf(value, axis, axis + 1)[0] ?? { of: value, axis };
}

/** All axes as one. */
export function flattened(build: Builder, value: Value): Value {
  return rankOf(value) === 1 ? value : reshapeTo(build, value, [-1]);
}
