/** @file Shapes of pointwise operators: the broadcast of their inputs. */
import type { Application, Operator, PointwiseOperators, ValueType } from "../graph/index.ts";
import type { DType } from "../tensor/index.ts";
import { broadcastShapes } from "./broadcast.ts";
import { inputAt, type ShapeRule, type ShapeRules, typed } from "./rule.ts";

/** One input, one output of the same type. */
export function sameAsInput(application: Application): readonly ValueType[] {
  const x = inputAt(application, 0);
  return [typed(x, x.shape)];
}

function broadcast(application: Application, dtype?: DType): readonly ValueType[] {
  const shape = broadcastShapes(application.inputs.map((_, index) => inputAt(application, index).shape));
  const known = application.inputs.find((input) => input?.dtype !== undefined)?.dtype;
  return [{ dtype: dtype ?? known, shape }];
}

const unary: ShapeRule<Operator> = (application) => sameAsInput(application);
const binary: ShapeRule<Operator> = (application) => broadcast(application);
const predicate: ShapeRule<Operator> = (application) => broadcast(application, "bool");

export const pointwiseShapes: ShapeRules<PointwiseOperators> = {
  Abs: unary,
  Acos: unary,
  Acosh: unary,
  Add: binary,
  And: predicate,
  Asin: unary,
  Asinh: unary,
  Atan: unary,
  Atanh: unary,
  BitShift: binary,
  BitwiseAnd: binary,
  BitwiseNot: unary,
  BitwiseOr: binary,
  BitwiseXor: binary,
  Cast: (application) => [{ dtype: application.attributes.to, shape: inputAt(application, 0).shape }],
  CastLike: (application) => [typed(inputAt(application, 1), inputAt(application, 0).shape)],
  Ceil: unary,
  Celu: unary,
  Clip: unary,
  Cos: unary,
  Cosh: unary,
  Div: binary,
  Dropout: (application) => [
    ...sameAsInput(application),
    { dtype: "bool" as const, shape: inputAt(application, 0).shape },
  ],
  Elu: unary,
  Equal: predicate,
  Erf: unary,
  Exp: unary,
  Floor: unary,
  Gelu: unary,
  Greater: predicate,
  GreaterOrEqual: predicate,
  HardSigmoid: unary,
  HardSwish: unary,
  Identity: unary,
  IsInf: predicate,
  IsNaN: predicate,
  LeakyRelu: unary,
  Less: predicate,
  LessOrEqual: predicate,
  Log: unary,
  Max: binary,
  Mean: binary,
  Min: binary,
  Mish: unary,
  Mod: binary,
  Mul: binary,
  Neg: unary,
  Not: predicate,
  Or: predicate,
  PRelu: unary,
  Pow: binary,
  Reciprocal: unary,
  Relu: unary,
  Round: unary,
  Selu: unary,
  Shrink: unary,
  Sigmoid: unary,
  Sign: unary,
  Sin: unary,
  Sinh: unary,
  Softplus: unary,
  Softsign: unary,
  Sqrt: unary,
  Sub: binary,
  Sum: binary,
  Swish: unary,
  Tan: unary,
  Tanh: unary,
  ThresholdedRelu: unary,
  Where: (application) => {
    const [, x] = application.inputs;
    return [{ dtype: x?.dtype, shape: broadcast(application)[0]?.shape }];
  },
  Xor: predicate,
};
