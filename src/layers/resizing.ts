/** @file Pictures brought to a size: resized as TensorFlow does, cropped to their centre. */
import type { Value } from "../graph/index.ts";
import { float32, GraftError } from "../tensor/index.ts";
import { interpolations, resizingWeights } from "./interpolation.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { expectRank, floatAt, fromMaps, inputAt, mapsOf } from "./orient.ts";

interface Resizing {
  /** By Keras's name. */
  readonly interpolation: string;
  readonly antialias: boolean;
}

/** What ONNX's Resize is told where sizes are open; other interpolations are matrices, which need them. */
export const openModes: ReadonlyMap<string, "nearest" | "linear" | "cubic"> = new Map([
  ["nearest", "nearest"],
  ["bilinear", "linear"],
  ["bicubic", "cubic"],
]);

/** Maps `[N, C, H, W]` at another size. Throws GraftError `model-refused` for an interpolation that is not known. */
export function resized(
  x: Value,
  size: readonly number[],
  { interpolation, antialias }: Resizing,
  call: LayerCall,
  name: string,
): Value {
  const { build } = call;
  if (!interpolations.includes(interpolation)) {
    throw new GraftError("model-refused", `the interpolation ${interpolation} is not known`);
  }
  const mode = openModes.get(interpolation);
  const isPlain = interpolation === "nearest" || (interpolation === "bilinear" && !antialias);
  const spatial = x.shape?.slice(2) ?? [];
  const isOpen = spatial.some((each) => typeof each !== "number");
  if (mode !== undefined && (isPlain || isOpen)) {
    const sizes = build.concat([build.sizeOf(x, 0), build.sizeOf(x, 1), build.ints(size)], 0);
    const attributes = {
      mode,
      antialias: antialias && mode !== "nearest",
      coordinateTransformationMode: "half_pixel",
      // TensorFlow rounds halves up, and its cubic is Keys's.
      nearestMode: "round_prefer_ceil",
      cubicCoeffA: -0.5,
      excludeOutside: mode === "cubic",
    } as const;
    return build.apply("Resize", [x, undefined, undefined, sizes], attributes, name);
  }
  const [height, width] = spatial;
  const [rows, columns] = size;
  if (typeof height !== "number" || typeof width !== "number" || rows === undefined || columns === undefined) {
    throw new GraftError("model-refused", `the interpolation ${interpolation} needs pictures of a known size`);
  }
  const weights = (from: number, to: number) =>
    build.constant(float32([from, to], resizingWeights(interpolation, from, to, antialias)), `${call.name}/weights`);
  const wide = build.matMul(x, weights(width, columns));
  const turned = build.matMul(build.transpose(wide, [0, 1, 3, 2]), weights(height, rows));
  return build.apply("Transpose", [turned], { perm: [0, 1, 3, 2] }, name);
}

/** The height and width of maps, which must be known. */
function knownSides(x: Value): readonly [number, number] {
  const [height, width] = x.shape?.slice(2) ?? [];
  if (typeof height === "number" && typeof width === "number") return [height, width];
  throw new GraftError("model-refused", "it can crop only pictures of a known size", {
    hint: "give the model an input of fixed size",
  });
}

interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

function cut(x: Value, { top, left, height, width }: Box, { build }: LayerCall, name = "Slice"): Value {
  const [starts, ends] = [build.ints([top, left]), build.ints([top + height, left + width])];
  return build.apply("Slice", [x, starts, ends, build.ints([2, 3])], {}, name);
}

/** The largest part in the middle that has the target's proportions. */
function proportioned(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const [height, width] = knownSides(x);
  const tall = Math.max(1, Math.min(height, Math.trunc((width * rows) / columns)));
  const wide = Math.max(1, Math.min(width, Math.trunc((height * columns) / rows)));
  if (tall === height && wide === width) return x;
  const [top, left] = [Math.trunc((height - tall) / 2), Math.trunc((width - wide) / 2)];
  return cut(x, { top, left, height: tall, width: wide }, call);
}

/** Room on both sides, so that the picture has the target's proportions. */
function framed(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const { build, config } = call;
  const [height, width] = knownSides(x);
  const top = Math.trunc((Math.max(height, Math.trunc((width * rows) / columns)) - height) / 2);
  const left = Math.trunc((Math.max(width, Math.trunc((height * columns) / rows)) - width) / 2);
  const fill = build.scalar(config.number("fill_value", 0), x);
  return build.apply("Pad", [x, build.ints([0, 0, top, left, 0, 0, top, left]), fill]);
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
  const y = resized(part, [rows, columns], how, call, isWhole ? `${name}/resized` : name);
  return fromMaps(call, isWhole ? build.apply("Cast", [build.apply("Round", [y])], { to: dtype }, name) : y);
};

/** The middle of a picture, or where it is smaller on a side, the middle of its proportions made larger. */
function centred(x: Value, rows: number, columns: number, call: LayerCall): Value {
  const [height, width] = knownSides(x);
  if (height < rows || width < columns) {
    return resized(proportioned(x, rows, columns, call), [rows, columns], bilinear, call, call.name);
  }
  const [top, left] = [Math.floor((height - rows) / 2), Math.floor((width - columns) / 2)];
  return cut(x, { top, left, height: rows, width: columns }, call, call.name);
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
      resized(proportioned(x, rows, columns, call), [rows, columns], bilinear, call, call.name),
    );
  }
  return { data: floatAt(inputs, call).data.map((x) => call.build.apply("Identity", [x], {}, call.name)) };
};

export const resizingLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Resizing", { lower: resizing }],
  ["CenterCrop", { lower: centerCrop }],
  ["RandomCrop", { lower: randomCrop }],
];
