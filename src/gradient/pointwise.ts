/** @file Derivatives of pointwise operators. At kinks they follow PyTorch: 0 at the kink of Relu and Abs. */
import type { Operator, PointwiseOperators, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import {
  broadcasting,
  by,
  byDecomposition,
  type Differentiable,
  type GradientRules,
  indicator,
  inputAt,
  local,
  notDifferentiable,
  type Step,
  zero,
} from "./rule.ts";

const logic = notDifferentiable("its output is boolean");
const bits = notDifferentiable("it works on the bits of integers");

/** 1/√(1 + s·x²) for s = ±1, the derivative that the inverse functions share. */
function inverseRoot({ build: b, x }: Step, sign: 1 | -1): Value {
  const square = b.square(x);
  return b.reciprocal(b.sqrt(sign === 1 ? b.shift(square, 1) : b.sub(b.scalar(1, x), square)));
}

/** Whether a Clip has the constant bounds 0 and a positive number, none of which is to be trained. */
function isRectifier(step: Step<"Clip">): boolean {
  const [low, high] = [1, 2].map((index) => step.build.constantOf(step.inputs[index])?.data[0]);
  return low === 0 && Number(high) > 0 && !step.wants(1) && !step.wants(2);
}

/** The extreme of several inputs: the gradient goes to those that attain it, in equal parts. */
const extreme: Differentiable<Operator> = broadcasting((step) => {
  const { build: b, inputs, y, dy } = step;
  const attained = inputs.map((_, index) => indicator(b, b.equal(inputAt(step, index), y), y));
  const share = attained.length === 1 ? dy : b.div(dy, attained.reduce(b.add));
  return attained.map((mask) => () => b.mul(share, mask));
});

/** σ(x) = 1/(1 + e⁻ˣ). */
const sigmoid = ({ build, x }: Pick<Step, "build" | "x">): Value => build.apply("Sigmoid", [x]);

/** tanh(softplus x), the gate of Mish. */
const mishGate = ({ build, x }: Step): Value => build.apply("Tanh", [build.apply("Softplus", [x])]);

export const pointwiseGradients: GradientRules<PointwiseOperators> = {
  // d|x| = sign x
  Abs: local(({ build: b, x }) => b.sign(x)),
  // d arccos x = −1/√(1 − x²)
  Acos: local((step) => step.build.neg(inverseRoot(step, -1))),
  // d arcosh x = 1/√(x² − 1)
  Acosh: local(({ build: b, x }) => b.reciprocal(b.sqrt(b.shift(b.square(x), -1)))),
  // d(a + b) = da + db
  Add: broadcasting(({ dy }) => [dy, dy]),
  And: logic,
  // d arcsin x = 1/√(1 − x²)
  Asin: local((step) => inverseRoot(step, -1)),
  // d arsinh x = 1/√(1 + x²)
  Asinh: local((step) => inverseRoot(step, 1)),
  // d arctan x = 1/(1 + x²)
  Atan: local(({ build: b, x }) => b.reciprocal(b.shift(b.square(x), 1))),
  // d artanh x = 1/(1 − x²)
  Atanh: local(({ build: b, x }) => b.reciprocal(b.sub(b.scalar(1, x), b.square(x)))),
  BitShift: bits,
  BitwiseAnd: bits,
  BitwiseNot: bits,
  BitwiseOr: bits,
  BitwiseXor: bits,
  // A change of floating type: the gradient changes back.
  Cast: by(({ build, dy, x }) => [() => build.castLike(dy, x)]),
  CastLike: by(({ build, dy, x }) => [() => build.castLike(dy, x)]),
  Ceil: zero,
  // celu x = max(0, x) + min(0, α(e^(x/α) − 1)): d = 1 for x > 0, else e^(x/α)
  Celu: local(({ build: b, x, attributes: { alpha } }) => {
    const negative = b.exp(b.scale(b.apply("Min", [x, b.scalar(0, x)]), 1 / alpha));
    return b.where(b.greater(x, b.scalar(0, x)), b.onesLike(x), negative);
  }),
  // Between the bounds, which belong to the inside (torch.clamp): dx = dy. Outside, the bound that holds gets it.
  // From 0 to a ceiling it is a ReLU, whose kinks do not belong to the inside (torch.nn.ReLU6): then y tells by itself.
  Clip: broadcasting((step) => {
    const { build: b, inputs, x, y, dy } = step;
    const [, low, high] = inputs;
    if (low !== undefined && high !== undefined && isRectifier(step)) {
      return [() => b.mul(dy, indicator(b, b.and(b.greater(y, low), b.less(y, high)), dy))];
    }
    const below = low && b.less(x, low);
    const above = high && b.greater(x, high);
    const keep = (condition: Value) => b.mul(dy, indicator(b, condition, dy));
    const inside = [low && b.apply("GreaterOrEqual", [x, low]), high && b.apply("LessOrEqual", [x, high])];
    const conditions = inside.filter((condition) => condition !== undefined);
    return [
      () => (conditions.length === 0 ? dy : keep(conditions.reduce(b.and))),
      below && (() => keep(below)),
      above && (() => keep(above)),
    ];
  }),
  // d cos x = −sin x
  Cos: local(({ build: b, x }) => b.neg(b.apply("Sin", [x]))),
  // d cosh x = sinh x
  Cosh: local(({ build: b, x }) => b.apply("Sinh", [x])),
  // d(a/b) = da/b − (y/b)·db
  Div: broadcasting((step) => {
    const { build: b, dy, y } = step;
    const divisor = inputAt(step, 1);
    return [() => b.div(dy, divisor), () => b.neg(b.div(b.mul(dy, y), divisor))];
  }),
  // In training y = x·m/(1 − r), for the mask m; at inference y = x.
  Dropout: by((step) => {
    const { build: b, inputs, outputs, dy } = step;
    const training = b.constantOf(inputs[2]);
    if (inputs[2] === undefined || (training && !training.data[0])) return [dy];
    const mask = outputs[1];
    if (mask === undefined) {
      throw new GraftError("not-differentiable", "dropout in training must give its mask", {
        hint: "add the second output, or set training_mode to false",
      });
    }
    const rate = inputs[1] ?? b.scalar(0.5, dy);
    const kept = b.sub(b.scalar(1, rate), rate);
    return [() => b.div(b.mul(dy, indicator(b, mask, dy)), b.castLike(kept, dy))];
  }),
  // elu x = x for x > 0, else α(eˣ − 1): d = 1, else y + α
  Elu: local(({ build: b, x, y, attributes: { alpha } }) =>
    b.where(b.greater(x, b.scalar(0, x)), b.onesLike(x), b.shift(y, alpha)),
  ),
  Equal: logic,
  // d erf x = (2/√π)·e^(−x²)
  Erf: local(({ build: b, x }) => b.scale(b.exp(b.neg(b.square(x))), 2 / Math.sqrt(Math.PI))),
  // d eˣ = eˣ
  Exp: local(({ y }) => y),
  Floor: zero,
  // gelu x = x·Φ(x); Φ by erf, or by tanh as its approximation (Hendrycks and Gimpel, arXiv:1606.08415)
  Gelu: byDecomposition(({ attributes, inputs }, b) => {
    const x = inputAt({ inputs }, 0);
    const cubic = () => b.add(x, b.scale(b.mul(b.square(x), x), 0.044715));
    const bell =
      attributes.approximate === "tanh"
        ? b.apply("Tanh", [b.scale(cubic(), Math.sqrt(2 / Math.PI))])
        : b.apply("Erf", [b.scale(x, Math.SQRT1_2)]);
    return [b.mul(b.scale(x, 0.5), b.shift(bell, 1))];
  }),
  Greater: logic,
  GreaterOrEqual: logic,
  // hardSigmoid x = max(0, min(1, αx + β)): d = α strictly inside
  HardSigmoid: local(({ build: b, x, y, attributes: { alpha } }) => {
    const inside = b.and(b.greater(y, b.scalar(0, y)), b.less(y, b.scalar(1, y)));
    return b.scale(indicator(b, inside, x), alpha);
  }),
  // hardSwish x = x·max(0, min(1, x/6 + 1/2)): d = 0 below −3, 1 above 3, x/3 + 1/2 between
  HardSwish: local(({ build: b, x }) => {
    const between = b.shift(b.scale(x, 1 / 3), 0.5);
    const upper = b.where(b.less(x, b.scalar(3, x)), between, b.onesLike(x));
    return b.where(b.greater(x, b.scalar(-3, x)), upper, b.zerosLike(x));
  }),
  Identity: by(({ dy }) => [dy]),
  IsInf: logic,
  IsNaN: logic,
  // leakyRelu x = x for x > 0, else αx
  LeakyRelu: local(({ build: b, x, attributes: { alpha } }) =>
    b.where(b.greater(x, b.scalar(0, x)), b.scalar(1, x), b.scalar(alpha, x)),
  ),
  Less: logic,
  LessOrEqual: logic,
  // d ln x = 1/x
  Log: by(({ build: b, x, dy }) => [() => b.div(dy, x)]),
  Max: extreme,
  // y = (Σ xᵢ)/n
  Mean: broadcasting(({ build: b, inputs, dy }) => {
    const part = b.scale(dy, 1 / inputs.length);
    return inputs.map(() => part);
  }),
  Min: extreme,
  // mish x = x·g for g = tanh(softplus x): d = g + x·σ(x)·(1 − g²)
  Mish: local((step) => {
    const { build: b, x } = step;
    const gate = mishGate(step);
    return b.add(gate, b.mul(b.mul(x, sigmoid(step)), b.sub(b.scalar(1, x), b.square(gate))));
  }),
  // a mod b = a − b·q, with q = ⌊a/b⌋, or rounded towards zero for fmod
  Mod: broadcasting((step) => {
    const { build: b, x, y, dy } = step;
    const divisor = inputAt(step, 1);
    return [dy, () => b.neg(b.mul(dy, b.apply("Round", [b.div(b.sub(x, y), divisor)])))];
  }),
  // d(ab) = b·da + a·db
  Mul: broadcasting((step) => {
    const { build: b, x, dy } = step;
    return [() => b.mul(dy, inputAt(step, 1)), () => b.mul(dy, x)];
  }),
  Neg: by(({ build: b, dy }) => [() => b.neg(dy)]),
  Not: logic,
  Or: logic,
  // prelu x = x for x > 0, else slope·x; the slope broadcasts to x
  PRelu: broadcasting((step) => {
    const { build: b, x, dy } = step;
    const positive = b.greater(x, b.scalar(0, x));
    return [
      () => b.where(positive, dy, b.mul(dy, inputAt(step, 1))),
      () => b.where(positive, b.zerosLike(x), b.mul(dy, x)),
    ];
  }),
  // d(xᵖ) = p·x^(p−1)·dx + xᵖ·ln x·dp. Where p = 0, dx = 0; where x = 0, dp = 0 (torch.pow)
  Pow: broadcasting((step) => {
    const { build: b, x, y, dy } = step;
    const exponent = inputAt(step, 1);
    const power = b.castLike(exponent, x);
    return [
      () => {
        const slope = b.mul(power, b.pow(x, b.shift(power, -1)));
        const known = b.constantOf(exponent);
        if (known !== undefined && known.data.length === 1 && known.data[0]) return b.mul(dy, slope);
        return b.mul(dy, b.where(b.equal(power, b.scalar(0, power)), b.scalar(0, x), slope));
      },
      () => {
        const isZero = b.equal(x, b.scalar(0, x));
        const logarithm = b.log(b.where(isZero, b.scalar(1, x), x));
        return b.castLike(b.mul(dy, b.mul(y, logarithm)), exponent);
      },
    ];
  }),
  // d(1/x) = −y²
  Reciprocal: local(({ build: b, y }) => b.neg(b.square(y))),
  // dx = dy where x > 0
  Relu: local(({ build: b, y }) => indicator(b, b.greater(y, b.scalar(0, y)), y)),
  Round: zero,
  // selu x = γx for x > 0, else γα(eˣ − 1): d = γ, else y + γα
  Selu: local(({ build: b, x, y, attributes: { alpha, gamma } }) =>
    b.where(b.greater(x, b.scalar(0, x)), b.scalar(gamma, x), b.shift(y, gamma * alpha)),
  ),
  // shrink x = x ∓ bias outside [−λ, λ], 0 inside
  Shrink: local(({ build: b, x, attributes: { lambd } }) =>
    indicator(b, b.greater(b.apply("Abs", [x]), b.scalar(lambd, x)), x),
  ),
  // dσ = σ(1 − σ)
  Sigmoid: local(({ build: b, y }) => b.mul(y, b.sub(b.scalar(1, y), y))),
  Sign: zero,
  // d sin x = cos x
  Sin: local(({ build: b, x }) => b.apply("Cos", [x])),
  // d sinh x = cosh x
  Sinh: local(({ build: b, x }) => b.apply("Cosh", [x])),
  // d ln(1 + eˣ) = σ(x)
  Softplus: local(sigmoid),
  // d x/(1 + |x|) = 1/(1 + |x|)²
  Softsign: local(({ build: b, x }) => b.reciprocal(b.square(b.shift(b.apply("Abs", [x]), 1)))),
  // d√x = 1/(2√x)
  Sqrt: by(({ build: b, y, dy }) => [() => b.div(b.scale(dy, 0.5), y)]),
  // d(a − b) = da − db
  Sub: broadcasting(({ build: b, dy }) => [dy, () => b.neg(dy)]),
  Sum: broadcasting(({ inputs, dy }) => inputs.map(() => dy)),
  // swish x = x·s for s = σ(αx): d = s + αx·s(1 − s)
  Swish: local(({ build: b, x, attributes: { alpha } }) => {
    const scaled = b.scale(x, alpha);
    const gate = sigmoid({ build: b, x: scaled });
    return b.add(gate, b.mul(scaled, b.mul(gate, b.sub(b.scalar(1, x), gate))));
  }),
  // d tan x = 1 + y²
  Tan: local(({ build: b, y }) => b.shift(b.square(y), 1)),
  // d tanh x = 1 − y²
  Tanh: local(({ build: b, y }) => b.sub(b.scalar(1, y), b.square(y))),
  // x where x > α, else 0
  ThresholdedRelu: local(({ build: b, x, attributes: { alpha } }) => indicator(b, b.greater(x, b.scalar(alpha, x)), x)),
  // dx = dy where the condition holds, dz = dy elsewhere
  Where: broadcasting((step) => {
    const { build: b, dy } = step;
    const condition = inputAt(step, 0);
    const nothing = b.scalar(0, dy);
    return [undefined, () => b.where(condition, dy, nothing), () => b.where(condition, nothing, dy)];
  }),
  Xor: logic,
};
