/** @file The derivative of Einsum, which is Einsum again with one operand and the output swapped. */
import type { Builder, Value } from "../graph/index.ts";
import { type EinsumIndex, ellipsis, parseEinsum } from "../shapes/index.ts";
import { areEqualDimensions, type Dimension, GraftError } from "../tensor/index.ts";
import { sumToShapeOf } from "./broadcast.ts";
import { type Gradient, inputAt, rankOf, type Step } from "./rule.ts";

/** An operand, or dy, with a letter for each axis that is longer than 1: the others only broadcast. */
interface Term {
  readonly value: Value;
  readonly letters: string;
  /** The axes without letters. */
  readonly dropped: readonly number[];
}

/**
 * y = Σ Π operands: the gradient of one operand is dy times the other operands, summed over every letter that it does
 * not have itself. In the equation, operand and output change places:
 * ```
 * y = Einsum("ij,jk->ik", a, b):  da = Einsum("jk,ik->ij", b, dy)
 * ```
 * A letter that no other term has was summed away alone: a vector of ones brings it back. A letter that an operand has
 * twice names its diagonal: the gradient lies on the diagonal, where an identity matrix puts it.
 */
export function einsumGradients({ build: b, attributes, inputs, dy }: Step<"Einsum">): readonly Gradient[] {
  const operands = inputs.map((_, index) => inputAt({ inputs }, index));
  const { terms, output } = spelled(attributes.equation, operands.map(rankOf));
  const all = operands.map((operand, index) => termOf(b, operand, terms[index] ?? ""));
  return all.map((own) => () => {
    const factors = [...all.filter((term) => term !== own), termOf(b, dy, output)];
    const letterOf = freshLetters(terms.join("") + output);
    let result = "";
    for (const [axis, letter] of [...own.letters].entries()) {
      const size = b.sizeOf(own.value, axis);
      if (result.includes(letter)) {
        const twin = letterOf();
        factors.push({ value: identity(b, size, dy), letters: letter + twin, dropped: [] });
        result += twin;
      } else {
        const isSupplied = factors.some((term) => supplies(term, letter, own.value.shape?.[axis]));
        if (!isSupplied) factors.push({ value: b.expand(b.scalar(1, dy), size), letters: letter, dropped: [] });
        result += letter;
      }
    }
    const equation = `${factors.map(({ letters }) => letters).join(",")}->${result}`;
    const values = factors.map(({ value }) => value);
    return b.unsqueeze(sumToShapeOf(b, b.apply("Einsum", values, { equation }), own.value), own.dropped);
  });
}

function termOf(b: Builder, value: Value, letters: string): Term {
  const dropped = (value.shape ?? []).flatMap((size, axis) => (size === 1 ? [axis] : []));
  const kept = [...letters].filter((_, axis) => !dropped.includes(axis)).join("");
  return { value: b.squeeze(value, dropped), letters: kept, dropped };
}

/** Whether the term certainly has the letter in this size, so that the result needs no repeating. */
function supplies({ letters, value }: Term, letter: string, size: Dimension | undefined): boolean {
  return [...letters].some((other, axis) => other === letter && areEqualDimensions(size, value.shape?.[axis]));
}

/** The identity matrix. */
function identity(b: Builder, size: Value, like: Value): Value {
  const square = b.expand(b.scalar(1, like), b.concat([size, size], 0));
  return b.apply("EyeLike", [square]);
}

/** Every term in letters alone: the axes of an ellipsis get letters too, counted from the right, as they broadcast. */
function spelled(equation: string, ranks: readonly number[]): { terms: readonly string[]; output: string } {
  const { operands, result } = parseEinsum(equation);
  const spans = operands.map((term, index) => (ranks[index] ?? 0) - term.filter((each) => each !== ellipsis).length);
  const letterOf = freshLetters(equation);
  const longest = Math.max(0, ...spans);
  const letters = Array.from({ length: longest }, letterOf).join("");
  const spell = (term: readonly EinsumIndex[], span: number) =>
    term.map((each) => (each === ellipsis ? letters.slice(longest - span) : each)).join("");
  return { terms: operands.map((term, index) => spell(term, spans[index] ?? 0)), output: spell(result, longest) };
}

/** Letters that do not occur in `used`, one after the other. */
function freshLetters(used: string): () => string {
  const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter(
    (letter) => !used.includes(letter),
  );
  return () => {
    const letter = letters.shift();
    if (letter !== undefined) return letter;
    throw new GraftError("not-differentiable", "the equation uses every letter", { hint: "split the Einsum in two" });
  };
}
