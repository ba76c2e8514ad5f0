/** @file Derivatives of reductions. Throughout, `wide v` is a result with its reduced axes put back as axes of size 1. */
import type { Operator, ReduceAttributes, ReductionOperators, Value } from "../graph/index.ts";
import { normalizeAxis, numbersOf } from "../tensor/index.ts";
import {
  by,
  byDecomposition,
  type Differentiable,
  type GradientRules,
  indicator,
  inputAt,
  notDifferentiable,
  rankOf,
  type Step,
  zero,
} from "./rule.ts";
import { range } from "./sizes.ts";

type Reduce = {
  [K in keyof ReductionOperators]: ReductionOperators[K] extends ReduceAttributes ? K : never;
}[keyof ReductionOperators];
type Wide = (value: Value) => Value;

const position = notDifferentiable("its output is a position");

/** A rule of a reduction: dx in terms of `wide`; the axes get no gradient. */
function reduction(derivative: (step: Step<Reduce>, wide: Wide) => Value): Differentiable<Reduce> {
  return by((step) => [() => derivative(step, widening(step))]);
}

/** The axes a reduction runs along: `undefined` where they are known only at run time. */
function reducedAxes({ attributes, inputs, x, build }: Step<Reduce>): readonly number[] | undefined {
  const given = inputs[1] && build.constantOf(inputs[1]);
  if (inputs[1] !== undefined && given === undefined) return undefined;
  const axes = given === undefined ? [] : numbersOf(given);
  if (axes.length > 0) return axes.map((axis) => normalizeAxis(axis, rankOf(x)));
  return attributes.noopWithEmptyAxes ? [] : range(rankOf(x));
}

function widening(step: Step<Reduce>): Wide {
  const { attributes, inputs, x, build: b } = step;
  // A result of rank 0 already broadcasts.
  if (attributes.keepdims || step.y.shape?.length === 0) return (value) => value;
  const axes = reducedAxes(step);
  if (axes !== undefined) return (value) => b.unsqueeze(value, axes);
  const { noopWithEmptyAxes } = attributes;
  const kept = b.shapeOf(b.apply("ReduceSum", [x, inputs[1]], { keepdims: true, noopWithEmptyAxes }));
  return (value) => b.reshape(value, kept);
}

/** How many elements are reduced to one, in the element type of x. */
function count(step: Step<Reduce>): Value {
  const { x, y, build: b } = step;
  const sizes = reducedAxes(step)?.map((axis) => x.shape?.[axis]);
  if (sizes?.every((size) => typeof size === "number"))
    return b.scalar(
      sizes.reduce((n, size) => n * size, 1),
      x,
    );
  return b.castLike(b.div(b.apply("Size", [x]), b.apply("Size", [y])), x);
}

/** wide dy, repeated to the shape of x. */
function spread({ x, build: b }: Step<Reduce>, gradient: Value): Value {
  return b.expand(gradient, b.shapeOf(x));
}

/** The gradient goes to the elements that attain the extreme, in equal parts (torch.amax). */
const extreme = reduction((step, wide) => {
  const { build: b, x, y, dy, attributes, inputs } = step;
  const attained = indicator(b, b.equal(x, wide(y)), x);
  const ties = b.apply("ReduceSum", [attained, inputs[1]], attributes);
  return b.mul(attained, wide(b.div(dy, ties)));
});

export const reductionGradients: GradientRules<ReductionOperators> = {
  ArgMax: position,
  ArgMin: position,
  // yᵢ = Π_{k ≤ i} xₖ: a product along the rows of the triangle that holds xₖ for k ≤ i, else 1
  CumProd: byDecomposition(({ attributes: { exclusive, reverse }, inputs }, b) => {
    const x = inputAt({ inputs }, 0);
    const given = b.constantOf(inputAt({ inputs }, 1));
    const axis = normalizeAxis(given === undefined ? 0 : Number(given.data[0]), rankOf(x));
    const size = b.squeeze(b.sizeOf(x, axis), [0]);
    const [from, step] = [b.squeeze(b.ints([0]), [0]), b.squeeze(b.ints([1]), [0])];
    const k = b.apply("Range", [from, size, step]);
    const i = b.unsqueeze(k, [1]);
    const [late, early] = reverse ? [k, i] : [i, k];
    const triangle = exclusive ? b.greater(late, early) : b.apply("GreaterOrEqual", [late, early]);
    const trailing = Array.from({ length: rankOf(x) - axis - 1 }, (_, offset) => offset + 2);
    const factors = b.where(b.unsqueeze(triangle, trailing), b.unsqueeze(x, [axis]), b.scalar(1, x));
    return [b.apply("ReduceProd", [factors, b.ints([axis + 1])], { keepdims: false })];
  }),
  // yᵢ = Σ_{k ≤ i} xₖ: dxₖ = Σ_{i ≥ k} dyᵢ, the same sum from the other end
  CumSum: by(({ build: b, inputs, dy, attributes: { exclusive, reverse } }) => [
    () => b.apply("CumSum", [dy, inputs[1]], { exclusive, reverse: !reverse }),
  ]),
  Hardmax: zero,
  // y = Σ|x|: dx = sign x · wide dy
  ReduceL1: reduction(({ build: b, x, dy }, wide) => b.mul(b.sign(x), wide(dy))),
  // y = √Σx²: dx = x · wide (dy/y), and 0 where y = 0 (torch.linalg.vector_norm)
  ReduceL2: reduction(({ build: b, x, y, dy }, wide) => {
    const nothing = b.scalar(0, y);
    return b.mul(x, wide(b.where(b.equal(y, nothing), nothing, b.div(dy, y))));
  }),
  // y = ln Σx: dx = wide (dy/Σx) = wide (dy·e⁻ʸ)
  ReduceLogSum: reduction((step, wide) =>
    spread(step, wide(step.build.mul(step.dy, step.build.exp(step.build.neg(step.y))))),
  ),
  // y = ln Σeˣ: dx = e^(x − wide y) · wide dy
  ReduceLogSumExp: reduction(({ build: b, x, y, dy }, wide) => b.mul(b.exp(b.sub(x, wide(y))), wide(dy))),
  ReduceMax: extreme,
  // y = Σx/n: dx = wide dy/n
  ReduceMean: reduction((step, wide) => spread(step, wide(step.build.div(step.dy, count(step))))),
  ReduceMin: extreme,
  // y = Πx: dx = wide dy · the product of the others, which is Π′/x′ where no other is 0, else 0; x′ and Π′ leave out zeros
  ReduceProd: reduction((step, wide) => {
    const { build: b, x, dy, attributes, inputs } = step;
    const isZero = b.equal(x, b.scalar(0, x));
    const zeros = indicator(b, isZero, x);
    const nonzero = b.where(isZero, b.scalar(1, x), x);
    const product = b.apply("ReduceProd", [nonzero, inputs[1]], attributes);
    const zeroCount = b.apply("ReduceSum", [zeros, inputs[1]], attributes);
    const isOnlyZero = indicator(b, b.equal(zeros, wide(zeroCount)), x);
    return b.mul(isOnlyZero, b.div(wide(b.mul(dy, product)), nonzero));
  }),
  // y = Σx: dx = wide dy
  ReduceSum: reduction((step, wide) => spread(step, wide(step.dy))),
  // y = Σx²: dx = 2x · wide dy
  ReduceSumSquare: reduction(({ build: b, x, dy }, wide) => b.mul(b.scale(x, 2), wide(dy))),
  // The elements chosen get what came to them, the others nothing.
  TopK: by((step) => {
    const { build: b, x, dy, inputs, outputs, attributes } = step;
    const chosen = outputs[1] ?? b.applyAll<Operator & "TopK">("TopK", inputs, 2, attributes)[1];
    return [() => b.apply("ScatterElements", [b.zerosLike(x), chosen, dy], { axis: attributes.axis })];
  }),
};
