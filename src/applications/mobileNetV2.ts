/** @file MobileNetV2 (Sandler et al. 2018) with Keras's layer names: keras.applications.mobilenet_v2. */
import type { LayeredGraph } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { LayerBuilder, type LayerOutput, type Padding } from "./layer-builder.ts";
import type { WeightSource } from "./weights.ts";

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
  const build = new LayerBuilder(weights);
  const normalized = (name: string, x: LayerOutput) => build.batchNormalization(name, x, normalization);

  let x = build.input("input_layer", height, width, channels);
  x = build.conv2d("Conv1", x, { filters: divisible(32 * alpha), kernelSize: 3, strides: 2, padding: "same" });
  x = build.relu("Conv1_relu", normalized("bn_Conv1", x), 6);
  let block = 0;
  for (const { filters, blocks, strides } of stages) {
    for (let index = 0; index < blocks; index++) {
      x = invertedResidual(build, x, {
        block,
        filters: divisible(Math.trunc(filters * alpha)),
        strides: index ? 1 : strides,
      });
      block++;
    }
  }
  x = build.conv2d("Conv_1", x, { filters: alpha > 1 ? divisible(1280 * alpha) : 1280, kernelSize: 1 });
  x = build.relu("out_relu", normalized("Conv_1_bn", x), 6);
  if (includeTop) {
    x = build.globalAveragePooling2d("global_average_pooling2d", x);
    x = build.dense("predictions", x, classes, classifierActivation);
  } else if (pooling === "avg") x = build.globalAveragePooling2d("global_average_pooling2d", x);
  else if (pooling === "max") x = build.globalMaxPooling2d("global_max_pooling2d", x);
  return build.graph(x, `mobilenetv2_${alpha.toFixed(2)}_${height ?? "None"}`);
}

/** Expand by a pointwise convolution, filter by a depthwise one, project; added to its input where shapes allow. */
function invertedResidual(
  build: LayerBuilder,
  input: LayerOutput,
  { block, filters, strides }: { readonly block: number; readonly filters: number; readonly strides: number },
): LayerOutput {
  const prefix = block === 0 ? "expanded_conv" : `block_${block}`;
  const name = (part: string) => `${prefix}_${part}`;
  const normalized = (part: string, from: LayerOutput) => build.batchNormalization(name(part), from, normalization);
  const channels = Number(input.value.shape?.[1]);
  let x = input;
  if (block > 0) {
    x = build.conv2d(name("expand"), x, { filters: expansion * channels, kernelSize: 1 });
    x = build.relu(name("expand_relu"), normalized("expand_BN", x), 6);
  }
  if (strides === 2) x = build.zeroPadding2d(name("pad"), x, paddingBeforeStride(x));
  x = build.depthwiseConv2d(name("depthwise"), x, {
    kernelSize: 3,
    strides,
    padding: strides === 1 ? "same" : "valid",
  });
  x = build.relu(name("depthwise_relu"), normalized("depthwise_BN", x), 6);
  x = build.conv2d(name("project"), x, { filters, kernelSize: 1 });
  x = normalized("project_BN", x);
  return channels === filters && strides === 1 ? build.add(name("add"), input, x) : x;
}

/** Keras's `correct_pad` for a kernel of 3: an even side gets nothing at its begin. */
function paddingBeforeStride({ value }: LayerOutput): Padding {
  const [, , height, width] = value.shape ?? [];
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
