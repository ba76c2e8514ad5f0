/** @file Operations that reduce along axes or run along one, the axes counted as the model has them. */
import { type Operator, Oriented, type Value } from "../../graph/index.ts";
import { type DType, GraftError, isFloating, unreachable } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { asFloating, type Operation } from "./operations-elements.ts";

/** The number of axes, which must be known. */
export function rankOf(x: Oriented): number {
  const rank = x.shape?.length;
  if (rank === undefined) throw new GraftError("model-invalid", "the number of axes must be known");
  return rank;
}

/** An axis counted from 0. Throws GraftError `model-invalid` where there is none. */
export function positiveAxis(axis: number, rank: number): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new GraftError("model-invalid", "there is no such axis", { path: [`axis ${axis}`], actual: `${rank} axes` });
}

/** The axes that `axis` names, counted from 0 and in order; all where it is not given. */
function axesOf(given: OperationArguments, x: Oriented): readonly number[] {
  const rank = rankOf(x);
  const axes = given.integers("axis") ?? Array.from({ length: rank }, (_, axis) => axis);
  return [...new Set(axes.map((axis) => positiveAxis(axis, rank)))].sort((a, b) => a - b);
}

type Reduce = (x: Value, axes: readonly number[], given: OperationArguments) => Value;

/** Reduces with axes of size 1 left in place, then drops them where they are not kept. */
function reduction(reduce: Reduce): Operation {
  return (given) => {
    const x = given.tensor("x");
    const axes = axesOf(given, x);
    const isKept = given.boolean("keepdims", false);
    return reducedOver(given, x, axes, isKept, reduce);
  };
}

function reducedOver(
  given: OperationArguments,
  x: Oriented,
  axes: readonly number[],
  isKept: boolean,
  reduce: Reduce,
): Oriented {
  const { build } = given;
  const reduced = x.map((value) =>
    reduce(
      value,
      axes.map((axis) => x.nativeAxis(axis)),
      given,
    ),
  );
  if (isKept || axes.length === 0) return reduced;
  // Where at most the batch and one more are left, the two orders are one, and no transpose is needed.
  const left = rankOf(x) - axes.length;
  const isSame = reduced.isFirst && (left < 2 || (left === 2 && !axes.includes(0)));
  const whole = isSame ? reduced.native : reduced.last();
  const dropped = isSame ? axes.map((axis) => x.nativeAxis(axis)).sort((a, b) => a - b) : axes;
  return Oriented.last(build, build.squeeze(whole, dropped));
}

type ReduceOperator = Extract<Operator, `Reduce${string}`>;

function plain(operator: ReduceOperator, isFloatingOnly = false): Reduce {
  return (x, axes, given) => {
    const { build } = given;
    const value = isFloatingOnly ? asFloating(x, given) : x;
    return build.apply(operator, [value, build.ints(axes)], { keepdims: true });
  };
}

/** The mean of the squared distances from the mean. */
const variance: Reduce = (x, axes, given) => {
  const { build } = given;
  const value = asFloating(x, given);
  return build.reduceMean(build.square(build.sub(value, build.reduceMean(value, axes))), axes);
};

const anyOf: Reduce = (x, axes, { build }) => {
  const counted = build.cast(build.cast(x, "bool"), "int32");
  return build.cast(build.apply("ReduceMax", [counted, build.ints(axes)], { keepdims: true }), "bool");
};

const allOf: Reduce = (x, axes, { build }) => {
  const counted = build.cast(build.cast(x, "bool"), "int32");
  return build.cast(build.apply("ReduceMin", [counted, build.ints(axes)], { keepdims: true }), "bool");
};

const nonzero: Reduce = (x, axes, { build }) => {
  const isZero = build.equal(x, build.scalar(0, x));
  return build.reduceSum(build.cast(build.apply("Not", [isZero]), "int32"), axes);
};

/** Lengths of vectors: Euclidean, or by the orders 1 and infinity. */
const norm: Reduce = (x, axes, given) => {
  const { build } = given;
  const order = given.constant("ord") ?? "euclidean";
  const value = asFloating(x, given);
  if (order === "euclidean" || order === 2 || order === "fro") return plain("ReduceL2")(value, axes, given);
  if (order === 1) return plain("ReduceL1")(value, axes, given);
  if (order === "Infinity") return plain("ReduceMax")(build.apply("Abs", [value]), axes, given);
  throw new GraftError("model-refused", "this norm is not known", { actual: String(order) });
};

/** The position of the largest or smallest; over all elements where no axis is given. */
function position(operator: "ArgMax" | "ArgMin", type: DType): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const isKept = given.boolean("keepdims", false);
    const axis = given.has("axis") ? given.integer("axis") : undefined;
    const source = axis === undefined ? build.reshape(x.last(), [-1]) : x.last();
    const found = build.apply(operator, [source], { axis: axis ?? 0, keepdims: isKept }, name);
    return Oriented.last(build, build.cast(found, given.type("dtype", type)));
  };
}

function cumulative(operator: "CumSum" | "CumProd"): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const isFlat = !given.has("axis") && given.kerasVersion >= 3;
    const source = isFlat ? Oriented.last(build, build.reshape(x.last(), [-1])) : x;
    const axis = source.nativeAxis(isFlat ? 0 : given.integer("axis", 0));
    const attributes = { exclusive: given.boolean("exclusive", false), reverse: given.boolean("reverse", false) };
    const at = build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(axis)) });
    return source.map((value) => build.apply(operator, [value, at], attributes, name));
  };
}

/** Along one axis; TensorFlow's and Keras's default is the last. */
function softmax(operator: "Softmax" | "LogSoftmax"): Operation {
  return (given) => {
    const x = given.tensor("x");
    const axes = given.integers("axis") ?? [-1];
    const [axis] = axes;
    if (axes.length !== 1 || axis === undefined) {
      throw new GraftError("model-refused", "softmax over several axes is not known", { actual: `${axes}` });
    }
    return x.map((value) => given.build.apply(operator, [value], { axis: x.nativeAxis(axis) }, given.name));
  };
}

const meanOf = plain("ReduceMean", true);

/** The mean: weights are not known. */
const average: Operation = (given) => {
  given.expectDefault("weights");
  return reduction(meanOf)(given);
};

/** The mean and the variance. */
const moments: Operation = (given) => {
  const x = given.tensor("x");
  const axes = axesOf(given, x);
  const isKept = given.boolean("keepdims", false);
  return [meanOf, variance].map((reduce) => reducedOver(given, x, axes, isKept, reduce));
};

/** x / √max(Σx², ε): TensorFlow's. */
const l2Normalize: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const axes = axesOf(given, x).map((axis) => x.nativeAxis(axis));
  const epsilon = given.number("epsilon", 1e-12);
  return x.map((value) => {
    const squares = build.reduceSum(build.square(value), axes);
    return build.div(value, build.sqrt(build.apply("Max", [squares, build.scalar(epsilon, squares)])));
  });
};

/** x / max(‖x‖, ε): Keras 3's `ops.normalize`. */
const normalize: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const order = given.number("order", 2);
  const axes = [x.nativeAxis(given.integer("axis", -1))];
  if (order !== 1 && order !== 2) {
    throw new GraftError("model-refused", "this norm is not known", { actual: `order ${order}` });
  }
  // Keras's own default of ε is backend.epsilon().
  const epsilon = given.number("epsilon", 1e-7);
  return x.map((value) => {
    const length = plain(order === 1 ? "ReduceL1" : "ReduceL2", true)(value, axes, given);
    return build.div(value, build.apply("Max", [length, build.scalar(epsilon, length)]));
  });
};

/** The k largest along the last axis, and where they lie. */
const topK: Operation = (given) => {
  const { build, name } = given;
  const x = given.tensor("x").last();
  const attributes = { axis: -1, largest: true, sorted: given.boolean("sorted", true) };
  const [values, indices] = build.applyAll("TopK", [x, build.ints([given.integer("k", 1)])], 2, attributes, name);
  if (values === undefined || indices === undefined) unreachable("TopK gives two");
  return [Oriented.last(build, values), Oriented.last(build, build.cast(indices, "int32"))];
};

/** All along the last axis in order. */
function sorted(gives: "values" | "indices"): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const axis = positiveAxis(given.integer("axis", -1), rankOf(x));
    const size = build.sizeOf(x.last(), axis);
    const isDescending = given.has("direction") && given.text("direction") === "DESCENDING";
    const [values, indices] = build.applyAll(
      "TopK",
      [x.last(), size],
      2,
      { axis, largest: isDescending, sorted: true },
      name,
    );
    if (values === undefined || indices === undefined) unreachable("TopK gives two");
    return Oriented.last(build, gives === "values" ? values : build.cast(indices, "int32"));
  };
}

function isWhole({ dtype }: Value): boolean {
  return dtype !== undefined && !isFloating(dtype);
}

/** ONNX Runtime sums whole numbers from int32 on; booleans are counted. */
const sum: Reduce = (x, axes, given) => {
  const narrow = isWhole(x) && x.dtype !== "int32" && x.dtype !== "int64";
  return plain("ReduceSum")(narrow ? given.build.cast(x, "int32") : x, axes, given);
};

export const reductionOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["mean", reduction(meanOf)],
  ["average", average],
  ["sum", reduction(sum)],
  ["max", reduction(plain("ReduceMax"))],
  ["min", reduction(plain("ReduceMin"))],
  ["prod", reduction(plain("ReduceProd"))],
  ["logsumexp", reduction(plain("ReduceLogSumExp", true))],
  ["variance", reduction(variance)],
  [
    "ptp",
    reduction((x, axes, given) =>
      given.build.sub(plain("ReduceMax")(x, axes, given), plain("ReduceMin")(x, axes, given)),
    ),
  ],
  ["std", reduction((x, axes, given) => given.build.sqrt(variance(x, axes, given)))],
  ["any", reduction(anyOf)],
  ["all", reduction(allOf)],
  ["count_nonzero", reduction(nonzero)],
  ["norm", reduction(norm)],
  ["argmax", position("ArgMax", "int32")],
  ["argmin", position("ArgMin", "int32")],
  ["tf_argmax", position("ArgMax", "int64")],
  ["tf_argmin", position("ArgMin", "int64")],
  ["cumsum", cumulative("CumSum")],
  ["cumprod", cumulative("CumProd")],
  ["softmax", softmax("Softmax")],
  ["log_softmax", softmax("LogSoftmax")],
  ["moments", moments],
  ["l2_normalize", l2Normalize],
  ["normalize", normalize],
  ["top_k", topK],
  ["sort", sorted("values")],
  ["argsort", sorted("indices")],
]);
