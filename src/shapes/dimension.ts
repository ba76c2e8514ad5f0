/** @file Arithmetic of sizes that may be names or unknown: exact where it can be told, `null` elsewhere. */
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";

/** a + b. */
export function addDimensions(a: Dimension, b: Dimension): Dimension {
  if (typeof a === "number" && typeof b === "number") return safe(a + b);
  if (a === 0) return b;
  if (b === 0) return a;
  return null;
}

/** a · b. */
export function multiplyDimensions(a: Dimension, b: Dimension): Dimension {
  if (typeof a === "number" && typeof b === "number") return safe(a * b);
  if (a === 1) return b;
  if (b === 1) return a;
  if (a === 0 || b === 0) return 0;
  return null;
}

export function productOf(shape: Shape): Dimension {
  return shape.reduce<Dimension>(multiplyDimensions, 1);
}

/**
 * The one size d with d · ∏ rest = ∏ whole, where numbers divide and names cancel; `null` when it cannot be told.
 * Throws when the numbers do not divide.
 */
export function quotientOf(whole: Shape, rest: Shape): Dimension {
  const [wholeNumber, wholeNames] = factor(whole);
  const [restNumber, restNames] = factor(rest);
  if (wholeNames === undefined || restNames === undefined) return null;
  for (const name of restNames) {
    const position = wholeNames.indexOf(name);
    if (position < 0) return null;
    wholeNames.splice(position, 1);
  }
  if (restNumber === 0) return null;
  if (wholeNames.length === 0) {
    if (wholeNumber % restNumber === 0) return safe(wholeNumber / restNumber);
    // A cancelled name may be a zero at run time, but then no element is left to place.
    throw new GraftError("model-invalid", "the elements do not fill the shape", {
      expected: `a multiple of ${showShape(rest)}`,
      actual: showShape(whole),
    });
  }
  const [name] = wholeNames;
  return wholeNames.length === 1 && name !== undefined && wholeNumber === restNumber ? name : null;
}

/** The product of the numbers, and the names; no names when some size is unknown. */
function factor(shape: Shape): [number, string[] | undefined] {
  const numbers = shape.filter((size) => typeof size === "number").reduce((product, size) => product * size, 1);
  return [numbers, shape.includes(null) ? undefined : shape.filter((size) => typeof size === "string")];
}

function safe(size: number): number {
  if (Number.isSafeInteger(size)) return size;
  throw new GraftError("out-of-resources", "a size overflows", { expected: "a size below 2^53", actual: String(size) });
}
