/** @file Windows sliding over spatial axes: explicit pads, strides and dilations, and how many windows fit. */
import type { AutoPad } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape } from "../tensor/index.ts";
import { expectLength } from "./rule.ts";

/** What convolutions and pools say about their windows. */
export interface WindowAttributes {
  readonly autoPad?: AutoPad;
  readonly ceilMode?: boolean;
  readonly dilations?: readonly number[] | undefined;
  readonly kernelShape: Shape;
  readonly pads?: readonly number[] | undefined;
  readonly strides?: readonly number[] | undefined;
}

/** Windows with nothing left implicit: `auto_pad` and defaults resolved, one entry per spatial axis. */
export interface WindowGeometry {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All begins, then all ends, as ONNX orders them; `null` where `auto_pad` depends on an unknown size. */
  readonly pads: readonly (number | null)[];
  /** The number of windows along each axis. With `ceil_mode` the last may reach beyond the end padding. */
  readonly output: Shape;
}

/** One axis of the above. */
interface AxisGeometry {
  readonly begin: number | null;
  readonly end: number | null;
  readonly output: Dimension;
}

/**
 * The windows of a Conv or a pool over an input of `spatial` sizes (the shape without batch and channels).
 *
 * With e = (k − 1)·dilation + 1, a window's extent (onnx/docs/Operators.md, MaxPool):
 * - NOTSET: ⌊(size + begin + end − e) / stride⌋ + 1 windows; with `ceil_mode` ⌈…⌉ + 1, less one when the last would
 *   start beyond the input and its begin padding, as ONNX Runtime and PyTorch have it;
 * - VALID: ⌊(size − e) / stride⌋ + 1 windows, whatever `ceil_mode` is;
 * - SAME_*: ⌈size / stride⌉ windows, and as much padding as they need; an odd rest goes to the end (UPPER) or begin (LOWER).
 *
 * (ONNX Runtime pools with SAME_* and dilations differently: it leaves the dilation out of the padding.)
 *
 * Throws "model-invalid" on lists of the wrong length, sizes below one, and windows larger than the padded input.
 */
export function windowGeometry(spatial: Shape, attributes: WindowAttributes): WindowGeometry {
  const rank = spatial.length;
  const kernel = attributes.kernelShape;
  const { strides, dilations, pads } = completeWindows(rank, attributes);
  const { autoPad = "NOTSET", ceilMode = false } = attributes;
  const axes = spatial.map((size, axis): AxisGeometry => {
    const extent = extentOf(kernel[axis] ?? null, dilations[axis] ?? 1);
    const stride = strides[axis] ?? 1;
    if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") return sameAxis(size, extent, stride, autoPad);
    const begin = autoPad === "VALID" ? 0 : (pads[axis] ?? 0);
    const end = autoPad === "VALID" ? 0 : (pads[axis + rank] ?? 0);
    return { begin, end, output: windowCount(size, extent, stride, begin, end, ceilMode) };
  });
  return {
    kernel,
    strides,
    dilations,
    pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    output: axes.map(({ output }) => output),
  };
}

function sameAxis(size: Dimension, extent: number | null, stride: number, autoPad: AutoPad): AxisGeometry {
  const output = typeof size === "number" ? Math.ceil(size / stride) : stride === 1 ? size : null;
  const total = samePadding(size, extent, stride);
  return { ...splitPadding(total, autoPad === "SAME_UPPER"), output };
}

/** max((⌈size / stride⌉ − 1)·stride + e − size, 0), which for stride 1 is e − 1 whatever the size. */
function samePadding(size: Dimension, extent: number | null, stride: number): number | null {
  if (extent === null) return null;
  if (typeof size === "number") return Math.max((Math.ceil(size / stride) - 1) * stride + extent - size, 0);
  return stride === 1 ? extent - 1 : null;
}

/** The smaller half first when `upper`, the larger first otherwise. */
function splitPadding(total: number | null, upper: boolean): { begin: number | null; end: number | null } {
  if (total === null) return { begin: null, end: null };
  const smaller = Math.floor(total / 2);
  const larger = total - smaller;
  return upper ? { begin: smaller, end: larger } : { begin: larger, end: smaller };
}

function windowCount(
  size: Dimension,
  extent: number | null,
  stride: number,
  begin: number,
  end: number,
  ceilMode: boolean,
): Dimension {
  if (extent === null) return null;
  // Padding that exactly makes up for the window keeps the size, whatever it is.
  if (typeof size !== "number") return stride === 1 && begin + end === extent - 1 ? size : null;
  const room = size + begin + end - extent;
  if (room < 0) {
    throw new GraftError("model-invalid", "a window is larger than the padded input", {
      expected: `at least ${extent} elements`,
      actual: `${size} and ${begin + end} of padding`,
    });
  }
  if (!ceilMode) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1;
  return (count - 1) * stride >= size + begin ? count - 1 : count;
}

/** What ConvTranspose says beyond a Conv. */
export interface TransposedWindowAttributes extends WindowAttributes {
  readonly outputPadding?: readonly number[] | undefined;
  readonly outputShape?: readonly number[] | undefined;
}

/** `WindowGeometry` of a ConvTranspose: `output` is the larger, scattered-to side. */
export interface TransposedWindowGeometry extends WindowGeometry {
  readonly outputPadding: readonly number[];
}

/**
 * The windows of a ConvTranspose over an input of `spatial` sizes:
 * output = stride·(size − 1) + output_padding + e − begin − end. With `output_shape`, or `auto_pad` SAME_* (output =
 * size·stride), the padding follows from it; an odd rest goes to the end for SAME_UPPER, else to the begin
 * (onnx/docs/Operators.md, ConvTranspose).
 */
export function transposedWindowGeometry(
  spatial: Shape,
  attributes: TransposedWindowAttributes,
): TransposedWindowGeometry {
  const rank = spatial.length;
  const kernel = attributes.kernelShape;
  const { strides, dilations, pads } = completeWindows(rank, attributes);
  const { autoPad = "NOTSET", outputShape } = attributes;
  expectLength(attributes.outputPadding, rank, "output_padding");
  const outputPadding = attributes.outputPadding ?? new Array<number>(rank).fill(0);
  // ONNX Runtime also takes a shape with batch and channels in front.
  const targets = outputShape?.slice(-rank);
  if (rank > 0 && targets !== undefined) expectLength(targets, rank, "output_shape");
  const axes = spatial.map((size, axis): AxisGeometry => {
    const extent = extentOf(kernel[axis] ?? null, dilations[axis] ?? 1);
    const stride = strides[axis] ?? 1;
    const full =
      typeof size === "number" && extent !== null ? stride * (size - 1) + (outputPadding[axis] ?? 0) + extent : null;
    const target = targets?.[axis];
    if (target !== undefined) {
      const total = full === null ? null : Math.max(full - target, 0);
      return { ...splitPadding(total, autoPad === "SAME_UPPER"), output: target };
    }
    if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
      // full − size·stride, which does not depend on the size.
      const total = extent === null ? null : Math.max(extent + (outputPadding[axis] ?? 0) - stride, 0);
      const output = full === null || total === null ? null : full - total;
      return { ...splitPadding(total, autoPad === "SAME_UPPER"), output };
    }
    const begin = autoPad === "VALID" ? 0 : (pads[axis] ?? 0);
    const end = autoPad === "VALID" ? 0 : (pads[axis + rank] ?? 0);
    return { begin, end, output: full === null ? null : nonNegative(full - begin - end) };
  });
  return {
    kernel,
    strides,
    dilations,
    pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    output: axes.map(({ output }) => output),
    outputPadding,
  };
}

function completeWindows(rank: number, attributes: WindowAttributes) {
  const { kernelShape, strides, dilations, pads } = attributes;
  expectLength(kernelShape, rank, "kernel_shape");
  expectLength(strides, rank, "strides");
  expectLength(dilations, rank, "dilations");
  expectLength(pads, 2 * rank, "pads");
  expectPositive(kernelShape, "kernel_shape");
  expectPositive(strides, "strides");
  expectPositive(dilations, "dilations");
  return {
    strides: strides ?? new Array<number>(rank).fill(1),
    dilations: dilations ?? new Array<number>(rank).fill(1),
    pads: pads ?? new Array<number>(2 * rank).fill(0),
  };
}

function expectPositive(sizes: Shape | undefined, what: string): void {
  const wrong = sizes?.find((size) => typeof size === "number" && size < 1);
  if (wrong === undefined) return;
  throw new GraftError("model-invalid", `${what} must be positive`, { expected: "at least 1", actual: String(wrong) });
}

function extentOf(kernel: Dimension, dilation: number): number | null {
  return typeof kernel === "number" ? (kernel - 1) * dilation + 1 : null;
}

function nonNegative(size: number): number {
  if (size >= 0) return size;
  throw new GraftError("model-invalid", "the padding cuts away more than there is", {
    expected: "a size of 0 or more",
    actual: String(size),
  });
}
