"""Convolutions, transposed convolutions and pools in one, two and three dimensions."""

import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, Fn, distinct, node, normal

cases = Collection("convolution")

cases.both("conv1d_dilated_grouped", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), normal(2, 4, 13))
cases.both("conv2d_dilated", nn.Conv2d(3, 5, 3, padding=2, dilation=2), normal(2, 3, 8, 7))
cases.both("conv2d_dilated_strided_grouped", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False), normal(2, 4, 9, 8))
cases.both("conv2d_depthwise_multiplier", nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), normal(2, 3, 9, 9))
cases.both("conv2d_depthwise_stride1", nn.Conv2d(6, 6, 3, padding=1, groups=6), normal(2, 6, 7, 7))
cases.both("conv2d_stride_leaves_a_rest", nn.Conv2d(3, 4, 3, stride=3), normal(2, 3, 10, 11))
cases.both("conv2d_stride_wider_than_kernel", nn.Conv2d(3, 4, 1, stride=2), normal(2, 3, 8, 8))
cases.both("conv2d_patchify", nn.Conv2d(3, 8, 4, stride=4), normal(2, 3, 12, 8))
cases.both("conv2d_large_padding", nn.Conv2d(3, 4, 2, padding=3), normal(2, 3, 4, 5))
cases.both("conv2d_padding_same", nn.Conv2d(3, 4, (3, 4), padding="same"), normal(2, 3, 7, 8))
cases.both("conv2d_padding_same_dilated", nn.Conv2d(3, 4, 3, padding="same", dilation=2), normal(2, 3, 7, 8))
cases.both("conv2d_padding_reflect", nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), normal(2, 3, 6, 6))
cases.both("conv2d_padding_circular", nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), normal(2, 3, 6, 6))
cases.both("conv2d_shared_weight", lambda: Fn(lambda x, w: F.conv2d(F.relu(F.conv2d(x, w, padding=1)), w), w=torch.randn(4, 4, 3, 3) * 0.4), normal(2, 4, 6, 6))
cases.both("conv2d_weight_standardised", lambda: Fn(lambda x, w, g: F.conv2d(x, (w - w.mean((1, 2, 3), keepdim=True)) / (w.var((1, 2, 3), keepdim=True) + 1e-5).sqrt() * g, padding=1), w=torch.randn(4, 3, 3, 3), g=torch.rand(4, 1, 1, 1) + 0.5), normal(2, 3, 6, 6))
cases.both("conv3d", nn.Conv3d(2, 4, 3, stride=(1, 2, 2), padding=1), normal(2, 2, 4, 6, 5))
cases.both("conv3d_grouped_dilated", nn.Conv3d(4, 4, (2, 3, 3), padding=(0, 1, 2), dilation=(2, 1, 2), groups=2), normal(1, 4, 5, 5, 6))
cases.export("conv2d_dynamic_batch", nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), normal(3, 3, 6, 6), dynamic={"x0": {0: "n"}})
cases.export("dynamo_conv2d_dynamic_batch", nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), normal(3, 3, 6, 6), dynamic={"x0": {0: "n"}}, dynamo=True)

cases.both("conv_transpose1d", nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1), normal(2, 4, 7))
cases.both("conv_transpose1d_output_padding", nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2), normal(2, 4, 6))
cases.both("conv_transpose2d", nn.ConvTranspose2d(4, 3, 2, stride=2), normal(2, 4, 5, 6))
cases.both("conv_transpose2d_output_padding", nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), normal(2, 4, 5, 5))
cases.both("conv_transpose2d_grouped_dilated", nn.ConvTranspose2d(4, 6, 3, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False), normal(2, 4, 5, 6))
cases.both("conv_transpose2d_stride1", nn.ConvTranspose2d(4, 3, 3, padding=1), normal(2, 4, 6, 6))
cases.both("conv_transpose2d_depthwise", nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4), normal(2, 4, 5, 5))
cases.both("conv_transpose3d", nn.ConvTranspose3d(3, 2, 3, stride=2, padding=1, output_padding=(1, 0, 1)), normal(1, 3, 3, 4, 3))


def pooled(pool, channels=4):
    return lambda: nn.Sequential(nn.Conv2d(3, channels, 1), pool)


def pooled1(pool):
    return lambda: nn.Sequential(nn.Conv1d(3, 4, 1), pool)


def pooled3(pool):
    return lambda: nn.Sequential(nn.Conv3d(2, 3, 1), pool)


cases.both("maxpool1d", pooled1(nn.MaxPool1d(3, 2, padding=1)), normal(2, 3, 11))
cases.both("maxpool2d_overlapping", pooled(nn.MaxPool2d(3, 1, padding=1)), normal(2, 3, 6, 7))
cases.both("maxpool2d_ceil_mode", pooled(nn.MaxPool2d(3, 2, ceil_mode=True)), normal(2, 3, 8, 8))
cases.both("maxpool2d_dilated", pooled(nn.MaxPool2d(2, 2, dilation=2)), normal(2, 3, 9, 8))
cases.both("maxpool2d_padded_dilated_ceil", pooled(nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True)), normal(2, 3, 9, 10))
cases.both("maxpool3d", pooled3(nn.MaxPool3d(2, 2)), normal(1, 2, 4, 6, 5))
cases.both("avgpool1d", pooled1(nn.AvgPool1d(3, 2, padding=1)), normal(2, 3, 11))
cases.both("avgpool2d_excludes_pad", pooled(nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)), normal(2, 3, 7, 8))
cases.both("avgpool2d_ceil_mode", pooled(nn.AvgPool2d(3, 2, ceil_mode=True)), normal(2, 3, 8, 8))
cases.both("avgpool2d_ceil_excludes_pad", pooled(nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False)), normal(2, 3, 8, 8))
cases.both("avgpool2d_ceil_includes_pad", pooled(nn.AvgPool2d(3, 2, padding=1, ceil_mode=True)), normal(2, 3, 8, 8))
cases.both("avgpool3d", pooled3(nn.AvgPool3d(2, (1, 2, 2))), normal(1, 2, 4, 6, 5))
cases.both("adaptive_avgpool_divides", pooled(nn.AdaptiveAvgPool2d((3, 2))), normal(2, 3, 6, 6))
cases.both("adaptive_avgpool_one", pooled(nn.AdaptiveAvgPool2d(1)), normal(2, 3, 6, 5))
cases.both("adaptive_avgpool_uneven", pooled(nn.AdaptiveAvgPool2d((3, 4))), normal(2, 3, 7, 6))
cases.both("adaptive_maxpool_one", pooled(nn.AdaptiveMaxPool2d(1)), normal(2, 3, 6, 5))
cases.both("adaptive_maxpool_divides", pooled(nn.AdaptiveMaxPool2d(3)), normal(2, 3, 6, 6))
cases.both("lppool2d", pooled(nn.LPPool2d(2, 2, 2)), normal(2, 3, 6, 6, shift=3.0))
cases.both("pixel_unpool_by_unfold", lambda: Fn(lambda x, w: F.unfold(x, 2, stride=2).transpose(1, 2) @ w, w=torch.randn(12, 5)), normal(2, 3, 6, 6))
cases.both("blur_pool", lambda: Fn(lambda x, k: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), k.expand(3, 1, 3, 3), stride=2, groups=3), k=torch.rand(1, 1, 3, 3)), normal(2, 3, 8, 8))


def weights(*shape):
    return torch.randn(*shape) * 0.5


def conv(name, x, w, judge, bias=None, operator="Conv", opset=18, **attributes):
    def build():
        initializers = {"w": weights(*w)} | ({} if bias is None else {"b": weights(bias)})
        return [node(operator, ["x0", *initializers], **attributes)], {"x0": torch.randn(*x)}, initializers

    cases.craft(name, build, (lambda x0, w: judge(x0, w, None)) if bias is None else (lambda x0, w, b: judge(x0, w, b)), opset=opset)


def padded(left, top, right, bottom, **options):
    return lambda x, w, b: F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, **options)


# Kernel 3, stride 2: the odd unit of padding goes after (SAME_UPPER) or before (SAME_LOWER).
conv("onnx_conv_same_upper", (2, 3, 8, 7), (4, 3, 3, 3), padded(1, 0, 1, 1, stride=2), auto_pad="SAME_UPPER", strides=[2, 2])
conv("onnx_conv_same_lower", (2, 3, 8, 8), (4, 3, 3, 3), padded(1, 1, 0, 0, stride=2), bias=4, auto_pad="SAME_LOWER", strides=[2, 2])
conv("onnx_conv_valid", (2, 3, 8, 8), (4, 3, 3, 3), padded(0, 0, 0, 0, stride=2), bias=4, auto_pad="VALID", strides=[2, 2])
conv("onnx_conv_pads_uneven", (2, 4, 7, 6), (6, 2, 3, 2), padded(1, 0, 2, 3, stride=(2, 1), groups=2), bias=6, pads=[0, 1, 3, 2], strides=[2, 1], group=2)
conv("onnx_conv_no_attributes", (2, 3, 5, 5), (4, 3, 2, 2), lambda x, w, b: F.conv2d(x, w, b))
conv("onnx_conv_transpose_uneven_pads", (2, 4, 5, 5), (4, 3, 3, 3), lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2)[:, :, 0:10, 1:11], operator="ConvTranspose", bias=3, pads=[0, 1, 1, 0], strides=[2, 2])
conv("onnx_conv_transpose_output_shape", (2, 4, 5, 5), (4, 3, 3, 3), lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2)[:, :, 0:10, 0:10], operator="ConvTranspose", output_shape=[10, 10], strides=[2, 2], auto_pad="SAME_UPPER")
conv("onnx_conv_transpose_same_upper", (2, 4, 5, 5), (4, 3, 4, 4), lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1), operator="ConvTranspose", bias=3, strides=[2, 2], auto_pad="SAME_UPPER")


def pool(name, operator, judge, x=(2, 3, 8, 7), opset=18, make=None, **attributes):
    def build():
        return [node("Mul", ["x0", "a"], ["h"]), node(operator, ["h"], **attributes)], {"x0": (make or normal(*x))()}, {"a": torch.rand(3, 1, 1) + 0.5}

    cases.craft(name, build, lambda x0, a: judge(x0 * a), opset=opset)


low = float("-inf")
pool("onnx_maxpool_same_upper", "MaxPool", lambda x: F.max_pool2d(F.pad(x, (1, 1, 0, 1), value=low), 3, 2), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
pool("onnx_maxpool_uneven_pads", "MaxPool", lambda x: F.max_pool2d(F.pad(x, (1, 2, 0, 1), value=low), (3, 3), (2, 1)), kernel_shape=[3, 3], strides=[2, 1], pads=[0, 1, 1, 2])
pool("onnx_maxpool_default_strides", "MaxPool", lambda x: F.max_pool2d(x, 2, 1), kernel_shape=[2, 2])
pool("onnx_averagepool_same_lower", "AveragePool", lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 0)), 3, 2) * 9 / F.avg_pool2d(F.pad(torch.ones_like(x), (1, 1, 1, 0)), 3, 2) / 9, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")
pool("onnx_averagepool_uneven_include", "AveragePool", lambda x: F.avg_pool2d(F.pad(x, (1, 2, 0, 1)), (3, 3), (2, 1)), kernel_shape=[3, 3], strides=[2, 1], pads=[0, 1, 1, 2], count_include_pad=1)
pool("onnx_averagepool_uneven_exclude", "AveragePool", lambda x: F.avg_pool2d(F.pad(x, (1, 2, 0, 1)), (3, 3), (2, 1)) / F.avg_pool2d(F.pad(torch.ones_like(x), (1, 2, 0, 1)), (3, 3), (2, 1)), kernel_shape=[3, 3], strides=[2, 1], pads=[0, 1, 1, 2])


def dilated_average(x):
    windows = F.unfold(x, 2, dilation=2, stride=1).reshape(x.shape[0], x.shape[1], 4, -1).mean(2)
    return windows.reshape(x.shape[0], x.shape[1], x.shape[2] - 2, x.shape[3] - 2)


pool("onnx_averagepool_dilated", "AveragePool", dilated_average, opset=19, kernel_shape=[2, 2], dilations=[2, 2])
pool("onnx_global_average_pool", "GlobalAveragePool", lambda x: x.mean((2, 3), keepdim=True))
pool("onnx_global_max_pool", "GlobalMaxPool", lambda x: x.amax((2, 3), keepdim=True))
pool("onnx_global_lp_pool", "GlobalLpPool", lambda x: (x.abs() ** 3).sum((2, 3), keepdim=True) ** (1 / 3), p=3)
pool("onnx_lp_pool", "LpPool", lambda x: (F.avg_pool2d(F.pad(x, (1, 1, 1, 1)) ** 2, 3, 2) * 9) ** 0.5, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], p=2)


def with_indices():
    """MaxPool's second output is there but not used by the answer."""
    return [node("Mul", ["x0", "a"], ["h"]), node("MaxPool", ["h"], ["y", "where"], kernel_shape=[2, 2], strides=[2, 2])], {"x0": torch.randn(2, 3, 6, 6)}, {"a": torch.rand(3, 1, 1) + 0.5}


cases.craft("onnx_maxpool_with_indices", with_indices, lambda x0, a: F.max_pool2d(x0 * a, 2))


def unpool():
    return (
        [
            node("Mul", ["x0", "a"], ["h"]),
            node("MaxPool", ["h"], ["p", "where"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Mul", ["p", "p"], ["q"]),
            node("MaxUnpool", ["q", "where"], kernel_shape=[2, 2], strides=[2, 2]),
        ],
        {"x0": torch.randn(1, 1, 6, 6)},
        {"a": torch.rand(1, 1, 1) + 0.5},
    )


def unpool_judge(x0, a):
    p, where = F.max_pool2d(x0 * a, 2, return_indices=True)
    return F.max_unpool2d(p * p, where, 2)


cases.craft("onnx_maxunpool", unpool, unpool_judge)


def roi():
    boxes = torch.tensor([[0.5, 0.7, 4.2, 5.1], [1.0, 0.0, 6.0, 3.5], [0.2, 0.3, 3.3, 6.4]])
    return (
        [node("RoiAlign", ["x0", "boxes", "batch"], output_height=2, output_width=3, sampling_ratio=2, spatial_scale=0.9, coordinate_transformation_mode="half_pixel")],
        {"x0": torch.randn(2, 3, 7, 7)},
        {"boxes": boxes, "batch": torch.tensor([0, 1, 1])},
    )


def roi_judge(x0, boxes, batch):
    from torchvision.ops import roi_align

    return roi_align(x0, torch.cat([batch[:, None].to(boxes), boxes.detach()], 1), (2, 3), 0.9, 2, aligned=True)


cases.craft("onnx_roi_align", roi, roi_judge, zero=["boxes"])


def grid(mode, padding, aligned):
    def build():
        return (
            [node("GridSample", ["x0", "x1"], mode=mode, padding_mode=padding, align_corners=int(aligned))],
            {"x0": torch.randn(2, 3, 5, 6), "x1": torch.rand(2, 4, 3, 2) * 2.4 - 1.2},
            {},
        )

    kind = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}[mode]
    cases.craft(
        f"onnx_grid_sample_{mode}_{padding}_{'aligned' if aligned else 'half'}",
        build,
        lambda x0, x1: F.grid_sample(x0, x1, kind, padding, aligned),
        opset=20,
    )


grid("linear", "zeros", False)
grid("linear", "border", True)
grid("nearest", "zeros", False)
