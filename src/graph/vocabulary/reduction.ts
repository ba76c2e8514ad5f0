/** @file Operators that reduce along axes or run along one: sums, extremes, their positions, cumulative sums, order. */
import { attribute, type OperatorSchema, type Schemas, schema } from "../schema.ts";

/** Axes come as the second input (opset 18); none means all, or none at all with `noopWithEmptyAxes`. */
export interface ReduceAttributes {
  readonly keepdims: boolean;
  readonly noopWithEmptyAxes: boolean;
}
interface ArgAttributes {
  readonly axis: number;
  readonly keepdims: boolean;
  readonly selectLastIndex: boolean;
}
interface CumulativeAttributes {
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

export interface ReductionOperators {
  ArgMax: ArgAttributes;
  ArgMin: ArgAttributes;
  CumProd: CumulativeAttributes;
  CumSum: CumulativeAttributes;
  Hardmax: { readonly axis: number };
  ReduceL1: ReduceAttributes;
  ReduceL2: ReduceAttributes;
  ReduceLogSum: ReduceAttributes;
  ReduceLogSumExp: ReduceAttributes;
  ReduceMax: ReduceAttributes;
  ReduceMean: ReduceAttributes;
  ReduceMin: ReduceAttributes;
  ReduceProd: ReduceAttributes;
  ReduceSum: ReduceAttributes;
  ReduceSumSquare: ReduceAttributes;
  TopK: { readonly axis: number; readonly largest: boolean; readonly sorted: boolean };
}

const reduce: OperatorSchema<ReduceAttributes> = schema([1, 2], 1, {
  keepdims: attribute("keepdims", "bool", true),
  noopWithEmptyAxes: attribute("noop_with_empty_axes", "bool", false),
});
const arg: OperatorSchema<ArgAttributes> = schema(1, 1, {
  axis: attribute("axis", "int", 0),
  keepdims: attribute("keepdims", "bool", true),
  selectLastIndex: attribute("select_last_index", "bool", false),
});
const cumulative: OperatorSchema<CumulativeAttributes> = schema(2, 1, {
  exclusive: attribute("exclusive", "bool", false),
  reverse: attribute("reverse", "bool", false),
});

export const reductionSchemas: Schemas<ReductionOperators> = {
  ArgMax: arg,
  ArgMin: arg,
  CumProd: cumulative,
  CumSum: cumulative,
  Hardmax: schema(1, 1, { axis: attribute("axis", "int", -1) }),
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  TopK: schema(2, 2, {
    axis: attribute("axis", "int", -1),
    largest: attribute("largest", "bool", true),
    sorted: attribute("sorted", "bool", true),
  }),
};
