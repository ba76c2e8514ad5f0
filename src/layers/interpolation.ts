/** @file How pixels are weighed when pictures change their size: TensorFlow's kernels, as matrices made in the graph. */
import type { Builder, Value } from "../graph/index.ts";

/** From the distances (not negative, in pixels) at which output pixels see those of the input to weights. */
interface Kernel {
  /** Beyond it nothing is seen. */
  readonly radius: number;
  weigh(distance: Value, build: Builder): Value;
}

/** A polynomial of x, the highest power first. */
function polynomial(build: Builder, x: Value, [first = 0, ...rest]: readonly number[]): Value {
  return rest.reduce((sum: Value, factor) => build.shift(build.mul(sum, x), factor), build.scalar(first, x));
}

function pieces(near: readonly number[], far: readonly number[]): Kernel["weigh"] {
  return (x, build) =>
    build.where(build.less(x, build.scalar(1, x)), polynomial(build, x, near), polynomial(build, x, far));
}

/** r · sin(πx) · sin(πx / r) / (πx)² */
function lanczos(radius: number): Kernel {
  return {
    radius,
    weigh: (x, build) => {
      const away = build.apply("Max", [x, build.scalar(1e-3, x)]);
      const angle = build.scale(away, Math.PI);
      const waves = build.mul(build.apply("Sin", [angle]), build.apply("Sin", [build.scale(angle, 1 / radius)]));
      return build.div(build.scale(waves, radius), build.square(angle));
    },
  };
}

const kernels: ReadonlyMap<string, Kernel> = new Map<string, Kernel>([
  ["bilinear", { radius: 1, weigh: (x, build) => build.sub(build.scalar(1, x), x) }],
  // Keys's cubic with a = −1/2.
  ["bicubic", { radius: 2, weigh: pieces([1.5, -2.5, 0, 1], [-0.5, 2.5, -4, 2]) }],
  // Of Mitchell and Netravali, with B = C = 1/3.
  ["mitchellcubic", { radius: 2, weigh: pieces([7 / 6, -2, 0, 8 / 9], [-7 / 18, 2, -10 / 3, 16 / 9]) }],
  ["lanczos3", lanczos(3)],
  ["lanczos5", lanczos(5)],
  // exp(−x² / 2σ²) with σ a third of the radius.
  ["gaussian", { radius: 1.5, weigh: (x, build) => build.exp(build.scale(build.square(x), -2)) }],
]);

/** The interpolations that `resizingWeights` knows. */
export const weighedInterpolations: readonly string[] = ["area", ...kernels.keys()];

/** 0, 1, 2, … as float32 `[count]`. */
function positions(build: Builder, count: Value): Value {
  const [zero, one] = [0n, 1n].map((each) =>
    build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(each) }),
  );
  return build.cast(build.apply("Range", [zero, build.squeeze(count, [0]), one]), "float32");
}

/**
 * The weights `[from, to]` that make `to` pixels of `from` (int64 vectors of one element). With `antialias` the kernel
 * grows where the picture shrinks. Source: tensorflow/core/kernels/image/scale_and_translate_op.cc and its neighbours.
 */
export function resizingWeights(build: Builder, name: string, from: Value, to: Value, antialias: boolean): Value {
  const step = build.div(build.cast(from, "float32"), build.cast(to, "float32"));
  const inputs = build.unsqueeze(positions(build, from), [1]);
  const outputs = build.unsqueeze(positions(build, to), [0]);
  const weights =
    name === "area" ? areas(build, inputs, outputs, step) : seen(build, name, inputs, outputs, step, antialias);
  return build.div(weights, build.reduceSum(weights, [0]));
}

/** How much of each input pixel an output pixel covers. */
function areas(build: Builder, inputs: Value, outputs: Value, step: Value): Value {
  const [start, end] = [build.mul(outputs, step), build.mul(build.shift(outputs, 1), step)];
  const last = build.apply("Min", [build.shift(inputs, 1), end]);
  return build.apply("Relu", [build.sub(last, build.apply("Max", [inputs, start]))]);
}

function seen(build: Builder, name: string, inputs: Value, outputs: Value, step: Value, antialias: boolean): Value {
  const kernel = kernels.get(name);
  if (kernel === undefined) throw new Error(`internal: no kernel of the name ${name}`);
  const centre = build.shift(build.mul(build.shift(outputs, 0.5), step), -0.5);
  const place = name === "bicubic" && !antialias ? toTable(build, centre) : centre;
  const away = build.apply("Abs", [build.sub(inputs, place)]);
  const distance = antialias ? build.div(away, build.apply("Max", [step, build.scalar(1, step)])) : away;
  const isSeen = build.apply("LessOrEqual", [distance, build.scalar(kernel.radius, distance)]);
  return build.where(isSeen, kernel.weigh(distance, build), build.scalar(0, distance));
}

/** TensorFlow's plain bicubic knows 1,024 places between two pixels. */
function toTable(build: Builder, centre: Value): Value {
  const below = build.apply("Floor", [centre]);
  const fraction = build.apply("Round", [build.scale(build.sub(centre, below), 1024)]);
  return build.add(below, build.scale(fraction, 1 / 1024));
}
