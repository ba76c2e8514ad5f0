/** @file Building a graph layer by layer with Keras's meanings: maps are `[N, C, H, W]` inside, weights come in Keras's layout. */
import type { Builder, LayeredGraph, LayerScope, LayerWeight, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { type Dimension, float32, GraftError, type NumericTensor } from "../tensor/index.ts";
import type { WeightSource } from "./weights.ts";

/** What a layer gives to the next: its name and its value. */
export interface LayerOutput {
  readonly layer: string;
  readonly value: Value;
}

/** Pairs of begin and end: rows, then columns. */
export type Padding = readonly [readonly [number, number], readonly [number, number]];

export interface ConvolutionOptions {
  /** How many channels come out. */
  readonly filters: number;
  /** The side of the square kernel. */
  readonly kernelSize: number;
  readonly strides?: number;
  readonly padding?: "same" | "valid";
}

interface Scope {
  readonly name: string;
  readonly className: string;
  readonly inputs: readonly LayerOutput[];
}

/** Appends layers without biases, as the families of keras.applications name and order them. */
export class LayerBuilder {
  readonly #build: Builder = newBuilder();
  readonly #weights: WeightSource;
  readonly #layers: LayerScope[] = [];

  constructor(weights: WeightSource) {
    this.#weights = weights;
  }

  /** A float32 input of pictures; sizes left open are `null`. */
  input(name: string, height: number | null, width: number | null, channels: number): LayerOutput {
    const value = this.#build.input(name, "float32", ["N", channels, height ?? "H", width ?? "W"]);
    this.#layers.push({
      name,
      className: "InputLayer",
      inputs: [],
      output: name,
      outputShape: kerasShape(value),
      values: [],
      weights: [],
    });
    return { layer: name, value };
  }

  conv2d(name: string, x: LayerOutput, { filters, kernelSize, strides = 1, padding }: ConvolutionOptions): LayerOutput {
    return this.#layer({ name, className: "Conv2D", inputs: [x] }, (weight) => {
      const kernel = weight("kernel", [kernelSize, kernelSize, channelsOf(x), filters], toOnnxKernel);
      return this.#convolution(name, x.value, kernel, { kernelSize, strides, padding, group: 1 });
    });
  }

  depthwiseConv2d(name: string, x: LayerOutput, options: Omit<ConvolutionOptions, "filters">): LayerOutput {
    const { kernelSize, strides = 1, padding } = options;
    return this.#layer({ name, className: "DepthwiseConv2D", inputs: [x] }, (weight) => {
      const group = channelsOf(x);
      const kernel = weight("kernel", [kernelSize, kernelSize, group, 1], toOnnxDepthwise);
      return this.#convolution(name, x.value, kernel, { kernelSize, strides, padding, group });
    });
  }

  /** `momentum` is Keras's, of the moving statistics; the node keeps it for training. */
  batchNormalization(
    name: string,
    x: LayerOutput,
    attributes: { readonly epsilon: number; readonly momentum: number },
  ): LayerOutput {
    return this.#layer({ name, className: "BatchNormalization", inputs: [x] }, (weight) => {
      const parameters = ["gamma", "beta", "moving_mean", "moving_variance"].map((each) =>
        weight(each, [channelsOf(x)]),
      );
      return this.#build.apply("BatchNormalization", [x.value, ...parameters], attributes, name);
    });
  }

  /** max(0, x), at most `maximum`. */
  relu(name: string, x: LayerOutput, maximum: number): LayerOutput {
    return this.#layer({ name, className: "ReLU", inputs: [x] }, () =>
      this.#build.apply("Clip", [x.value, this.#number(0), this.#number(maximum)], {}, name),
    );
  }

  zeroPadding2d(name: string, x: LayerOutput, [rows, columns]: Padding): LayerOutput {
    const pads = this.#build.ints([0, 0, rows[0], columns[0], 0, 0, rows[1], columns[1]]);
    return this.#layer({ name, className: "ZeroPadding2D", inputs: [x] }, () =>
      this.#build.apply("Pad", [x.value, pads], {}, name),
    );
  }

  add(name: string, a: LayerOutput, b: LayerOutput): LayerOutput {
    return this.#layer({ name, className: "Add", inputs: [a, b] }, () =>
      this.#build.apply("Add", [a.value, b.value], {}, name),
    );
  }

  globalAveragePooling2d(name: string, x: LayerOutput): LayerOutput {
    return this.#layer({ name, className: "GlobalAveragePooling2D", inputs: [x] }, () =>
      this.#build.apply("Flatten", [this.#build.apply("GlobalAveragePool", [x.value], {}, `${name}/pool`)], {}, name),
    );
  }

  globalMaxPooling2d(name: string, x: LayerOutput): LayerOutput {
    return this.#layer({ name, className: "GlobalMaxPooling2D", inputs: [x] }, () =>
      this.#build.apply("Flatten", [this.#build.apply("GlobalMaxPool", [x.value], {}, `${name}/pool`)], {}, name),
    );
  }

  /** From `[N, features]` to `[N, units]`, with a bias. */
  dense(name: string, x: LayerOutput, units: number, activation: "softmax" | null): LayerOutput {
    return this.#layer({ name, className: "Dense", inputs: [x] }, (weight) => {
      const parameters = [weight("kernel", [channelsOf(x), units]), weight("bias", [units])];
      const logits = this.#build.apply(
        "Gemm",
        [x.value, ...parameters],
        {},
        activation === null ? name : `${name}/logits`,
      );
      return activation === null ? logits : this.#build.apply("Softmax", [logits], {}, name);
    });
  }

  /** The graph so far, with this output. */
  graph(output: LayerOutput, name: string): LayeredGraph {
    return { graph: this.#build.graph([output.value], name), layers: this.#layers };
  }

  /** Runs `build`, and records what it appended and which weights it asked for as one layer. */
  #layer({ name, className, inputs }: Scope, build: (weight: Weigh) => Value): LayerOutput {
    const weights: LayerWeight[] = [];
    const first = this.#build.nodes.length;
    const value = build((weight, shape, toOnnx = asItIs) => {
      const tensor = toOnnx(this.#weights({ layer: name, weight, shape }), shape);
      const parameter = this.#parameter(`${name}/${weight}`, tensor);
      weights.push({ name: parameter.name, isTrainable: !weight.startsWith("moving_") });
      return parameter;
    });
    this.#layers.push({
      name,
      className,
      inputs: inputs.map(({ layer }) => layer),
      output: value.name,
      outputShape: kerasShape(value),
      values: this.#build.nodes.slice(first).flatMap(({ outputs }) => outputs.flatMap((each) => each?.name ?? [])),
      weights,
    });
    return { layer: name, value };
  }

  #convolution(name: string, x: Value, kernel: Value, { kernelSize, strides, padding, group }: Geometry): Value {
    const [, , height, width] = x.shape ?? [];
    const isKnown = typeof height === "number" && typeof width === "number";
    const pads =
      padding !== "same"
        ? [0, 0, 0, 0]
        : isKnown
          ? samePads([height, width], kernelSize, strides)
          : strides === 1
            ? samePads([1, 1], kernelSize, strides)
            : undefined;
    return this.#build.apply(
      "Conv",
      [x, kernel],
      {
        group,
        strides: [strides, strides],
        kernelShape: [kernelSize, kernelSize],
        ...(pads === undefined ? { autoPad: "SAME_UPPER" } : { pads }),
      },
      name,
    );
  }

  /** Unlike a constant, never one with an equal one: each is trained for itself. */
  #parameter(name: string, tensor: NumericTensor): Value {
    const value = { name: this.#build.unused(name), dtype: tensor.dtype, shape: tensor.shape };
    this.#build.adoptConstant(value, tensor);
    return value;
  }

  #number(value: number): Value {
    return this.#build.constant(float32([], Float32Array.of(value)), `number_${value}`);
  }
}

type ToOnnx = (elements: Float32Array, shape: readonly number[]) => NumericTensor;
type Weigh = (weight: string, shape: readonly number[], toOnnx?: ToOnnx) => Value;

interface Geometry {
  readonly kernelSize: number;
  readonly strides: number;
  readonly padding: "same" | "valid" | undefined;
  readonly group: number;
}

/** TensorFlow's "same": ⌈size / stride⌉ come out, and the odd element of padding lies at the end. */
function samePads(sizes: readonly [number, number], kernel: number, stride: number): number[] {
  const totals = sizes.map((size) => Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0));
  const begins = totals.map((total) => Math.floor(total / 2));
  return [...begins, ...totals.map((total, axis) => total - (begins[axis] ?? 0))];
}

function channelsOf({ layer, value }: LayerOutput): number {
  const channels = value.shape?.[1];
  if (typeof channels === "number") return channels;
  throw new GraftError("model-invalid", "the number of channels is not known", { path: [layer] });
}

function asItIs(elements: Float32Array, shape: readonly number[]): NumericTensor {
  return float32(shape, elements);
}

/** `[height, width, in, out]` to `[out, in, height, width]`. */
function toOnnxKernel(elements: Float32Array, [height = 0, width = 0, from = 0, to = 0]: readonly number[]) {
  const area = height * width;
  const moved = new Float32Array(elements.length);
  for (let at = 0; at < area; at++) {
    for (let input = 0; input < from; input++) {
      const row = (at * from + input) * to;
      for (let output = 0; output < to; output++) {
        moved[(output * from + input) * area + at] = elements[row + output] ?? 0;
      }
    }
  }
  return float32([to, from, height, width], moved);
}

/** `[height, width, in, 1]` to `[in, 1, height, width]`. */
function toOnnxDepthwise(elements: Float32Array, [height = 0, width = 0, channels = 0]: readonly number[]) {
  return float32(
    [channels, 1, height, width],
    toOnnxKernel(elements, [height, width, 1, channels]).data as Float32Array,
  );
}

/** `[N, C, H, W]` as Keras says it: `[null, H, W, C]`, sizes left open as `null`. */
function kerasShape({ shape = [] }: Value): readonly (number | null)[] {
  const known = (size: Dimension | undefined) => (typeof size === "number" ? size : null);
  const [, channels, ...spatial] = shape;
  return [null, ...spatial.map(known), known(channels)];
}
