/** @file Small arrays whose elements are known while inferring: the values that shape arithmetic passes around. */
import type { Value } from "../graph/index.ts";
import {
  type Dimension,
  type DType,
  isReadable,
  isStatic,
  numbersOf,
  type Shape,
  stridesOf,
  type Tensor,
} from "../tensor/index.ts";
import type { Known } from "./rule.ts";

/** Elements, row-major: each a number (booleans 0 and 1), the name of a size (so never negative), or `null`. */
export interface KnownArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly Dimension[];
}

/** Larger arrays are not followed: no tensor has as many axes, and no shape is computed from as many numbers. */
export const mostElements = 1024;

/** The array a constant holds; `undefined` when it is too large or holds no ordinary numbers. */
export function arrayOfTensor(tensor: Tensor): KnownArray | undefined {
  if (tensor.data.length > mostElements || !isReadable(tensor.dtype)) return undefined;
  const numbers = numbersOf(tensor);
  const isExact = exactness[tensor.dtype];
  return {
    dtype: tensor.dtype,
    shape: tensor.shape,
    values: isExact ? numbers.map((each) => (isExact(each) ? each : null)) : numbers,
  };
}

/** 64-bit integers that a double holds without loss. Largest and smallest int64 ("to the end") count: they come back as such. */
const exactness: { readonly [D in DType]?: (value: number) => boolean } = {
  int64: (value) => Number.isSafeInteger(value) || Math.abs(value) === 2 ** 63,
  uint64: Number.isSafeInteger,
};

/** The array of as many elements as `shape` asks for; `undefined` when that is too many or not known. */
export function filled(dtype: DType, shape: Shape, value: (index: number) => Dimension): KnownArray | undefined {
  if (!isStatic(shape)) return undefined;
  const count = shape.reduce((product, size) => product * size, 1);
  if (!(count <= mostElements)) return undefined;
  return { dtype, shape, values: Array.from({ length: count }, (_, index) => value(index)) };
}

export function vector(values: readonly Dimension[], dtype: DType = "int64"): KnownArray | undefined {
  return values.length > mostElements ? undefined : { dtype, shape: [values.length], values };
}

/**
 * The array of `shape` whose element at (i₀, i₁, …) is the source's at offset + Σ iₖ·strideₖ: transposes, slices,
 * broadcasts and tiles are all of this form.
 */
export function strided(
  source: KnownArray,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): KnownArray | undefined {
  const own = stridesOf(shape);
  return filled(source.dtype, shape, (index) => {
    const place = shape.reduce(
      (sum, size, axis) => sum + (Math.floor(index / (own[axis] ?? 1)) % size) * (strides[axis] ?? 0),
      offset,
    );
    return source.values[place] ?? null;
  });
}

/** The source broadcast to a shape of at least its rank: axes of size 1 repeat. */
export function broadcastTo(source: KnownArray, shape: readonly number[]): KnownArray | undefined {
  const added = shape.length - source.shape.length;
  const own = stridesOf(source.shape);
  const strides = shape.map((_, axis) => (source.shape[axis - added] === 1 ? 0 : (own[axis - added] ?? 0)));
  return strided(source, shape, strides);
}

/** The same elements in another shape. */
export function reshaped(source: KnownArray, shape: Shape | undefined): KnownArray | undefined {
  if (!isStatic(shape) || shape.reduce((product, size) => product * size, 1) !== source.values.length) return undefined;
  return { ...source, shape };
}

/** The arrays of all inputs; `undefined` when one is not known or left out. */
export function arraysOf(inputs: readonly (Value | undefined)[], known: Known): readonly KnownArray[] | undefined {
  const arrays: KnownArray[] = [];
  for (const input of inputs) {
    const array = known.arrayOf(input);
    if (array === undefined) return undefined;
    arrays.push(array);
  }
  return arrays;
}
