/** @file Windows: how kernels slide over a map, in one to three dimensions, and the two convolutions that are adjoint. */
import { type Builder, numericTypeOf, type Value } from "../graph/index.ts";
import {
  type TransposedWindowAttributes,
  transposedWindowGeometry,
  type WindowAttributes,
  type WindowGeometry,
  windowGeometry,
} from "../shapes/index.ts";
import { type Dimension, elementCount, GraftError, type Shape, showShape, tensorOf } from "../tensor/index.ts";
import { rankOf } from "./rule.ts";
import { range, reshapeTo, sizesOf } from "./sizes.ts";

/** How windows lie on a map, per spatial axis: window p covers the elements `p·stride + k·dilation − begin`. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the map. */
  readonly begins: readonly number[];
  /** Padding after the map. Where `isExact` the last window ends with it; negative where no window covers the map's end. */
  readonly ends: readonly number[];
  /** Padding after the map as the operator declares it; with `ceil_mode` the last window may reach beyond. */
  readonly declaredEnds: readonly number[];
  /** Whether enough is known to tell where the last window ends. */
  readonly isExact: boolean;
}

/** The windows of a convolution or a pool from `map` to `result`, both `[batch, channels, …spatial]`. */
export function windowOf(attributes: WindowAttributes, map: Value, result?: Value): Window {
  const geometry = windowGeometry(spatialShape(map), attributes);
  const fits = (stride: number) => stride === 1 && !attributes.ceilMode;
  const window = placed(geometry, map, result, (end, axis) => (fits(at(geometry.strides, axis)) ? end : undefined));
  if (attributes.ceilMode && !window.isExact) numbers(spatialShape(map), "ceil_mode is set", map);
  return window;
}

/** The windows of a transposed convolution, from whose every window, an element of `x`, the map `y` is written. */
export function transposedWindowOf(attributes: TransposedWindowAttributes, x: Value, y: Value): Window {
  const geometry = transposedWindowGeometry(spatialShape(x), attributes);
  return placed(geometry, y, x, (end, axis) => end - at(geometry.outputPadding, axis));
}

/** The last window ends where `count` windows reach; where sizes are unknown, `otherwise` may know. */
function placed(
  geometry: WindowGeometry,
  map: Value,
  result: Value | undefined,
  otherwise: (end: number, axis: number) => number | undefined,
): Window {
  const { strides, dilations, pads } = geometry;
  const kernel = numbers(geometry.kernel, "it is the kernel's", map);
  const rank = kernel.length;
  const begins = numbers(pads.slice(0, rank), "the padding follows from it", map);
  const declaredEnds = numbers(pads.slice(rank), "the padding follows from it", map);
  const extents = extentsOf({ kernel, dilations });
  const exact = range(rank).map((axis) => {
    const [size, count] = [map.shape?.[axis + 2], result?.shape?.[axis + 2]];
    if (typeof size !== "number" || typeof count !== "number") return otherwise(at(declaredEnds, axis), axis);
    return (count - 1) * at(strides, axis) + at(extents, axis) - size - at(begins, axis);
  });
  const ends = exact.map((end, axis) => end ?? at(declaredEnds, axis));
  return { kernel, strides, dilations, begins, ends, declaredEnds, isExact: !exact.includes(undefined) };
}

/** The elements that a kernel spans along each axis, its gaps included. */
function extentsOf({ kernel, dilations }: Pick<Window, "kernel" | "dilations">): number[] {
  return kernel.map((size, axis) => (size - 1) * at(dilations, axis) + 1);
}

/** The sizes after batch and channels. Throws where the rank is unknown. */
export function spatialShape(map: Value): Shape {
  rankOf(map);
  return map.shape?.slice(2) ?? [];
}

/** y[p] = Σₖ w[k]·x[p·stride + k·dilation − begin]: the convolution of these windows, `[batch, channels, …spatial]`. */
export function correlate(build: Builder, x: Value, w: Value, window: Window, group = 1): Value {
  const { strides, dilations, begins, ends } = window;
  // A rest shorter than a stride reaches no window by itself.
  const isRest = ends.every((end, axis) => -end < at(strides, axis));
  const map = isRest ? x : cropEnds(build, x, ends);
  const pads = [...begins, ...ends.map((end) => Math.max(end, 0))];
  return build.apply("Conv", [map, w], { strides, dilations, pads, group });
}

/**
 * The adjoint: dx[p·stride + k·dilation − begin] += w[k]·dy[p], with dx of the spatial sizes of `map`; 0 where no window
 * reaches.
 */
export function spread(build: Builder, dy: Value, w: Value, window: Window, map: Value, group = 1): Value {
  const { strides, dilations, begins, ends, isExact } = window;
  const extents = extentsOf(window);
  const mirroredPads = [...begins, ...ends].map((pad, index) => at(extents, index % extents.length) - 1 - pad);
  if (isExact && strides.every((stride) => stride === 1) && mirroredPads.every((pad) => pad >= 0)) {
    // At stride 1 it is a convolution by the mirrored kernel, which ONNX Runtime computes faster.
    return build.apply("Conv", [dy, mirrored(build, w, group)], { dilations, pads: mirroredPads, group });
  }
  const common = { strides, dilations, group };
  if (isExact) {
    const pads = [...begins, ...ends.map((end) => Math.max(end, 0))];
    const outputPadding = ends.map((end) => Math.max(-end, 0));
    return build.apply("ConvTranspose", [dy, w], { ...common, pads, outputPadding });
  }
  // Up to a stride more than the map, then cut to its size.
  const pads = [...begins, ...begins.map(() => 0)];
  const outputPadding = strides.map((stride) => stride - 1);
  const whole = build.apply("ConvTranspose", [dy, w], { ...common, pads, outputPadding });
  const axes = begins.map((_, axis) => axis + 2);
  const sizes = build.apply("Shape", [map], { start: 2 });
  return build.apply("Slice", [whole, build.ints(axes.map(() => 0)), sizes, build.ints(axes)]);
}

/** The kernel of the adjoint: `[M, C/g, …]` → `[C, M/g, …]`, mirrored along its spatial axes. */
function mirrored(build: Builder, w: Value, group: number): Value {
  const kernel = swapChannels(build, w, group);
  const axes = range(rankOf(w))
    .slice(2)
    .filter((axis) => w.shape?.[axis] !== 1);
  if (axes.length === 0) return kernel;
  const [last, beforeFirst] = [axes.map(() => -1), axes.map(() => Number.MIN_SAFE_INTEGER)];
  return build.apply("Slice", [kernel, build.ints(last), build.ints(beforeFirst), build.ints(axes), build.ints(last)]);
}

/** `[g·m, c, …]` → `[g·c, m, …]`. */
function swapChannels(build: Builder, w: Value, group: number): Value {
  const axes = range(rankOf(w)).slice(2);
  if (group === 1) return build.transpose(w, [1, 0, ...axes]);
  const outputs = numberOf(w.shape?.[0], "it is the kernel's", w) / group;
  const inputs = numberOf(w.shape?.[1], "it is the kernel's", w);
  if (outputs === 1 && inputs === 1) return w;
  const grouped = reshapeTo(build, w, [group, outputs, inputs, ...sizesOf(w, 2)]);
  const swapped = build.transpose(grouped, [0, 2, 1, ...axes.map((axis) => axis + 1)]);
  return reshapeTo(build, swapped, [group * inputs, outputs, ...sizesOf(w, 2)]);
}

/**
 * dw[m, c, k] = Σ_{n,p} dy[n, m, p]·x[n, c, p·stride + k·dilation − begin]: a convolution in which batch and channels
 * change places, and so do strides and dilations. `x` is `[N, C, …]`, `dy` is `[N, M, …]`, the result `[M, C/g, …kernel]`.
 */
export function correlateOverBatch(build: Builder, x: Value, dy: Value, window: Window, group = 1): Value {
  const { kernel, strides, dilations, begins, ends, isExact } = window;
  const axes = kernel.map((_, axis) => axis + 2);
  const swap = [1, 0, ...axes];
  const map = channelsAsBatch(build, cropEnds(build, x, ends), group);
  const pads = [...begins, ...ends.map((end) => Math.max(end, 0))];
  const attributes = { strides: dilations, dilations: strides, pads, group };
  const whole = build.transpose(build.apply("Conv", [map, build.transpose(dy, swap)], attributes), swap);
  // Elements that no window covers have given sums beyond the kernel.
  return isExact
    ? whole
    : build.slice(
        whole,
        axes.map(() => 0),
        kernel,
        axes,
      );
}

/** `[N, g·c, …]` → `[c, g·N, …]`: the channels of a group become the batch, the groups lie side by side as channels. */
function channelsAsBatch(build: Builder, x: Value, group: number): Value {
  const axes = range(rankOf(x)).slice(2);
  if (group === 1) return build.transpose(x, [1, 0, ...axes]);
  const channels = numberOf(x.shape?.[1], "the channels form groups", x) / group;
  const grouped = reshapeTo(build, x, [...sizesOf(x, 0, 1), group, channels, ...sizesOf(x, 2)]);
  const moved = build.transpose(grouped, [2, 1, 0, ...axes.map((axis) => axis + 1)]);
  return reshapeTo(build, moved, [channels, -1, ...sizesOf(x, 2)]);
}

/** Without the elements at the ends that no window covers. */
function cropEnds(build: Builder, x: Value, ends: readonly number[]): Value {
  const axes = ends.flatMap((end, axis) => (end < 0 ? [axis] : []));
  if (axes.length === 0) return x;
  const last = axes.map((axis) => at(ends, axis));
  return build.slice(
    x,
    axes.map(() => 0),
    last,
    axes.map((axis) => axis + 2),
  );
}

/** K kernels, each with a single one at its own place in the window, `[K, 1, …kernel]`. */
export function places(build: Builder, { kernel }: Window, like: Value): Value {
  const count = elementCount(kernel);
  const identity = range(count * count).map((index) => (index % (count + 1) === 0 ? 1 : 0));
  return build.constant(tensorOf(numericTypeOf(like), [count, 1, ...kernel], identity));
}

/** The map as `N·C` maps of one channel, `[N·C, 1, …spatial]`. */
export function singleChannel(build: Builder, x: Value): Value {
  return reshapeTo(build, x, [-1, 1, ...sizesOf(x, 2, rankOf(x))]);
}

/** A size that a rule needs as a number. Throws where it is not one. */
export function numberOf(size: Dimension | undefined, why: string, value: Value): number {
  if (typeof size === "number") return size;
  throw new GraftError("not-differentiable", `a size must be known: ${why}`, {
    path: [`value "${value.name}"`],
    actual: showShape(value.shape),
    hint: "fix the sizes of the model's inputs",
  });
}

function numbers(sizes: Shape, why: string, value: Value): number[] {
  return sizes.map((size) => numberOf(size, why, value));
}

/** The entry of a list that has one for each spatial axis. */
export function at(list: readonly number[], axis: number): number {
  return list[axis] ?? 0;
}
