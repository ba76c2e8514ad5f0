"""Gather, scatter, selection, sorting and accumulation along an axis."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, Fn, distinct, integers, node, normal

cases = Collection("indexing")


def scaled(function, shape=(4,)):
    return lambda: Fn(lambda x, *rest, a: function(x * a, *rest), a=torch.rand(shape) + 0.5)


plain = {
    "index_row": lambda x: x[1],
    "index_negative_row": lambda x: x[:, -1],
    "index_list": lambda x: x[:, [2, 0, 2]],
    "index_pairs": lambda x: x[[0, 1, 1], [2, 0, 2]],
    "index_select": lambda x: torch.index_select(x, 2, torch.tensor([3, 0, 0, 1])),
    "slice_step": lambda x: x[:, ::2, 1:],
    "slice_negative_ends": lambda x: x[..., -3:-1],
    "slice_assign": lambda x: torch.cat([x[:, :1] * 2, x[:, 1:]], 1),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "unbind": lambda x: sum(part * (index + 1) for index, part in enumerate(x.unbind(1))),
    "flip": lambda x: x.flip(1, 2) * x,
    "roll": lambda x: x.roll((1, -2), (1, 2)) * x,
    "tril": lambda x: torch.tril(x, -1),
    "triu": lambda x: torch.triu(x, 1),
    "cumsum": lambda x: x.cumsum(1),
    "cumsum_last": lambda x: x.cumsum(-1) * x,
    "diagonal": lambda x: torch.diagonal(x, dim1=1, dim2=2),
}
for name, function in plain.items():
    cases.both(name, scaled(function), normal(2, 3, 4))

cases.both("sort_values", scaled(lambda x: x.sort(-1)[0]), distinct(2, 3, 4))
cases.both("sort_descending_first_axis", scaled(lambda x: x.sort(0, descending=True)[0] * x, (1,)), distinct(4, 3))
cases.both("topk_values", scaled(lambda x: x.topk(2, dim=-1)[0]), distinct(2, 3, 4))
cases.both("topk_smallest_axis1", scaled(lambda x: x.topk(2, dim=1, largest=False)[0], (1,)), distinct(2, 5, 3))
cases.both("topk_gathers", scaled(lambda x: x.gather(-1, x.topk(2, dim=-1)[1]) ** 2), distinct(2, 3, 4))
cases.both("argmax_selects", scaled(lambda x: x.gather(1, x.argmax(1, keepdim=True))), distinct(2, 3, 4))
cases.both("take_along_dim", scaled(lambda x, i: torch.take_along_dim(x, i, 1)), normal(2, 3, 4), integers(2, 5, 4, below=3))
cases.both("gather_elements_repeats", scaled(lambda x, i: torch.gather(x, 0, i)), normal(2, 3, 4), integers(3, 3, 4, below=2))
cases.both("gather_rows_axis1", scaled(lambda x, i: x[:, i]), normal(2, 3, 4), integers(2, 2, below=3))
cases.both("embedding", nn.Embedding(7, 4), integers(3, 5, below=7))
cases.both("embedding_then_linear", nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3), nn.Tanh()), integers(3, 5, below=7))
cases.both("embedding_positions_added", lambda: Fn(lambda i, t, p: F.embedding(i, t) + p[: i.shape[1]], t=torch.randn(7, 4), p=torch.randn(9, 4)), integers(3, 5, below=7))
cases.both("embedding_tied_output", lambda: Fn(lambda i, t: F.embedding(i, t).tanh() @ t.T, t=torch.randn(7, 4)), integers(3, 5, below=7))
cases.both("scatter_values", lambda: Fn(lambda x, i, u: x.scatter(1, i, u), u=torch.randn(2, 2, 4)), normal(2, 3, 4), lambda: torch.argsort(torch.rand(2, 3, 4), 1)[:, :2])
cases.both("scatter_add", lambda: Fn(lambda x, i, u: x.scatter_add(1, i, u), u=torch.randn(2, 5, 4)), normal(2, 3, 4), integers(2, 5, 4, below=3))
cases.both("scatter_reduce_sum", lambda: Fn(lambda x, i, u: x.scatter_reduce(0, i, u, "sum"), u=torch.randn(3, 4)), normal(2, 4), integers(3, 4, below=2))
cases.both("scatter_reduce_amax", lambda: Fn(lambda x, i, u: x.scatter_reduce(0, i, u, "amax"), u=torch.randn(3, 4)), normal(2, 4), integers(3, 4, below=2))
cases.both("index_put_replaces", lambda: Fn(lambda x, u: x.clone().index_put((torch.tensor([0, 1, 1]), torch.tensor([2, 0, 1])), u), u=torch.randn(3, 4)), normal(2, 3, 4))
cases.both("index_put_accumulates", lambda: Fn(lambda x, u: x.clone().index_put((torch.tensor([0, 1, 1]), torch.tensor([2, 0, 0])), u, accumulate=True), u=torch.randn(3, 4)), normal(2, 3, 4))
cases.both("index_add", lambda: Fn(lambda x, u: torch.index_add(x, 1, torch.tensor([2, 0, 2]), u), u=torch.randn(2, 3, 4)), normal(2, 3, 4))
cases.both("index_copy", lambda: Fn(lambda x, u: torch.index_copy(x, 1, torch.tensor([2, 0]), u), u=torch.randn(2, 2, 4)), normal(2, 3, 4))
cases.both("masked_select_free_where_constant", lambda: Fn(lambda x, a: torch.where(torch.tensor([True, False, True, True]), x * a, torch.zeros(())), a=torch.randn(4)), normal(3, 4))


def write_slice(x, u):
    out = x * 2
    out[:, 1] = u
    return out


cases.both("slice_writes_into_copy", lambda: Fn(write_slice, u=torch.randn(2, 4)), normal(2, 3, 4))


def craft(name, nodes, values, initializers, judge, opset=18, **options):
    cases.craft(name, lambda: (nodes, values(), {key: make() if callable(make) else make for key, make in initializers.items()}), judge, opset=opset, **options)


def i64(*values):
    return np.array(values, np.int64)


x = lambda: {"x0": torch.randn(3, 4, 5)}  # noqa: E731
craft("onnx_gather_negative_index", [node("Gather", ["x0", "i"], axis=1)], x, {"i": i64([-1, 0], [2, -1])}, lambda x0, i: x0[:, i])
craft("onnx_gather_scalar_index", [node("Gather", ["x0", "i"], axis=-1)], x, {"i": np.array(2, np.int64)}, lambda x0, i: x0[..., 2])
craft("onnx_gather_nd", [node("GatherND", ["x0", "i"])], x, {"i": i64([0, 3], [2, -1], [0, 3])}, lambda x0, i: x0[i[:, 0], i[:, 1]])
craft("onnx_gather_nd_batch_dims", [node("GatherND", ["x0", "i"], batch_dims=1)], x, {"i": i64([[1], [0]], [[3], [3]], [[2], [-4]])}, lambda x0, i: torch.stack([x0[n][i[n, :, 0]] for n in range(3)]))
craft("onnx_gather_elements_negative", [node("GatherElements", ["x0", "i"], axis=1)], x, {"i": lambda: torch.randint(-4, 4, (2, 6, 3))}, lambda x0, i: torch.gather(x0[:2, :, :3], 1, i % 4))
craft("onnx_gather_learned_table_int32", [node("Gather", ["t", "x0"])], lambda: {"x0": torch.randint(0, 6, (2, 3)).int()}, {"t": lambda: torch.randn(6, 4)}, lambda x0, t: t[x0.long()])
for reduction in ("none", "add"):
    craft(
        f"onnx_scatter_elements_{reduction}",
        [node("ScatterElements", ["x0", "i", "u"], axis=1, reduction=reduction)],
        x,
        {"i": i64(*[[[0, 1, -1], [2, 3, 0]]] * 2) if reduction == "none" else i64(*[[[0, 1, -1], [0, 3, -1]]] * 2), "u": lambda: torch.randn(2, 2, 3)},
        (lambda x0, i, u: x0.scatter(1, i % 4, u)) if reduction == "none" else (lambda x0, i, u: x0.scatter_add(1, i % 4, u)),
    )
    craft(
        f"onnx_scatter_nd_{reduction}",
        [node("ScatterND", ["x0", "i", "u"], reduction=reduction)],
        x,
        {"i": i64([0, 3], [2, 0], [1, 1]) if reduction == "none" else i64([0, 3], [2, 0], [0, 3]), "u": lambda: torch.randn(3, 5)},
        lambda x0, i, u, add=reduction == "add": x0.clone().index_put((i[:, 0], i[:, 1]), u, accumulate=add),
    )
craft(
    "onnx_scatter_elements_mul",
    [node("ScatterElements", ["x0", "i", "u"], axis=1, reduction="mul")],
    x,
    {"i": i64([[0, 1, 3, 2, 0], [2, 3, 0, 0, 1]]), "u": lambda: torch.randn(1, 2, 5)},
    lambda x0, i, u: x0.scatter_reduce(1, i, u, "prod"),
)
craft(
    "onnx_scatter_elements_max",
    [node("ScatterElements", ["x0", "i", "u"], axis=1, reduction="max")],
    x,
    {"i": i64([[0, 1, 3, 2, 0], [2, 3, 0, 0, 1]]), "u": lambda: torch.randn(1, 2, 5)},
    lambda x0, i, u: x0.scatter_reduce(1, i, u, "amax"),
)
for exclusive in (0, 1):
    for reverse in (0, 1):

        def cumulated(x0, axis, exclusive=exclusive, reverse=reverse):
            value = x0.flip(1) if reverse else x0
            value = value.cumsum(1) - (value if exclusive else 0)
            return value.flip(1) if reverse else value

        craft(f"onnx_cumsum_exclusive{exclusive}_reverse{reverse}", [node("CumSum", ["x0", "axis"], exclusive=exclusive, reverse=reverse)], x, {"axis": np.array(-2, np.int64)}, cumulated)
craft("onnx_topk_unsorted_smallest", [node("TopK", ["x0", "k"], ["v", "i"], axis=1, largest=0, sorted=1), node("Mul", ["v", "v"])], lambda: {"x0": distinct(3, 4, 5)()}, {"k": i64(2)}, lambda x0, k: x0.topk(2, 1, largest=False)[0] ** 2)
craft("onnx_slice_negative_step", [node("Slice", ["x0", "s", "e", "ax", "st"])], x, {"s": i64(3, -1), "e": i64(0, -100), "ax": i64(1, 2), "st": i64(-1, -2)}, lambda x0, s, e, ax, st: x0[:, [3, 2, 1]][:, :, [4, 2, 0]])
craft("onnx_slice_past_the_end", [node("Slice", ["x0", "s", "e", "ax"])], x, {"s": i64(1), "e": i64(2**63 - 1), "ax": i64(-2)}, lambda x0, s, e, ax: x0[:, 1:])
craft("onnx_slice_no_axes", [node("Slice", ["x0", "s", "e"])], x, {"s": i64(1, -3), "e": i64(3, -1)}, lambda x0, s, e: x0[1:3, -3:-1])
craft("onnx_slice_int32_parameters", [node("Slice", ["x0", "s", "e", "ax", "st"])], x, {"s": np.array([0], np.int32), "e": np.array([4], np.int32), "ax": np.array([1], np.int32), "st": np.array([3], np.int32)}, lambda x0, s, e, ax, st: x0[:, 0:4:3])
craft("onnx_slice_opset9", [node("Slice", ["x0"], axes=[1, 2], starts=[1, -3], ends=[3, 100])], x, {}, lambda x0: x0[:, 1:3, -3:], opset=9)
craft("onnx_compress", [node("Compress", ["x0", "c"], axis=1)], x, {"c": np.array([True, False, True, True])}, lambda x0, c: x0[:, c])
craft("onnx_reverse_sequence", [node("ReverseSequence", ["x0", "l"], batch_axis=0, time_axis=1)], x, {"l": i64(4, 2, 3)}, lambda x0, l: torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(x0, l.tolist())]))
craft("onnx_trilu_upper", [node("Trilu", ["x0", "k"], upper=1)], x, {"k": np.array(-1, np.int64)}, lambda x0, k: torch.triu(x0, -1))
craft("onnx_trilu_lower_no_k", [node("Trilu", ["x0"], upper=0)], x, {}, lambda x0: torch.tril(x0))
craft("onnx_onehot_product", [node("OneHot", ["x0", "d", "v"], ["h"], axis=-1), node("MatMul", ["h", "t"])], lambda: {"x0": torch.tensor([[0, 2, 4], [1, 1, 3]])}, {"d": np.array(5, np.int64), "v": np.array([0, 1], np.float32), "t": lambda: torch.randn(5, 4)}, lambda x0, d, v, t: (F.one_hot(x0, 5).to(t) * (v[1] - v[0]) + v[0]) @ t)
