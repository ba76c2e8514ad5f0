"""Functions of single elements."""

import torch
import torch.nn.functional as F

from .harness import Collection, Fn, node, normal, uniform

cases = Collection("pointwise")


def of(function, shape=(4,)):
    """The function inside a learned scale and shift, so that a gradient passes through it both ways."""
    return lambda: Fn(lambda x, a, b: function(x * a) + b, a=torch.randn(shape).abs() + 0.5, b=torch.randn(shape))


plain = {
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.3),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "softplus": F.softplus,
    "softplus_beta": lambda x: F.softplus(x, beta=2.0),
    "softsign": F.softsign,
    "mish": F.mish,
    "hardsigmoid": F.hardsigmoid,
    "hardswish_large": lambda x: F.hardswish(3 * x),
    "hardtanh": lambda x: F.hardtanh(x, -0.7, 0.9),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "logsigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink,
    "softshrink": lambda x: F.softshrink(x, 0.4),
    "hardshrink": lambda x: F.hardshrink(x, 0.4),
    "threshold": lambda x: F.threshold(x, 0.3, -1.0),
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": torch.cos,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "atan": torch.atan,
    "abs": torch.abs,
    "neg": torch.neg,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "square": torch.square,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "frac": torch.frac,
    "clamp_both": lambda x: torch.clamp(x, -0.5, 0.8),
    "clamp_min": lambda x: torch.clamp(x, min=-0.3),
    "clamp_max": lambda x: torch.clamp(x, max=0.4),
    "pow_2": lambda x: x**2,
    "pow_3": lambda x: x**3,
    "scalar_pow": lambda x: 2.5**x,
    "nan_to_num": torch.nan_to_num,
    "cast_int_and_back": lambda x: x * (x > 0).to(x.dtype) + x * (9 * x).int().to(x.dtype),
    "cast_double": lambda x: torch.tanh(x.double() * 1.5).to(x.dtype),
}
for name, function in plain.items():
    cases.both(name, of(function), normal(5, 4))

positive = {
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "pow_half": lambda x: x**0.5,
    "pow_negative": lambda x: x**-1.5,
    "acosh": lambda x: torch.acosh(1.2 + x),
    "tan": torch.tan,
    "log_negative_log": lambda x: torch.log(-torch.log(x / (1 + x))),
}
for name, function in positive.items():
    cases.both(name, of(function), uniform(5, 4, low=0.2, high=0.8))

inside = {"asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh}
for name, function in inside.items():
    cases.both(name, lambda function=function: Fn(lambda x, b: function(x * 0.9) * b, b=torch.randn(4)), uniform(5, 4, low=-0.95, high=0.95))


def pair(function, shape=(3, 1)):
    """Two operands that broadcast against each other."""
    return lambda: Fn(lambda x, w: function(x, w), w=torch.randn(shape))


def positive_pair(function, shape=(3, 1)):
    return lambda: Fn(lambda x, w: function(x.abs() + 0.3, w.abs() + 0.3), w=torch.randn(shape))


cases.both("minimum", pair(torch.minimum), normal(2, 3, 4))
cases.both("maximum", pair(torch.maximum), normal(2, 3, 4))
cases.both("sub_broadcast", pair(lambda x, w: w - 2 * x), normal(2, 3, 4))
cases.both("div_broadcast", positive_pair(lambda x, w: w / x), normal(2, 3, 4))
cases.both("pow_tensors", positive_pair(torch.pow), normal(2, 3, 4))
cases.both("where", pair(lambda x, w: torch.where(x > w, x * x, w * 3)), normal(2, 3, 4))
cases.both("where_masked_fill", pair(lambda x, w: (x * w).masked_fill(x < -0.2, 0.25)), normal(2, 3, 4))
cases.both("where_two_inputs", lambda: Fn(lambda m, x, w: torch.where(m, x, w)
    , w=torch.randn(3, 1)), lambda: torch.rand(2, 3, 4) > 0.5, normal(2, 3, 4))
cases.both("clamp_tensor_bounds", lambda: Fn(lambda x, lo, hi: torch.clamp(x, lo, hi), lo=-torch.rand(4) - 0.1, hi=torch.rand(4) + 0.1), normal(5, 4))
cases.both("remainder", positive_pair(torch.remainder), normal(2, 3, 4, scale=3))
cases.both("fmod", positive_pair(lambda x, w: torch.fmod(x - 3, w)), normal(2, 3, 4, scale=3))
cases.both("fmod_scalar", of(lambda x: torch.fmod(x * 3, 1.7)), normal(5, 4))
cases.both("div_floor", positive_pair(lambda x, w: torch.div(x, w, rounding_mode="floor") * x), normal(2, 3, 4, scale=3))
cases.both("atan2", pair(lambda x, w: torch.atan2(x, w)), normal(2, 3, 4))
cases.both("hypot", pair(lambda x, w: torch.hypot(x, w)), normal(2, 3, 4))
cases.both("logaddexp", pair(torch.logaddexp), normal(2, 3, 4))
cases.both("lerp", pair(lambda x, w: torch.lerp(x, w, 0.3)), normal(2, 3, 4))
cases.both("addcmul", lambda: Fn(lambda x, u, w: torch.addcmul(x, u, w, value=0.5), u=torch.randn(4), w=torch.randn(3, 1)), normal(2, 3, 4))
cases.both("addcdiv", lambda: Fn(lambda x, u, w: torch.addcdiv(x, u, w.abs() + 0.5, value=0.5), u=torch.randn(4), w=torch.randn(3, 1)), normal(2, 3, 4))
cases.both("same_operand_twice", lambda: Fn(lambda x, a: (x * a) * (x * a) + (x - x * a) / (x * x + 1), a=torch.randn(4)), normal(5, 4))
cases.both("logical_mask", lambda: Fn(lambda x, a: x * a * ((x > -1) & ~(x > 1) | (x == 0)).to(x.dtype), a=torch.randn(4)), normal(5, 4))
cases.both("prelu_channels", lambda: torch.nn.Sequential(torch.nn.Conv2d(3, 6, 1), torch.nn.PReLU(6)), normal(2, 3, 4, 4))
cases.both("prelu_single", lambda: torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.PReLU()), normal(4, 6))
cases.both("glu", lambda: torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GLU(-1)), normal(4, 6))
cases.both("glu_channels", lambda: torch.nn.Sequential(torch.nn.Conv1d(3, 8, 3), torch.nn.GLU(1)), normal(2, 3, 9))
cases.both("swiglu", lambda: Fn(lambda x, u, w, v: (F.silu(x @ u) * (x @ w)) @ v, u=torch.randn(6, 8), w=torch.randn(6, 8), v=torch.randn(8, 6)), normal(4, 6))
cases.both("dropout_eval", lambda: torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.5), torch.nn.ReLU(), torch.nn.Dropout1d(0.2), torch.nn.Linear(8, 3)), normal(4, 6))
cases.both("expand_scalar_parameter", lambda: Fn(lambda x, t: x / t.exp() + t, t=torch.tensor(0.3)), normal(5, 4))
cases.export("gelu_opset20", of(F.gelu), normal(5, 4), dynamo=True, opset=20)
cases.export("gelu_tanh_opset20", of(lambda x: F.gelu(x, approximate="tanh")), normal(5, 4), dynamo=True, opset=20)


def one(operator, judge, opset=18, values=lambda: torch.randn(5, 4), **attributes):
    """One operator as it stands in the specification, with attributes no exporter writes."""

    def build():
        return (
            [node("Mul", ["x0", "a"], ["h"]), node(operator, ["h"], **attributes)],
            {"x0": values()},
            {"a": torch.rand(4) + 0.5},
        )

    cases.craft(f"onnx_{operator.lower()}", build, lambda x0, a: judge(x0 * a), opset=opset)


one("Elu", lambda x: F.elu(x, 0.6), alpha=0.6)
one("Selu", lambda x: torch.where(x > 0, 1.2 * x, 1.2 * 0.9 * (torch.exp(x) - 1)), alpha=0.9, gamma=1.2)
one("Celu", lambda x: F.celu(x, 0.8), alpha=0.8)
one("HardSigmoid", lambda x: torch.clamp(0.3 * x + 0.45, 0, 1), alpha=0.3, beta=0.45)
one("ThresholdedRelu", lambda x: torch.where(x > 0.4, x, torch.zeros_like(x)), alpha=0.4)
one("Shrink", lambda x: torch.where(x < -0.4, x + 0.3, torch.where(x > 0.4, x - 0.3, torch.zeros_like(x))), lambd=0.4, bias=0.3)
one("Gelu", F.gelu, opset=20)
one("Softplus", F.softplus)
one("Softsign", F.softsign)
one("Mish", F.mish)
one("HardSwish", F.hardswish)
one("Erf", torch.erf)
one("LeakyRelu", lambda x: F.leaky_relu(x, 0.15), alpha=0.15)
one("Tan", torch.tan, values=lambda: torch.rand(5, 4) - 0.5)
one("Sinh", torch.sinh)
one("Cosh", torch.cosh)
one("Acosh", torch.acosh, values=lambda: torch.rand(5, 4) + 3)
one("Asinh", torch.asinh)
one("Atanh", torch.atanh, values=lambda: (torch.rand(5, 4) - 0.5))
one("Reciprocal", torch.reciprocal, values=lambda: torch.rand(5, 4) + 0.5)
one("Swish", lambda x: x * torch.sigmoid(0.7 * x), opset=24, alpha=0.7)


def several(name, operator, fold):
    def build():
        return (
            [node(operator, ["x0", "x1", "w", "x1"])],
            {"x0": torch.randn(2, 3, 4), "x1": torch.randn(3, 1)},
            {"w": torch.randn(4)},
        )

    cases.craft(name, build, lambda x0, x1, w: fold([x0, x1, w, x1]))


def folding(function):
    def fold(values):
        total = values[0]
        for value in values[1:]:
            total = function(total, value)
        return total

    return fold


several("onnx_sum_variadic", "Sum", folding(torch.add))
several("onnx_mean_variadic", "Mean", lambda values: folding(torch.add)(values) / 4)


def extremes(name, operator, fold):
    def build():
        return (
            [node(operator, ["x0", "x1", "w"])],
            {"x0": torch.randn(2, 3, 4), "x1": torch.randn(3, 1)},
            {"w": torch.randn(4)},
        )

    cases.craft(name, build, lambda x0, x1, w: fold([x0, x1, w]))


extremes("onnx_max_variadic", "Max", folding(torch.maximum))
extremes("onnx_min_variadic", "Min", folding(torch.minimum))


def clip(name, nodes_inputs, initializers, judge):
    cases.craft(name, lambda: ([node("Clip", nodes_inputs)], {"x0": torch.randn(5, 4)}, initializers()), judge)


clip("onnx_clip_max_only", ["x0", "", "hi"], lambda: {"hi": torch.tensor(0.4)}, lambda x0, hi: torch.minimum(x0, hi))
clip("onnx_clip_learned_bounds", ["x0", "lo", "hi"], lambda: {"lo": torch.tensor(-0.5), "hi": torch.tensor(0.6)}, lambda x0, lo, hi: torch.minimum(torch.maximum(x0, lo), hi))
cases.craft(
    "onnx_mod_fmod",
    lambda: ([node("Mod", ["x0", "w"], fmod=1)], {"x0": torch.randn(5, 4) * 3}, {"w": torch.rand(4) + 0.5}),
    lambda x0, w: torch.fmod(x0, w),
)
cases.craft(
    "onnx_prelu_slope",
    lambda: ([node("PRelu", ["x0", "s"])], {"x0": torch.randn(2, 3, 4)}, {"s": torch.rand(3, 1)}),
    lambda x0, s: torch.where(x0 > 0, x0, x0 * s),
)
