/** @file Shapes of reductions, positions of extremes, cumulative sums and TopK. */
import type { Application, Operator, ReduceAttributes, ReductionOperators, ValueType } from "../graph/index.ts";
import { type DType, GraftError, normalizeAxis, type Shape } from "../tensor/index.ts";
import { sameAsInput } from "./pointwise.ts";
import {
  inputAt,
  integersOf,
  type Known,
  lengthOf,
  replaceAxis,
  type ShapeRule,
  type ShapeRules,
  typed,
  unknownOfRank,
} from "./rule.ts";

/** The shape without `axes`, which stay with size 1 when `keepdims`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Shape {
  const reduced = new Set(axes.map((axis) => normalizeAxis(axis, shape.length)));
  return keepdims
    ? shape.map((size, axis) => (reduced.has(axis) ? 1 : size))
    : shape.filter((_, axis) => !reduced.has(axis));
}

type ReduceOperator = {
  [K in keyof ReductionOperators]: ReductionOperators[K] extends ReduceAttributes ? K : never;
}[keyof ReductionOperators];

function reduce(application: Application<ReduceOperator>, known: Known): readonly ValueType[] {
  const x = inputAt(application, 0);
  const { keepdims, noopWithEmptyAxes } = application.attributes;
  return [typed(x, x.shape && shapeAfter(x.shape))];

  function shapeAfter(shape: Shape): Shape | undefined {
    const axesInput = application.inputs[1];
    const axes = axesInput === undefined ? [] : integersOf(axesInput, known);
    if (axes?.length === 0) return noopWithEmptyAxes ? shape : reducedShape(shape, [...shape.keys()], keepdims);
    if (axes !== undefined) return reducedShape(shape, axes, keepdims);
    if (keepdims) return unknownOfRank(shape.length);
    const count = lengthOf(axesInput, known);
    return count === undefined || count === 0 ? undefined : unknownOfRank(Math.max(shape.length - count, 0));
  }
}

const position: ShapeRule<"ArgMax" | "ArgMin"> = (application) => {
  const { shape } = inputAt(application, 0);
  const { axis, keepdims } = application.attributes;
  return [{ dtype: "int64", shape: shape && reducedShape(shape, [axis], keepdims) }];
};

/** The axis is checked; the shape stays. */
const alongAxis: ShapeRule<"Hardmax"> = (application) => {
  const { shape } = inputAt(application, 0);
  if (shape !== undefined) normalizeAxis(application.attributes.axis, shape.length);
  return sameAsInput(application);
};

const cumulative = (application: Application<Operator>): readonly ValueType[] => sameAsInput(application);

const positions: DType = "int64";

export const reductionShapes: ShapeRules<ReductionOperators> = {
  ArgMax: position,
  ArgMin: position,
  CumProd: cumulative,
  CumSum: cumulative,
  Hardmax: alongAxis,
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
  TopK: (application, known) => {
    const x = inputAt(application, 0);
    const [count = null] = known.elementsOf(application.inputs[1]) ?? [];
    const shape = x.shape && topShape(x.shape, application.attributes.axis, count);
    return [typed(x, shape), { dtype: positions, shape }];
  },
};

function topShape(shape: Shape, axis: number, count: Shape[number]): Shape {
  const along = normalizeAxis(axis, shape.length);
  const size = shape[along];
  if (typeof count === "number" && (count < 0 || (typeof size === "number" && count > size))) {
    throw new GraftError("model-invalid", "TopK takes more elements than there are", {
      expected: `0 to ${size ?? "the axis's size"}`,
      actual: String(count),
    });
  }
  return replaceAxis(shape, along, count);
}
