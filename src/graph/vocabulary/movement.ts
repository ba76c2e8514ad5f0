/** @file Operators that move elements without changing them: shapes, joins, cuts, padding, gathering and scattering. */
import type { DType, Tensor } from "../../tensor/index.ts";
import { attribute, choice, type NoAttributes, optional, plain, required, type Schemas, schema } from "../schema.ts";

interface Axis {
  readonly axis: number;
}
export type PadMode = "constant" | "reflect" | "edge" | "wrap";
export type ScatterReduction = "none" | "add" | "mul" | "max" | "min";

export interface MovementOperators {
  CenterCropPad: { readonly axes: readonly number[] | undefined };
  Compress: { readonly axis: number | undefined };
  Concat: Axis;
  ConstantOfShape: { readonly value: Tensor | undefined };
  DepthToSpace: { readonly blocksize: number; readonly mode: "DCR" | "CRD" };
  Expand: NoAttributes;
  EyeLike: { readonly dtype: DType | undefined; readonly k: number };
  Flatten: Axis;
  Gather: Axis;
  GatherElements: Axis;
  GatherND: { readonly batchDims: number };
  NonZero: NoAttributes;
  OneHot: Axis;
  Pad: { readonly mode: PadMode };
  Range: NoAttributes;
  Reshape: { readonly allowzero: boolean };
  ReverseSequence: { readonly batchAxis: number; readonly timeAxis: number };
  ScatterElements: Axis & { readonly reduction: ScatterReduction };
  ScatterND: { readonly reduction: ScatterReduction };
  Shape: { readonly start: number; readonly end: number | undefined };
  Size: NoAttributes;
  Slice: NoAttributes;
  SpaceToDepth: { readonly blocksize: number };
  Split: Axis & { readonly numOutputs: number | undefined };
  Squeeze: NoAttributes;
  Tile: NoAttributes;
  Transpose: { readonly perm: readonly number[] | undefined };
  Trilu: { readonly upper: boolean };
  Unsqueeze: NoAttributes;
}

const axis = (fallback: number) => attribute("axis", "int", fallback);
const any = Number.POSITIVE_INFINITY;

export const movementSchemas: Schemas<MovementOperators> = {
  CenterCropPad: schema(2, 1, { axes: optional("axes", "ints") }),
  Compress: schema(2, 1, { axis: optional("axis", "int") }),
  Concat: schema([1, any], 1, { axis: required("axis", "int") }),
  ConstantOfShape: schema(1, 1, { value: optional("value", "tensor") }),
  DepthToSpace: schema(1, 1, { blocksize: required("blocksize", "int"), mode: choice<"DCR" | "CRD">("mode", "DCR") }),
  Expand: plain(2),
  EyeLike: schema(1, 1, { dtype: optional("dtype", "dtype"), k: attribute("k", "int", 0) }),
  Flatten: schema(1, 1, { axis: axis(1) }),
  Gather: schema(2, 1, { axis: axis(0) }),
  GatherElements: schema(2, 1, { axis: axis(0) }),
  GatherND: schema(2, 1, { batchDims: attribute("batch_dims", "int", 0) }),
  NonZero: plain(1),
  OneHot: schema(3, 1, { axis: axis(-1) }),
  Pad: schema([2, 4], 1, { mode: choice<PadMode>("mode", "constant") }),
  Range: plain(3),
  Reshape: schema(2, 1, { allowzero: attribute("allowzero", "bool", false) }),
  ReverseSequence: schema(2, 1, {
    batchAxis: attribute("batch_axis", "int", 1),
    timeAxis: attribute("time_axis", "int", 0),
  }),
  ScatterElements: schema(3, 1, { axis: axis(0), reduction: choice<ScatterReduction>("reduction", "none") }),
  ScatterND: schema(3, 1, { reduction: choice<ScatterReduction>("reduction", "none") }),
  Shape: schema(1, 1, { start: attribute("start", "int", 0), end: optional("end", "int") }),
  Size: plain(1),
  Slice: plain([3, 5]),
  SpaceToDepth: schema(1, 1, { blocksize: required("blocksize", "int") }),
  Split: schema([1, 2], [1, any], { axis: axis(0), numOutputs: optional("num_outputs", "int") }),
  Squeeze: plain([1, 2]),
  Tile: plain(2),
  Transpose: schema(1, 1, { perm: optional("perm", "ints") }),
  Trilu: schema([1, 2], 1, { upper: attribute("upper", "bool", true) }),
  Unsqueeze: plain(2),
};
