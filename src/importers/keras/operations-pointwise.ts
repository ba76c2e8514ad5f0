/** @file Operations on single elements: one tensor, or two that are broadcast in the model's own order of axes. */
import { type Operator, Oriented, type Value } from "../../graph/index.ts";
import { type DType, isFloating, unreachable } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";

/** What an operation computes: one tensor or several. */
export type Operation = (given: OperationArguments) => Oriented | readonly Oriented[];

type Unary = (x: Value, given: OperationArguments) => Value;
type Binary = (a: Value, b: Value, given: OperationArguments) => Value;

/** Work on the elements of `x`. */
export function unary(compute: Unary): Operation {
  return (given) => given.tensor("x").map((x) => compute(x, given));
}

/** Work on the elements of `x` as floating-point numbers: Keras and TensorFlow cast what is whole. */
export function floating(compute: Unary): Operation {
  return (given) => given.tensor("x").map((x) => compute(asFloating(x, given), given));
}

/** Whole numbers and booleans as float32. */
export function asFloating(x: Value, { build }: OperationArguments): Value {
  return x.dtype !== undefined && !isFloating(x.dtype) ? build.cast(x, "float32") : x;
}

/** A plain operator of ONNX. */
export function plain(operator: Operator): Unary {
  return (x, { build, name }) => build.apply(operator, [x], {}, name);
}

/**
 * The operands in one order of axes, their channels first where one has them so, and of one type where `isOneType`.
 * Operands of fewer axes are aligned at the last axis, as NumPy does.
 */
export function aligned(
  given: OperationArguments,
  operands: readonly Oriented[],
  isOneType = true,
): { values: readonly Value[]; isFirst: boolean } {
  const { build } = given;
  const rank = Math.max(...operands.map(({ shape }) => shape?.length ?? 0));
  const isFirst = rank >= 3 && operands.some((each) => each.isFirst);
  const type = isOneType ? commonType(operands) : undefined;
  const values = operands.map((operand) => {
    const own = operand.shape?.length ?? 0;
    const value = placed(given, operand, isFirst ? rank - own : 0, isFirst && own > 0);
    return type === undefined ? value : build.cast(value, type);
  });
  return { values, isFirst };
}

/** An operand with axes of size 1 in front, in the wanted order. */
function placed(given: OperationArguments, operand: Oriented, missing: number, isFirst: boolean): Value {
  const { build } = given;
  if (!isFirst) return operand.last();
  if (missing === 0 && build.constantOf(operand.native) === undefined) return operand.first();
  const { shape } = operand;
  const known = build.constantOf(operand.native);
  const sizes = [...Array.from({ length: missing }, () => 1), ...(shape ?? [])].map(Number);
  const isVector = sizes.slice(0, -1).every((size) => size === 1);
  if (known !== undefined && known.dtype !== "string" && isVector && !operand.isFirst) {
    // A value for each channel: its elements lie alike in either order.
    const own = [1, sizes.at(-1) ?? 1, ...sizes.slice(2).map(() => 1)];
    return build.constant({ ...known, shape: own }, `${given.name}/channels`);
  }
  const ones = Array.from({ length: missing }, (_, axis) => axis);
  return Oriented.last(build, build.unsqueeze(operand.last(), ones)).first();
}

const widths: readonly DType[] = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"];

/** Floating where one is so, otherwise the widest of the whole ones. */
export function commonType(operands: readonly Oriented[]): DType | undefined {
  const types = operands.flatMap(({ dtype }) => (dtype === undefined ? [] : [dtype]));
  const first = types.find((type) => isFloating(type));
  if (first !== undefined || types.length < operands.length) return first;
  return types.reduce(
    (widest, type) => (widths.indexOf(type) > widths.indexOf(widest) ? type : widest),
    types[0] ?? "int32",
  );
}

/** Two operands, `x` and `y`, one of which may be a constant. */
export function operandsOf(given: OperationArguments): readonly [Oriented, Oriented] {
  const [x, y] = [given.get("x"), given.get("y")];
  const like = x?.kind === "tensor" ? x.data.dtype : y?.kind === "tensor" ? y.data.dtype : undefined;
  return [given.tensor("x", like), given.tensor("y", like)];
}

/** Work on pairs of elements. */
export function binary(compute: Binary, isFloatingOnly = false): Operation {
  return (given) => {
    const { values, isFirst } = aligned(given, operandsOf(given));
    const own = isFloatingOnly ? values.map((value) => asFloating(value, given)) : values;
    const [a, b] = own;
    if (a === undefined || b === undefined) unreachable("two operands are aligned to two values");
    return oriented(given, compute(a, b, given), isFirst);
  };
}

export function oriented({ build }: OperationArguments, value: Value, isFirst: boolean): Oriented {
  return isFirst ? Oriented.first(build, value) : Oriented.last(build, value);
}

/** A plain operator of ONNX with two operands. */
export function plainBinary(operator: Operator): Binary {
  return (a, b, { build, name }) => build.apply(operator, [a, b], {}, name);
}

/** All of a list, pair by pair. */
export function folded(operator: Operator): Operation {
  return (given) => {
    const { values, isFirst } = aligned(given, given.tensors("x"));
    const [first = unreachable("a list of tensors is empty"), ...others] = values;
    const total = others.reduce((sum, each) => given.build.apply(operator, [sum, each]), first);
    return oriented(given, total, isFirst);
  };
}

const constant = (x: Value, number: number, { build }: OperationArguments): Value => build.scalar(number, x);

const clip: Unary = (x, given) => {
  const bounds = ["least", "most"].map((bound) => boundOf(given, bound, x));
  return given.build.apply("Clip", [x, ...bounds], {}, given.name);
};

/** A bound of Clip, which must be one number. */
function boundOf(given: OperationArguments, parameter: string, x: Value): Value | undefined {
  if (!given.has(parameter)) return undefined;
  const bound = given.tensor(parameter, x.dtype).last();
  const { build } = given;
  const cast = build.castLike(bound, x);
  return cast.shape?.length === 0 ? cast : build.reshape(cast, []);
}

/** x where it is positive, else 0: the quotient is 0 where the divisor is. */
const divideNoNan: Binary = (a, b, given) => {
  const { build } = given;
  const isZero = build.equal(b, constant(b, 0, given));
  const quotient = build.div(a, build.where(isZero, constant(b, 1, given), b));
  return build.where(isZero, constant(quotient, 0, given), quotient);
};

const floorDivide: Binary = (a, b, given) => {
  const { build } = given;
  if (a.dtype !== undefined && isFloating(a.dtype)) return build.apply("Floor", [build.div(a, b)]);
  // Whole numbers are divided towards 0: one less where there is a rest of the other sign.
  const rest = build.apply("Mod", [a, b]);
  return build.div(build.sub(a, rest), b);
};

/** Python's: the result has the divisor's sign. ONNX's own is so for whole numbers only. */
const mod: Binary = (a, b, given) => {
  const { build } = given;
  if (a.dtype === undefined || !isFloating(a.dtype)) return build.apply("Mod", [a, b]);
  return build.sub(a, build.mul(b, build.apply("Floor", [build.div(a, b)])));
};

const scaledElu: Unary = (x, { build, name }) =>
  build.apply("Selu", [x], { alpha: 1.6732632423543772, gamma: 1.0507009873554805 }, name);

const hardSigmoid: Unary = (x, { build, name, kerasVersion }) =>
  build.apply("HardSigmoid", [x], { alpha: kerasVersion >= 3 ? 1 / 6 : 0.2, beta: 0.5 }, name);

const swish: Unary = (x, given) => {
  const { build, name } = given;
  const beta = given.number("beta", 1);
  return build.apply("Mul", [x, build.apply("Sigmoid", [build.scale(x, beta)])], {}, name);
};

/** min(max(threshold-cut x, 0), max_value), with a slope below: Keras 2's `backend.relu`. */
const keras2Relu: Unary = (x, given) => {
  const { build } = given;
  given.expectDefault("threshold", 0);
  const alpha = given.number("alpha", 0);
  const risen = alpha === 0 ? build.apply("Relu", [x]) : build.apply("LeakyRelu", [x], { alpha });
  return given.has("most") ? build.apply("Min", [risen, constant(x, given.number("most"), given)]) : risen;
};

const round: Unary = (x, given) => {
  const { build, name } = given;
  const decimals = given.integer("decimals", 0);
  const factor = 10 ** decimals;
  return build.scale(build.apply("Round", [build.scale(x, factor)], {}, name), 1 / factor);
};

const softShrink =
  (bias: boolean): Unary =>
  (x, given) => {
    const lambd = given.number("threshold", 0.5);
    return given.build.apply("Shrink", [x], { lambd, bias: bias ? lambd : 0 }, given.name);
  };

const notANumber: Unary = (x, given) => given.build.apply("IsNaN", [asFloating(x, given)], {}, given.name);
const infinite: Unary = (x, given) => given.build.apply("IsInf", [asFloating(x, given)], {}, given.name);

/** `x` where the condition holds, else `y`. */
const where: Operation = (given) => {
  const [x, y] = operandsOf(given);
  const type = commonType([x, y]);
  const { values, isFirst } = aligned(given, [given.tensor("condition", "bool"), x, y], false);
  const { build, name } = given;
  const [condition, a, b] = values;
  if (condition === undefined || a === undefined || b === undefined) unreachable("three operands are aligned");
  const cast = (value: Value) => (type === undefined ? value : build.cast(value, type));
  return oriented(given, build.apply("Where", [build.cast(condition, "bool"), cast(a), cast(b)], {}, name), isFirst);
};

const cast: Operation = (given) => {
  const x = given.tensor("x");
  const type = given.type("dtype", x.dtype ?? "float32");
  return x.map((value) => given.build.cast(value, type));
};

const filledLike =
  (number: number): Operation =>
  (given) => {
    const x = given.tensor("x");
    const { build } = given;
    const type = given.type("dtype", x.dtype ?? "float32");
    return x.map((value) => {
      const like = build.cast(number === 0 ? build.zerosLike(value) : build.onesLike(value), type);
      return like;
    });
  };

const logical = (operator: "And" | "Or" | "Xor"): Operation =>
  binary((a, b, { build, name }) => build.apply(operator, [build.cast(a, "bool"), build.cast(b, "bool")], {}, name));

/** Operations by names of our own; the tables of TensorFlow's and Keras's names lead here. */
export const pointwiseOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["abs", unary(plain("Abs"))],
  ["negative", unary(plain("Neg"))],
  ["sign", unary(plain("Sign"))],
  ["square", unary((x, { build, name }) => build.apply("Mul", [x, x], {}, name))],
  ["identity", (given) => given.tensor("x")],
  ["exp", floating(plain("Exp"))],
  ["exp2", floating((x, given) => given.build.exp(given.build.scale(x, Math.LN2)))],
  ["expm1", floating((x, { build }) => build.shift(build.exp(x), -1))],
  ["log", floating(plain("Log"))],
  ["log1p", floating((x, { build }) => build.log(build.shift(x, 1)))],
  ["log2", floating((x, { build }) => build.scale(build.log(x), 1 / Math.LN2))],
  ["log10", floating((x, { build }) => build.scale(build.log(x), 1 / Math.LN10))],
  ["sqrt", floating(plain("Sqrt"))],
  ["rsqrt", floating((x, { build, name }) => build.apply("Reciprocal", [build.sqrt(x)], {}, name))],
  ["reciprocal", floating(plain("Reciprocal"))],
  ["floor", floating(plain("Floor"))],
  ["ceil", floating(plain("Ceil"))],
  ["round", floating(round)],
  ["sin", floating(plain("Sin"))],
  ["cos", floating(plain("Cos"))],
  ["tan", floating(plain("Tan"))],
  ["asin", floating(plain("Asin"))],
  ["acos", floating(plain("Acos"))],
  ["atan", floating(plain("Atan"))],
  ["sinh", floating(plain("Sinh"))],
  ["cosh", floating(plain("Cosh"))],
  ["tanh", floating(plain("Tanh"))],
  ["asinh", floating(plain("Asinh"))],
  ["acosh", floating(plain("Acosh"))],
  ["atanh", floating(plain("Atanh"))],
  ["erf", floating(plain("Erf"))],
  ["sigmoid", floating(plain("Sigmoid"))],
  ["relu", unary(plain("Relu"))],
  ["keras2_relu", unary(keras2Relu)],
  [
    "relu6",
    unary((x, given) => given.build.apply("Clip", [x, constant(x, 0, given), constant(x, 6, given)], {}, given.name)),
  ],
  ["elu", floating((x, given) => given.build.apply("Elu", [x], { alpha: given.number("alpha", 1) }, given.name))],
  ["celu", floating((x, given) => given.build.apply("Celu", [x], { alpha: given.number("alpha", 1) }, given.name))],
  ["selu", floating(scaledElu)],
  ["gelu", floating((x, given) => gelu(x, given, false))],
  ["gelu_tanh", floating((x, given) => gelu(x, given, true))],
  ["silu", floating(swish)],
  ["softplus", floating(plain("Softplus"))],
  ["softsign", floating(plain("Softsign"))],
  [
    "leaky_relu",
    floating((x, given) => given.build.apply("LeakyRelu", [x], { alpha: given.number("alpha", 0.2) }, given.name)),
  ],
  ["hard_sigmoid", floating(hardSigmoid)],
  ["hard_silu", floating(plain("HardSwish"))],
  [
    "hard_tanh",
    floating((x, given) =>
      given.build.apply("Clip", [x, constant(x, -1, given), constant(x, 1, given)], {}, given.name),
    ),
  ],
  ["mish", floating(plain("Mish"))],
  ["log_sigmoid", floating((x, { build }) => build.neg(build.apply("Softplus", [build.neg(x)])))],
  ["tanh_shrink", floating((x, { build }) => build.sub(x, build.apply("Tanh", [x])))],
  ["soft_shrink", floating(softShrink(true))],
  ["hard_shrink", floating(softShrink(false))],
  ["is_nan", unary(notANumber)],
  ["is_inf", unary(infinite)],
  [
    "is_finite",
    unary((x, given) =>
      given.build.apply("Not", [given.build.apply("Or", [notANumber(x, given), infinite(x, given)])]),
    ),
  ],
  ["logical_not", unary((x, { build, name }) => build.apply("Not", [build.cast(x, "bool")], {}, name))],
  ["clip", unary(clip)],
  ["cast", cast],
  ["zeros_like", filledLike(0)],
  ["ones_like", filledLike(1)],
  ["add", binary(plainBinary("Add"))],
  ["add_n", folded("Add")],
  ["subtract", binary(plainBinary("Sub"))],
  ["multiply", binary(plainBinary("Mul"))],
  ["divide", binary(plainBinary("Div"), true)],
  ["divide_no_nan", binary(divideNoNan, true)],
  ["floor_divide", binary(floorDivide)],
  ["mod", binary(mod)],
  ["power", binary(plainBinary("Pow"))],
  ["maximum", binary(plainBinary("Max"))],
  ["minimum", binary(plainBinary("Min"))],
  ["squared_difference", binary((a, b, { build }) => build.square(build.sub(a, b)))],
  ["equal", binary(plainBinary("Equal"))],
  ["not_equal", binary((a, b, { build, name }) => build.apply("Not", [build.equal(a, b)], {}, name))],
  ["less", binary(plainBinary("Less"))],
  ["less_equal", binary(plainBinary("LessOrEqual"))],
  ["greater", binary(plainBinary("Greater"))],
  ["greater_equal", binary(plainBinary("GreaterOrEqual"))],
  ["logical_and", logical("And")],
  ["logical_or", logical("Or")],
  ["logical_xor", logical("Xor")],
  ["where", where],
  ["hypot", binary((a, b, { build }) => build.sqrt(build.add(build.square(a), build.square(b))), true)],
  ["logaddexp", binary((a, b, { build }) => logAddExp(a, b, build), true)],
]);

function gelu(x: Value, given: OperationArguments, otherwise: boolean): Value {
  const approximate = given.boolean("approximate", otherwise) ? "tanh" : "none";
  return given.build.apply("Gelu", [x], { approximate }, given.name);
}

/** The larger, and the logarithm of 1 + e^−distance. */
function logAddExp(a: Value, b: Value, build: OperationArguments["build"]): Value {
  const distance = build.neg(build.apply("Abs", [build.sub(a, b)]));
  return build.add(build.apply("Max", [a, b]), build.log(build.shift(build.exp(distance), 1)));
}
