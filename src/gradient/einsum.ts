/** @file The derivative of Einsum, which is Einsum again with one operand and the output swapped. */
import type { Builder, Value } from "../graph/index.ts";
import { areEqualDimensions, type Dimension, GraftError } from "../tensor/index.ts";
import { sumToShapeOf } from "./broadcast.ts";
import { type Gradient, inputAt, rankOf, type Step } from "./rule.ts";

/** An operand or the output, with the letter of each of its axes. */
interface Term {
  readonly letters: string;
  readonly value: Value;
}

/**
 * y = Σ Π operands: the gradient of one operand is the sum of dy times the other operands, over every letter that it
 * does not have itself. In the equation, operand and output change places:
 * ```
 * y = Einsum("ij,jk->ik", a, b):  da = Einsum("jk,ik->ij", b, dy)
 * ```
 * A letter that no other term has was summed away alone: a vector of ones brings it back. A letter that an operand has
 * twice names its diagonal: the gradient lies on the diagonal, where an identity matrix puts it.
 */
export function einsumGradients({ build: b, attributes, inputs, y, dy }: Step<"Einsum">): readonly Gradient[] {
  const operands = inputs.map((_, index) => inputAt({ inputs }, index));
  const { terms, output } = parse(attributes.equation, operands.map(rankOf), rankOf(y));
  return operands.map((value, index) => () => {
    const own = terms[index] ?? "";
    const others = operands.map((operand, at): Term => ({ letters: terms[at] ?? "", value: operand }));
    const factors = [...others.filter((_, at) => at !== index), { letters: output, value: dy }];
    const wanted = [...own].map((letter, axis) => ({ letter, axis, isFirst: own.indexOf(letter) === axis }));
    const letterOf = freshLetters([...terms, output].join(""));
    let result = "";
    for (const { letter, axis, isFirst } of wanted) {
      const size = value.shape?.[axis];
      if (isFirst) {
        result += letter;
        if (!isSupplied(letter, size, factors))
          factors.push({ letters: letter, value: ones(b, b.sizeOf(value, axis), value) });
      } else {
        const twin = letterOf();
        result += twin;
        factors.push({ letters: letter + twin, value: identity(b, b.sizeOf(value, axis), value) });
      }
    }
    const equation = `${factors.map(({ letters }) => letters).join(",")}->${result}`;
    const gradient = b.apply(
      "Einsum",
      factors.map((factor) => factor.value),
      { equation },
    );
    return sumToShapeOf(b, gradient, value);
  });
}

/** Whether some term certainly has the letter in this size, so that the result needs no repeating. */
function isSupplied(letter: string, size: Dimension | undefined, terms: readonly Term[]): boolean {
  return terms.some(({ letters, value }) =>
    [...letters].some((other, axis) => other === letter && areEqualDimensions(size, value.shape?.[axis])),
  );
}

function ones(b: Builder, size: Value, like: Value): Value {
  return b.expand(b.scalar(1, like), size);
}

/** The identity matrix. */
function identity(b: Builder, size: Value, like: Value): Value {
  const square = b.expand(b.scalar(1, like), b.concat([size, size], 0));
  return b.apply("EyeLike", [square]);
}

/**
 * The letters of every operand and of the output, with each ellipsis written out from the right, so that what broadcasts
 * has letters as well. Without "->", the output has the letters that occur once, in alphabetical order (numpy.einsum).
 */
function parse(equation: string, ranks: readonly number[], outputRank: number): { terms: string[]; output: string } {
  const [left = "", right] = equation.replaceAll(/\s/g, "").split("->");
  const written = left.split(",");
  const once = [...left.replaceAll(/[.,]/g, "")].filter(
    (letter, _, all) => all.indexOf(letter) === all.lastIndexOf(letter),
  );
  const target = right ?? `${left.includes("...") ? "..." : ""}${once.sort().join("")}`;
  const spans = written.map((term, index) => (ranks[index] ?? 0) - term.replace("...", "").length);
  const letterOf = freshLetters(equation);
  const ellipsis = Array.from({ length: Math.max(0, ...spans) }, letterOf).join("");
  const spell = (term: string, rank: number) => {
    const span = rank - term.replace("...", "").length;
    return term.replace("...", span === 0 ? "" : ellipsis.slice(-span));
  };
  return { terms: written.map((term, index) => spell(term, ranks[index] ?? 0)), output: spell(target, outputRank) };
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
