/** @file The sizes that layers of applications give, so that builders can read them before there is a graph. */
import type { LayerConfig } from "./functional.ts";

type Sizes = readonly (number | null)[];
/** From the config and the inputs' sizes, `[height, width, channels]` each. */
type SizeRule = (config: LayerConfig, inputs: readonly Sizes[]) => Sizes;

const rules: ReadonlyMap<string, SizeRule> = new Map<string, SizeRule>([
  ["Conv2D", (config, inputs) => [...moved(config, inputs, "kernel_size"), Number(config["filters"])]],
  ["SeparableConv2D", (config, inputs) => [...moved(config, inputs, "kernel_size"), Number(config["filters"])]],
  [
    "DepthwiseConv2D",
    (config, inputs) => [
      ...moved(config, inputs, "kernel_size"),
      channelsIn(inputs) * Number(config["depth_multiplier"] ?? 1),
    ],
  ],
  ["MaxPooling2D", (config, inputs) => [...moved(config, inputs, "pool_size"), channelsIn(inputs)]],
  ["AveragePooling2D", (config, inputs) => [...moved(config, inputs, "pool_size"), channelsIn(inputs)]],
  ["GlobalAveragePooling2D", pooled],
  ["GlobalMaxPooling2D", pooled],
  ["ZeroPadding2D", (config, inputs) => bordered(config["padding"], inputs, 1)],
  ["Cropping2D", (config, inputs) => bordered(config["cropping"], inputs, -1)],
  [
    "Concatenate",
    (_, inputs) => [...(inputs[0] ?? []).slice(0, -1), inputs.reduce((sum, sizes) => sum + (sizes.at(-1) ?? 0), 0)],
  ],
  ["Flatten", (_, inputs) => [(inputs[0] ?? []).reduce((product: number, size) => product * (size ?? 0), 1)]],
  ["Reshape", (config) => numbersOf(config["target_shape"])],
  ["Dense", (config, inputs) => [...(inputs[0] ?? []).slice(0, -1), Number(config["units"])]],
]);

/** The sizes of a layer's output, without the batch. Classes that the table does not name keep those of their first input. */
export function outputShapeOf(className: string, config: LayerConfig, inputs: readonly Sizes[]): Sizes {
  return rules.get(className)?.(config, inputs) ?? inputs[0] ?? [];
}

function numbersOf(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.map(Number) : [Number(value), Number(value)];
}

function channelsIn(inputs: readonly Sizes[]): number {
  return inputs[0]?.at(-1) ?? 0;
}

/** ⌈n / s⌉ for "same", ⌊(n − k) / s⌋ + 1 for "valid"; k counts dilation. */
function moved(config: LayerConfig, inputs: readonly Sizes[], key: "kernel_size" | "pool_size"): Sizes {
  const windows = numbersOf(config[key]);
  const strides = numbersOf(config["strides"] ?? (key === "pool_size" ? config[key] : 1));
  const dilations = numbersOf(config["dilation_rate"] ?? 1);
  return (inputs[0] ?? []).slice(0, 2).map((size, axis) => {
    if (size === null) return null;
    const stride = strides[axis] ?? 1;
    const reach = ((windows[axis] ?? 1) - 1) * (dilations[axis] ?? 1);
    return config["padding"] === "same" ? Math.ceil(size / stride) : Math.floor((size - reach - 1) / stride) + 1;
  });
}

function pooled(config: LayerConfig, inputs: readonly Sizes[]): Sizes {
  const channels = channelsIn(inputs);
  return config["keepdims"] === true ? [1, 1, channels] : [channels];
}

function bordered(border: unknown, inputs: readonly Sizes[], sign: 1 | -1): Sizes {
  const [height = null, width = null, ...channels] = inputs[0] ?? [];
  const pairs = Array.isArray(border) ? border : [border, border];
  const grown = (size: number | null, pair: unknown) => {
    const [begin = 0, end = 0] = numbersOf(pair);
    return size === null ? null : size + sign * (begin + end);
  };
  return [grown(height, pairs[0]), grown(width, pairs[1]), ...channels];
}
