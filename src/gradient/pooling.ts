/** @file Derivatives of pools. Windows are convolutions by fixed kernels, so that their adjoints spread gradients back. */
import { type Builder, numericTypeOf, type PoolingOperators, type Value } from "../graph/index.ts";
import { elementCount, int64Vector, tensorOf } from "../tensor/index.ts";
import { by, type GradientRules, inputAt, type Step } from "./rule.ts";
import { filled, range, reshapeLike, reshapeTo, sizesOf } from "./sizes.ts";
import { at, correlate, places, singleChannel, spread, type Window, windowOf } from "./window.ts";

/** A kernel of ones, `[1, 1, …kernel]`. */
function ones(build: Builder, { kernel }: Window, like: Value): Value {
  const shape = [1, 1, ...kernel];
  return build.constant(
    tensorOf(
      numericTypeOf(like),
      shape,
      range(elementCount(shape)).map(() => 1),
    ),
  );
}

/** The adjoint of summing over windows: x[i] = Σ of dy over the windows that contain i, with the shape of `x`. */
function spreadOverWindows(build: Builder, dy: Value, window: Window, x: Value): Value {
  const maps = spread(build, singleChannel(build, dy), ones(build, window, dy), window, x);
  return reshapeLike(build, maps, x);
}

/** How many elements each window counts, in a form that broadcasts to y: a number where all windows lie inside. */
function windowCounts({ build, x, attributes }: Step<"AveragePool">, window: Window): Value {
  // Padding counts as part of the map or not at all; what `ceil_mode` adds beyond it never counts.
  const zeros = window.begins.map(() => 0);
  const [before, after] = attributes.countIncludePad ? [window.begins, window.declaredEnds] : [zeros, zeros];
  const begins = window.begins.map((begin, axis) => begin - at(before, axis));
  const ends = window.ends.map((end, axis) => end - at(after, axis));
  if ([...begins, ...ends].every((pad) => pad <= 0)) return build.scalar(elementCount(window.kernel), x);
  const map = filled(build, [1, 1, ...sizesOf(x, 2)], 1, x);
  const padding = build.ints([0, 0, ...before, 0, 0, ...after]);
  const counted = build.apply("Pad", [map, padding, build.scalar(1, x)]);
  return correlate(build, counted, ones(build, window, x), { ...window, begins, ends });
}

/** sign(x)·|x|^(p−1), the derivative of |x|ᵖ/p. */
function powerSlope(build: Builder, x: Value, p: number): Value {
  if (p === 1) return build.sign(x);
  if (p === 2) return x;
  return build.mul(build.sign(x), build.pow(build.apply("Abs", [x]), build.scalar(p - 1, x)));
}

/** dy·y^(1−p), and 0 where the norm y is 0. */
function normShare(build: Builder, dy: Value, y: Value, p: number): Value {
  if (p === 1) return dy;
  const divisor = p === 2 ? y : build.pow(y, build.scalar(p - 1, y));
  const isZero = build.equal(divisor, build.scalar(0, y));
  return build.where(isZero, build.scalar(0, dy), build.div(dy, divisor));
}

/** The smallest finite number of each type in which pools compute: less than every element, and zero times it is zero. */
function lowest(build: Builder, like: Value): Value {
  const limits = { float16: -65504, float64: -Number.MAX_VALUE } as const;
  const type = numericTypeOf(like);
  return build.scalar(type === "float16" || type === "float64" ? limits[type] : -3.4028234663852886e38, like);
}

/** All elements of the windows, `[N·C, K, …windows]`; what lies beyond the map is less than every element. */
function unfold(build: Builder, x: Value, window: Window): Value {
  const { begins, ends } = window;
  const maps = singleChannel(build, x);
  const pads = [0, 0, ...begins, 0, 0, ...ends.map((end) => Math.max(end, 0))];
  const isPadded = pads.some((pad) => pad > 0);
  const padded = isPadded ? build.apply("Pad", [maps, build.ints(pads), lowest(build, x)]) : maps;
  const inside = { ...window, begins: begins.map(() => 0), ends: ends.map((end) => Math.min(end, 0)) };
  return correlate(build, padded, places(build, window, x), inside);
}

export const poolingGradients: GradientRules<PoolingOperators> = {
  // y[p] = (Σ x over window p)/count[p]: dx[i] = Σ of dy/count over the windows that contain i
  AveragePool: by((step) => {
    const { build: b, attributes, x, y, dy } = step;
    return [
      () => {
        const window = windowOf(attributes, x, y);
        return spreadOverWindows(b, b.div(dy, windowCounts(step, window)), window, x);
      },
    ];
  }),
  // y = (Σ x)/n
  GlobalAveragePool: by(({ build: b, x, dy }) => [
    () => {
      const sizes = sizesOf(x, 2);
      const isStatic = sizes.every((size) => typeof size === "number");
      const count = isStatic
        ? b.scalar(elementCount(sizes), x)
        : b.castLike(b.apply("ReduceProd", [b.apply("Shape", [x], { start: 2 })], { keepdims: false }), x);
      return b.expand(b.div(dy, count), b.shapeOf(x));
    },
  ]),
  // y = (Σ |x|ᵖ)^(1/p): dx = dy·y^(1−p)·sign(x)·|x|^(p−1)
  GlobalLpPool: by(({ build: b, attributes: { p }, x, y, dy }) => [
    () => b.mul(normShare(b, dy, y, p), powerSlope(b, x, p)),
  ]),
  // y = max x: the first element that attains it gets dy (torch.nn.AdaptiveMaxPool2d)
  GlobalMaxPool: by(({ build: b, x, dy }) => [
    () => {
      const flat = reshapeTo(b, x, [...sizesOf(x, 0, 2), -1]);
      const first = b.apply("ArgMax", [flat], { axis: 2 });
      const length = b.squeeze(b.sizeOf(flat, 2), [0]);
      const known = flat.shape?.[2];
      const zero = b.constant(tensorOf("int64", [], [0]));
      const one = b.constant(tensorOf("int64", [], [1]));
      const positions = typeof known === "number" ? b.ints(range(known)) : b.apply("Range", [zero, length, one]);
      const given = b.mul(b.castLike(b.equal(positions, first), dy), reshapeTo(b, dy, [...sizesOf(x, 0, 2), 1]));
      return reshapeLike(b, given, x);
    },
  ]),
  // The same over windows
  LpPool: by(({ build: b, attributes, x, y, dy }) => [
    () => {
      const { p } = attributes;
      const spreadShare = spreadOverWindows(b, normShare(b, dy, y, p), windowOf(attributes, x, y), x);
      return b.mul(spreadShare, powerSlope(b, x, p));
    },
  ]),
  // y[p] = max x over window p: the first element of the window that attains it gets dy[p]. The windows' elements lie
  // along an axis of their own, where the maximum marks its place; the adjoint of laying them there puts dy back.
  MaxPool: by(({ build: b, attributes, x, y, dy }) => [
    () => {
      const window = windowOf(attributes, x, y);
      const first = b.apply("ArgMax", [unfold(b, x, window)], { axis: 1 });
      const count = elementCount(window.kernel);
      const place = b.constant({ ...int64Vector(range(count)), shape: [1, count, ...window.kernel.map(() => 1)] });
      const given = b.mul(b.castLike(b.equal(first, place), dy), singleChannel(b, dy));
      return reshapeLike(b, spread(b, given, places(b, window, dy), window, x), x);
    },
  ]),
  // y[indices] = x, over y's elements in order: dx = dy[indices]
  MaxUnpool: by((step) => {
    const { build: b, dy } = step;
    return [() => b.gather(b.reshape(dy, [-1]), inputAt(step, 1), 0)];
  }),
};
