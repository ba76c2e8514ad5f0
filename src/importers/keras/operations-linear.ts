/** @file Products of matrices and tensors. */
import { Oriented, type Value } from "../../graph/index.ts";
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { commonType, type Operation, operandsOf } from "./operations-elements.ts";
import { positiveAxis } from "./operations-reduce.ts";

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

/** NumPy's inner: the last axes of both. */
const inner: Operation = (given) => {
  const [x, y] = pairOf(given);
  return contracted(given, x, y, [-1], [-1]);
};

/** softmax(q·kᵀ / √d) · v by heads: `[N, time, heads, depth]`. */
const dotProductAttention: Operation = (given) => {
  const { build, name } = given;
  given.expectDefault("attn_logits_soft_cap");
  const swap = (x: Value) => build.transpose(x, [0, 2, 1, 3]);
  const [query, key, value] = ["query", "key", "value"].map((each) => given.tensor(each).last());
  const depth = query?.shape?.at(-1);
  const [queries, keys, heads] = [query?.shape?.[1], key?.shape?.[1], query?.shape?.[2]];
  if (query === undefined || key === undefined || value === undefined || typeof depth !== "number") {
    throw new GraftError("model-invalid", "the depth of the queries must be known");
  }
  if (heads !== key.shape?.[2]) throw new GraftError("model-refused", "queries and keys must have as many heads");
  const scale = given.number("scale", 1 / Math.sqrt(depth));
  const products = build.scale(build.matMul(swap(query), build.transpose(key, [0, 2, 3, 1])), scale);
  const biased = given.has("bias") ? build.add(products, given.tensor("bias", "float32").last()) : products;
  const masks = given.has("mask") ? [build.cast(given.tensor("mask", "bool").last(), "bool")] : [];
  if (given.boolean("is_causal", false)) masks.push(causalMask(given, queries, keys));
  const masked = masks.reduce((scores, mask) => build.where(mask, scores, build.scalar(-1e30, scores)), biased);
  const weights = build.apply("Softmax", [masked], { axis: -1 }, name);
  return Oriented.last(build, swap(build.matMul(weights, swap(value))));
};

/** Each step sees itself and those before. */
function causalMask({ build }: OperationArguments, queries: unknown, keys: unknown): Value {
  if (typeof queries !== "number" || typeof keys !== "number" || queries * keys > 2 ** 26) {
    throw new GraftError("model-refused", "a causal mask needs known numbers of steps");
  }
  const data = Uint8Array.from({ length: queries * keys }, (_, index) =>
    index % keys <= Math.floor(index / keys) ? 1 : 0,
  );
  return build.constant({ dtype: "bool", shape: [queries, keys], data });
}

/** Keeps a band of the last two axes: only whole triangles. */
const bandPart: Operation = (given) => {
  const { build, name } = given;
  const [lower, upper] = [given.integer("lower"), given.integer("upper")];
  const x = given.tensor("x").last();
  const at = (k: number) => build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(k)) });
  const above = upper < 0 ? x : build.apply("Trilu", [x, at(upper)], { upper: false }, name);
  return Oriented.last(build, lower < 0 ? above : build.apply("Trilu", [above, at(-lower)], { upper: true }, name));
};

const biasAdd: Operation = (given) => {
  const { build } = given;
  given.expectDefault("data_format", "NHWC", "N...C", null);
  const x = given.tensor("x");
  const bias = given.tensor("y", x.dtype).last();
  return Oriented.last(build, build.add(x.last(), bias));
};

export const linearOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["matmul", matmul],
  ["dot", dot],
  ["tensordot", tensordot],
  ["einsum", einsum],
  ["outer", outer],
  ["inner", inner],
  ["dot_product_attention", dotProductAttention],
  ["band_part", bandPart],
  ["bias_add", biasAdd],
]);
