/** @file Forms of a depthwise convolution of tall maps. */
import type { Builder, GivenDerivative, OperatorNode, Value } from "../graph/index.ts";
import { windowGeometry } from "../shapes/index.ts";
import { float32, isStatic, type NumericTensor, unreachable } from "../tensor/index.ts";

/** A depthwise convolution of maps `[N, C, H, W]` to `[N, C, P, Q]`, one kernel a channel. */
export interface DepthwiseGeometry {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Padding before the map. */
  readonly begins: readonly [number, number];
  /** Padding after the map. */
  readonly ends: readonly [number, number];
}

/**
 * How a depthwise convolution is computed:
 * - `grouped`: as one picture of N·C channels, each with its channel's kernel;
 * - `toeplitz`: as a matrix product a channel, y = x·T with T[p, q] the kernel's element that leads from input pixel p to
 *   output pixel q.
 */
export type DepthwiseForm = "grouped" | "toeplitz";
/** Chooses the form by shape. */
export type DepthwiseLowering = (geometry: DepthwiseGeometry) => DepthwiseForm;

/** The geometry of a depthwise convolution with everything known; `undefined` for other convolutions. */
export function depthwiseGeometry(node: OperatorNode<"Conv">): DepthwiseGeometry | undefined {
  const [x, w] = node.inputs;
  const [y] = node.outputs;
  if (!isStatic(x?.shape) || !isStatic(w?.shape) || !isStatic(y?.shape)) return undefined;
  const [batch, channels, height, width] = x.shape;
  const [outputs, perGroup, ...kernel] = w.shape;
  const [outHeight, outWidth] = y.shape.slice(2);
  if (batch === undefined || channels === undefined || height === undefined || width === undefined) return undefined;
  if (outHeight === undefined || outWidth === undefined || x.shape.length !== 4) return undefined;
  if (node.attributes.group !== channels || outputs !== channels || perGroup !== 1) return undefined;
  const { pads, strides, dilations } = windowGeometry([height, width], { ...node.attributes, kernelShape: kernel });
  if (!isStatic(pads)) return undefined;
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  return {
    batch,
    channels,
    height,
    width,
    outHeight,
    outWidth,
    kernel: pair(kernel),
    strides: pair(strides),
    dilations: pair(dilations),
    begins: [top, left],
    ends: [bottom, right],
  };
}

/** The tall map of a depthwise convolution, and its derivative where it is not left to the chain rule. */
export interface LoweredDepthwise {
  readonly result: Value;
  readonly derivative: GivenDerivative | undefined;
}

/** Appends the convolution of the tall map `x` `[1, C, N·H, W]`; gives the tall map of the result. */
export function lowerDepthwise(
  build: Builder,
  node: OperatorNode<"Conv">,
  x: Value,
  lowering: DepthwiseLowering,
): LoweredDepthwise {
  const geometry = depthwiseGeometry(node);
  const [, w, bias] = node.inputs;
  if (geometry === undefined || w === undefined) return unreachable("not a depthwise convolution");
  if (lowering(geometry) === "toeplitz") {
    return { result: toeplitz(build, geometry, x, w, bias), derivative: undefined };
  }
  return {
    result: grouped(build, geometry, x, w, bias),
    derivative: {
      by: bias === undefined ? [x, w] : [x, w, bias],
      gradients: (b, dy, wants) => [
        wants(0) ? spreadGrouped(b, geometry, dy, w) : undefined,
        wants(1)
          ? b.reshape(kernelGradient(b, geometry, x, dy), [geometry.channels, 1, ...geometry.kernel])
          : undefined,
        bias && wants(2) ? b.reduceSum(dy, [0, 2, 3], false) : undefined,
      ],
    },
  };
}

/** One picture of N·C channels; kernel and bias are repeated for every picture of the batch. */
function grouped(build: Builder, geometry: DepthwiseGeometry, x: Value, w: Value, bias: Value | undefined): Value {
  const { batch: n, channels: c, height, width, outHeight, outWidth, kernel, begins, ends } = geometry;
  const { strides, dilations } = geometry;
  const pictures = build.reshape(x, [1, c * n, height, width]);
  const repeatedBias = bias && build.reshape(repeat(build, build.reshape(bias, [c, 1]), n), [c * n]);
  const attributes = { group: c * n, pads: [...begins, ...ends], strides, dilations };
  const y = build.apply("Conv", [pictures, repeatKernel(build, geometry, w, kernel), repeatedBias], attributes);
  return build.reshape(y, [1, c, n * outHeight, outWidth]);
}

/** `[C, 1, …kernel]` for each of N pictures: `[C·N, 1, …kernel]`. */
function repeatKernel(
  build: Builder,
  { channels, batch }: DepthwiseGeometry,
  w: Value,
  kernel: readonly number[],
): Value {
  const flat = build.reshape(w, [channels, kernel.reduce((a, b) => a * b)]);
  return build.reshape(repeat(build, flat, batch), [channels * batch, 1, ...kernel]);
}

/** `[C, k]` to `[C, N, k]`. */
function repeat(build: Builder, value: Value, count: number): Value {
  const [channels, size] = value.shape as readonly [number, number];
  return count === 1
    ? value
    : build.expand(build.reshape(value, [channels, 1, size]), build.ints([channels, count, size]));
}

/** dx[p·stride + k·dilation − begin] += w[k]·dy[p], on tall maps. */
function spreadGrouped(build: Builder, geometry: DepthwiseGeometry, dy: Value, w: Value): Value {
  const {
    batch: n,
    channels: c,
    height,
    width,
    outHeight,
    outWidth,
    kernel,
    strides,
    dilations,
    begins,
    ends,
  } = geometry;
  const pictures = build.reshape(dy, [1, c * n, outHeight, outWidth]);
  const group = c * n;
  const extents = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
  const mirroredPads = [...begins, ...ends].map((pad, index) => (extents[index % 2] ?? 1) - 1 - pad);
  if (strides.every((stride) => stride === 1) && mirroredPads.every((pad) => pad >= 0)) {
    // The mirrored kernel, taken element by element from the back: a Gather is cheaper here than a Slice by −1.
    const size = kernel[0] * kernel[1];
    const backwards = build.ints(Array.from({ length: size }, (_, index) => size - 1 - index));
    const flipped = build.gather(build.reshape(w, [c, size]), backwards, 1);
    const dx = build.apply("Conv", [pictures, repeatKernel(build, geometry, flipped, kernel)], {
      dilations,
      pads: mirroredPads,
      group,
    });
    return build.reshape(dx, [1, c, n * height, width]);
  }
  // What the last window leaves of the map is output padding.
  const rest = [height, width].map((size, axis) => {
    const out = [outHeight, outWidth][axis] ?? 0;
    return size - ((out - 1) * (strides[axis] ?? 1) + (extents[axis] ?? 1) - (begins[axis] ?? 0) - (ends[axis] ?? 0));
  });
  const dx = build.apply("ConvTranspose", [pictures, repeatKernel(build, geometry, w, kernel)], {
    strides,
    dilations,
    group,
    pads: [...begins, ...ends],
    outputPadding: rest,
  });
  return build.reshape(dx, [1, c, n * height, width]);
}

/** dw[c, k] = Σ_{n,p} dy[n, c, p]·x[n, c, p·stride + k·dilation − begin], `[C, kernel]`. */
function kernelGradient(build: Builder, geometry: DepthwiseGeometry, x: Value, dy: Value): Value {
  const { strides, dilations, width } = geometry;
  const isDense = [...strides, ...dilations].every((step) => step === 1);
  // Measured by bench/kernels: on wide maps products with vectors win, on narrow ones products of rows.
  return isDense && width >= 32 ? byColumnShifts(build, geometry, x, dy) : byRows(build, geometry, x, dy);
}

/** For each column of the kernel, the map shifted by it times the rows of dy shifted by the kernel's rows. */
function byColumnShifts(build: Builder, geometry: DepthwiseGeometry, x: Value, dy: Value): Value {
  const { batch: n, channels: c, height, width, outHeight, outWidth, kernel, begins } = geometry;
  const maps = n * c;
  const pad = (value: Value, pads: readonly number[]) =>
    pads.every((each) => each === 0) ? value : build.apply("Pad", [value, build.ints(pads)]);
  const pictures = build.reshape(x, [maps, height, width]);
  const rows = outHeight + kernel[0] - 1;
  const columns = Array.from({ length: kernel[1] }, (_, j) => {
    const [top, left] = [begins[0], begins[1] - j];
    const shifted = pad(pictures, [0, top, left, 0, rows - height - top, outWidth - width - left]);
    return build.reshape(shifted, [maps, 1, rows * outWidth]);
  });
  const stacked = build.concat(columns, 1);
  const flat = build.reshape(dy, [maps, outHeight * outWidth]);
  const products = Array.from({ length: kernel[0] }, (_, i) => {
    const shifted = pad(flat, [0, i * outWidth, 0, (kernel[0] - 1 - i) * outWidth]);
    return build.matMul(stacked, build.reshape(shifted, [maps, rows * outWidth, 1]));
  });
  // [maps, column, row] → [maps, row, column]
  const sums = build.reshape(build.transpose(build.concat(products, 2), [0, 2, 1]), [c, n, kernel[0] * kernel[1]]);
  return build.reduceSum(sums, [1], false);
}

/** For each row of the kernel, every column of x times every column of dy, of which the kernel's columns are picked. */
function byRows(build: Builder, geometry: DepthwiseGeometry, x: Value, dy: Value): Value {
  const { batch: n, channels: c, height, width, outHeight, outWidth, kernel, strides, dilations, begins } = geometry;
  const pictures = build.reshape(x, [c, n, height, width]);
  const dyRows = build.reshape(dy, [c, n * outHeight, outWidth]);
  const pick = build.constant(columnSelection(geometry), "columns");
  const stride = strides[0];
  const results = Array.from({ length: kernel[0] }, (_, i) => {
    // The rows of x that dy's rows meet: those from `first` on, a stride apart.
    const first = i * dilations[0] - begins[0];
    // Where the map's rows come in whole strides, a column of strides has them without moving any row.
    const isAligned = first >= 0 && first < stride && height === stride * outHeight;
    const moved = isAligned
      ? pictures
      : build.apply("Pad", [pictures, build.ints([0, 0, -first, 0, 0, 0, stride * outHeight - height + first, 0])]);
    const start = isAligned ? first * width : 0;
    const strided = build.reshape(moved, [c, n * outHeight, stride * width]);
    const met = stride === 1 ? strided : build.slice(strided, [start], [start + width], [2]);
    const products = build.matMul(build.transpose(met, [0, 2, 1]), dyRows);
    return build.matMul(build.reshape(products, [c, width * outWidth]), pick);
  });
  return build.concat(results, 1);
}

/** `[width·outWidth, kernel columns]`: 1 where output column q meets input column p through the kernel's column j. */
function columnSelection({ width, outWidth, kernel, strides, dilations, begins }: DepthwiseGeometry): NumericTensor {
  const data = new Float32Array(width * outWidth * kernel[1]);
  for (let q = 0; q < outWidth; q++) {
    for (let j = 0; j < kernel[1]; j++) {
      const p = q * strides[1] + j * dilations[1] - begins[1];
      if (p >= 0 && p < width) data[(p * outWidth + q) * kernel[1] + j] = 1;
    }
  }
  return float32([width * outWidth, kernel[1]], data);
}

function toeplitz(build: Builder, geometry: DepthwiseGeometry, x: Value, w: Value, bias: Value | undefined): Value {
  const { batch: n, channels: c, height, width, outHeight, outWidth, kernel } = geometry;
  const [pixels, outPixels] = [height * width, outHeight * outWidth];
  const selection = build.constant(selectionMatrix(geometry), "selection");
  const matrix = build.matMul(build.reshape(w, [c, kernel[0] * kernel[1]]), selection);
  const y = build.matMul(build.reshape(x, [c, n, pixels]), build.reshape(matrix, [c, pixels, outPixels]));
  const shifted = bias === undefined ? y : build.add(y, build.reshape(bias, [c, 1, 1]));
  return build.reshape(shifted, [1, c, n * outHeight, outWidth]);
}

/** `[kernel, pixels·outPixels]`: 1 where the kernel's element k leads from input pixel p to output pixel q. */
function selectionMatrix(geometry: DepthwiseGeometry): NumericTensor {
  const { height, width, outHeight, outWidth, kernel, strides, dilations, begins } = geometry;
  const [pixels, outPixels] = [height * width, outHeight * outWidth];
  const data = new Float32Array(kernel[0] * kernel[1] * pixels * outPixels);
  for (let q = 0; q < outPixels; q++) {
    const [top, left] = [Math.floor(q / outWidth) * strides[0] - begins[0], (q % outWidth) * strides[1] - begins[1]];
    for (let k = 0; k < kernel[0] * kernel[1]; k++) {
      const row = top + Math.floor(k / kernel[1]) * dilations[0];
      const column = left + (k % kernel[1]) * dilations[1];
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      data[(k * pixels + row * width + column) * outPixels + q] = 1;
    }
  }
  return float32([kernel[0] * kernel[1], pixels * outPixels], data);
}

function pair(values: readonly unknown[]): readonly [number, number] {
  return [Number(values[0] ?? 1), Number(values[1] ?? 1)];
}
