"""Interpolation: torch's own, and every coordinate mode of ONNX Resize judged by its Jacobian."""

import numpy as np
import torch
import torch.nn.functional as F

from .harness import Collection, Fn, node, normal

cases = Collection("resize")


def scaled(function):
    return lambda: Fn(lambda x, a: function(x * a), a=torch.rand(1) + 0.5)


square = (1, 2, 4, 5)
forms = {
    "interpolate_nearest_scale": (square, dict(scale_factor=2, mode="nearest")),
    "interpolate_nearest_uneven": (square, dict(size=(7, 3), mode="nearest")),
    "interpolate_bilinear_half": (square, dict(scale_factor=2, mode="bilinear", align_corners=False)),
    "interpolate_bilinear_aligned": (square, dict(size=(7, 9), mode="bilinear", align_corners=True)),
    "interpolate_bilinear_down": (square, dict(size=(3, 2), mode="bilinear", align_corners=False)),
    "interpolate_bilinear_antialias": ((1, 2, 8, 9), dict(size=(3, 4), mode="bilinear", align_corners=False, antialias=True)),
    "interpolate_bicubic_half": (square, dict(scale_factor=2, mode="bicubic", align_corners=False)),
    "interpolate_bicubic_aligned": (square, dict(size=(7, 9), mode="bicubic", align_corners=True)),
    "interpolate_linear_half": ((2, 3, 5), dict(scale_factor=2, mode="linear", align_corners=False)),
    "interpolate_linear_aligned": ((2, 3, 5), dict(size=8, mode="linear", align_corners=True)),
    "interpolate_nearest1d": ((2, 3, 5), dict(scale_factor=2, mode="nearest")),
    "interpolate_trilinear_half": ((1, 2, 3, 4, 3), dict(scale_factor=2, mode="trilinear", align_corners=False)),
    "interpolate_trilinear_aligned": ((1, 2, 3, 4, 3), dict(size=(5, 6, 7), mode="trilinear", align_corners=True)),
    "interpolate_nearest3d": ((1, 2, 3, 4, 3), dict(scale_factor=2, mode="nearest")),
    "interpolate_nearest_exact": (square, dict(size=(7, 3), mode="nearest-exact")),
    "interpolate_area": ((1, 2, 6, 4), dict(size=(3, 2), mode="area")),
}
for name, (shape, options) in forms.items():
    cases.both(name, scaled(lambda x, options=options: F.interpolate(x, **options)), normal(*shape))
cases.both("grid_sample_bilinear", lambda: Fn(lambda x, g: F.grid_sample(x, g, align_corners=False), g=torch.rand(2, 3, 4, 2) * 2 - 1), normal(2, 3, 5, 6), opset=20)
cases.both("position_embedding_resized", lambda: Fn(lambda x, p: x + F.interpolate(p.reshape(1, 4, 4, 3).permute(0, 3, 1, 2), (6, 6), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2), p=torch.randn(16, 3)), normal(2, 36, 3))


def resize(name, mode, transformation, to=None, scales=None, shape=(1, 1, 4, 5), opset=18, extra=None, **attributes):
    def build():
        initializers = dict(extra or {})
        roi = "roi" if "roi" in initializers else ""
        if to is not None:
            initializers["sizes"] = np.array(to, np.int64)
            inputs = ["x0", roi, "", "sizes"]
        else:
            initializers["scales"] = np.array(scales, np.float32)
            inputs = ["x0", roi, "scales"]
        operator = node("Resize", inputs, mode=mode, coordinate_transformation_mode=transformation, **attributes)
        return [operator], torch.randn(*shape), initializers

    cases.linear(f"onnx_resize_{name}", build, opset=opset)


for transformation in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"):
    for mode in ("nearest", "linear", "cubic"):
        opset = 19 if transformation == "half_pixel_symmetric" else 18
        resize(f"{mode}_{transformation}_up", mode, transformation, to=(1, 1, 7, 9), opset=opset)
        resize(f"{mode}_{transformation}_down", mode, transformation, to=(1, 1, 3, 2), opset=opset)
for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
    resize(f"nearest_{rounding}", "nearest", "asymmetric", to=(1, 1, 6, 8), nearest_mode=rounding)
    resize(f"nearest_half_pixel_{rounding}", "nearest", "half_pixel", to=(1, 1, 6, 3), nearest_mode=rounding)
resize("linear_fractional_scales", "linear", "half_pixel", scales=(1, 1, 1.7, 0.6))
resize("linear_align_fractional_scales", "linear", "align_corners", scales=(1, 1, 1.7, 2.3))
resize("half_pixel_symmetric_fractional", "linear", "half_pixel_symmetric", scales=(1, 1, 0.7, 1.3), opset=19)
resize("cubic_exclude_outside", "cubic", "half_pixel", to=(1, 1, 7, 3), exclude_outside=1, cubic_coeff_a=-0.5)
resize("linear_antialias_down", "linear", "half_pixel", to=(1, 1, 3, 4), shape=(1, 1, 8, 9), antialias=1)
resize("cubic_antialias_down", "cubic", "half_pixel", to=(1, 1, 3, 4), shape=(1, 1, 8, 9), antialias=1)
resize("linear_channels_last", "linear", "half_pixel", to=(1, 6, 7, 2), shape=(1, 3, 4, 2))
resize("axes", "linear", "half_pixel", to=(7, 6), axes=[2, 3])
resize("axes_swapped", "linear", "half_pixel", to=(7, 6), axes=[3, 2])
resize("keep_aspect_not_larger", "linear", "half_pixel", to=(8, 7), axes=[2, 3], keep_aspect_ratio_policy="not_larger")
resize("keep_aspect_not_smaller", "linear", "half_pixel", to=(8, 7), axes=[2, 3], keep_aspect_ratio_policy="not_smaller")
resize("tf_crop_and_resize", "linear", "tf_crop_and_resize", to=(1, 1, 5, 6), extra={"roi": np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 0.7], np.float32)})
resize("tf_crop_and_resize_outside", "linear", "tf_crop_and_resize", to=(1, 1, 5, 6), extra={"roi": np.array([0, 0, -0.3, 0.2, 1, 1, 0.8, 1.4], np.float32)}, extrapolation_value=0.0)
resize("linear_1d", "linear", "half_pixel", to=(2, 2, 7), shape=(2, 2, 4))
resize("linear_3d", "linear", "half_pixel", to=(1, 1, 4, 5, 3), shape=(1, 1, 3, 3, 4))
resize("nearest_opset11", "nearest", "asymmetric", scales=(1, 1, 2, 2), opset=11, extra={"roi": np.zeros(0, np.float32)}, nearest_mode="floor")


def upsample():
    return [node("Upsample", ["x0", "scales"], mode="linear")], torch.randn(1, 2, 3, 4), {"scales": np.array([1, 1, 2, 2], np.float32)}


cases.linear("onnx_upsample_opset9", upsample, opset=9)
