"""Shapes: joining, splitting, padding, transposing, reshaping, repeating, and blocks of pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, Fn, node, normal

cases = Collection("layout")


def scaled(function, shape=(4,)):
    return lambda: Fn(lambda x, a: function(x * a), a=torch.rand(shape) + 0.5)


plain = {
    "concat_same_twice": lambda x: torch.cat([x, x * 2, x], -1),
    "concat_axis0": lambda x: torch.cat([x, x.flip(0)], 0),
    "stack": lambda x: torch.stack([x, x * x], 1),
    "split_uneven": lambda x: torch.cat([part * (i + 1) for i, part in enumerate(x.split([1, 2], 1))], 1),
    "chunk": lambda x: x.chunk(2, -1)[0] * x.chunk(2, -1)[1],
    "chunk_one_unused": lambda x: x.chunk(3, 1)[1],
    "tensor_split": lambda x: x.tensor_split(2, 1)[0] * 2,
    "transpose_last": lambda x: x.transpose(-1, -2) * 2,
    "permute": lambda x: x.permute(2, 0, 1) ** 2,
    "reshape_minus_one": lambda x: x.reshape(-1, 2) ** 2,
    "flatten_middle": lambda x: x.flatten(1) ** 2,
    "view_by_size": lambda x: x.view(x.size(0), -1).tanh(),
    "unflatten": lambda x: x.unflatten(-1, (2, 2)) ** 2,
    "squeeze_unsqueeze": lambda x: x.unsqueeze(1).unsqueeze(-1).squeeze(1) ** 2,
    "expand_new_axis": lambda x: x[:, None].expand(2, 5, 3, 4) * 2,
    "repeat": lambda x: x.repeat(2, 1, 3) ** 2,
    "tile_more_axes": lambda x: x.tile(2, 1, 1, 2) ** 2,
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1) ** 2,
    "movedim": lambda x: x.movedim(0, -1) * 3,
    "pad_constant_value": lambda x: F.pad(x, (1, 2, 0, 1), value=0.7) ** 2,
    "pad_negative_crops": lambda x: F.pad(x, (-1, 2, 1, -1)) ** 2,
    "meshgrid_sum": lambda x: sum(torch.meshgrid(x[0, 0], x[1, 1], indexing="ij")),
    "broadcast_to": lambda x: x[:1].broadcast_to(3, 3, 4) ** 2,
    "unfold_windows": lambda x: x.unfold(-1, 2, 1) ** 2,
    "identity_chain": lambda x: x.contiguous().clone() * x,
    "zeros_like_added": lambda x: x * torch.ones_like(x) + torch.zeros_like(x) + torch.full((4,), 2.0) * x,
    "shape_dependent_scale": lambda x: x / x.shape[-1] ** 0.5,
}
for name, function in plain.items():
    cases.both(name, scaled(function), normal(2, 3, 4))

image = {
    "pad_reflect2d": lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"),
    "pad_replicate2d": lambda x: F.pad(x, (2, 1, 0, 3), mode="replicate"),
    "pad_circular2d": lambda x: F.pad(x, (2, 1, 1, 0), mode="circular"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "window_partition": lambda x: x.reshape(2, 4, 3, 2, 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, 4),
    "fold": lambda x: F.fold(x.reshape(2, 4, 24), (5, 7), 2),
    "unfold": lambda x: F.unfold(x, 3, padding=1, stride=2),
    "patch_merge": lambda x: torch.cat([x[:, :, 0::2, 0::2], x[:, :, 1::2, 0::2], x[:, :, 0::2, 1::2], x[:, :, 1::2, 1::2]], 1),
}
for name, function in image.items():
    cases.both(name, scaled(lambda x, function=function: function(x) * 1.5, (1, 4, 1, 1)), normal(2, 4, 6, 4))
cases.both("pad_reflect1d", scaled(lambda x: F.pad(x, (2, 1), mode="reflect"), (4, 1)), normal(2, 4, 6))
cases.both("pad_replicate3d", scaled(lambda x: F.pad(x, (1, 1, 0, 2, 1, 0), mode="replicate"), (1,)), normal(1, 2, 3, 4, 3))
cases.export("reshape_dynamic_batch", scaled(lambda x: x.reshape(x.shape[0] * x.shape[1], -1) ** 2), normal(2, 3, 4), dynamic={"x0": {0: "n"}})
cases.export("dynamo_reshape_dynamic_batch", scaled(lambda x: x.reshape(x.shape[0] * x.shape[1], -1) ** 2), normal(2, 3, 4), dynamic={"x0": {0: "n"}}, dynamo=True)
cases.export("expand_dynamic_batch", lambda: Fn(lambda x, t: torch.cat([t.expand(x.shape[0], -1, -1), x], 1), t=torch.randn(1, 1, 4)), normal(2, 3, 4), dynamic={"x0": {0: "n", 1: "t"}})
cases.export("dynamo_expand_dynamic_batch", lambda: Fn(lambda x, t: torch.cat([t.expand(x.shape[0], -1, -1), x], 1), t=torch.randn(1, 1, 4)), normal(2, 3, 4), dynamic={"x0": {0: "n", 1: "t"}}, dynamo=True)


def i64(*values):
    return np.array(values, np.int64)


def craft(name, nodes, shape, initializers, judge, opset=18, **options):
    def build():
        return (
            [node("Mul", ["x0", "a"], ["h"]), *nodes],
            {"x0": torch.randn(*shape)},
            {"a": torch.rand(1) + 0.5} | {key: make() if callable(make) else make for key, make in initializers.items()},
        )

    cases.craft(name, build, judge, opset=opset, **options)


for mode, kind in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")):
    craft(
        f"onnx_pad_{mode}",
        [node("Pad", ["h", "p"], mode=mode)],
        (2, 3, 4, 5),
        {"p": i64(0, 0, 1, 2, 0, 0, 3, 0)},
        lambda x0, a, p, kind=kind: F.pad(x0 * a, (2, 0, 1, 3), mode=kind),
        opset=19,
    )
craft("onnx_pad_axes", [node("Pad", ["h", "p", "", "ax"])], (2, 3, 4), {"p": i64(1, 0, 2, 1), "ax": i64(-1, 0)}, lambda x0, a, p, ax: F.pad(x0 * a, (1, 2, 0, 0, 0, 1)))
craft("onnx_pad_learned_value", [node("Pad", ["h", "p", "v"])], (2, 3), {"p": i64(1, 0, 0, 2), "v": lambda: torch.tensor(0.3)}, lambda x0, a, p, v: v + F.pad(x0 * a - v, (0, 2, 1, 0)))
craft("onnx_pad_negative", [node("Pad", ["h", "p"])], (3, 5), {"p": i64(-1, 1, 0, -2)}, lambda x0, a, p: F.pad(x0 * a, (1, -2, -1, 0)))
craft("onnx_pad_edge_negative", [node("Pad", ["h", "p"], mode="edge")], (3, 5), {"p": i64(0, -1, 2, 0)}, lambda x0, a, p: F.pad((x0 * a)[None, :, 1:], (0, 0, 0, 2), mode="replicate")[0])
craft("onnx_pad_opset2", [node("Pad", ["h"], pads=[0, 1, 1, 0], value=0.5)], (3, 4), {}, lambda x0, a: F.pad(x0 * a, (1, 0, 0, 1), value=0.5), opset=2 + 7)
for mode in ("DCR", "CRD"):

    def to_space(x0, a, mode=mode):
        x = x0 * a
        n, c, h, w = x.shape
        if mode == "DCR":
            return x.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, h * 2, w * 2)
        return F.pixel_shuffle(x, 2)

    craft(f"onnx_depth_to_space_{mode.lower()}", [node("DepthToSpace", ["h"], blocksize=2, mode=mode)], (2, 8, 2, 3), {}, to_space)
craft("onnx_space_to_depth", [node("SpaceToDepth", ["h"], blocksize=2)], (2, 3, 4, 6), {}, lambda x0, a: (x0 * a).reshape(2, 3, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3))
craft("onnx_reshape_zero_copies", [node("Reshape", ["h", "s"])], (2, 3, 4), {"s": i64(0, -1, 2)}, lambda x0, a, s: (x0 * a).reshape(2, 6, 2))
craft("onnx_reshape_opset1_attribute", [node("Reshape", ["h", "s"])], (2, 3, 4), {"s": i64(0, 0, 4)}, lambda x0, a, s: x0 * a, opset=9)
craft("onnx_flatten_axis0", [node("Flatten", ["h"], axis=0)], (2, 3, 4), {}, lambda x0, a: (x0 * a).reshape(1, 24))
craft("onnx_flatten_axis2", [node("Flatten", ["h"], axis=2)], (2, 3, 4), {}, lambda x0, a: (x0 * a).reshape(6, 4))
craft("onnx_flatten_negative", [node("Flatten", ["h"], axis=-1)], (2, 3, 4), {}, lambda x0, a: (x0 * a).reshape(6, 4))
craft("onnx_transpose_default", [node("Transpose", ["h"])], (2, 3, 4), {}, lambda x0, a: (x0 * a).permute(2, 1, 0))
craft("onnx_squeeze_all", [node("Squeeze", ["h"])], (1, 3, 1, 4), {}, lambda x0, a: (x0 * a).squeeze())
craft("onnx_squeeze_opset11", [node("Squeeze", ["h"], axes=[0, -2])], (1, 3, 1, 4), {}, lambda x0, a: (x0 * a).reshape(3, 4), opset=11)
craft("onnx_unsqueeze_unordered", [node("Unsqueeze", ["h", "ax"])], (3, 4), {"ax": i64(4, 0, -2)}, lambda x0, a, ax: (x0 * a).reshape(1, 3, 4, 1, 1))
craft("onnx_unsqueeze_opset11", [node("Unsqueeze", ["h"], axes=[0, 2])], (3, 4), {}, lambda x0, a: (x0 * a)[None, :, None], opset=11)
craft("onnx_expand_both_ways", [node("Expand", ["h", "s"])], (3, 1), {"s": i64(2, 1, 4)}, lambda x0, a, s: (x0 * a).expand(2, 3, 4))
craft("onnx_tile", [node("Tile", ["h", "r"])], (2, 3), {"r": i64(2, 3)}, lambda x0, a, r: (x0 * a).tile(2, 3))
craft("onnx_concat_inputs", [node("Concat", ["h", "c", "x0", "h"], axis=-2)], (2, 3), {"c": lambda: torch.randn(1, 3)}, lambda x0, a, c: torch.cat([x0 * a, c, x0, x0 * a], 0))
craft("onnx_split_num_outputs", [node("Split", ["h"], ["p", "q", "r"], axis=1, num_outputs=3), node("Sub", ["p", "q"])], (2, 6, 2), {}, lambda x0, a: (x0 * a)[:, :2] - (x0 * a)[:, 2:4])
craft("onnx_split_uneven_last", [node("Split", ["h"], ["p", "q", "r"], axis=1, num_outputs=3), node("Concat", ["r", "p"], axis=1)], (2, 8, 2), {}, lambda x0, a: torch.cat([(x0 * a)[:, 6:], (x0 * a)[:, :3]], 1))
craft("onnx_split_sizes", [node("Split", ["h", "s"], ["p", "q"], axis=-1), node("MatMul", ["p", "q"])], (2, 2, 4), {"s": i64(2, 2)}, lambda x0, a, s: (x0 * a)[..., :2] @ (x0 * a)[..., 2:])
craft("onnx_split_opset11", [node("Split", ["h"], ["p", "q"], axis=1, split=[1, 3]), node("Mul", ["p", "q"])], (2, 4), {}, lambda x0, a: (x0 * a)[:, :1] * (x0 * a)[:, 1:], opset=11)
craft("onnx_col2im", [node("Col2Im", ["h", "i", "b"], dilations=[1, 1], pads=[1, 0, 0, 1], strides=[2, 1])], (1, 8, 12), {"i": i64(5, 4), "b": i64(2, 2)}, lambda x0, a, i, b: F.fold(x0 * a, (6, 5), 2, stride=(2, 1))[:, :, 1:, :4])
craft("onnx_center_crop_pad", [node("CenterCropPad", ["h", "s"], axes=[0, 1])], (5, 4), {"s": i64(3, 7)}, lambda x0, a, s: F.pad((x0 * a)[1:4], (1, 2)))
craft("onnx_constant_forms", [node("Constant", [], ["c"], value_floats=[0.5, 2.0, 1.5]), node("Constant", [], ["d"], value_float=3.0), node("Mul", ["h", "c"], ["e"]), node("Add", ["e", "d"])], (2, 3), {}, lambda x0, a: x0 * a * torch.tensor([0.5, 2.0, 1.5]) + 3)
craft("onnx_constant_of_shape_size", [node("Shape", ["h"], ["s"], start=0, end=1), node("ConstantOfShape", ["s"], ["o"]), node("Size", ["h"], ["z"]), node("CastLike", ["z", "h"], ["f"]), node("Unsqueeze", ["o", "m"], ["u"]), node("Add", ["h", "u"], ["v"]), node("Div", ["v", "f"])], (2, 3), {"m": i64(1)}, lambda x0, a, m: x0 * a / 6)
craft("onnx_range_positions", [node("Shape", ["h"], ["s"], start=-1), node("Squeeze", ["s"], ["n"]), node("Constant", [], ["z"], value_int=0), node("Constant", [], ["o"], value_int=1), node("Range", ["z", "n", "o"], ["r"]), node("Cast", ["r"], ["f"], to=1), node("Mul", ["h", "f"])], (2, 3), {}, lambda x0, a: x0 * a * torch.arange(3))
