/** @file Pictures brought to a size: resized as TensorFlow does, cropped to their centre. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { resizingWeights, weighedInterpolations } from "./interpolation.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { expectRank, floatAt, fromMaps, inputAt, mapsOf } from "./orient.ts";

interface Resizing {
  /** By Keras's name. */
  readonly interpolation: string;
  readonly antialias: boolean;
}

/**
 * Maps `[N, C, H, W]` at another size, an int64 vector of two. Throws GraftError `model-refused` for an interpolation
 * that is not known.
 */
export function resized(
  x: Value,
  size: Value,
  { interpolation, antialias }: Resizing,
  call: LayerCall,
  name: string,
): Value {
  const { build } = call;
  if (interpolation === "nearest" || (interpolation === "bilinear" && !antialias)) {
    const sizes = build.concat([build.sizeOf(x, 0), build.sizeOf(x, 1), size], 0);
    // TensorFlow rounds halves up.
    const mode = interpolation === "nearest" ? "nearest" : "linear";
    const attributes = { mode, coordinateTransformationMode: "half_pixel", nearestMode: "round_prefer_ceil" } as const;
    return build.apply("Resize", [x, undefined, undefined, sizes], attributes, name);
  }
  if (!weighedInterpolations.includes(interpolation)) {
    throw new GraftError("model-refused", `the interpolation ${interpolation} is not known`);
  }
  const [rows, columns] = [0, 1].map((index) => build.slice(size, [index], [index + 1], [0]));
  const weights = (axis: number, to: Value | undefined) =>
    resizingWeights(build, interpolation, build.sizeOf(x, axis), to ?? size, antialias);
  const wide = build.matMul(x, weights(3, columns));
  const turned = build.matMul(build.transpose(wide, [0, 1, 3, 2]), weights(2, rows));
  return build.apply("Transpose", [turned], { perm: [0, 1, 3, 2] }, name);
}

/** The size of a picture as int64 vectors of one element, known or not. */
function sidesOf(x: Value, { build }: LayerCall): readonly [height: Value, width: Value] {
  return [build.sizeOf(x, 2), build.sizeOf(x, 3)];
}

/** ⌊a · b / c⌋, of whole numbers. */
function share({ build }: LayerCall, a: Value, b: number, c: number): Value {
  return build.div(build.mul(a, build.ints([b])), build.ints([c]));
}

/** ⌊(a − b) / 2⌋ */
function halfOf({ build }: LayerCall, a: Value, b: Value): Value {
  return build.div(build.sub(a, b), build.ints([2]));
}

/** The middle of a picture. */
function middle(x: Value, height: Value, width: Value, call: LayerCall, name = "Slice"): Value {
  const { build } = call;
  const [rows, columns] = sidesOf(x, call);
  const starts = build.concat([halfOf(call, rows, height), halfOf(call, columns, width)], 0);
  const ends = build.add(starts, build.concat([height, width], 0));
  return build.apply("Slice", [x, starts, ends, build.ints([2, 3])], {}, name);
}

/** The largest part in the middle that has the target's proportions. */
function proportioned(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const { build } = call;
  const [height, width] = sidesOf(x, call);
  const bounded = (side: Value, wanted: Value) =>
    build.apply("Max", [build.apply("Min", [side, wanted]), build.ints([1])]);
  const tall = bounded(height, share(call, width, rows, columns));
  return middle(x, tall, bounded(width, share(call, height, columns, rows)), call);
}

/** Room on both sides, so that the picture has the target's proportions. */
function framed(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const { build, config } = call;
  const [height, width] = sidesOf(x, call);
  const most = (side: Value, wanted: Value) => build.apply("Max", [side, wanted]);
  const top = halfOf(call, most(height, share(call, width, rows, columns)), height);
  const left = halfOf(call, most(width, share(call, height, columns, rows)), width);
  const none = build.ints([0, 0]);
  const fill = build.scalar(config.number("fill_value", 0), x);
  return build.apply("Pad", [x, build.concat([none, top, left, none, top, left], 0), fill]);
}

const bilinear: Resizing = { interpolation: "bilinear", antialias: false };

const resizing: LowerLayer = (inputs, call) => {
  const { build, config, name, kerasVersion } = call;
  const input = inputAt(inputs);
  expectRank(input, 4);
  const [rows, columns] = [config.count("height"), config.count("width")];
  const x = mapsOf(floatAt(inputs, call), call);
  const pads = config.boolean("pad_to_aspect_ratio", false);
  const crops = config.boolean("crop_to_aspect_ratio", false);
  const part = pads ? framed(x, rows, columns, call) : crops ? proportioned(x, rows, columns, call) : x;
  const how = {
    interpolation: config.text("interpolation", "bilinear").toLowerCase(),
    antialias: config.boolean("antialias", false),
  };
  const { dtype } = input.data;
  const isWhole = kerasVersion >= 3 && dtype !== undefined && dtype !== x.dtype;
  const y = resized(part, build.ints([rows, columns]), how, call, isWhole ? `${name}/resized` : name);
  return fromMaps(call, isWhole ? build.apply("Cast", [build.apply("Round", [y])], { to: dtype }, name) : y);
};

/** The middle of a picture, or where it is known to be smaller on a side, that of its proportions made larger. */
function centred(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const { build, name } = call;
  const [height, width] = x.shape?.slice(2) ?? [];
  const isSmaller = (side: unknown, wanted: number) => typeof side === "number" && side < wanted;
  if (isSmaller(height, rows) || isSmaller(width, columns)) {
    return resized(proportioned(x, rows, columns, call), build.ints([rows, columns]), bilinear, call, name);
  }
  return middle(x, build.ints([rows]), build.ints([columns]), call, name);
}

function cropped(inputs: readonly Flow[], call: LayerCall, crop: typeof centred): Flow {
  const input = floatAt(inputs, call);
  expectRank(input, 4);
  const { config } = call;
  return fromMaps(call, crop(mapsOf(input, call), config.count("height"), config.count("width"), call));
}

const centerCrop: LowerLayer = (inputs, call) => cropped(inputs, call, centred);

/** Without training: Keras 2 resizes the middle of the target's proportions; Keras 3 passes the picture on. */
const randomCrop: LowerLayer = (inputs, call) => {
  call.remark("Random changes of pictures (flips, rotations and the like) do nothing when the model is used.");
  if (call.kerasVersion < 3) {
    return cropped(inputs, call, (x, rows, columns) =>
      resized(proportioned(x, rows, columns, call), call.build.ints([rows, columns]), bilinear, call, call.name),
    );
  }
  return { data: floatAt(inputs, call).data.map((x) => call.build.apply("Identity", [x], {}, call.name)) };
};

export const resizingLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Resizing", { lower: resizing }],
  ["CenterCrop", { lower: centerCrop }],
  ["RandomCrop", { lower: randomCrop }],
];
