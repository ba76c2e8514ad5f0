/** @file Operators that look at shapes or change them. */
import { Oriented, type Value } from "../../../graph/index.ts";
import { type Dimension, isStatic, normalizeAxis, type Shape, tensorOf } from "../../../tensor/index.ts";
import { type Call, type Lower, type OperatorRows, orientedOf, type Slot } from "./call.ts";

/** The shape of a slot in TensorFlow's order, as int64. */
function sizesOf(call: Call, slot: Slot): Value {
  const { build } = call;
  if (slot.kind === "weight") return build.ints(slot.shape);
  if (slot.kind === "complex") return build.shapeOf(slot.real);
  const data = orientedOf(call, slot);
  if (isStatic(data.shape)) return build.ints(data.shape);
  if (!data.isFirst) return build.shapeOf(data.native);
  const rank = data.shape?.length ?? 0;
  const order = Array.from({ length: rank }, (_, axis) => data.nativeAxis(axis));
  return build.gather(build.apply("Shape", [data.native]), build.ints(order), 0);
}

const shape: Lower = (call) => {
  const type = call.type("out_type", "int32");
  return call.inputs.map((slot) => call.build.cast(sizesOf(call, slot), type));
};

/**
 * The sizes to reshape to as a constant, as far as one size may stay open; `undefined` where two are open. Sizes that are
 * copied from the same axis are written 0.
 */
function constantTarget(from: Shape | undefined, target: readonly Dimension[]): readonly number[] | undefined {
  if (target.includes(0)) return undefined;
  const copied = target.map((size, axis) => (typeof size === "string" && from?.[axis] === size ? 0 : size));
  const open = copied.filter((size) => typeof size !== "number").length + copied.filter((size) => size === -1).length;
  if (open > 1) return undefined;
  return copied.map((size) => (typeof size === "number" ? size : -1));
}

/** Reshapes in TensorFlow's order; what is known of the sizes stays known. */
export function reshapedTo(call: Call, x: Value, target: readonly Dimension[] | undefined, sizes: () => Value): Value {
  const { build } = call;
  if (target === undefined) return call.apply("Reshape", [x, build.cast(sizes(), "int64")], { allowzero: true });
  const constant = constantTarget(x.shape, target);
  if (constant === undefined) return call.apply("Reshape", [x, build.cast(sizes(), "int64")], { allowzero: true });
  const inferred = build.apply("Reshape", [x, build.ints(constant)], {}, call.name);
  const known = inferred.shape?.map((size, axis) => {
    const asked = target[axis] ?? null;
    return typeof size === "number" || asked === -1 || asked === null ? size : asked;
  });
  const isNew = known?.some((size, axis) => size !== inferred.shape?.[axis]);
  if (!isNew || known === undefined) return inferred;
  // Inference cannot tell that what is left is the size that the file names.
  const value = { name: build.unused(call.name), dtype: inferred.dtype, shape: known };
  build.define(value, "Reshape", [x, build.ints(constant)]);
  return value;
}

const reshape: Lower = (call) => {
  const slot = call.slot(0);
  const target = call.dimensions(1);
  if (slot.kind === "weight" && isStatic(target)) {
    const resolved = resolvedSizes(slot.shape, target);
    if (resolved !== undefined) return { ...slot, shape: resolved };
  }
  const data = call.oriented(0);
  // Of maps of one element, both orders of axes are the same sequence of elements.
  const { shape: known } = data;
  const isPoint = data.isFirst && known?.slice(1, -1).every((size) => size === 1) === true;
  const x = isPoint ? data.native : data.last();
  return reshapedTo(call, x, target, () => call.value(1));
};

function resolvedSizes(from: readonly number[], target: readonly number[]): readonly number[] | undefined {
  const count = from.reduce((product, size) => product * size, 1);
  const rest = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  if (!target.includes(-1)) return rest === count ? target : undefined;
  if (rest <= 0 || count % rest !== 0) return undefined;
  return target.map((size) => (size === -1 ? count / rest : size));
}

const expandDims: Lower = (call) => {
  const rank = call.rank(0);
  const axis = normalizeAxis(call.integer(1), rank + 1);
  const slot = call.slot(0);
  if (slot.kind === "weight") return { ...slot, shape: slot.shape.toSpliced(axis, 0, 1) };
  const data = call.oriented(0);
  // A new axis among the spatial ones leaves the channels where they are.
  if (data.isFirst && axis >= 1 && axis < rank) {
    return Oriented.first(call.build, call.apply("Unsqueeze", [data.native, call.build.ints([axis + 1])]));
  }
  return call.apply("Unsqueeze", [data.last(), call.build.ints([axis])]);
};

const squeeze: Lower = (call) => {
  const rank = call.rank(0);
  const given = call.ints("squeeze_dims", call.ints("axis", []));
  const slot = call.slot(0);
  const known = slot.kind === "weight" ? slot.shape : call.oriented(0).shape;
  const all = (known ?? []).flatMap((size, axis) => (size === 1 ? [axis] : []));
  const axes = given.length > 0 ? given.map((axis) => normalizeAxis(axis, rank)) : all;
  if (slot.kind === "weight") return { ...slot, shape: slot.shape.filter((_, axis) => !axes.includes(axis)) };
  const data = call.oriented(0);
  if (axes.length === 0) return data;
  const isInner = axes.every((axis) => axis >= 1 && axis < rank - 1);
  const left = rank - axes.length;
  if (data.isFirst && isInner) {
    const y = call.apply("Squeeze", [data.native, call.build.ints(axes.map((axis) => axis + 1))]);
    return left >= 3 ? Oriented.first(call.build, y) : call.last(y);
  }
  return call.apply("Squeeze", [data.last(), call.build.ints(axes)]);
};

const transpose: Lower = (call) => {
  const rank = call.rank(0);
  const perm = call.integers(1).map((axis) => normalizeAxis(axis, rank));
  const data = call.oriented(0);
  // Counted in the order in which the value lies, two transposes are one, or none.
  const own = perm.map((axis) => data.nativeAxis(axis));
  return own.every((axis, index) => axis === index)
    ? data.native
    : call.apply("Transpose", [data.native], { perm: own });
};

const rank: Lower = (call) => call.build.constant(tensorOf("int32", [], [call.rank(0)]));

const size: Lower = (call) =>
  call.build.cast(call.build.apply("Size", [call.oriented(0).native]), call.type("out_type", "int32"));

const invertPermutation: Lower = (call) => {
  const perm = call.integers(0);
  const dtype = call.oriented(0).dtype === "int64" ? "int64" : "int32";
  return call.build.constant(
    tensorOf(
      dtype,
      [perm.length],
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  );
};

/** The elements of the first list that the second does not have, and their places. */
const listDifference: Lower = (call) => {
  const [all, without] = [call.integers(0), new Set(call.integers(1))];
  const places = [...all.keys()].filter((place) => !without.has(all[place] ?? 0));
  const dtype = call.oriented(0).dtype === "int64" ? "int64" : "int32";
  const kept = places.map((place) => all[place] ?? 0);
  return [
    call.build.constant(tensorOf(dtype, [kept.length], kept)),
    call.build.constant(
      tensorOf(call.type("out_idx", "int32") === "int64" ? "int64" : "int32", [places.length], places),
    ),
  ];
};

/** The shape that two shapes broadcast to. */
const broadcastArguments: Lower = (call) => {
  const { build } = call;
  const [a, b] = [call.value(0), call.value(1)];
  const [long, short] = (a.shape?.[0] ?? 0) >= (b.shape?.[0] ?? 0) ? [a, b] : [b, a];
  const [most, least] = [long.shape?.[0], short.shape?.[0]];
  if (typeof most !== "number" || typeof least !== "number") throw call.refused("the number of axes must be known");
  const ones = build.constant(
    tensorOf(a.dtype === "int64" ? "int64" : "int32", [most - least], Array(most - least).fill(1)),
  );
  const filled = most === least ? short : build.concat([ones, short], 0);
  // A size of 1 gives way to the other, and the other is no smaller, unless it is 0.
  return call.apply("Max", [long, filled]);
};

const ensureShape: Lower = (call) => call.slot(0);

export const shapeRows: OperatorRows = [
  ["BroadcastArgs", broadcastArguments],
  ["EnsureShape", ensureShape],
  ["ExpandDims", expandDims],
  ["InvertPermutation", invertPermutation],
  ["ListDiff", listDifference],
  ["Rank", rank],
  ["Reshape", reshape],
  ["Shape", shape],
  ["ShapeN", shape],
  ["Size", size],
  ["Squeeze", squeeze],
  ["Transpose", transpose],
];
