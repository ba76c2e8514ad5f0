/** @file Operators that sample a map at other places, and those that draw random numbers. */
import type { DType } from "../../tensor/index.ts";
import { attribute, choice, float, optional, type Schemas, schema } from "../schema.ts";

/** Where output pixels lie in the input (onnx/docs/Operators.md, Resize). */
export type CoordinateMode =
  | "half_pixel"
  | "half_pixel_symmetric"
  | "pytorch_half_pixel"
  | "align_corners"
  | "asymmetric"
  | "tf_half_pixel_for_nn"
  | "tf_crop_and_resize";
export type ResizeMode = "nearest" | "linear" | "cubic";
export type NearestMode = "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil";

export interface SamplingOperators {
  AffineGrid: { readonly alignCorners: boolean };
  Bernoulli: { readonly dtype: DType | undefined; readonly seed: number | undefined };
  GridSample: {
    readonly alignCorners: boolean;
    readonly mode: "linear" | "nearest" | "cubic";
    readonly paddingMode: "zeros" | "border" | "reflection";
  };
  RandomNormalLike: {
    readonly dtype: DType | undefined;
    readonly mean: number;
    readonly scale: number;
    readonly seed: number | undefined;
  };
  RandomUniformLike: {
    readonly dtype: DType | undefined;
    readonly high: number;
    readonly low: number;
    readonly seed: number | undefined;
  };
  Resize: {
    readonly antialias: boolean;
    readonly axes: readonly number[] | undefined;
    readonly coordinateTransformationMode: CoordinateMode;
    readonly cubicCoeffA: number;
    readonly excludeOutside: boolean;
    readonly extrapolationValue: number;
    readonly keepAspectRatioPolicy: "stretch" | "not_larger" | "not_smaller";
    readonly mode: ResizeMode;
    readonly nearestMode: NearestMode;
  };
  RoiAlign: {
    readonly coordinateTransformationMode: string;
    readonly mode: string;
    readonly outputHeight: number;
    readonly outputWidth: number;
    readonly samplingRatio: number;
    readonly spatialScale: number;
  };
}

const dtype = optional("dtype", "dtype");
const seed = optional("seed", "float");

export const samplingSchemas: Schemas<SamplingOperators> = {
  AffineGrid: schema(2, 1, { alignCorners: attribute("align_corners", "bool", false) }),
  Bernoulli: schema(1, 1, { dtype, seed }),
  GridSample: schema(2, 1, {
    alignCorners: attribute("align_corners", "bool", false),
    mode: choice<"linear" | "nearest" | "cubic">("mode", "linear"),
    paddingMode: choice<"zeros" | "border" | "reflection">("padding_mode", "zeros"),
  }),
  RandomNormalLike: schema(1, 1, { dtype, mean: float("mean", 0), scale: float("scale", 1), seed }),
  RandomUniformLike: schema(1, 1, { dtype, high: float("high", 1), low: float("low", 0), seed }),
  Resize: schema([1, 4], 1, {
    antialias: attribute("antialias", "bool", false),
    axes: optional("axes", "ints"),
    coordinateTransformationMode: choice<CoordinateMode>("coordinate_transformation_mode", "half_pixel"),
    cubicCoeffA: float("cubic_coeff_a", -0.75),
    excludeOutside: attribute("exclude_outside", "bool", false),
    extrapolationValue: float("extrapolation_value", 0),
    keepAspectRatioPolicy: choice<"stretch" | "not_larger" | "not_smaller">("keep_aspect_ratio_policy", "stretch"),
    mode: choice<ResizeMode>("mode", "nearest"),
    nearestMode: choice<NearestMode>("nearest_mode", "round_prefer_floor"),
  }),
  RoiAlign: schema(3, 1, {
    coordinateTransformationMode: choice<string>("coordinate_transformation_mode", "half_pixel"),
    mode: choice<string>("mode", "avg"),
    outputHeight: attribute("output_height", "int", 1),
    outputWidth: attribute("output_width", "int", 1),
    samplingRatio: attribute("sampling_ratio", "int", 0),
    spatialScale: float("spatial_scale", 1),
  }),
};
