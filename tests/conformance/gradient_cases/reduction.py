"""Reductions, softmaxes, matrix products and losses."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, Fn, distinct, node, normal, uniform

cases = Collection("reduction")


def scaled(function, shape=(4,)):
    return lambda: Fn(lambda x, a: function(x * a), a=torch.rand(shape) + 0.5)


reductions = {
    "mean_last": lambda x: x.mean(-1),
    "mean_two_axes_keep": lambda x: x.mean((0, -1), keepdim=True) * x,
    "mean_all": lambda x: x.mean() * x,
    "sum_negative_axes": lambda x: x.sum((-1, -3)),
    "sum_all": lambda x: x.sum() * x,
    "prod_axis": lambda x: x.prod(1),
    "prod_keep": lambda x: x.prod(-1, keepdim=True) * x,
    "amax_axes": lambda x: x.amax((1, 2)),
    "amin_keep": lambda x: x.amin(-2, keepdim=True) * x,
    "max_values_dim": lambda x: x.max(1)[0],
    "min_all": lambda x: x.min() * x,
    "logsumexp": lambda x: torch.logsumexp(x, (0, 2)),
    "logsumexp_keep": lambda x: x - torch.logsumexp(x, -1, keepdim=True),
    "norm_l1": lambda x: x.norm(p=1, dim=-1),
    "norm_l2_keep": lambda x: x / x.norm(p=2, dim=(1, 2), keepdim=True),
    "norm_3": lambda x: torch.linalg.vector_norm(x, 3, dim=1),
    "sum_of_squares": lambda x: x.square().sum(1),
    "variance": lambda x: x.var((1, 2)),
    "variance_biased_keep": lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 0.01).sqrt(),
    "std_mean": lambda x: torch.cat(torch.std_mean(x, 2), 0),
    "normalize": lambda x: F.normalize(x, dim=1),
    "cosine_similarity": lambda x: F.cosine_similarity(x[:1], x[1:], dim=-1),
    "median_free_mask_mean": lambda x: (x * (x > 0)).sum(1) / (x > 0).sum(1).clamp(min=1),
    "softmax_axis0": lambda x: x.softmax(0),
    "softmax_middle": lambda x: x.softmax(1),
    "softmin": lambda x: F.softmin(x, -1),
    "log_softmax_middle": lambda x: x.log_softmax(1),
    "softmax_twice": lambda x: (x.softmax(-1) * 3).softmax(1),
    "gumbel_free_temperature": lambda x: (x / 0.3).softmax(-1),
}
for name, function in reductions.items():
    cases.both(name, scaled(function), normal(2, 3, 4))

products = {
    "matmul_vector_right": (lambda x, w: x @ w, (2, 3, 4), (4,)),
    "matmul_vector_left": (lambda x, w: x @ w, (4,), (3, 4, 5)),
    "matmul_vectors": (lambda x, w: x @ w, (4,), (4,)),
    "matmul_broadcast_left": (lambda x, w: x @ w, (3, 4), (2, 1, 4, 5)),
    "matmul_broadcast_both": (lambda x, w: x @ w, (2, 1, 3, 4), (5, 4, 2)),
    "bmm": (lambda x, w: torch.bmm(x, w), (3, 2, 4), (3, 4, 5)),
    "matmul_transposed": (lambda x, w: x.transpose(-1, -2) @ w.transpose(-1, -2), (2, 4, 3), (2, 5, 4)),
    "matmul_self": (lambda x, w: (x * w) @ (x * w).transpose(-1, -2), (2, 3, 4), (4,)),
    "einsum_bmm": (lambda x, w: torch.einsum("bij,bjk->bik", x, w), (2, 3, 4), (2, 4, 5)),
    "einsum_attention": (lambda x, w: torch.einsum("bhid,bhjd->bhij", x, w), (2, 2, 3, 4), (2, 2, 5, 4)),
    "einsum_channel_mix": (lambda x, w: torch.einsum("nchw,oc->nohw", x, w), (2, 3, 4, 5), (6, 3)),
    "einsum_outer": (lambda x, w: torch.einsum("i,j->ij", x, w), (3,), (4,)),
    "einsum_sums_away": (lambda x, w: torch.einsum("bij,kj->bk", x, w), (2, 3, 4), (5, 4)),
    "einsum_transpose": (lambda x, w: torch.einsum("bij->jib", x) * w, (2, 3, 4), (2,)),
    "einsum_bilinear": (lambda x, w: torch.einsum("bi,oij,bj->bo", x, w, x), (2, 3), (4, 3, 3)),
    "einsum_diagonal": (lambda x, w: torch.einsum("bii->bi", x * w), (2, 3, 3), (3,)),
    "einsum_ellipsis": (lambda x, w: torch.einsum("...ij,jk->...ik", x, w), (2, 2, 3, 4), (4, 5)),
    "outer_broadcast": (lambda x, w: x.unsqueeze(-1) * w, (2, 3), (4,)),
}
for name, (function, x, w) in products.items():
    cases.both(name, lambda function=function, w=w: Fn(function, w=torch.randn(w)), normal(*x))
cases.both("bilinear_layer", nn.Bilinear(3, 4, 5), normal(2, 3), normal(2, 4))
cases.both("linear_3d", nn.Linear(4, 5), normal(2, 3, 4))
cases.both("addmm_scaled", lambda: Fn(lambda x, w, b: torch.addmm(b, x, w, beta=0.5, alpha=2.0), w=torch.randn(4, 5), b=torch.randn(5)), normal(3, 4))

losses = {
    "loss_mse": lambda x, t: F.mse_loss(x, t),
    "loss_l1": lambda x, t: F.l1_loss(x, t, reduction="sum"),
    "loss_smooth_l1": lambda x, t: F.smooth_l1_loss(x, t, beta=0.7),
    "loss_huber": lambda x, t: F.huber_loss(x, t, delta=0.7),
    "loss_bce_logits": lambda x, t: F.binary_cross_entropy_with_logits(x, t.sigmoid()),
    "loss_kl": lambda x, t: F.kl_div(x.log_softmax(-1), t.softmax(-1), reduction="batchmean"),
    "loss_soft_cross_entropy": lambda x, t: -(t.softmax(-1) * x.log_softmax(-1)).sum(-1).mean(),
}
for name, function in losses.items():
    cases.both(name, lambda function=function: Fn(lambda x, t, a: function(x * a, t), a=torch.rand(4) + 0.5), normal(5, 4), normal(5, 4))
labels = lambda: torch.tensor([1, 0, 3, 3, 2])  # noqa: E731
cases.both("loss_cross_entropy_labels", lambda: Fn(lambda x, t, a: F.cross_entropy(x * a, t), a=torch.rand(4) + 0.5), normal(5, 4), labels)
cases.both("loss_cross_entropy_smoothed", lambda: Fn(lambda x, t, a: F.cross_entropy(x * a, t, label_smoothing=0.1), a=torch.rand(4) + 0.5), normal(5, 4), labels)
cases.both("loss_nll_gathered", lambda: Fn(lambda x, t, a: -(x * a).log_softmax(-1).gather(1, t.unsqueeze(1)).mean(), a=torch.rand(4) + 0.5), normal(5, 4), labels)


def loss(name, operator, judge, extra=None, x=(5, 4), target=lambda: torch.tensor([1, 0, 3, 3, 2]), log=False, **attributes):
    """The label inputs are integers, so only scores and, as a constant, class weights reach the judge."""

    def build():
        weights = {"cw": torch.rand(4) + 0.5} if extra else {}
        return (
            [node("Mul", ["x0", "a"], ["h"])]
            + ([node("LogSoftmax", ["h"], ["s"], axis=1)] if log else [node("Identity", ["h"], ["s"])])
            + [node(operator, ["s", "t", *weights], **attributes)],
            {"x0": torch.randn(*x), "t": target()},
            {"a": torch.rand(4, *[1] * (len(x) - 2)) + 0.5} | weights,
        )

    def answer(x0, t, a, cw=None):
        return judge(x0 * a, t, None if cw is None else cw.detach())

    cases.craft(name, build, answer, zero=["cw"])


for reduction in ("none", "sum", "mean"):
    loss(f"onnx_sce_{reduction}", "SoftmaxCrossEntropyLoss", lambda x, t, w, r=reduction: F.cross_entropy(x, t, reduction=r), reduction=reduction)
    loss(f"onnx_sce_weighted_{reduction}", "SoftmaxCrossEntropyLoss", lambda x, t, w, r=reduction: F.cross_entropy(x, t, w, reduction=r), extra=True, reduction=reduction)
loss("onnx_sce_ignore_index", "SoftmaxCrossEntropyLoss", lambda x, t, w: F.cross_entropy(x, t, w, ignore_index=3), extra=True, ignore_index=3)
loss("onnx_sce_spatial", "SoftmaxCrossEntropyLoss", lambda x, t, w: F.cross_entropy(x, t), x=(2, 4, 3, 2), target=lambda: torch.randint(0, 4, (2, 3, 2)))
loss("onnx_nll_mean", "NegativeLogLikelihoodLoss", lambda x, t, w: F.nll_loss(x.log_softmax(1), t), log=True)
loss("onnx_nll_weighted_ignore", "NegativeLogLikelihoodLoss", lambda x, t, w: F.nll_loss(x.log_softmax(1), t, w, ignore_index=2), extra=True, log=True, ignore_index=2)
loss("onnx_nll_spatial_sum", "NegativeLogLikelihoodLoss", lambda x, t, w: F.nll_loss(x.log_softmax(1), t, reduction="sum"), log=True, x=(2, 4, 3, 2), target=lambda: torch.randint(0, 4, (2, 3, 2)), reduction="sum")


def log_probability():
    return (
        [node("Mul", ["x0", "a"], ["h"]), node("SoftmaxCrossEntropyLoss", ["h", "t"], ["loss", "logp"]), node("Mul", ["loss", "logp"])],
        {"x0": torch.randn(5, 4), "t": torch.tensor([1, 0, 3, 3, 2])},
        {"a": torch.rand(4) + 0.5},
    )


cases.craft("onnx_sce_with_log_probability", log_probability, lambda x0, t, a: F.cross_entropy(x0 * a, t) * (x0 * a).log_softmax(1))


def reduced(name, operator, judge, axes=(1,), keepdims=1, opset=18, make=normal(2, 3, 4), **attributes):
    def build():
        nodes = [node("Mul", ["x0", "a"], ["h"])]
        initializers = {"a": torch.rand(4) + 0.5}
        if axes is not None and opset >= 18:
            initializers["axes"] = np.array(axes, np.int64)
            nodes.append(node(operator, ["h", "axes"], keepdims=keepdims, **attributes))
        else:
            extra = {} if axes is None else {"axes": list(axes)}
            nodes.append(node(operator, ["h"], keepdims=keepdims, **extra, **attributes))
        return nodes, {"x0": make()}, initializers

    cases.craft(name, build, lambda x0, a, axes=None: judge(x0 * a), opset=opset)


reduced("onnx_reduce_l1", "ReduceL1", lambda x: x.abs().sum(-1, keepdim=True), axes=(-1,))
reduced("onnx_reduce_l2", "ReduceL2", lambda x: x.square().sum((0, 2)).sqrt(), axes=(0, 2), keepdims=0)
reduced("onnx_reduce_sum_square", "ReduceSumSquare", lambda x: x.square().sum((-1, 0), keepdim=True), axes=(-1, 0))
reduced("onnx_reduce_log_sum", "ReduceLogSum", lambda x: x.sum(1, keepdim=True).log(), make=uniform(2, 3, 4, low=0.3, high=1.3))
reduced("onnx_reduce_log_sum_exp", "ReduceLogSumExp", lambda x: x.logsumexp((1, 2)), axes=(1, 2), keepdims=0)
reduced("onnx_reduce_prod", "ReduceProd", lambda x: x.prod(2).prod(0), axes=(0, 2), keepdims=0)
reduced("onnx_reduce_max_all", "ReduceMax", lambda x: x.max(), axes=None, keepdims=0, make=distinct(2, 3, 4))
reduced("onnx_reduce_min_axes", "ReduceMin", lambda x: x.amin((0, 1), keepdim=True), axes=(0, 1))
reduced("onnx_reduce_mean_no_axes_is_noop", "ReduceMean", lambda x: x, axes=None, noop_with_empty_axes=1)
reduced("onnx_reduce_mean_opset13", "ReduceMean", lambda x: x.mean((1, 2), keepdim=True), axes=(1, 2), opset=13)
reduced("onnx_reduce_sum_all_opset13", "ReduceSum", lambda x: x.sum().reshape(1, 1, 1), axes=None, opset=13)
reduced("onnx_reduce_l2_opset13", "ReduceL2", lambda x: x.square().sum(-1).sqrt(), axes=(-1,), keepdims=0, opset=13)


def gemm(name, judge, shapes, **attributes):
    def build():
        x, w, *c = shapes
        return [node("Gemm", ["x0", "w", *(["c"] if c else [])], **attributes)], {"x0": torch.randn(*x)}, {"w": torch.randn(*w)} | ({"c": torch.randn(c[0])} if c else {})

    cases.craft(name, build, judge)


gemm("onnx_gemm_no_c", lambda x0, w: 0.5 * x0 @ w, [(3, 4), (4, 5)], alpha=0.5)
gemm("onnx_gemm_trans_a_b", lambda x0, w, c: 0.5 * x0.T @ w.T + 2 * c, [(4, 3), (5, 4), (5,)], alpha=0.5, beta=2.0, transA=1, transB=1)
gemm("onnx_gemm_c_column", lambda x0, w, c: x0.T @ w + c, [(4, 3), (4, 5), (3, 1)], transA=1)
gemm("onnx_gemm_c_scalar", lambda x0, w, c: x0 @ w.T + c, [(3, 4), (5, 4), ()], transB=1)


def softmax12(operator, judge):
    """Before opset 13, softmax flattened everything from its axis on."""
    return lambda: ([node("Mul", ["x0", "a"], ["h"]), node(operator, ["h"], axis=1)], {"x0": torch.randn(2, 3, 4)}, {"a": torch.rand(4) + 0.5})


cases.craft("onnx_softmax_opset11_flattens", softmax12("Softmax", None), lambda x0, a: (x0 * a).flatten(1).softmax(-1).reshape(x0.shape), opset=11)
cases.craft("onnx_log_softmax_opset11_flattens", softmax12("LogSoftmax", None), lambda x0, a: (x0 * a).flatten(1).log_softmax(-1).reshape(x0.shape), opset=11)
cases.craft(
    "onnx_hardmax_blocks",
    lambda: ([node("Mul", ["x0", "a"], ["h"]), node("Hardmax", ["h"], ["m"], axis=-1), node("Mul", ["m", "h"])], {"x0": torch.randn(5, 4)}, {"a": torch.rand(4) + 0.5}),
    lambda x0, a: F.one_hot((x0 * a).argmax(-1), 4) * (x0 * a),
)
cases.craft(
    "onnx_det",
    lambda: ([node("Det", ["x0"])], {"x0": torch.randn(2, 3, 3)}, {}),
    lambda x0: torch.linalg.det(x0),
)
cases.craft(
    "onnx_einsum_three",
    lambda: ([node("Einsum", ["x0", "w", "x1"], equation="bi,oij,bj->bo")], {"x0": torch.randn(2, 3), "x1": torch.randn(2, 4)}, {"w": torch.randn(5, 3, 4)}),
    lambda x0, x1, w: torch.einsum("bi,oij,bj->bo", x0, w, x1),
)
cases.craft(
    "onnx_einsum_implicit_output",
    lambda: ([node("Einsum", ["x0", "w"], equation="ij,jk")], {"x0": torch.randn(2, 3)}, {"w": torch.randn(3, 4)}),
    lambda x0, w: x0 @ w,
)
