/** @file Arithmetic, comparisons and functions of single elements. */
import type { Value } from "../../graph/index.ts";
import { isFloating, unreachable } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import {
  aligned,
  asFloating,
  type Binary,
  binary,
  commonType,
  floating,
  folded,
  type Operation,
  operandsOf,
  oriented,
  plain,
  plainBinary,
  type Unary,
  unary,
} from "./operations-elements.ts";

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

const round: Unary = (x, given) => {
  const { build, name } = given;
  const decimals = given.integer("decimals", 0);
  const factor = 10 ** decimals;
  return build.scale(build.apply("Round", [build.scale(x, factor)], {}, name), 1 / factor);
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

/** A number in the shape of `x`. */
const filledWith: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const type = given.type("dtype", x.dtype ?? "float32");
  const number = build.cast(given.tensor("value", type).last(), type);
  return x.map((value) => build.expand(number, build.shapeOf(value)));
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
  ["trunc", floating((x, { build }) => build.mul(build.sign(x), build.apply("Floor", [build.apply("Abs", [x])])))],
  [
    "cbrt",
    floating((x, { build }) => build.mul(build.sign(x), build.pow(build.apply("Abs", [x]), build.scalar(1 / 3, x)))),
  ],
  ["deg2rad", floating((x, { build }) => build.scale(x, Math.PI / 180))],
  ["rad2deg", floating((x, { build }) => build.scale(x, 180 / Math.PI))],
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
  ["full_like", filledWith],
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
  ["arctan2", binary((y, x, { build }) => angle(y, x, build), true)],
  ["logaddexp", binary((a, b, { build }) => logAddExp(a, b, build), true)],
]);

/** The angle of (x, y), y first as everywhere. */
function angle(y: Value, x: Value, build: OperationArguments["build"]): Value {
  const zero = build.scalar(0, x);
  const isLeft = build.less(x, zero);
  const turn = build.where(build.less(y, zero), build.scalar(-Math.PI, x), build.scalar(Math.PI, x));
  const safe = build.where(build.equal(x, zero), build.scalar(1, x), x);
  const plain = build.apply("Atan", [build.div(y, safe)]);
  const turned = build.add(plain, build.where(isLeft, turn, zero));
  return build.where(build.equal(x, zero), build.scale(build.sign(y), Math.PI / 2), turned);
}

/** The larger, and the logarithm of 1 + e^−distance. */
function logAddExp(a: Value, b: Value, build: OperationArguments["build"]): Value {
  const distance = build.neg(build.apply("Abs", [build.sub(a, b)]));
  return build.add(build.apply("Max", [a, b]), build.log(build.shift(build.exp(distance), 1)));
}
