/** @file Comparing results with what they should be. */
import { areEqualShapes, isFloating, numbersOf, showShape, type Tensor } from "../tensor/index.ts";

/**
 * The largest difference between two tensors, relative to the largest element expected (the difference itself where all
 * of them are 0). Infinite where shapes differ, or where one is not finite and the other is not the same.
 */
export function deviation(actual: Tensor, expected: Tensor): number {
  if (!areEqualShapes(actual.shape, expected.shape)) return Number.POSITIVE_INFINITY;
  const [found, wanted] = [numbersOf(actual), numbersOf(expected)];
  let [difference, largest] = [0, 0];
  for (const [index, number] of wanted.entries()) {
    const other = found[index] ?? Number.NaN;
    if (Object.is(other, number)) continue;
    difference = Math.max(difference, Number.isFinite(other - number) ? Math.abs(other - number) : Infinity);
  }
  for (const number of wanted) if (Number.isFinite(number)) largest = Math.max(largest, Math.abs(number));
  return largest === 0 ? difference : difference / largest;
}

/** Throws, naming `what`, unless the tensors agree within a tolerance relative to the largest element. */
export function expectClose(actual: Tensor | undefined, expected: Tensor, tolerance: number, what: string): void {
  if (actual === undefined) throw new Error(`${what} is missing`);
  const apart = deviation(actual, expected);
  if (apart <= tolerance) return;
  const show = ({ dtype, shape, data }: Tensor) =>
    `${dtype}${showShape(shape)} ${beginning({ dtype, shape, data } as Tensor)}`;
  throw new Error(
    `${what} is ${apart.toExponential(2)} away, more than ${tolerance}:\n  found    ${show(actual)}\n  expected ${show(expected)}`,
  );
}

function beginning(tensor: Tensor): string {
  const numbers = numbersOf(tensor).slice(0, 8);
  return numbers.map((number) => (isFloating(tensor.dtype) ? Number(number.toPrecision(6)) : number)).join(" ");
}
