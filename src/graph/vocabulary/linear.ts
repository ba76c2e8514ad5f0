/** @file Products of matrices. */
import { attribute, float, type NoAttributes, plain, required, type Schemas, schema } from "../schema.ts";

export interface LinearOperators {
  Det: NoAttributes;
  Einsum: { readonly equation: string };
  Gemm: { readonly alpha: number; readonly beta: number; readonly transA: boolean; readonly transB: boolean };
  MatMul: NoAttributes;
}

export const linearSchemas: Schemas<LinearOperators> = {
  Det: plain(1),
  Einsum: schema([1, Number.POSITIVE_INFINITY], 1, { equation: required("equation", "string") }),
  Gemm: schema([2, 3], 1, {
    alpha: float("alpha", 1),
    beta: float("beta", 1),
    transA: attribute("transA", "bool", false),
    transB: attribute("transB", "bool", false),
  }),
  MatMul: plain(2),
};
