/** @file Operations that move elements: shapes, orders of axes, joins, repeats, padding. */
import { Oriented, type PadMode, type Value } from "../../graph/index.ts";
import { GraftError, isStatic, unreachable } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { aligned, type Operation, oriented } from "./operations-elements.ts";
import { positiveAxis, rankOf } from "./operations-reduce.ts";

const reshape: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x").last();
  return Oriented.last(build, build.reshape(x, given.shape("shape")));
};

const flatten: Operation = (given) => Oriented.last(given.build, given.build.reshape(given.tensor("x").last(), [-1]));

/** In the order `axes`, or the other way round. What only swaps the two orders of the graph costs nothing. */
const transpose: Operation = (given) => {
  const x = given.tensor("x");
  const rank = rankOf(x);
  const axes = (given.integers("axes") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis)).map((axis) =>
    positiveAxis(axis, rank),
  );
  return permuted(given, x, axes);
};

function permuted({ build }: OperationArguments, x: Oriented, axes: readonly number[]): Oriented {
  const rank = axes.length;
  const toFirst =
    rank >= 3 && axes.every((axis, index) => axis === (index < 1 ? 0 : index === 1 ? rank - 1 : index - 1));
  return Oriented.last(build, toFirst ? x.first() : build.transpose(x.last(), axes));
}

const swapAxes: Operation = (given) => {
  const x = given.tensor("x");
  const rank = rankOf(x);
  const [a, b] = [positiveAxis(given.integer("axis1"), rank), positiveAxis(given.integer("axis2"), rank)];
  const axes = Array.from({ length: rank }, (_, axis) => (axis === a ? b : axis === b ? a : axis));
  return permuted(given, x, axes);
};

const moveAxis: Operation = (given) => {
  const x = given.tensor("x");
  const rank = rankOf(x);
  const from = (given.integers("source") ?? []).map((axis) => positiveAxis(axis, rank));
  const to = (given.integers("destination") ?? []).map((axis) => positiveAxis(axis, rank));
  const others = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !from.includes(axis));
  const axes = Array.from({ length: rank }, (_, axis) => {
    const moved = from[to.indexOf(axis)];
    return to.includes(axis) && moved !== undefined ? moved : (others.shift() ?? 0);
  });
  return permuted(given, x, axes);
};

const expandDims: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const own = given.integers("axis") ?? [0];
  const rank = rankOf(x) + own.length;
  const axes = own.map((axis) => positiveAxis(axis, rank)).sort((a, b) => a - b);
  return Oriented.last(build, build.unsqueeze(x.last(), axes));
};

const squeeze: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const rank = rankOf(x);
  const ones = (x.shape ?? []).flatMap((size, axis) => (size === 1 ? [axis] : []));
  const axes = given.integers("axis")?.map((axis) => positiveAxis(axis, rank));
  return Oriented.last(build, build.squeeze(x.last(), axes === undefined || axes.length === 0 ? ones : axes));
};

const concatenate: Operation = (given) => {
  const parts = given.tensors("x");
  const { values, isFirst } = aligned(given, parts);
  const [part = unreachable("a list of tensors is empty")] = parts;
  const axis = positiveAxis(given.integer("axis", 0), rankOf(part));
  const [value = unreachable("a list of tensors is empty")] = values;
  const native = oriented(given, value, isFirst).nativeAxis(axis);
  return oriented(given, given.build.apply("Concat", values, { axis: native }, given.name), isFirst);
};

/** NumPy's hstack, vstack and dstack. */
const joinedAlong =
  (axis: number): Operation =>
  (given) => {
    const { build } = given;
    const parts = given.tensors("x");
    const [part = unreachable("a list of tensors is empty")] = parts;
    if (rankOf(part) <= axis) throw new GraftError("model-refused", "tensors of so few axes are not joined so");
    const { values } = aligned(
      given,
      parts.map((each) => Oriented.last(build, each.last())),
    );
    return Oriented.last(build, build.concat(values, axis));
  };

const stack: Operation = (given) => {
  const { build } = given;
  const parts = given.tensors("x");
  const [part = unreachable("a list of tensors is empty")] = parts;
  const axis = positiveAxis(given.integer("axis", 0), rankOf(part) + 1);
  const { values } = aligned(
    given,
    parts.map((each) => Oriented.last(build, each.last())),
  );
  return Oriented.last(
    build,
    build.concat(
      values.map((value) => build.unsqueeze(value, [axis])),
      axis,
    ),
  );
};

const tile: Operation = (given) => {
  const { build, name } = given;
  const x = given.tensor("x");
  const own = given.integers("repeats") ?? [];
  const rank = Math.max(rankOf(x), own.length);
  const repeats = [...Array.from({ length: rank - own.length }, () => 1), ...own];
  const missing = Array.from({ length: rank - rankOf(x) }, (_, axis) => axis);
  return Oriented.last(build, build.apply("Tile", [build.unsqueeze(x.last(), missing), build.ints(repeats)], {}, name));
};

/** Every element `repeats` times in a row along an axis. */
const repeat: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const repeats = given.integer("repeats", 1);
  const isFlat = !given.has("axis");
  const source = isFlat ? build.reshape(x.last(), [-1]) : x.last();
  const rank = isFlat ? 1 : rankOf(x);
  const axis = isFlat ? 0 : positiveAxis(given.integer("axis"), rank);
  const wide = build.apply("Tile", [
    build.unsqueeze(source, [axis + 1]),
    build.ints(Array.from({ length: rank + 1 }, (_, each) => (each === axis + 1 ? repeats : 1))),
  ]);
  const sizes = Array.from({ length: rank }, (_, each) =>
    each === axis ? build.mul(build.sizeOf(source, each), build.ints([repeats])) : build.sizeOf(source, each),
  );
  return Oriented.last(build, build.reshape(wide, build.concat(sizes, 0)));
};

const padModes: ReadonlyMap<string, PadMode> = new Map<string, PadMode>([
  ["constant", "constant"],
  ["reflect", "reflect"],
  ["edge", "edge"],
]);

/** `paddings` are pairs, one for each axis; one pair is for all. */
const pad: Operation = (given) => {
  const { build, name } = given;
  const x = given.tensor("x");
  const rank = rankOf(x);
  const mode = padModes.get(given.text("mode", "constant").toLowerCase());
  const value = given.constant("paddings");
  const list = Array.isArray(value) ? value : [value ?? 0];
  const pairOf = (each: unknown): readonly number[] =>
    Array.isArray(each) ? [Number(each[0]), Number(each[1] ?? each[0])] : [Number(each), Number(each)];
  const isOnePair = list.every((each) => typeof each === "number");
  const pairs = isOnePair
    ? Array.from({ length: rank }, () => pairOf(list.length === 1 ? list[0] : list))
    : list.map(pairOf);
  const isWhole = pairs.flat().every((side) => Number.isInteger(side) && side >= 0 && side < 2 ** 31);
  if (mode === undefined || pairs.length !== rank || !isWhole) {
    throw new GraftError("model-refused", "this padding is not known", {
      actual: JSON.stringify(value ?? null).slice(0, 60),
    });
  }
  const filling = given.has("value") ? build.castLike(given.tensor("value", x.dtype).last(), x.native) : undefined;
  const sides = Array.from({ length: rank }, (_, axis) => axis).map((axis) => ({
    at: x.nativeAxis(axis),
    pair: pairs[axis],
  }));
  sides.sort((a, b) => a.at - b.at);
  const pads = build.ints([...sides.map(({ pair }) => pair?.[0] ?? 0), ...sides.map(({ pair }) => pair?.[1] ?? 0)]);
  return x.map((own) => build.apply("Pad", filling === undefined ? [own, pads] : [own, pads, filling], { mode }, name));
};

const broadcastTo: Operation = (given) => {
  const { build } = given;
  const shape = given.shape("shape");
  return Oriented.last(build, build.expand(given.tensor("x").last(), "name" in shape ? shape : build.ints(shape)));
};

/** The sizes as whole numbers, int32 as TensorFlow gives them. */
const shape: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const sizes = isStatic(x.shape) ? build.ints(x.shape) : build.apply("Shape", [x.last()]);
  return Oriented.last(build, build.cast(sizes, given.type("dtype", "int32")));
};

const size: Operation = (given) => {
  const { build } = given;
  const count = build.apply("Size", [given.tensor("x").native]);
  return Oriented.last(build, build.cast(count, given.type("dtype", "int32")));
};

const rank: Operation = (given) => {
  const { build } = given;
  const own = rankOf(given.tensor("x"));
  return Oriented.last(build, build.constant({ dtype: "int32", shape: [], data: Int32Array.of(own) }));
};

/** A number as a tensor of a shape. */
const fill: Operation = (given) => {
  const { build } = given;
  const dims = given.shape("shape");
  const value = given.tensor("value", "float32").last();
  return Oriented.last(build, build.expand(value, "name" in dims ? dims : build.ints(dims)));
};

const oneHot: Operation = (given) => {
  const { build, name } = given;
  const x = given.tensor("x");
  const depth = build.ints([given.integer("depth")]);
  const type = given.type("dtype", "float32");
  const [on, off] = [given.number("on_value", 1), given.number("off_value", 0)];
  const values = build.constant({ dtype: "float32", shape: [2], data: Float32Array.of(off, on) });
  const indices = build.cast(x.last(), "int64");
  // Below 0, ONNX counts from the end; Keras and TensorFlow give zeros: those indices go past the end.
  const outside = build.scalar(2 ** 31, indices);
  const own = build.where(build.less(indices, build.scalar(0, indices)), outside, indices);
  const hot = build.apply("OneHot", [own, depth, values], { axis: given.integer("axis", -1) }, name);
  return Oriented.last(build, build.cast(hot, type));
};

/** One-hot vectors of all numbers of a sample as one: `[N, k]` to `[N, depth]`. */
const multiHot: Operation = (given) => {
  const { build } = given;
  given.expectDefault("axis", -1);
  const hot = oneHot(given);
  const value = hot instanceof Oriented ? hot.last() : unreachable("one-hot gives one tensor");
  const axis = (value.shape?.length ?? 0) > 2 ? 1 : 0;
  return Oriented.last(build, build.apply("ReduceMax", [value, build.ints([axis])], { keepdims: false }));
};

/** Keeps one triangle of the last two axes. */
function triangle(upper: boolean): Operation {
  return (given) => {
    const { build, name } = given;
    const offset = build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(given.integer("k", 0))) });
    return Oriented.last(build, build.apply("Trilu", [given.tensor("x").last(), offset], { upper }, name));
  };
}

function blocks(operator: "DepthToSpace" | "SpaceToDepth"): Operation {
  return (given) => {
    const { build, name } = given;
    given.expectDefault("data_format", "NHWC", "channels_last");
    const x: Value = given.tensor("x").first();
    const blocksize = given.integer("block");
    const moved =
      operator === "DepthToSpace"
        ? build.apply(operator, [x], { blocksize, mode: "DCR" }, name)
        : build.apply(operator, [x], { blocksize }, name);
    return Oriented.first(build, moved);
  };
}

export const shapeOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["reshape", reshape],
  ["ravel", flatten],
  ["transpose", transpose],
  ["swapaxes", swapAxes],
  ["moveaxis", moveAxis],
  ["expand_dims", expandDims],
  ["squeeze", squeeze],
  ["concatenate", concatenate],
  ["stack", stack],
  ["hstack", joinedAlong(1)],
  ["vstack", joinedAlong(0)],
  ["dstack", joinedAlong(2)],
  ["multi_hot", multiHot],
  ["tile", tile],
  ["repeat", repeat],
  ["pad", pad],
  ["broadcast_to", broadcastTo],
  ["shape", shape],
  ["size", size],
  ["rank", rank],
  ["fill", fill],
  ["one_hot", oneHot],
  ["tril", triangle(false)],
  ["triu", triangle(true)],
  ["depth_to_space", blocks("DepthToSpace")],
  ["space_to_depth", blocks("SpaceToDepth")],
]);
