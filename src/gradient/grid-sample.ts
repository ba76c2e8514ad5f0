/** @file GridSample in operators that have derivatives: weighted sums of pixels around each point of the grid. */
import type { Application, Builder, OperatorAttributes, Value } from "../graph/index.ts";
import { byDecomposition, type Differentiable, inputAt, rankOf } from "./rule.ts";
import { range, reshapeTo, type Size, sizesOf, sizeVector } from "./sizes.ts";

type Attributes = OperatorAttributes["GridSample"];

/** One pixel row or column of several around each point: where it is and how much it weighs, `[N, points]`. */
interface Tap {
  readonly index: Value;
  readonly weight: Value | undefined;
}

/** The coefficient of cubic convolution that PyTorch, ONNX Runtime and ONNX use here. */
const cubicCoefficient = -0.75;

/** Pixels along one axis of `size` (a scalar of the coordinates' type) for coordinates in [-1, 1]. */
function tapsOf(b: Builder, attributes: Attributes, normalized: Value, size: Value): readonly Tap[] {
  const { mode, paddingMode, alignCorners } = attributes;
  const last = b.shift(size, -1);
  const half = b.scale(b.shift(normalized, 1), 0.5);
  // The outermost coordinates are the centres of the outermost pixels, or their outer edges.
  const position = alignCorners ? b.mul(half, last) : b.shift(b.mul(half, size), -0.5);
  const zero = b.scalar(0, normalized);

  /** Past the border, where the gradient ends too. */
  const clamped = (at: Value) =>
    b.where(b.apply("LessOrEqual", [at, zero]), zero, b.where(b.apply("GreaterOrEqual", [at, last]), last, at));
  /** Back and forth between the outermost centres, or the outer edges. */
  const reflected = (at: Value) => {
    const start = alignCorners ? 0 : -0.5;
    const span = alignCorners ? b.apply("Max", [last, b.scalar(1, last)]) : size;
    const distance = b.apply("Abs", [b.shift(at, -start)]);
    const flips = b.apply("Floor", [b.div(distance, span)]);
    const rest = b.sub(distance, b.mul(flips, span));
    const isEven = b.equal(b.apply("Mod", [flips, b.scalar(2, flips)], { fmod: true }), zero);
    return clamped(b.shift(b.where(isEven, rest, b.sub(span, rest)), start));
  };
  const padded = (at: Value) =>
    ({ zeros: (same: Value) => same, border: clamped, reflection: reflected })[paddingMode](at);
  const tap = (at: Value, weight?: Value): Tap => {
    const index = b.cast(clamped(at), "int64");
    if (paddingMode !== "zeros") return { index, weight };
    const inside = b.and(b.apply("GreaterOrEqual", [at, zero]), b.apply("LessOrEqual", [at, last]));
    const mask = b.castLike(inside, normalized);
    return { index, weight: weight === undefined ? mask : b.mul(weight, mask) };
  };

  if (mode === "nearest") return [tap(b.apply("Round", [padded(position)]))];
  // For cubic kernels each pixel is padded by itself, not the point.
  const point = mode === "linear" ? padded(position) : position;
  const before = b.apply("Floor", [point]);
  const beyond = b.sub(point, before);
  const complement = b.sub(b.scalar(1, beyond), beyond);
  if (mode === "linear") return [tap(before, complement), tap(b.shift(before, 1), beyond)];
  const a = cubicCoefficient;
  const near = (d: Value) => b.shift(b.mul(b.mul(b.shift(b.scale(d, a + 2), -(a + 3)), d), d), 1);
  const far = (d: Value) => b.shift(b.mul(b.shift(b.mul(b.shift(b.scale(d, a), -5 * a), d), 8 * a), d), -4 * a);
  return [
    tap(padded(b.shift(before, -1)), far(b.shift(beyond, 1))),
    tap(padded(before), near(beyond)),
    tap(padded(b.shift(before, 1)), near(complement)),
    tap(padded(b.shift(before, 2)), far(b.shift(complement, 1))),
  ];
}

function decompose({ attributes, inputs }: Application<"GridSample">, b: Builder): readonly Value[] {
  const [x, grid] = [inputAt({ inputs }, 0), inputAt({ inputs }, 1)];
  const rank = rankOf(x) - 2;
  const [batch, channels] = [sizesOf(x, 0, 1), sizesOf(x, 1, 2)];
  const points = reshapeTo(b, grid, [...batch, -1, rank]);
  // The grid names the last axis first.
  const taps = range(rank).map((axis) => {
    const coordinate = rank - 1 - axis;
    const along = b.squeeze(b.slice(points, [coordinate], [coordinate + 1], [2]), [2]);
    return tapsOf(b, attributes, along, b.castLike(b.squeeze(b.sizeOf(x, axis + 2), [0]), grid));
  });
  // Every pixel around a point: one tap of each axis, its index row by row, its weight the product of theirs.
  const pixels = taps.reduce<readonly Tap[]>((outer, inner, axis) => {
    if (axis === 0) return inner;
    const size = b.sizeOf(x, axis + 2);
    return outer.flatMap((a) =>
      inner.map((c) => ({
        index: b.add(b.mul(a.index, size), c.index),
        weight: a.weight && c.weight ? b.mul(a.weight, c.weight) : (a.weight ?? c.weight),
      })),
    );
  }, []);
  const joined = (values: readonly Value[]) =>
    b.concat(
      values.map((value) => b.unsqueeze(value, [1, 2])),
      2,
    );
  const indices = joined(pixels.map(({ index }) => index));
  const weights = pixels.flatMap(({ weight }) => weight ?? []);
  const count = pixels.length;
  const everyPixel: Size = { of: indices, axis: 3 };
  const flat = reshapeTo(b, indices, [...batch, 1, -1]);
  const lines = b.expand(flat, b.concat([sizeVector(b, batch), sizeVector(b, channels), b.sizeOf(flat, 2)], 0));
  const found = b.apply("GatherElements", [reshapeTo(b, x, [...batch, ...channels, -1]), lines], { axis: 2 });
  const around = reshapeTo(b, found, [...batch, ...channels, count, everyPixel]);
  const weighted = weights.length === 0 ? around : b.mul(around, joined(weights));
  const sampled = b.reduceSum(weighted, [2], false);
  return [reshapeTo(b, sampled, [...batch, ...channels, ...sizesOf(grid, 1, rank + 1)])];
}

/** y at a point = Σ of the pixels around it, weighted by their distances; both x and the grid have gradients. */
export const gridSampleGradient: Differentiable<"GridSample"> = byDecomposition(decompose);
