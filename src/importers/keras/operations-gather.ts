/** @file Operations that pick and turn elements: by indices, backwards, around. */
import { Oriented, type Value } from "../../graph/index.ts";
import { GraftError, isStatic } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import type { Operation } from "./operations-elements.ts";
import { positiveAxis, rankOf } from "./operations-reduce.ts";

/** Beyond every size: where a slice that names no end ends. */
const far = 2 ** 31 - 1;

/** The elements at `indices` along an axis. */
const take: Operation = (given) => {
  const { build } = given;
  given.expectDefault("batch_dims", 0);
  const x = given.tensor("x");
  const indices = given.tensor("indices", "int64").last();
  const isFlat = !given.has("axis") && given.kerasVersion >= 3;
  const source = isFlat ? build.reshape(x.last(), [-1]) : x.last();
  const axis = isFlat ? 0 : positiveAxis(given.integer("axis", 0), rankOf(x));
  const whole = indices.dtype === "int32" || indices.dtype === "int64" ? indices : build.cast(indices, "int64");
  return Oriented.last(build, build.gather(source, whole, axis));
};

const takeAlongAxis: Operation = (given) => {
  const { build, name } = given;
  const axis = given.integer("axis", -1);
  const indices = build.cast(given.tensor("indices", "int64").last(), "int64");
  return Oriented.last(build, build.apply("GatherElements", [given.tensor("x").last(), indices], { axis }, name));
};

/** Backwards along axes; along all where none is given. */
const flip: Operation = (given) => {
  const x = given.tensor("x");
  const rank = rankOf(x);
  const axes = (given.integers("axis") ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    positiveAxis(axis, rank),
  );
  return x.map((value) =>
    backwards(
      given,
      value,
      axes.map((axis) => x.nativeAxis(axis)),
    ),
  );
};

/** Backwards along one axis of the model. */
const flipAlong =
  (axis: number): Operation =>
  (given) => {
    const x = given.tensor("x");
    return x.map((value) => backwards(given, value, [x.nativeAxis(axis)]));
  };

function backwards({ build, name }: OperationArguments, x: Value, axes: readonly number[]): Value {
  const bounds = [axes.map(() => far), axes.map(() => -far), axes, axes.map(() => -1)];
  return build.apply("Slice", [x, ...bounds.map((bound) => build.ints(bound))], {}, name);
}

/** The differences of neighbours along an axis. */
const diff: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const axis = x.nativeAxis(given.integer("axis", -1));
  const times = Array.from({ length: given.integer("n", 1) });
  return x.map((value) =>
    times.reduce<Value>(
      (each) => build.sub(build.slice(each, [1], [far], [axis]), build.slice(each, [0], [-1], [axis])),
      value,
    ),
  );
};

const gatherNd: Operation = (given) => {
  const { build, name } = given;
  const indices = build.cast(given.tensor("indices", "int64").last(), "int64");
  const attributes = { batchDims: given.integer("batch_dims", 0) };
  return Oriented.last(build, build.apply("GatherND", [given.tensor("x").last(), indices], attributes, name));
};

/** Elements that leave at one end come in at the other. */
const roll: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const rank = rankOf(x);
  const shifts = given.integers("shift") ?? [0];
  const axes = given.integers("axis") ?? [];
  if (axes.length !== shifts.length || !isStatic(x.shape?.slice(1))) {
    throw new GraftError("model-refused", "this roll is not known", { actual: `${shifts} along ${axes}` });
  }
  return shifts.reduce((value, shift, index) => {
    const axis = positiveAxis(axes[index] ?? 0, rank);
    const size = Number(x.shape?.[axis]);
    const at = Number.isInteger(size) ? ((-shift % size) + size) % size : -shift;
    const native = value.nativeAxis(axis);
    return value.map((v) =>
      build.concat([build.slice(v, [at], [far], [native]), build.slice(v, [0], [at], [native])], native),
    );
  }, x);
};

export const gatherOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["take", take],
  ["take_along_axis", takeAlongAxis],
  ["flip", flip],
  ["roll", roll],
  ["flip_columns", flipAlong(-2)],
  ["flip_rows", flipAlong(-3)],
  ["diff", diff],
  ["gather_nd", gatherNd],
]);
