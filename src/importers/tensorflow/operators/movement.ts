/** @file Operators that join, cut, fill and repeat. */
import { Oriented, type PadMode, type Value } from "../../../graph/index.ts";
import { isFloating, normalizeAxis, numbersOf } from "../../../tensor/index.ts";
import { type Call, type Lower, type OperatorRows, orientedOf, type Slot } from "./call.ts";

/** More outputs than this no node has. */
const mostParts = 65_536;

/** To the end, as ONNX's Slice writes it. */
const end = Number.MAX_SAFE_INTEGER;

/** Joins along an axis, channels first where one of the inputs lies so. */
function concatenated(call: Call, slots: readonly Slot[], axis: number): Oriented {
  const { build } = call;
  const all = slots.map((slot) => orientedOf(call, slot));
  const rank = all.find((data) => data.shape !== undefined)?.shape?.length;
  if (rank === undefined) throw call.refused("the number of axes must be known");
  const along = normalizeAxis(axis, rank);
  const first = all.find((data) => data.isFirst);
  if (first === undefined) {
    const values = all.map((data) => data.last());
    return call.last(
      values.length === 1 ? call.apply("Identity", values) : call.apply("Concat", values, { axis: along }),
    );
  }
  const values = all.map((data) => data.first());
  return Oriented.first(build, call.apply("Concat", values, { axis: first.nativeAxis(along) }));
}

const concatLast: Lower = (call) => concatenated(call, call.inputs.slice(0, -1), call.integer(call.inputs.length - 1));
const concatFirst: Lower = (call) => concatenated(call, call.inputs.slice(1), call.integer(0));

const pack: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const axis = normalizeAxis(call.int("axis", 0), rank + 1);
  const rows = call.values().map((value) => build.unsqueeze(value, [axis]));
  const [only] = rows;
  return rows.length === 1 && only !== undefined ? only : call.apply("Concat", rows, { axis });
};

const unpack: Lower = (call) => {
  const { build } = call;
  const axis = normalizeAxis(call.int("axis", 0), call.rank(0));
  const x = call.value(0);
  const count = call.int("num", Number(x.shape?.[axis]));
  if (!(count >= 0 && count <= mostParts)) throw call.refused("the number of parts must be known", `${count}`);
  return Array.from({ length: count }, (_, index) => {
    const place = build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(index)) });
    return build.apply("Gather", [x, place], { axis }, call.name);
  });
};

/** Parts along an axis, of these sizes. */
function parts(call: Call, data: Oriented, axis: number, sizes: readonly number[]): readonly Oriented[] {
  const { build } = call;
  if (sizes.length === 1) return [data];
  const own = { axis: data.nativeAxis(axis) };
  return build
    .applyAll("Split", [data.native, build.ints(sizes)], sizes.length, own, call.name)
    .map((part) => (data.isFirst ? Oriented.first(build, part) : Oriented.last(build, part)));
}

const split: Lower = (call) => {
  const rank = call.rank(1);
  const axis = call.axis(0, rank);
  const data = call.oriented(1);
  const count = call.int("num_split", 1);
  const size = data.shape?.[axis];
  if (typeof size !== "number" || size % count !== 0 || count > mostParts) {
    throw call.refused("the size of the axis that is split must be known", `${size ?? "unknown"}`);
  }
  return parts(call, data, axis, Array(count).fill(size / count));
};

const splitSizes: Lower = (call) => {
  const axis = call.axis(2, call.rank(0));
  const data = call.oriented(0);
  const given = call.integers(1);
  const whole = data.shape?.[axis];
  const rest = given.reduce((sum, size) => sum + Math.max(size, 0), 0);
  if (given.includes(-1) && typeof whole !== "number") throw call.refused("the size of the axis must be known");
  return parts(
    call,
    data,
    axis,
    given.map((size) => (size === -1 ? Number(whole) - rest : size)),
  );
};

/** A part from `begin` on, of `size` elements; -1 is all that is left. */
const slice: Lower = (call) => {
  const { build } = call;
  const [begins, sizes] = [call.knownIntegers(1), call.knownIntegers(2)];
  const rank = call.rank(0);
  if (begins !== undefined && sizes !== undefined) {
    const data = call.oriented(0);
    const { shape } = data;
    const cut = begins.flatMap((begin, axis) => {
      const size = sizes[axis] ?? -1;
      return begin === 0 && (size === -1 || size === shape?.[axis]) ? [] : [axis];
    });
    if (cut.length === 0) return data;
    const bounds = [
      cut.map((axis) => begins[axis] ?? 0),
      cut.map((axis) => ((sizes[axis] ?? -1) < 0 ? end : (begins[axis] ?? 0) + (sizes[axis] ?? 0))),
      cut.map((axis) => data.nativeAxis(axis)),
    ];
    return data.map((x) => call.apply("Slice", [x, ...bounds.map((bound) => build.ints(bound))]));
  }
  const starts = call.int64(1);
  const lengths = call.int64(2);
  const toEnd = build.ints([end]);
  const ends = build.where(build.less(lengths, build.ints([0])), toEnd, build.add(starts, lengths));
  const axes = build.ints(Array.from({ length: rank }, (_, axis) => axis));
  return call.apply("Slice", [call.value(0), starts, ends, axes]);
};

const padModes: ReadonlyMap<string, PadMode> = new Map([["REFLECT", "reflect"]]);

/** The paddings `[rank, 2]` of an input, where they are known. */
function knownPaddings(call: Call): readonly (readonly [number, number])[] | undefined {
  const flat = call.knownIntegers(1);
  if (flat === undefined) return undefined;
  return Array.from({ length: flat.length / 2 }, (_, axis) => [flat[2 * axis] ?? 0, flat[2 * axis + 1] ?? 0] as const);
}

function padded(call: Call, mode: PadMode, fill: Value | undefined): Oriented {
  const { build } = call;
  const paddings = knownPaddings(call);
  call.rank(0);
  if (paddings === undefined) {
    // [rank, 2] to all begins, then all ends.
    const pads = build.reshape(build.transpose(call.int64(1), [1, 0]), [-1]);
    return call.last(call.apply("Pad", [call.value(0), pads, fill], { mode }));
  }
  return call.oriented(0).map((x) => {
    const data = call.oriented(0);
    const own = paddings.map(() => [0, 0] as readonly [number, number]);
    for (const [axis, pair] of paddings.entries()) own[data.nativeAxis(axis)] = pair;
    const pads = [...own.map(([begin]) => begin), ...own.map(([, last]) => last)];
    return call.apply("Pad", [x, build.ints(pads), fill], { mode });
  });
}

const pad: Lower = (call) => padded(call, "constant", call.inputs.length > 2 ? call.value(2) : undefined);

const mirrorPad: Lower = (call) => {
  const written = call.text("mode", "REFLECT");
  const mode = padModes.get(written);
  if (mode !== undefined) return padded(call, mode, undefined);
  if (written !== "SYMMETRIC") throw call.refused("the padding is not supported", written);
  const paddings = knownPaddings(call);
  if (paddings === undefined) throw call.refused("the padding must be known");
  return symmetric(call, paddings);
};

/** Mirrored with the edge itself: what ONNX's Pad has no mode for. */
function symmetric(call: Call, paddings: readonly (readonly [number, number])[]): Value {
  const { build } = call;
  const ints = (...numbers: readonly number[]) => build.ints(numbers);
  return paddings.reduce((x, [before, after], axis) => {
    const reversed = (start: number, stop: number) =>
      build.apply("Slice", [x, ints(start), ints(stop), ints(axis), ints(-1)]);
    const pieces = [
      ...(before > 0 ? [reversed(before - 1, -end)] : []),
      x,
      ...(after > 0 ? [reversed(-1, -after - 1)] : []),
    ];
    return pieces.length === 1 ? x : build.concat(pieces, axis);
  }, call.value(0));
}

const tile: Lower = (call) => {
  const repeats = call.knownIntegers(1);
  if (repeats?.every((count) => count === 1)) return call.oriented(0);
  return call.apply("Tile", [call.value(0), call.int64(1)]);
};

const reverse: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const isMask = call.node.op === "Reverse";
  const given = call.integers(1);
  const axes = isMask
    ? given.flatMap((each, axis) => (each ? [axis] : []))
    : given.map((each) => normalizeAxis(each, rank));
  const data = call.oriented(0);
  if (axes.length === 0) return data;
  const own = build.ints(axes.map((axis) => data.nativeAxis(axis)));
  const all = (value: number) => build.ints(axes.map(() => value));
  return data.map((x) => call.apply("Slice", [x, all(-1), all(-end), own, all(-1)]));
};

const reverseSequence: Lower = (call) => {
  const [timeAxis, batchAxis] = [call.int("seq_dim", 0), call.int("batch_dim", 0)];
  const rank = call.rank(0);
  const x = call.value(0);
  const axes = [timeAxis, batchAxis];
  if (axes.every((axis) => axis < 2)) return call.apply("ReverseSequence", [x, call.int64(1)], { timeAxis, batchAxis });
  // ONNX takes time and batch from the two outermost axes only.
  const perm = [...axes, ...Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis))];
  const back = perm.map((_, axis) => perm.indexOf(axis));
  const turned = call.build.transpose(x, perm);
  const y = call.apply("ReverseSequence", [turned, call.int64(1)], { timeAxis: 0, batchAxis: 1 });
  return call.build.transpose(y, back);
};

const roll: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const [shifts, axes] = [call.integers(1), call.integers(2)];
  return axes.reduce((x, given, index) => {
    const axis = normalizeAxis(given, rank);
    const size = x.shape?.[axis];
    const shift = shifts[index] ?? 0;
    const cut = typeof size === "number" ? ((shift % size) + size) % size : shift;
    if (cut === 0) return x;
    return build.concat([build.slice(x, [-cut], [end], [axis]), build.slice(x, [0], [-cut], [axis])], axis);
  }, call.value(0));
};

/** A value of rank 0 in every place of a shape. */
const fill: Lower = (call) => {
  const { build } = call;
  const value = call.constant(1);
  const sizes = call.int64(0);
  if (value !== undefined && value.dtype !== "string") {
    return call.apply("ConstantOfShape", [sizes], { value: { ...value, shape: [1] } });
  }
  return build.apply("Expand", [call.value(1), sizes], {}, call.name);
};

const range: Lower = (call) => {
  const [start, limit, delta] = call.values();
  return call.apply("Range", [start, limit, delta]);
};

const broadcastTo: Lower = (call) => call.apply("Expand", [call.value(0), call.int64(1)]);

/** Keeps what lies within bands beside the diagonal; a negative number keeps all of that side. */
const bandPart: Lower = (call) => {
  const { build } = call;
  const x = call.value(0);
  const [below, above] = [call.integer(1), call.integer(2)];
  const diagonal = (offset: number) =>
    build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(offset)) });
  // ONNX Runtime has no kernel for the other whole numbers.
  const operand = isFloating(x.dtype) || x.dtype === "bool" ? x : build.cast(x, "int64");
  const upper = below < 0 ? operand : build.apply("Trilu", [operand, diagonal(-below)], { upper: true });
  const band = above < 0 ? upper : call.apply("Trilu", [upper, diagonal(above)], { upper: false });
  return build.castLike(band, x);
};

const linearSpace: Lower = (call) => {
  const count = call.integer(2);
  const [start, stop] = [call.constant(0), call.constant(1)];
  if (start === undefined || stop === undefined || count < 1 || count > 2 ** 24) {
    throw call.refused("the ends of a range must be known");
  }
  const [from = 0] = numbersOf(start);
  const [to = 0] = numbersOf(stop);
  const step = count === 1 ? 0 : (to - from) / (count - 1);
  const data = Float32Array.from({ length: count }, (_, index) =>
    index === count - 1 && count > 1 ? to : from + index * step,
  );
  return call.build.cast(
    call.build.constant({ dtype: "float32", shape: [count], data }, call.name),
    call.type("T", "float32"),
  );
};

export const movementRows: OperatorRows = [
  ["BroadcastTo", broadcastTo],
  ["Concat", concatFirst],
  ["ConcatV2", concatLast],
  ["Fill", fill],
  ["LinSpace", linearSpace],
  ["MatrixBandPart", bandPart],
  ["MirrorPad", mirrorPad],
  ["Pack", pack],
  ["Pad", pad],
  ["PadV2", pad],
  ["Range", range],
  ["Reverse", reverse],
  ["ReverseSequence", reverseSequence],
  ["ReverseV2", reverse],
  ["Roll", roll],
  ["Slice", slice],
  ["Split", split],
  ["SplitV", splitSizes],
  ["Tile", tile],
  ["Unpack", unpack],
];
