/** @file Shape arithmetic, element by element: on numbers as the run would, on names as far as they cancel. */
import type { OperatorNode, PointwiseOperators } from "../graph/index.ts";
import { type Dimension, type DType, isFloating, isStatic } from "../tensor/index.ts";
import { arraysOf, broadcastTo, filled, type KnownArray } from "./arrays.ts";
import { broadcastShapes } from "./broadcast.ts";
import type { ElementRule, ElementRules } from "./elements.ts";
import type { Known } from "./rule.ts";

/** What numbers give, and what is known when some element is a name or unknown. */
interface Calculation {
  readonly numbers: (a: number, b: number, isFloat: boolean) => number | null;
  readonly names?: (a: Dimension, b: Dimension) => Dimension;
}

const truth = (value: boolean): number => (value ? 1 : 0);
/** The size of an axis is never negative, so that a name is known to differ from -1, as exporters ask. */
const isNegative = (a: Dimension): boolean => typeof a === "number" && a < 0;
const isName = (a: Dimension): boolean => typeof a === "string";

const add: Calculation = { numbers: (a, b) => a + b, names: (a, b) => (a === 0 ? b : b === 0 ? a : null) };
const maximum: Calculation = {
  numbers: (a, b) => Math.max(a, b),
  names: (a, b) =>
    a === b || (isName(a) && (b === 0 || isNegative(b))) ? a : isName(b) && (a === 0 || isNegative(a)) ? b : null,
};
const minimum: Calculation = { numbers: (a, b) => Math.min(a, b), names: (a, b) => (a === b ? a : null) };
const comparison = (holds: (a: number, b: number) => boolean): Calculation => ({
  numbers: (a, b) => truth(holds(a, b)),
  // A name stands for 0 or more: two stand-ins at both ends tell whether the answer is always the same.
  names: (a, b) => {
    if (isName(a) && isNegative(b)) return alike(holds(0, Number(b)), holds(Number.POSITIVE_INFINITY, Number(b)));
    if (isName(b) && isNegative(a)) return alike(holds(Number(a), 0), holds(Number(a), Number.POSITIVE_INFINITY));
    return isName(a) && a === b ? truth(holds(1, 1)) : null;
  },
});
const alike = (a: boolean, b: boolean): Dimension => (a === b ? truth(a) : null);

const calculations = {
  Add: add,
  Div: {
    numbers: (a, b, isFloat) => (isFloat ? a / b : Math.trunc(a / b)),
    names: (a, b) => (b === 1 ? a : isName(a) && a === b ? 1 : null),
  },
  Mod: { numbers: (a, b) => a - Math.floor(a / b) * b },
  Mul: {
    numbers: (a, b) => a * b,
    names: (a, b) => (a === 0 || b === 0 ? 0 : a === 1 ? b : b === 1 ? a : null),
  },
  // Only whole numbers: powers of others are not rounded alike everywhere.
  Pow: { numbers: (a, b, isFloat) => (isFloat || b < 0 ? null : a ** b) },
  Sub: { numbers: (a, b) => a - b, names: (a, b) => (b === 0 ? a : isName(a) && a === b ? 0 : null) },
  And: { numbers: (a, b) => truth(a !== 0 && b !== 0), names: (a, b) => (a === 0 || b === 0 ? 0 : null) },
  Or: { numbers: (a, b) => truth(a !== 0 || b !== 0), names: (a, b) => (a === 1 || b === 1 ? 1 : null) },
  Xor: { numbers: (a, b) => truth((a !== 0) !== (b !== 0)) },
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Max: maximum,
  Min: minimum,
  Sum: add,
} satisfies { readonly [K in keyof PointwiseOperators]?: Calculation };

const resultTypes: { readonly [K in keyof PointwiseOperators]?: DType } = {
  And: "bool",
  Equal: "bool",
  Greater: "bool",
  GreaterOrEqual: "bool",
  Less: "bool",
  LessOrEqual: "bool",
  Or: "bool",
  Xor: "bool",
};

/** Folds a calculation over broadcast inputs, from the left. */
export function calculate(
  { numbers, names }: Calculation,
  inputs: readonly KnownArray[],
  dtype: DType,
): KnownArray | undefined {
  const shape = broadcastShapes(inputs.map((input) => input.shape));
  if (!isStatic(shape) || inputs.some((input) => !isFollowed(input.dtype))) return undefined;
  const isFloat = isFloating(inputs[0]?.dtype);
  const operands = inputs.map((input) => broadcastTo(input, shape));
  return filled(dtype, shape, (index) =>
    operands
      .map((operand) => operand?.values[index] ?? null)
      .reduce((a, b) => {
        if (typeof a !== "number" || typeof b !== "number") return names?.(a, b) ?? null;
        return rounded(numbers(a, b, isFloat), dtype);
      }),
  );
}

/** Followed are the types that shapes are computed in. */
function isFollowed(dtype: DType): boolean {
  return dtype in limits;
}

/** Beyond these magnitudes an element is not exact, or wraps round, and counts as unknown. */
const limits: { readonly [D in DType]?: number } = {
  bool: 2,
  int32: 2 ** 31,
  int64: 2 ** 53,
  float32: Number.POSITIVE_INFINITY,
  float64: Number.POSITIVE_INFINITY,
};

function rounded(value: number | null, dtype: DType): number | null {
  if (value === null) return null;
  if (dtype === "float32") return Math.fround(value);
  if (dtype === "float64") return value;
  // Adding 0 takes the sign off -0, which integers do not have.
  return Math.abs(value) < (limits[dtype] ?? 0) ? value + 0 : null;
}

function pointwise<K extends keyof typeof calculations>(operator: K): ElementRule<K> {
  return (node: OperatorNode<K>, known: Known) => {
    const inputs = arraysOf(node.inputs, known);
    const dtype = inputs?.[0]?.dtype;
    if (inputs === undefined || dtype === undefined) return [];
    return [calculate(calculations[operator], inputs, resultTypes[operator] ?? dtype)];
  };
}

/** One input: what a number becomes, and whether names stay what they are. */
function unary<K extends keyof PointwiseOperators>(
  apply: (value: number) => number,
  keepsNames: boolean,
): ElementRule<K> {
  return (node: OperatorNode<K>, known: Known) => {
    const x = known.arrayOf(node.inputs[0]);
    if (x === undefined || !isFollowed(x.dtype)) return [];
    const values = x.values.map((value) =>
      typeof value === "number" ? rounded(apply(value), x.dtype) : keepsNames ? value : null,
    );
    return [{ ...x, values }];
  };
}

function converted(x: KnownArray, dtype: DType): KnownArray | undefined {
  if (!isFollowed(x.dtype) || !isFollowed(dtype)) return undefined;
  const values = x.values.map((value) => {
    if (typeof value !== "number") return dtype === "bool" ? null : value;
    if (dtype === "bool") return truth(value !== 0);
    return rounded(isFloating(dtype) ? value : Math.trunc(value), dtype);
  });
  return { ...x, dtype, values };
}

export const arithmetic: ElementRules<PointwiseOperators> = {
  Abs: unary(Math.abs, true),
  Add: pointwise("Add"),
  And: pointwise("And"),
  Cast: (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    return [x && converted(x, node.attributes.to)];
  },
  CastLike: (node, known) => {
    const [x, like] = [known.arrayOf(node.inputs[0]), node.inputs[1]?.dtype];
    return [x && like && converted(x, like)];
  },
  Ceil: unary(Math.ceil, true),
  // Computing padding, TensorFlow's "same" clips at 0 from below.
  Clip: (node, known) => {
    const [x, low, high] = node.inputs.map((input) => known.arrayOf(input));
    if (x === undefined || (node.inputs[1] && !low) || (node.inputs[2] && !high)) return [];
    const raised = low === undefined ? x : calculate(maximum, [x, low], x.dtype);
    return [raised && high ? calculate(minimum, [raised, high], x.dtype) : raised];
  },
  Div: pointwise("Div"),
  Equal: pointwise("Equal"),
  Floor: unary(Math.floor, true),
  Greater: pointwise("Greater"),
  GreaterOrEqual: pointwise("GreaterOrEqual"),
  Identity: (node, known) => [known.arrayOf(node.inputs[0])],
  Less: pointwise("Less"),
  LessOrEqual: pointwise("LessOrEqual"),
  Max: pointwise("Max"),
  Min: pointwise("Min"),
  Mod: (node, known) => {
    const inputs = arraysOf(node.inputs, known);
    const dtype = inputs?.[0]?.dtype;
    if (inputs === undefined || dtype === undefined) return [];
    return [calculate(node.attributes.fmod ? { numbers: (a, b) => a % b } : calculations.Mod, inputs, dtype)];
  },
  Mul: pointwise("Mul"),
  Neg: unary((value) => -value, false),
  Not: unary((value) => truth(value === 0), false),
  Or: pointwise("Or"),
  Pow: pointwise("Pow"),
  Sqrt: unary(Math.sqrt, false),
  Sub: pointwise("Sub"),
  Sum: pointwise("Sum"),
  Where: (node, known) => {
    const [condition, a, b] = arraysOf(node.inputs, known) ?? [];
    if (condition === undefined || a === undefined || b === undefined) return [];
    const shape = broadcastShapes([condition.shape, a.shape, b.shape]);
    if (!isStatic(shape)) return [];
    const [test, yes, no] = [condition, a, b].map((each) => broadcastTo(each, shape));
    return [
      filled(a.dtype, shape, (index) => {
        const [chosen, one, other] = [test?.values[index], yes?.values[index] ?? null, no?.values[index] ?? null];
        if (typeof chosen !== "number") return one === other ? one : null;
        return chosen !== 0 ? one : other;
      }),
    ];
  },
  Xor: pointwise("Xor"),
};
