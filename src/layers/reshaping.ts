/** @file Layers that move elements without changing them: shapes, orders, padding, cropping. */
import type { Value } from "../graph/index.ts";
import { elementCount, float32, GraftError, isStatic } from "../tensor/index.ts";
import type { Config } from "./config.ts";
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, expectRank, fromMaps, inputAt, mapsOf, rankOf } from "./orient.ts";
import { resized } from "./resizing.ts";

/** How much lies before and after, an entry an axis: a number, one an axis, or `[before, after]` an axis. */
function sidesOf(config: Config, key: string, rank: number): readonly (readonly [number, number])[] {
  const value = config.get(key) ?? 1;
  const side = (each: unknown): number =>
    typeof each === "number" && Number.isInteger(each) && each >= 0 && each < 2 ** 31
      ? each
      : config.refuse(key, "whole numbers", value);
  const pair = (each: unknown): readonly [number, number] =>
    Array.isArray(each) && each.length === 2 ? [side(each[0]), side(each[1])] : [side(each), side(each)];
  if (!Array.isArray(value)) return Array.from({ length: rank }, () => pair(value));
  if (rank === 1) return [pair(value.length === 1 ? value[0] : value)];
  return value.length === rank ? value.map(pair) : config.refuse(key, `${rank} entries`, value);
}

function zeroPadding(rank: number): LowerLayer {
  return (inputs, call) => {
    const input = inputAt(inputs);
    expectRank(input, rank + 2);
    const sides = sidesOf(call.config, "padding", rank);
    const pads = [0, 0, ...sides.map(([before]) => before), 0, 0, ...sides.map(([, after]) => after)];
    return fromMaps(call, call.build.apply("Pad", [mapsOf(input, call), call.build.ints(pads)], {}, call.name));
  };
}

/** The end of any axis. */
const end = 2 ** 31 - 1;

function cropping(rank: number): LowerLayer {
  return (inputs, call) => {
    const input = inputAt(inputs);
    expectRank(input, rank + 2);
    const x = mapsOf(input, call);
    const sides = sidesOf(call.config, "cropping", rank);
    for (const [index, [before, after]] of sides.entries()) {
      const size = x.shape?.[index + 2];
      if (typeof size === "number" && before + after >= size) {
        throw new GraftError("model-invalid", "nothing is left after cropping", {
          actual: `${before} + ${after} of ${size}`,
        });
      }
    }
    const { build, name } = call;
    const starts = build.ints(sides.map(([before]) => before));
    const ends = build.ints(sides.map(([, after]) => (after === 0 ? end : -after)));
    const axes = build.ints(sides.map((_, index) => index + 2));
    return fromMaps(call, build.apply("Slice", [x, starts, ends, axes], {}, name));
  };
}

const flatten: LowerLayer = (inputs, call) => {
  const { data } = inputAt(inputs);
  const { build, config, name } = call;
  const rank = rankOf({ data });
  const flat = (x: Value) => asLast(call, build.apply("Flatten", [x], {}, name));
  // Keras moves the channels last before it flattens.
  if (config.get("data_format") === "channels_first" && rank >= 3) {
    const spatial = Array.from({ length: rank - 2 }, (_, index) => index + 2);
    return flat(build.transpose(data.last(), [0, ...spatial, 1]));
  }
  // Of a map of one pixel either order is the same.
  const isPixel = data.shape?.slice(1, -1).every((size) => size === 1) === true;
  return flat(isPixel ? data.native : data.last());
};

const reshape: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const x = inputAt(inputs).data.last();
  const target = config.numbers("target_shape");
  const isSize = (size: number) => Number.isInteger(size) && (size === -1 || size >= 1);
  if (!target.every(isSize) || target.filter((size) => size === -1).length > 1) {
    return config.refuse("target_shape", "sizes, one of them open at most", [...target]);
  }
  const known = x.shape?.slice(1);
  const count = isStatic(known) ? elementCount(known) : undefined;
  const given = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const open = count === undefined ? -1 : count / given;
  if (count !== undefined && (target.includes(-1) ? !Number.isInteger(open) : count !== given)) {
    throw new GraftError("model-invalid", "the shape holds another number of elements", {
      expected: `${count}`,
      actual: `[${target.join(", ")}]`,
    });
  }
  const sizes = build.ints([0, ...target.map((size) => (size === -1 ? open : size))]);
  return asLast(call, build.apply("Reshape", [x, sizes], {}, name));
};

const permute: LowerLayer = (inputs, call) => {
  const input = inputAt(inputs);
  const dims = call.config.numbers("dims");
  const rank = rankOf(input);
  const isOrder = dims.length === rank - 1 && dims.toSorted((a, b) => a - b).every((axis, index) => axis === index + 1);
  if (!isOrder) return call.config.refuse("dims", `an order of 1 to ${rank - 1}`, [...dims]);
  return asLast(call, call.build.apply("Transpose", [input.data.last()], { perm: [0, ...dims] }, call.name));
};

const repeatVector: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = inputAt(inputs);
  expectRank(input, 2);
  const steps = build.unsqueeze(input.data.last(), [1]);
  return asLast(call, build.apply("Tile", [steps, build.ints([1, config.count("n"), 1])], {}, name));
};

/** Repeats every pixel; in two dimensions pixels may also be interpolated. */
function upSampling(rank: number): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const input = inputAt(inputs);
    expectRank(input, rank + 2);
    const factors = config.counts("size", rank, 2);
    const interpolation = rank === 2 ? config.text("interpolation", "nearest") : "nearest";
    const x = mapsOf(input, call);
    if (interpolation !== "nearest") {
      const size = build.mul(build.concat([build.sizeOf(x, 2), build.sizeOf(x, 3)], 0), build.ints(factors));
      return fromMaps(call, resized(x, size, { interpolation, antialias: false }, call, name));
    }
    const scales = build.constant(float32([rank + 2], Float32Array.of(1, 1, ...factors)), `${name}/scales`);
    const nearest = { coordinateTransformationMode: "asymmetric", nearestMode: "floor" } as const;
    return fromMaps(call, build.apply("Resize", [x, undefined, scales], nearest, name));
  };
}

const ranks = [1, 2, 3] as const;

export const reshapingLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Flatten", { lower: flatten }],
  ["Reshape", { lower: reshape }],
  ["Permute", { lower: permute }],
  ["RepeatVector", { lower: repeatVector }],
  ...ranks.flatMap((rank): (readonly [string, LayerDefinition])[] => [
    [`ZeroPadding${rank}D`, { lower: zeroPadding(rank) }],
    [`Cropping${rank}D`, { lower: cropping(rank) }],
    [`UpSampling${rank}D`, { lower: upSampling(rank) }],
  ]),
];
