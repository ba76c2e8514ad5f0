/** @file Operators that work element by element, with NumPy broadcasting (onnx/docs/Broadcasting.md). */
import type { DType } from "../../tensor/index.ts";
import { attribute, choice, float, type NoAttributes, plain, required, type Schemas, schema } from "../schema.ts";

interface Alpha {
  readonly alpha: number;
}

export interface PointwiseOperators {
  Abs: NoAttributes;
  Acos: NoAttributes;
  Acosh: NoAttributes;
  Add: NoAttributes;
  And: NoAttributes;
  Asin: NoAttributes;
  Asinh: NoAttributes;
  Atan: NoAttributes;
  Atanh: NoAttributes;
  BitShift: { readonly direction: string };
  BitwiseAnd: NoAttributes;
  BitwiseNot: NoAttributes;
  BitwiseOr: NoAttributes;
  BitwiseXor: NoAttributes;
  Cast: { readonly to: DType; readonly saturate: boolean };
  CastLike: { readonly saturate: boolean };
  Ceil: NoAttributes;
  Celu: Alpha;
  Clip: NoAttributes;
  Cos: NoAttributes;
  Cosh: NoAttributes;
  Div: NoAttributes;
  Dropout: { readonly seed: number | undefined };
  Elu: Alpha;
  Equal: NoAttributes;
  Erf: NoAttributes;
  Exp: NoAttributes;
  Floor: NoAttributes;
  Gelu: { readonly approximate: "none" | "tanh" };
  Greater: NoAttributes;
  GreaterOrEqual: NoAttributes;
  HardSigmoid: { readonly alpha: number; readonly beta: number };
  HardSwish: NoAttributes;
  Identity: NoAttributes;
  IsInf: { readonly detectNegative: boolean; readonly detectPositive: boolean };
  IsNaN: NoAttributes;
  LeakyRelu: Alpha;
  Less: NoAttributes;
  LessOrEqual: NoAttributes;
  Log: NoAttributes;
  Max: NoAttributes;
  Mean: NoAttributes;
  Min: NoAttributes;
  Mish: NoAttributes;
  Mod: { readonly fmod: boolean };
  Mul: NoAttributes;
  Neg: NoAttributes;
  Not: NoAttributes;
  Or: NoAttributes;
  PRelu: NoAttributes;
  Pow: NoAttributes;
  Reciprocal: NoAttributes;
  Relu: NoAttributes;
  Round: NoAttributes;
  Selu: { readonly alpha: number; readonly gamma: number };
  Shrink: { readonly bias: number; readonly lambd: number };
  Sigmoid: NoAttributes;
  Sign: NoAttributes;
  Sin: NoAttributes;
  Sinh: NoAttributes;
  Softplus: NoAttributes;
  Softsign: NoAttributes;
  Sqrt: NoAttributes;
  Sub: NoAttributes;
  Sum: NoAttributes;
  Swish: Alpha;
  Tan: NoAttributes;
  Tanh: NoAttributes;
  ThresholdedRelu: Alpha;
  Where: NoAttributes;
  Xor: NoAttributes;
}

const variadic = [1, Number.POSITIVE_INFINITY] as const;
const alpha = (fallback: number) => schema<Alpha>(1, 1, { alpha: float("alpha", fallback) });

export const pointwiseSchemas: Schemas<PointwiseOperators> = {
  Abs: plain(1),
  Acos: plain(1),
  Acosh: plain(1),
  Add: plain(2),
  And: plain(2),
  Asin: plain(1),
  Asinh: plain(1),
  Atan: plain(1),
  Atanh: plain(1),
  BitShift: schema(2, 1, { direction: required("direction", "string") }),
  BitwiseAnd: plain(2),
  BitwiseNot: plain(1),
  BitwiseOr: plain(2),
  BitwiseXor: plain(2),
  Cast: schema(1, 1, { to: required("to", "dtype"), saturate: attribute("saturate", "bool", true) }),
  CastLike: schema(2, 1, { saturate: attribute("saturate", "bool", true) }),
  Ceil: plain(1),
  Celu: alpha(1),
  Clip: plain([1, 3]),
  Cos: plain(1),
  Cosh: plain(1),
  Div: plain(2),
  Dropout: schema([1, 3], [1, 2], { seed: { name: "seed", kind: "int", required: false, fallback: undefined } }),
  Elu: alpha(1),
  Equal: plain(2),
  Erf: plain(1),
  Exp: plain(1),
  Floor: plain(1),
  Gelu: schema(1, 1, { approximate: choice<"none" | "tanh">("approximate", "none") }),
  Greater: plain(2),
  GreaterOrEqual: plain(2),
  HardSigmoid: schema(1, 1, { alpha: float("alpha", 0.2), beta: float("beta", 0.5) }),
  HardSwish: plain(1),
  Identity: plain(1),
  IsInf: schema(1, 1, {
    detectNegative: attribute("detect_negative", "bool", true),
    detectPositive: attribute("detect_positive", "bool", true),
  }),
  IsNaN: plain(1),
  LeakyRelu: alpha(0.01),
  Less: plain(2),
  LessOrEqual: plain(2),
  Log: plain(1),
  Max: plain(variadic),
  Mean: plain(variadic),
  Min: plain(variadic),
  Mish: plain(1),
  Mod: schema(2, 1, { fmod: attribute("fmod", "bool", false) }),
  Mul: plain(2),
  Neg: plain(1),
  Not: plain(1),
  Or: plain(2),
  PRelu: plain(2),
  Pow: plain(2),
  Reciprocal: plain(1),
  Relu: plain(1),
  Round: plain(1),
  Selu: schema(1, 1, { alpha: float("alpha", 1.6732631921768188), gamma: float("gamma", 1.0507010221481323) }),
  Shrink: schema(1, 1, { bias: float("bias", 0), lambd: float("lambd", 0.5) }),
  Sigmoid: plain(1),
  Sign: plain(1),
  Sin: plain(1),
  Sinh: plain(1),
  Softplus: plain(1),
  Softsign: plain(1),
  Sqrt: plain(1),
  Sub: plain(2),
  Sum: plain(variadic),
  Swish: alpha(1),
  Tan: plain(1),
  Tanh: plain(1),
  ThresholdedRelu: alpha(1),
  Where: plain(3),
  Xor: plain(2),
};
