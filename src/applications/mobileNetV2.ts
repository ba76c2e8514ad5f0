/** @file MobileNetV2 (Sandler et al. 2018) with Keras's layer names: keras.applications.mobilenet_v2. */
import type { LayeredGraph } from "../graph/index.ts";
import { type LayerOutput, Network, type WeightSource } from "../layers/index.ts";
import { GraftError } from "../tensor/index.ts";

/** `[height, width, channels]`; with `null`, a size is left open until a picture comes. */
export type InputShape = readonly [number | null, number | null, number];

export interface MobileNetV2Options {
  /** At least 32 a side. By default `[224, 224, 3]`, or open sizes without the top. */
  readonly inputShape?: InputShape;
  /** The width multiplier: how many channels there are beside the paper's. Default: 1. */
  readonly alpha?: number;
  /** Whether the classifier is part of it. Default: true. */
  readonly includeTop?: boolean;
  /** What becomes of the last map without the top. Default: null, the map itself. */
  readonly pooling?: "avg" | "max" | null;
  /** With the top. Default: 1,000. */
  readonly classes?: number;
  /** With the top: null gives logits. Default: "softmax". */
  readonly classifierActivation?: "softmax" | null;
}

/** Filters, how many blocks, and the stride of the first: table 2 of the paper. All but the first expand six times. */
const stages = [
  { filters: 16, blocks: 1, strides: 1 },
  { filters: 24, blocks: 2, strides: 2 },
  { filters: 32, blocks: 3, strides: 2 },
  { filters: 64, blocks: 4, strides: 2 },
  { filters: 96, blocks: 3, strides: 1 },
  { filters: 160, blocks: 3, strides: 2 },
  { filters: 320, blocks: 1, strides: 1 },
] as const;

const expansion = 6;
const smallestSide = 32;
const relu6 = { max_value: 6 };
const plain = { padding: "same", use_bias: false };
const normalization = { epsilon: 1e-3, momentum: 0.999 };

/**
 * The model as a graph of named layers: input `input_layer`, float32 `[N, channels, H, W]` in [-1, 1].
 *
 * @throws GraftError `usage` where Keras refuses the arguments
 */
export function mobileNetV2(options: MobileNetV2Options, weights: WeightSource): LayeredGraph {
  const { alpha = 1, includeTop = true, pooling = null, classes = 1000, classifierActivation = "softmax" } = options;
  const [height, width, channels] = checkedShape(options);
  if (!(alpha > 0 && Number.isFinite(alpha))) refuse("alpha is a positive number", `${alpha}`);
  if (!(Number.isSafeInteger(classes) && classes > 0)) refuse("classes is a positive whole number", `${classes}`);
  const net = new Network({ weights, layout: "channels_first" });
  const normalized = (name: string, x: LayerOutput) => net.layer("BatchNormalization", name, normalization, x);
  const rectified = (name: string, x: LayerOutput) => net.layer("ReLU", name, relu6, x);

  let x = net.input("input_layer", [null, height, width, channels]);
  x = net.layer("Conv2D", "Conv1", { ...plain, filters: divisible(32 * alpha), kernel_size: 3, strides: 2 }, x);
  x = rectified("Conv1_relu", normalized("bn_Conv1", x));
  let block = 0;
  for (const { filters, blocks, strides } of stages) {
    for (let index = 0; index < blocks; index++) {
      x = invertedResidual(net, x, {
        block,
        filters: divisible(Math.trunc(filters * alpha)),
        strides: index ? 1 : strides,
      });
      block++;
    }
  }
  x = net.layer(
    "Conv2D",
    "Conv_1",
    { ...plain, filters: alpha > 1 ? divisible(1280 * alpha) : 1280, kernel_size: 1 },
    x,
  );
  x = rectified("out_relu", normalized("Conv_1_bn", x));
  if (includeTop) {
    x = net.layer("GlobalAveragePooling2D", "global_average_pooling2d", {}, x);
    x = net.layer("Dense", "predictions", { units: classes, activation: classifierActivation }, x);
  } else if (pooling === "avg") x = net.layer("GlobalAveragePooling2D", "global_average_pooling2d", {}, x);
  else if (pooling === "max") x = net.layer("GlobalMaxPooling2D", "global_max_pooling2d", {}, x);
  return net.graph([x], `mobilenetv2_${alpha.toFixed(2)}_${height ?? "None"}`);
}

/** Expand by a pointwise convolution, filter by a depthwise one, project; added to its input where shapes allow. */
function invertedResidual(
  net: Network,
  input: LayerOutput,
  { block, filters, strides }: { readonly block: number; readonly filters: number; readonly strides: number },
): LayerOutput {
  const prefix = block === 0 ? "expanded_conv" : `block_${block}`;
  const name = (part: string) => `${prefix}_${part}`;
  const normalized = (part: string, from: LayerOutput) =>
    net.layer("BatchNormalization", name(part), normalization, from);
  const channels = Number(input.data.shape?.at(-1));
  let x = input;
  if (block > 0) {
    x = net.layer("Conv2D", name("expand"), { ...plain, filters: expansion * channels, kernel_size: 1 }, x);
    x = net.layer("ReLU", name("expand_relu"), relu6, normalized("expand_BN", x));
  }
  if (strides === 2) x = net.layer("ZeroPadding2D", name("pad"), { padding: paddingBeforeStride(x) }, x);
  const padding = strides === 1 ? "same" : "valid";
  x = net.layer("DepthwiseConv2D", name("depthwise"), { ...plain, kernel_size: 3, strides, padding }, x);
  x = net.layer("ReLU", name("depthwise_relu"), relu6, normalized("depthwise_BN", x));
  x = net.layer("Conv2D", name("project"), { ...plain, filters, kernel_size: 1 }, x);
  x = normalized("project_BN", x);
  return channels === filters && strides === 1 ? net.layer("Add", name("add"), {}, input, x) : x;
}

/** Keras's `correct_pad` for a kernel of 3: an even side gets nothing at its begin. */
function paddingBeforeStride({ data }: LayerOutput): readonly (readonly [number, number])[] {
  const [, height, width] = data.shape ?? [];
  const begin = (size: unknown) => (typeof height === "number" && typeof size === "number" ? size % 2 : 0);
  return [
    [begin(height), 1],
    [begin(width), 1],
  ];
}

/** The nearest multiple of 8, not more than a tenth below (`_make_divisible`). */
function divisible(channels: number): number {
  const rounded = Math.max(8, Math.floor(Math.trunc(channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

function checkedShape({ inputShape, includeTop = true }: MobileNetV2Options): InputShape {
  const shape = inputShape ?? (includeTop ? [224, 224, 3] : [null, null, 3]);
  const [height, width, channels] = shape;
  for (const side of [height, width]) {
    if (side === null && includeTop) refuse("with the top, every size of inputShape is a number", show(shape));
    if (side !== null && !(Number.isSafeInteger(side) && side >= smallestSide)) {
      refuse(`pictures are at least ${smallestSide}×${smallestSide}`, show(shape));
    }
  }
  if (shape.length !== 3 || !(Number.isSafeInteger(channels) && channels > 0)) {
    refuse("inputShape is [height, width, channels]", show(shape));
  }
  return [height, width, channels];
}

function show(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? "null").join(", ")}]`;
}

function refuse(expected: string, actual: string): never {
  throw new GraftError("usage", expected, { path: ["mobileNetV2"], actual });
}
