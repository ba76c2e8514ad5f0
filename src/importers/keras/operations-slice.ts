/** @file Python's `x[…]` on tensors. */
import { Oriented, type Value } from "../../graph/index.ts";
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { fieldOf, isRecord } from "./config.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { constantTensor } from "./operations-arguments.ts";
import type { Operation } from "./operations-elements.ts";
import { positiveAxis, rankOf } from "./operations-reduce.ts";

/** Beyond every size: where a slice that names no end ends. */
const far = 2 ** 31 - 1;

/** One place of an index, the ellipsis spread out. */
type Place =
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "new" }
  | { readonly kind: "slice"; readonly start: number; readonly stop: number; readonly step: number }
  | { readonly kind: "list"; readonly indices: Json };

function placeOf(value: Json): Place | "ellipsis" {
  if (value === null) return { kind: "new" };
  if (typeof value === "number" && Number.isInteger(value)) return { kind: "index", at: value };
  if (Array.isArray(value)) return { kind: "list", indices: value };
  if (!isRecord(value)) throw badIndex(value);
  const className = fieldOf(value, "class_name");
  if (className === "__ellipsis__") return "ellipsis";
  const config = className === "__slice__" ? fieldOf(value, "config") : value;
  if (className === "__numpy__") return { kind: "list", indices: value };
  if (!isRecord(config)) throw badIndex(value);
  const bound = (key: string): number | undefined => {
    const own = fieldOf(config, key) ?? undefined;
    if (own === undefined || Number.isInteger(own)) return own === undefined ? undefined : Number(own);
    throw badIndex(value);
  };
  const step = bound("step") ?? 1;
  if (step === 0) throw badIndex(value);
  const [start, stop] = step > 0 ? [0, far] : [far, -far];
  return { kind: "slice", start: bound("start") ?? start, stop: bound("stop") ?? stop, step };
}

function badIndex(value: Json): GraftError {
  return new GraftError("model-refused", "this index into a tensor is not known", {
    actual: JSON.stringify(value).slice(0, 60),
  });
}

/** The places of an index, one for each axis of `rank` and each new one. */
function placesOf(index: Json, rank: number): readonly Place[] {
  const list: readonly Json[] = Array.isArray(index) ? index : [index];
  const places = list.map(placeOf);
  const own = places.filter((place) => place !== "ellipsis" && place.kind !== "new").length;
  const whole: Place = { kind: "slice", start: 0, stop: far, step: 1 };
  const missing = Array.from({ length: Math.max(0, rank - own) }, () => whole);
  const at = places.indexOf("ellipsis");
  const known = places.filter((place) => place !== "ellipsis");
  if (own > rank || known.length < places.length - 1) throw badIndex(index);
  return at < 0 ? [...known, ...missing] : [...known.slice(0, at), ...missing, ...known.slice(at)];
}

const getItem: Operation = (given) => {
  const x = given.tensor("x");
  const index = given.constant("key");
  if (index === undefined) throw badIndex(null);
  const places = placesOf(index, rankOf(x));
  const isPlain = places.every(({ kind }) => kind === "slice");
  if (isPlain) return x.map((value) => sliced(given, value, places, (axis) => x.nativeAxis(axis)));
  const [first] = places;
  const isShape = places.length === 1 && first?.kind === "index";
  const cut = sliced(
    given,
    x.last(),
    places.filter(({ kind }) => kind !== "new"),
    (axis) => axis,
  );
  return Oriented.last(given.build, isShape ? given.build.reshape(cut, []) : reshaped(given, cut, places));
};

/** Cuts along every axis; an index is a slice of one. */
function sliced(
  given: OperationArguments,
  x: Value,
  places: readonly Place[],
  axisOf: (axis: number) => number,
): Value {
  const { build, name } = given;
  const cuts = places.flatMap((place, axis) => {
    if (place.kind === "index") {
      return [{ axis: axisOf(axis), start: place.at, stop: place.at === -1 ? far : place.at + 1, step: 1 }];
    }
    const isWhole = place.kind !== "slice" || (place.start === 0 && place.stop === far && place.step === 1);
    return isWhole ? [] : [{ ...place, axis: axisOf(axis) }];
  });
  const bounds = [
    cuts.map(({ start }) => start),
    cuts.map(({ stop }) => stop),
    cuts.map(({ axis }) => axis),
    cuts.map(({ step }) => step),
  ];
  const cut = cuts.length === 0 ? x : build.apply("Slice", [x, ...bounds.map((bound) => build.ints(bound))], {}, name);
  return places.reduce((value, place, axis) => {
    if (place.kind !== "list") return value;
    const indices = constantTensor(place.indices, "int64");
    if (indices === undefined || indices.shape.length !== 1 || indices.dtype === "bool") throw badIndex(place.indices);
    return build.gather(value, build.constant(indices), axisOf(axis));
  }, cut);
}

/** Drops the axes that were indexed and adds the new ones. */
function reshaped({ build }: OperationArguments, x: Value, places: readonly Place[]): Value {
  const axes = places.filter(({ kind }) => kind !== "new");
  const dropped = axes.flatMap(({ kind }, axis) => (kind === "index" ? [axis] : []));
  const left = places.filter(({ kind }) => kind !== "index");
  const added = left.flatMap(({ kind }, axis) => (kind === "new" ? [axis] : []));
  return build.unsqueeze(build.squeeze(x, dropped), added);
}

/** TensorFlow's `tf.slice`: begins and sizes, of which −1 reaches to the end. */
const slice: Operation = (given) => {
  const x = given.tensor("x");
  const begins = given.integers("begin") ?? [];
  const sizes = given.integers("size") ?? [];
  const places = begins.map((start, axis): Place => {
    const size = sizes[axis] ?? -1;
    return { kind: "slice", start, stop: size < 0 ? far : start + size, step: 1 };
  });
  return x.map((value) => sliced(given, value, places, (axis) => x.nativeAxis(axis)));
};

/** TensorFlow's `tf.strided_slice`, with its masks of bits. */
const stridedSlice: Operation = (given) => {
  const [begins, ends] = [given.integers("begin") ?? [], given.integers("end") ?? []];
  const strides = given.integers("strides") ?? begins.map(() => 1);
  const masks = ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"].map((mask) =>
    given.integer(mask, 0),
  );
  const [beginMask = 0, endMask = 0, ellipsisMask = 0, newMask = 0, shrinkMask = 0] = masks;
  const isSet = (mask: number, axis: number) => Math.floor(mask / 2 ** axis) % 2 === 1;
  const index = begins.map((begin, axis): Json => {
    if (isSet(ellipsisMask, axis)) return { class_name: "__ellipsis__" };
    if (isSet(newMask, axis)) return null;
    if (isSet(shrinkMask, axis)) return begin;
    const start = isSet(beginMask, axis) ? null : begin;
    const stop = isSet(endMask, axis) ? null : (ends[axis] ?? null);
    return { start, stop, step: strides[axis] ?? 1 };
  });
  const x = given.tensor("x");
  const places = placesOf(index, rankOf(x));
  const cut = sliced(
    given,
    x.last(),
    places.filter(({ kind }) => kind !== "new"),
    (axis) => axis,
  );
  return Oriented.last(given.build, reshaped(given, cut, places));
};

/** Parts along an axis: a number of equal ones, or their sizes, or (NumPy's) where they begin. */
function split(kind: "sizes" | "begins"): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const axis = positiveAxis(given.integer("axis", 0), rankOf(x));
    const parts = given.constant("parts");
    const size = x.shape?.[axis];
    if (typeof parts === "number") {
      const attributes = { axis: x.nativeAxis(axis), numOutputs: parts };
      return oriented(given, x, build.applyAll("Split", [x.native], parts, attributes, name));
    }
    const list = given.integers("parts") ?? [];
    const sizes = kind === "sizes" ? list : undefined;
    const ends = sizes === undefined ? [...list, Number(size)] : [];
    const own = sizes ?? ends.map((end, index) => end - (ends[index - 1] ?? 0));
    const known = own.reduce((total, each) => total + Math.max(each, 0), 0);
    const filled = own.map((each) => (each < 0 ? Number(size) - known : each));
    if (filled.some((each) => !Number.isInteger(each) || each < 0)) throw badIndex(list);
    const values = build.applyAll(
      "Split",
      [x.native, build.ints(filled)],
      filled.length,
      { axis: x.nativeAxis(axis) },
      name,
    );
    return oriented(given, x, values);
  };
}

function oriented({ build }: OperationArguments, like: Oriented, values: readonly Value[]): readonly Oriented[] {
  return values.map((value) => (like.isFirst ? Oriented.first(build, value) : Oriented.last(build, value)));
}

const unstack: Operation = (given) => {
  const { build, name } = given;
  const x = given.tensor("x");
  const axis = positiveAxis(given.integer("axis", 0), rankOf(x));
  const size = x.shape?.[axis];
  if (typeof size !== "number")
    throw new GraftError("model-invalid", "a size must be known", { path: [`axis ${axis}`] });
  const parts = build.applyAll("Split", [x.last()], size, { axis, numOutputs: size }, name);
  return parts.map((part) => Oriented.last(build, build.squeeze(part, [axis])));
};

export const sliceOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["getitem", getItem],
  ["slice", slice],
  ["strided_slice", stridedSlice],
  ["split", split("sizes")],
  ["split_at", split("begins")],
  ["unstack", unstack],
]);
