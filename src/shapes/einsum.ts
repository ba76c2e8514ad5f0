/** @file Einstein summation: the parsed equation, shared with its derivative, and the shape it gives. */
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";
import { broadcastShapes } from "./broadcast.ts";
import { unify } from "./rule.ts";

/** An index of an operand: a letter, or `...` for the axes broadcast along. */
export type EinsumIndex = string;

/** `"bij,bjk->bik"`, taken apart. */
export interface EinsumEquation {
  /** The indices of each operand, `"..."` at most once in each. */
  readonly operands: readonly (readonly EinsumIndex[])[];
  /** The indices of the result; where the equation leaves it out: `...`, then letters that occur once, in order. */
  readonly result: readonly EinsumIndex[];
}

export const ellipsis = "...";

/** Takes an equation apart. Throws "model-invalid" on a syntax error (onnx/docs/Operators.md, Einsum). */
export function parseEinsum(equation: string): EinsumEquation {
  const [left = "", right, ...more] = equation.replaceAll(/\s/g, "").split("->");
  if (more.length > 0) throw invalid("an einsum equation has one arrow at most", equation);
  const operands = left.split(",").map((term) => parseTerm(term, equation));
  const result = right === undefined ? implicitResult(operands) : parseTerm(right, equation);
  const known = new Set(operands.flat());
  if (new Set(result).size < result.length) throw invalid("the result repeats an index", equation);
  // An ellipsis that no operand has stands for no axes at all.
  const unknown = result.find((index) => index !== ellipsis && !known.has(index));
  if (unknown !== undefined) throw invalid(`the result's index "${unknown}" is in no operand`, equation);
  return { operands, result };
}

function parseTerm(term: string, equation: string): readonly EinsumIndex[] {
  const indices: readonly string[] = term.match(/\.\.\.|[a-zA-Z]/g) ?? [];
  if (indices.join("") !== term || indices.indexOf(ellipsis) !== indices.lastIndexOf(ellipsis)) {
    throw invalid("an einsum term is letters and at most one ellipsis", equation);
  }
  return indices;
}

function implicitResult(operands: readonly (readonly EinsumIndex[])[]): readonly EinsumIndex[] {
  const all = operands.flat();
  const once = [...new Set(all)].filter((index) => index !== ellipsis && all.indexOf(index) === all.lastIndexOf(index));
  return [...(all.includes(ellipsis) ? [ellipsis] : []), ...once.sort()];
}

/** The shape of an Einsum; `undefined` where an ellipsis stands for a number of axes that cannot be told. */
export function einsumShape(equation: string, shapes: readonly (Shape | undefined)[]): Shape | undefined {
  const { operands, result } = parseEinsum(equation);
  if (operands.length !== shapes.length) {
    throw new GraftError("model-invalid", "the equation does not fit the inputs", {
      expected: `${operands.length} inputs for "${equation}"`,
      actual: `${shapes.length}`,
    });
  }
  const sizes = new Map<EinsumIndex, Dimension>();
  const broadcast: (Shape | undefined)[] = [];
  for (const [position, indices] of operands.entries()) {
    const shape = shapes[position];
    const start = indices.indexOf(ellipsis);
    if (shape === undefined) {
      if (start >= 0) broadcast.push(undefined);
      continue;
    }
    const extra = shape.length - (indices.length - (start < 0 ? 0 : 1));
    if (extra < 0 || (start < 0 && extra > 0)) {
      throw new GraftError("model-invalid", "an operand's rank does not fit its term", {
        expected: `the axes "${indices.join("")}" of "${equation}"`,
        actual: showShape(shape),
      });
    }
    if (start >= 0) broadcast.push(shape.slice(start, start + extra));
    const letters = start < 0 ? shape : [...shape.slice(0, start), ...shape.slice(start + extra)];
    for (const [axis, index] of indices.filter((each) => each !== ellipsis).entries()) {
      // An index of size 1 broadcasts, as NumPy and ONNX Runtime allow.
      const [old, size] = [sizes.get(index), letters[axis] ?? null];
      sizes.set(
        index,
        old === 1 ? size : size === 1 ? (old ?? size) : unify(old, size, `the sizes of "${index}" in "${equation}"`),
      );
    }
  }
  const middle = broadcastShapes(broadcast);
  if (result.includes(ellipsis) && middle === undefined) return undefined;
  return result.flatMap((index) => (index === ellipsis ? (middle ?? []) : [sizes.get(index) ?? null]));
}

function invalid(reason: string, equation: string): GraftError {
  return new GraftError("model-invalid", reason, { actual: `"${equation}"` });
}
