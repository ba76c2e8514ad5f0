/** @file Operations on matrices, on windows of maps and on pictures. */
import { Oriented, type Value } from "../../graph/index.ts";
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { asFloating, commonType, type Operation, operandsOf } from "./operations-pointwise.ts";
import { positiveAxis, rankOf } from "./operations-reduce.ts";

/** The two operands in the model's own order and of one type. */
function pairOf(given: OperationArguments): readonly [Value, Value] {
  const [x, y] = operandsOf(given);
  const type = commonType([x, y]);
  const cast = (value: Value) => (type === undefined ? value : given.build.cast(value, type));
  return [cast(x.last()), cast(y.last())];
}

/** The last two axes swapped. */
function turned({ build }: OperationArguments, x: Value): Value {
  const rank = x.shape?.length ?? 0;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return build.transpose(x, [...axes.slice(0, -2), rank - 1, rank - 2]);
}

const matmul: Operation = (given) => {
  const { build, name } = given;
  const [x, y] = pairOf(given);
  const a = given.boolean("transpose_a", false) || given.boolean("adjoint_a", false) ? turned(given, x) : x;
  const b = given.boolean("transpose_b", false) || given.boolean("adjoint_b", false) ? turned(given, y) : y;
  return Oriented.last(build, build.apply("MatMul", [a, b], {}, name));
};

/** NumPy's dot: the last axis of `x` with the last but one of `y`, all others kept. */
const dot: Operation = (given) => {
  const [x, y] = pairOf(given);
  const [rank, other] = [x.shape?.length ?? 0, y.shape?.length ?? 0];
  if (rank === 0 || other === 0) return Oriented.last(given.build, given.build.mul(x, y));
  return contracted(given, x, y, [rank - 1], [other === 1 ? 0 : other - 2]);
};

const tensordot: Operation = (given) => {
  const [x, y] = pairOf(given);
  const axes = given.constant("axes") ?? 2;
  const rank = x.shape?.length ?? 0;
  if (typeof axes === "number") {
    const count = Array.from({ length: axes }, (_, axis) => axis);
    return contracted(
      given,
      x,
      y,
      count.map((axis) => rank - axes + axis),
      count,
    );
  }
  const listOf = (each: Json | undefined): number[] => (Array.isArray(each) ? each.map(Number) : [Number(each)]);
  const pair: readonly Json[] = Array.isArray(axes) ? axes : [];
  return contracted(given, x, y, listOf(pair[0]), listOf(pair[1]));
};

/** Sums over pairs of axes: an einsum. */
function contracted(
  given: OperationArguments,
  x: Value,
  y: Value,
  axesOfX: readonly number[],
  axesOfY: readonly number[],
): Oriented {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const [rank, other] = [x.shape?.length ?? 0, y.shape?.length ?? 0];
  if (rank + other > letters.length || axesOfX.length !== axesOfY.length) {
    throw new GraftError("model-refused", "this product of tensors is not known", {
      actual: `${rank} and ${other} axes`,
    });
  }
  const own = [...letters.slice(0, rank)];
  const others = [...letters.slice(rank, rank + other)];
  for (const [index, axis] of axesOfY.entries()) {
    others[positiveAxis(axis, other)] = own[positiveAxis(axesOfX[index] ?? 0, rank)] ?? "";
  }
  const shared = new Set(own.filter((letter) => others.includes(letter)));
  const kept = [...own, ...others].filter((letter) => !shared.has(letter)).join("");
  const equation = `${own.join("")},${others.join("")}->${kept}`;
  return Oriented.last(given.build, given.build.apply("Einsum", [x, y], { equation }, given.name));
}

const einsum: Operation = (given) => {
  const { build, name } = given;
  const equation = given.text("equation").replaceAll(" ", "");
  const operands = given.tensors("x");
  const type = commonType(operands);
  const values = operands.map((each) => (type === undefined ? each.last() : build.cast(each.last(), type)));
  return Oriented.last(build, build.apply("Einsum", values, { equation }, name));
};

const outer: Operation = (given) => {
  const { build } = given;
  const [x, y] = pairOf(given);
  return Oriented.last(build, build.mul(build.reshape(x, [-1, 1]), build.reshape(y, [1, -1])));
};

const biasAdd: Operation = (given) => {
  const { build } = given;
  given.expectDefault("data_format", "NHWC", "N...C", null);
  const x = given.tensor("x");
  const bias = given.tensor("y", x.dtype).last();
  return Oriented.last(build, build.add(x.last(), bias));
};

/** Sizes as Keras's or TensorFlow's functions take them, `[1, h, w, 1]` too. */
function spatial(given: OperationArguments, parameter: string, rank: number): readonly number[] | undefined {
  const list = given.integers(parameter);
  if (list === undefined || list.length === rank) return list;
  if (list.length === 1) return Array.from({ length: rank }, () => list[0] ?? 1);
  return list.length === rank + 2 ? list.slice(1, -1) : list;
}

function pool(kind: "Max" | "Average"): Operation {
  return (given) => {
    const x = given.tensor("x");
    const rank = rankOf(x) - 2;
    const size = spatial(given, "size", rank) ?? [];
    const strides = spatial(given, "strides", rank) ?? size;
    const config = { pool_size: size, strides, padding: given.text("padding", "valid").toLowerCase() };
    return given.layer(`${kind}Pooling${rank}D`, { ...config, data_format: dataFormat(given) }, x);
  };
}

const channelsFirst: ReadonlySet<string> = new Set(["channels_first", "NCHW", "NCW", "NCDHW"]);

function dataFormat(given: OperationArguments): string {
  const format = given.has("data_format") ? given.text("data_format") : "channels_last";
  return channelsFirst.has(format) ? "channels_first" : "channels_last";
}

const resizeMethods: ReadonlyMap<string, string> = new Map([
  ["bilinear", "bilinear"],
  ["nearest", "nearest"],
  ["bicubic", "bicubic"],
  ["lanczos3", "lanczos3"],
  ["lanczos5", "lanczos5"],
  ["area", "area"],
]);

/** To `size`, half-pixel centres, as the Resizing layer does; `align_corners` of TensorFlow 1 is told apart. */
const resize: Operation = (given) => {
  const method = given.constant("method") ?? "bilinear";
  const names = ["bilinear", "nearest", "bicubic", "area"];
  const name = typeof method === "number" ? names[method] : String(method);
  given.expectDefault("preserve_aspect_ratio", false);
  given.expectDefault("align_corners", false);
  given.expectDefault("pad_to_aspect_ratio", false);
  const [height, width] = given.integers("size") ?? [];
  const interpolation = resizeMethods.get(name ?? "");
  if (height === undefined || width === undefined || interpolation === undefined) {
    throw new GraftError("model-refused", "this way to resize is not known", { actual: String(name) });
  }
  const config: { [key: string]: Json } = {
    height,
    width,
    interpolation,
    antialias: given.boolean("antialias", false),
    crop_to_aspect_ratio: given.boolean("crop_to_aspect_ratio", false),
    data_format: dataFormat(given),
  };
  return given.layer("Resizing", config, given.tensor("x"));
};

/** The weighted sum of red, green and blue that both Keras and TensorFlow take. */
const grayscale: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const weights = build.constant({ dtype: "float32", shape: [3, 1], data: Float32Array.of(0.2989, 0.587, 0.114) });
  return Oriented.last(build, build.matMul(asFloating(x.last(), given), weights));
};

/** By the moments given, with scale and offset where they are. */
const batchNormalization: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const value = x.last();
  const rank = rankOf(x);
  const [axis = rank - 1, ...others] = given.integers("axis") ?? [-1];
  if (others.length > 0) throw new GraftError("model-refused", "several axes of channels are not known");
  const own = positiveAxis(axis, rank);
  const placed = (parameter: string): Value => {
    const each = given.tensor(parameter, "float32").last();
    const trailing = Array.from({ length: rank - 1 - own }, (_, index) => index + 1);
    return each.shape?.length === 1 ? build.unsqueeze(each, trailing) : each;
  };
  const centred = build.sub(value, placed("mean"));
  const deviation = build.sqrt(build.shift(placed("variance"), given.number("epsilon", 1e-3)));
  const scaled = given.has("scale")
    ? build.mul(build.div(centred, deviation), placed("scale"))
    : build.div(centred, deviation);
  return Oriented.last(build, given.has("offset") ? build.add(scaled, placed("offset")) : scaled);
};

export const linearOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["matmul", matmul],
  ["dot", dot],
  ["tensordot", tensordot],
  ["einsum", einsum],
  ["outer", outer],
  ["bias_add", biasAdd],
  ["max_pool", pool("Max")],
  ["average_pool", pool("Average")],
  ["resize", resize],
  ["grayscale", grayscale],
  ["batch_normalization", batchNormalization],
]);
