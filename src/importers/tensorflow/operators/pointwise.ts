/** @file Operators that work element by element. */
import type { PointwiseOperators, Value } from "../../../graph/index.ts";
import { isFloating, tensorOf } from "../../../tensor/index.ts";
import { aligned, elementwise } from "./align.ts";
import { withBias } from "./bias.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";
import { angleOf, complexExponential, complexProduct, eitherComplex } from "./complex.ts";

type Plain = {
  [K in keyof PointwiseOperators]: object extends PointwiseOperators[K] ? K : never;
}[keyof PointwiseOperators];

/** One operand, and an operator of ONNX that does the same. */
function unary(operator: Plain): Lower {
  return (call) => call.oriented(0).map((x) => call.apply(operator, [x]));
}

/** One operand, and what is computed of it. */
function each(compute: (x: Value, call: Call) => Value): Lower {
  return (call) => call.oriented(0).map((x) => compute(x, call));
}

/** Two operands that are broadcast, and an operator of ONNX that does the same. */
function binary(operator: Plain): Lower {
  return elementwise((values, call) => call.apply(operator, values));
}

function both(compute: (a: Value, b: Value, call: Call) => Value): Lower {
  return elementwise(([a, b], call) => {
    if (a === undefined || b === undefined) throw call.refused("two operands are expected");
    return compute(a, b, call);
  });
}

/** The sum or product of all operands, in turn. */
function many(operator: "Add" | "Mul"): Lower {
  return elementwise((values, call) => {
    const [first, ...others] = values;
    if (first === undefined) throw call.refused("an operand is expected");
    if (others.length === 0) return call.apply("Identity", [first]);
    return others.reduce((total, value) => call.apply(operator, [total, value]), first);
  });
}

/** Rounds towards minus infinity, as Python does; ONNX's division of whole numbers rounds towards 0. */
function floorDivision(a: Value, b: Value, call: Call): Value {
  const { build } = call;
  if (isFloating(a.dtype)) return call.apply("Floor", [build.div(a, b)]);
  return call.apply("Div", [build.sub(a, build.apply("Mod", [a, b])), b]);
}

/** a − b·⌊a/b⌋: the sign of the divisor. */
function floorRemainder(a: Value, b: Value, call: Call): Value {
  const { build } = call;
  if (!isFloating(a.dtype)) return call.apply("Mod", [a, b]);
  return call.apply("Sub", [a, build.mul(b, build.apply("Floor", [build.div(a, b)]))]);
}

/** f(a, b), but 0 wherever `zero` is 0. */
function zeroWhere(zero: "a" | "b", compute: (a: Value, b: Value, call: Call) => Value): Lower {
  return both((a, b, call) => {
    const { build } = call;
    const nothing = build.scalar(0, a);
    return call.apply("Where", [build.equal(zero === "a" ? a : b, nothing), nothing, compute(a, b, call)]);
  });
}

const cast: Lower = (call) => {
  const to = call.type("DstT", "float32");
  const slot = call.slot(0);
  if (slot.kind === "complex") {
    if (to === "complex64" || to === "complex128") return slot;
    return call.build.cast(slot.real, to);
  }
  if (slot.kind === "weight" && slot.weight.tensor.dtype === to) return slot;
  if (to === "complex64" || to === "complex128") {
    const real = call.build.cast(call.value(0), to === "complex64" ? "float32" : "float64");
    return { kind: "complex", real, imaginary: call.build.zerosLike(real) };
  }
  const data = call.oriented(0);
  if (data.dtype === to) return data;
  return data.map((x) => call.apply("Cast", [x], { to }));
};

/** Three operands; a condition of one axis chooses rows. */
const select: Lower = (call) => {
  const { build } = call;
  const [conditionRank, rank] = [call.rank(0), call.rank(1)];
  if (call.node.op !== "Select" || conditionRank !== 1 || rank <= 1) {
    const { values, wrap } = aligned(call, call.inputs);
    return wrap(call.apply("Where", values));
  }
  const axes = Array.from({ length: rank - 1 }, (_, axis) => axis + 1);
  return call.oriented(1).map((x) => {
    const isFirst = call.oriented(1).isFirst;
    const other = isFirst ? call.oriented(2).first() : call.value(2);
    return call.apply("Where", [build.unsqueeze(call.value(0), axes), x, other]);
  });
};

const clip: Lower = (call) => {
  const { values, wrap } = aligned(call, call.inputs);
  const [x, low, high] = values;
  if (low?.shape?.length === 0 && high?.shape?.length === 0) return wrap(call.apply("Clip", [x, low, high]));
  if (x === undefined) throw call.refused("an operand is expected");
  return wrap(call.apply("Min", [call.build.apply("Max", [x, low]), high]));
};

/** The smallest and the largest number that quantization keeps, moved so that 0 is one of its steps. */
function fakeQuantization(x: Value, call: Call, low: Value, high: Value): Value {
  const { build } = call;
  const bits = call.int("num_bits", 8);
  const from = call.bool("narrow_range", false) ? 1 : 0;
  const to = 2 ** bits - 1;
  const scale = build.div(build.sub(high, low), build.scalar(to - from, low));
  const zero = build.sub(build.scalar(from, low), build.div(low, scale));
  const rounded = build.apply("Floor", [build.shift(zero, 0.5)]);
  const point = build.apply("Clip", [rounded, build.scalar(from, low), build.scalar(to, low)]);
  const least = build.mul(build.sub(build.scalar(from, low), point), scale);
  const most = build.mul(build.sub(build.scalar(to, low), point), scale);
  const clipped = build.apply("Min", [build.apply("Max", [x, least]), most]);
  const steps = build.apply("Floor", [build.shift(build.div(build.sub(clipped, least), scale), 0.5)]);
  return call.apply("Add", [build.mul(steps, scale), least]);
}

function fakeQuantized(bounds: (call: Call, like: Value) => readonly [Value, Value]): Lower {
  return (call) => {
    const x = call.value(0);
    return fakeQuantization(x, call, ...bounds(call, x));
  };
}

/** Whether all pairs lie near each other. */
const approximately = both((a, b, call) => {
  const { build } = call;
  const distance = build.apply("Abs", [build.sub(a, b)]);
  return call.apply("Less", [distance, build.scalar(call.float("tolerance", 1e-5), a)]);
});

/** How many boundaries lie at or below each element. */
const bucketize: Lower = (call) => {
  const { build } = call;
  const boundaries = call.floats("boundaries");
  const x = build.cast(call.value(0), "float32");
  const bounds = build.constant(tensorOf("float32", [boundaries.length], boundaries), `${call.name}/boundaries`);
  const reached = build.apply("GreaterOrEqual", [build.unsqueeze(x, [-1]), bounds]);
  return call.apply("ReduceSum", [build.cast(reached, "int32"), build.ints([-1])], { keepdims: false });
};

/** The product or the sum of two complex tensors is none of ONNX's; that of real ones is. */
const product: Lower = (call) => (eitherComplex(call) ? complexProduct(call) : binary("Mul")(call));

/** A sum, in which a number for each channel may be a bias of the convolution or the product before it. */
const sum: Lower = (call) => {
  if (call.inputs.length === 2) {
    for (const bias of [1, 0]) {
      const map = call.slot(1 - bias);
      const rank = map.kind === "tensor" ? map.data.shape?.length : undefined;
      const found = rank && withBias(call, 1 - bias, call.slot(bias), rank - 1);
      if (found) return found;
    }
  }
  return binary("Add")(call);
};

const passed: Lower = (call) => call.slot(0);

export const pointwiseRows: OperatorRows = [
  ["Abs", unary("Abs")],
  ["Acos", unary("Acos")],
  ["Acosh", unary("Acosh")],
  ["AccumulateNV2", many("Add")],
  ["Add", sum],
  ["AddN", many("Add")],
  ["AddV2", sum],
  ["ApproximateEqual", approximately],
  ["Asin", unary("Asin")],
  ["Asinh", unary("Asinh")],
  ["Atan", unary("Atan")],
  ["Atan2", both((y, x, call) => angleOf(call, y, x))],
  ["Atanh", unary("Atanh")],
  ["BitwiseAnd", binary("BitwiseAnd")],
  ["BitwiseOr", binary("BitwiseOr")],
  ["BitwiseXor", binary("BitwiseXor")],
  ["Bucketize", bucketize],
  ["Cast", cast],
  ["Ceil", unary("Ceil")],
  ["CheckNumerics", passed],
  ["ClipByValue", clip],
  ["Cos", unary("Cos")],
  ["Cosh", unary("Cosh")],
  ["Div", binary("Div")],
  ["DivNoNan", zeroWhere("b", (a, b, { build }) => build.div(a, b))],
  ["Elu", each((x, call) => call.apply("Elu", [x], { alpha: 1 }))],
  ["Equal", binary("Equal")],
  ["Erf", unary("Erf")],
  ["Erfc", each((x, call) => call.apply("Sub", [call.build.scalar(1, x), call.build.apply("Erf", [x])]))],
  ["Exp", (call) => (eitherComplex(call) ? complexExponential(call) : unary("Exp")(call))],
  ["Expm1", each((x, call) => call.apply("Sub", [call.build.exp(x), call.build.scalar(1, x)]))],
  [
    "FakeQuantWithMinMaxArgs",
    fakeQuantized((call, x) => [
      call.build.scalar(call.float("min", -6), x),
      call.build.scalar(call.float("max", 6), x),
    ]),
  ],
  ["FakeQuantWithMinMaxVars", fakeQuantized((call) => [call.value(1), call.value(2)])],
  ["FakeQuantWithMinMaxVarsPerChannel", fakeQuantized((call) => [call.value(1), call.value(2)])],
  ["Floor", unary("Floor")],
  ["FloorDiv", both(floorDivision)],
  ["FloorMod", both(floorRemainder)],
  ["Greater", binary("Greater")],
  ["GreaterEqual", binary("GreaterOrEqual")],
  ["Inv", unary("Reciprocal")],
  ["IsFinite", each((x, call) => call.apply("Less", [call.build.apply("Abs", [x]), infinity(call, x)]))],
  ["IsInf", each((x, call) => call.apply("IsInf", [x]))],
  ["IsNan", unary("IsNaN")],
  ["LeakyRelu", each((x, call) => call.apply("LeakyRelu", [x], { alpha: call.float("alpha", 0.2) }))],
  ["Less", binary("Less")],
  ["LessEqual", binary("LessOrEqual")],
  ["Log", unary("Log")],
  ["Log1p", each((x, call) => call.apply("Log", [call.build.shift(x, 1)]))],
  ["LogicalAnd", binary("And")],
  ["LogicalNot", unary("Not")],
  ["LogicalOr", binary("Or")],
  ["Maximum", binary("Max")],
  ["Minimum", binary("Min")],
  ["Mod", both((a, b, call) => call.apply("Mod", [a, b], { fmod: true }))],
  ["Mul", product],
  ["MulNoNan", zeroWhere("b", (a, b, { build }) => build.mul(a, b))],
  ["Neg", unary("Neg")],
  ["NotEqual", both((a, b, call) => call.apply("Not", [call.build.equal(a, b)]))],
  ["OnesLike", each((x, { build }) => build.onesLike(x))],
  ["Pow", binary("Pow")],
  ["Prelu", both((a, b, call) => call.apply("PRelu", [a, b]))],
  ["RealDiv", binary("Div")],
  ["Reciprocal", unary("Reciprocal")],
  ["Relu", unary("Relu")],
  ["Relu6", each((x, call) => call.apply("Clip", [x, call.build.scalar(0, x), call.build.scalar(6, x)]))],
  ["Rint", unary("Round")],
  ["Round", each((x, call) => (isFloating(x.dtype) ? call.apply("Round", [x]) : x))],
  ["Rsqrt", each((x, call) => call.apply("Reciprocal", [call.build.sqrt(x)]))],
  ["Select", select],
  ["SelectV2", select],
  ["Selu", each((x, call) => call.apply("Selu", [x]))],
  ["Sigmoid", unary("Sigmoid")],
  ["Sign", unary("Sign")],
  ["Sin", unary("Sin")],
  ["Sinh", unary("Sinh")],
  ["Softplus", unary("Softplus")],
  ["Softsign", unary("Softsign")],
  ["Sqrt", unary("Sqrt")],
  ["Square", each((x, call) => call.apply("Mul", [x, x]))],
  ["SquaredDifference", both((a, b, call) => square(call, call.build.sub(a, b)))],
  ["Sub", binary("Sub")],
  ["Tan", unary("Tan")],
  ["Tanh", unary("Tanh")],
  ["TruncateDiv", both((a, b, call) => call.apply("Div", [a, b]))],
  ["TruncateMod", both((a, b, call) => call.apply("Mod", [a, b], { fmod: true }))],
  ["Xdivy", zeroWhere("a", (a, b, { build }) => build.div(a, b))],
  ["Xlog1py", zeroWhere("a", (a, b, { build }) => build.mul(a, build.log(build.shift(b, 1))))],
  ["Xlogy", zeroWhere("a", (a, b, { build }) => build.mul(a, build.log(b)))],
  ["ZerosLike", each((x, { build }) => build.zerosLike(x))],
];

function square(call: Call, x: Value): Value {
  return call.apply("Mul", [x, x]);
}

function infinity(call: Call, x: Value): Value {
  return call.build.scalar(Number.POSITIVE_INFINITY, x);
}
