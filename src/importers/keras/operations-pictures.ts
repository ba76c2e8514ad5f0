/** @file Operations on pictures and maps: windows, sizes, colours. */
import { Oriented } from "../../graph/index.ts";
import type { Json } from "../../layers/index.ts";
import { GraftError, isStatic } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { asFloating, type Operation } from "./operations-elements.ts";
import { rankOf } from "./operations-reduce.ts";

/** Sizes as Keras's or TensorFlow's functions take them, `[1, h, w, 1]` too. */
function spatial(given: OperationArguments, parameter: string, rank: number): readonly number[] | undefined {
  const list = given.integers(parameter);
  if (list === undefined || list.length === rank) return list;
  if (list.length === 1) return Array.from({ length: rank }, () => list[0] ?? 1);
  return list.length === rank + 2 ? list.slice(1, -1) : list;
}

function pool(kind: "Max" | "Average"): Operation {
  return (given) => {
    const x = given.tensor("x");
    const rank = rankOf(x) - 2;
    const size = spatial(given, "size", rank) ?? [];
    const strides = spatial(given, "strides", rank) ?? size;
    const config = { pool_size: size, strides, padding: given.text("padding", "valid").toLowerCase() };
    return given.layer(`${kind}Pooling${rank}D`, { ...config, data_format: dataFormat(given) }, x);
  };
}

const channelsFirst: ReadonlySet<string> = new Set(["channels_first", "NCHW", "NCW", "NCDHW"]);

function dataFormat(given: OperationArguments): string {
  const format = given.has("data_format") ? given.text("data_format") : "channels_last";
  return channelsFirst.has(format) ? "channels_first" : "channels_last";
}

const resizeMethods: ReadonlyMap<string, string> = new Map([
  ["bilinear", "bilinear"],
  ["nearest", "nearest"],
  ["bicubic", "bicubic"],
  ["lanczos3", "lanczos3"],
  ["lanczos5", "lanczos5"],
  ["area", "area"],
]);

/** To `size`, half-pixel centres, as the Resizing layer does; `align_corners` of TensorFlow 1 is told apart. */
const resize: Operation = (given) => {
  const method = given.constant("method") ?? "bilinear";
  const names = ["bilinear", "nearest", "bicubic", "area"];
  const name = typeof method === "number" ? names[method] : String(method);
  given.expectDefault("preserve_aspect_ratio", false);
  given.expectDefault("align_corners", false);
  given.expectDefault("pad_to_aspect_ratio", false);
  const [height, width] = given.integers("size") ?? [];
  const interpolation = resizeMethods.get(name ?? "");
  if (height === undefined || width === undefined || interpolation === undefined) {
    throw new GraftError("model-refused", "this way to resize is not known", { actual: String(name) });
  }
  const config: { [key: string]: Json } = {
    height,
    width,
    interpolation,
    antialias: given.boolean("antialias", false),
    crop_to_aspect_ratio: given.boolean("crop_to_aspect_ratio", false),
    data_format: dataFormat(given),
  };
  return given.layer("Resizing", config, given.tensor("x"));
};

/** The weighted sum of red, green and blue that both Keras and TensorFlow take. */
const grayscale: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const weights = build.constant({ dtype: "float32", shape: [3, 1], data: Float32Array.of(0.2989, 0.587, 0.114) });
  return Oriented.last(build, build.matMul(asFloating(x.last(), given), weights));
};

/** With a kernel that the call is given: `[…spatial, in, out]`, or for a depthwise one `[…spatial, in, multiplier]`. */
function convolution(isDepthwise: boolean): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const kernel = given.tensor("kernel", "float32").last();
    const rank = rankOf(x) - 2;
    const sizes = kernel.shape;
    if (!isStatic(sizes)) throw new GraftError("model-invalid", "the sizes of the kernel must be known");
    const kernelShape = sizes.slice(0, rank);
    const [from = 1, multiplier = 1] = sizes.slice(rank);
    const shape = isDepthwise ? [...kernelShape, 1, from * multiplier] : sizes;
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    const turned = build.transpose(build.reshape(kernel, shape), [rank + 1, rank, ...axes]);
    const channels = x.shape?.at(dataFormat(given) === "channels_first" ? 1 : -1);
    const padding = given.text("padding", "valid").toUpperCase();
    if (typeof channels !== "number" || (padding !== "SAME" && padding !== "VALID")) {
      throw new GraftError("model-refused", "this convolution is not known", { actual: `padding ${padding}` });
    }
    const attributes = {
      kernelShape,
      group: isDepthwise ? channels : channels / from,
      strides: [...(spatial(given, "strides", rank) ?? axes.map(() => 1))],
      dilations: [...(spatial(given, "dilations", rank) ?? axes.map(() => 1))],
      autoPad: padding === "SAME" ? ("SAME_UPPER" as const) : ("VALID" as const),
    };
    const isFirst = dataFormat(given) === "channels_first";
    const y = build.apply("Conv", [isFirst ? x.last() : x.first(), turned], attributes, name);
    return isFirst ? Oriented.last(build, y) : Oriented.first(build, y);
  };
}

/** Cuts `top`, `bottom`, `left` and `right` off, or adds zeros there; targets say what is left or comes out. */
function sides(kind: "crop" | "pad"): Operation {
  return (given) => {
    const { build, name } = given;
    const x = given.tensor("x");
    const [height, width] = [x.shape?.at(-3), x.shape?.at(-2)];
    const ends = (size: unknown, before: string, after: string, target: string): readonly [number, number] => {
      const wanted = given.has(target) ? given.integer(target) : undefined;
      const change = wanted === undefined ? undefined : Math.abs(wanted - Number(size));
      const first = given.has(before) ? given.integer(before) : (change ?? 0) - given.integer(after, 0);
      const last = given.has(after) ? given.integer(after) : (change ?? first) - first;
      if (Number.isInteger(first) && Number.isInteger(last) && first >= 0 && last >= 0) return [first, last];
      throw new GraftError("model-refused", "these sides cannot be told", { actual: `${first} and ${last}` });
    };
    const rows = ends(height, "top", "bottom", "height");
    const columns = ends(width, "left", "right", "width");
    const axes = [x.nativeAxis(-3), x.nativeAxis(-2)];
    return x.map((value) => {
      if (kind === "crop") {
        return build.slice(value, [rows[0], columns[0]], [-rows[1] || far, -columns[1] || far], axes);
      }
      const pads = build.ints([rows[0], columns[0], rows[1], columns[1]]);
      return build.apply("Pad", [value, pads, undefined, build.ints(axes)], {}, name);
    });
  };
}

/** Pictures cut into squares that do not overlap, each as one vector: `[N, H / h, W / w, h·w·C]`. */
const extractPatches: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x").last();
  const [height = 0, width = 0] = spatial(given, "size", 2) ?? [];
  const strides = spatial(given, "strides", 2) ?? [height, width];
  const [, rows, columns, channels] = x.shape ?? [];
  const isPlain =
    strides[0] === height && strides[1] === width && given.text("padding", "valid").toLowerCase() === "valid";
  given.expectDefault("dilation_rate", 1, [1, 1]);
  if (
    !isPlain ||
    typeof rows !== "number" ||
    typeof columns !== "number" ||
    typeof channels !== "number" ||
    dataFormat(given) !== "channels_last"
  ) {
    throw new GraftError("model-refused", "only patches beside each other can be taken", {
      actual: `strides ${strides}`,
    });
  }
  const [down, across] = [Math.floor(rows / height), Math.floor(columns / width)];
  const cut = build.slice(x, [0, 0], [down * height, across * width], [1, 2]);
  const split = build.reshape(cut, [-1, down, height, across, width, channels]);
  const moved = build.transpose(split, [0, 1, 3, 2, 4, 5]);
  return Oriented.last(build, build.reshape(moved, [-1, down, across, height * width * channels]));
};

/** Beyond every size. */
const far = 2 ** 31 - 1;

/** The middle part of a picture; TensorFlow rounds what is cut off down. */
const centralCrop: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const fraction = given.number("fraction");
  const cuts = [-3, -2].map((axis) => {
    const size = x.shape?.at(axis);
    if (typeof size !== "number") throw new GraftError("model-invalid", "the sizes of the pictures must be known");
    const start = Math.floor((size - size * fraction) / 2);
    return { start, end: size - start };
  });
  const axes = [x.nativeAxis(-3), x.nativeAxis(-2)];
  return x.map((value) =>
    build.slice(
      value,
      cuts.map(({ start }) => start),
      cuts.map(({ end }) => end),
      axes,
    ),
  );
};

/** Bytes become numbers from 0 to 1; what is floating already stays. */
const convertImage: Operation = (given) => {
  const x = given.tensor("x");
  const type = given.type("dtype", "float32");
  const isByte = x.dtype === "uint8" && type === "float32";
  if (!isByte && x.dtype !== type)
    throw new GraftError("model-refused", "this change of type is not known", { actual: `${x.dtype} to ${type}` });
  return isByte ? x.map((value) => given.build.scale(given.build.cast(value, "float32"), 1 / 255)) : x;
};

/** (x − mean) · factor + mean, by the mean of each channel. */
const contrast: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const axes = [x.nativeAxis(-3), x.nativeAxis(-2)];
  return x.map((value) => {
    const mean = build.reduceMean(value, axes);
    return build.add(build.scale(build.sub(value, mean), given.number("factor")), mean);
  });
};

export const pictureOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["max_pool", pool("Max")],
  ["average_pool", pool("Average")],
  ["convolution", convolution(false)],
  ["depthwise_convolution", convolution(true)],
  ["resize", resize],
  ["extract_patches", extractPatches],
  ["crop_sides", sides("crop")],
  ["pad_sides", sides("pad")],
  ["central_crop", centralCrop],
  ["grayscale", grayscale],
  ["convert_image", convertImage],
  ["contrast", contrast],
]);
