import { describe, it } from "vitest";
import type { Builder, Value } from "../graph/index.ts";
import { elementCount, type NumericTensor, randomNumbers, tensorOf } from "../tensor/index.ts";
import { checkGradient } from "../testing/index.ts";
import { Config, type Json } from "./config.ts";
import { Network } from "./network.ts";

interface Case {
  readonly className: string;
  readonly config: { readonly [key: string]: Json };
  readonly shape: readonly number[];
  /** Bool `[N, time]`. */
  readonly mask?: readonly (readonly number[])[];
  /** It attends to its own input. */
  readonly twice?: boolean;
}

const lstm = { units: 3, return_sequences: true };
const layer = (className: string, config: { readonly [key: string]: Json }) => ({ class_name: className, config });
const mask = [
  [0, 1, 0, 1],
  [1, 0, 0, 0],
];

const cases: readonly (readonly [string, Case])[] = [
  ["an LSTM", { className: "LSTM", config: lstm, shape: [2, 4, 2] }],
  ["an LSTM with a mask", { className: "LSTM", config: lstm, shape: [2, 4, 2], mask }],
  [
    "a GRU backwards with a mask",
    { className: "GRU", config: { ...lstm, go_backwards: true }, shape: [2, 4, 2], mask },
  ],
  ["a GRU that resets before", { className: "GRU", config: { ...lstm, reset_after: false }, shape: [2, 4, 2] }],
  ["an LSTM written out", { className: "LSTM", config: { ...lstm, activation: "gelu" }, shape: [2, 4, 2], mask }],
  [
    "both directions",
    { className: "Bidirectional", config: { layer: layer("LSTM", lstm), merge_mode: "mul" }, shape: [2, 4, 2] },
  ],
  [
    "cells on one another",
    {
      className: "RNN",
      config: { cell: [layer("LSTMCell", { units: 3 }), layer("GRUCell", { units: 2 })] },
      shape: [2, 4, 2],
    },
  ],
  [
    "every step",
    {
      className: "TimeDistributed",
      config: { layer: layer("Conv2D", { filters: 2, kernel_size: 2 }) },
      shape: [1, 2, 3, 3, 2],
    },
  ],
  [
    "a recurrent convolution",
    { className: "ConvLSTM2D", config: { filters: 2, kernel_size: 2 }, shape: [1, 2, 3, 4, 1] },
  ],
  [
    "attention of many heads",
    { className: "MultiHeadAttention", config: { num_heads: 2, key_dim: 3 }, shape: [2, 3, 4], twice: true },
  ],
  ["additive attention", { className: "AdditiveAttention", config: {}, shape: [2, 3, 4], twice: true }],
  [
    "a product of two sequences",
    { className: "Dot", config: { axes: 2, normalize: true }, shape: [2, 3, 4], twice: true },
  ],
  ["group normalization", { className: "GroupNormalization", config: { groups: 2 }, shape: [2, 3, 2, 4] }],
  ["layer normalization along axis 1", { className: "LayerNormalization", config: { axis: 1 }, shape: [2, 3, 4] }],
  ["unit normalization", { className: "UnitNormalization", config: {}, shape: [2, 3, 4] }],
  [
    "a transposed convolution",
    {
      className: "Conv2DTranspose",
      config: { filters: 2, kernel_size: 3, strides: 2, padding: "same" },
      shape: [1, 3, 4, 2],
    },
  ],
  [
    "a separable convolution",
    { className: "SeparableConv2D", config: { filters: 2, kernel_size: 3, padding: "same" }, shape: [1, 3, 4, 2] },
  ],
  [
    "resizing by Lanczos's kernel",
    { className: "Resizing", config: { height: 3, width: 6, interpolation: "lanczos3" }, shape: [1, 5, 4, 2] },
  ],
  ["up-sampling", { className: "UpSampling2D", config: { size: 2, interpolation: "bilinear" }, shape: [1, 3, 4, 2] }],
  ["adaptive pooling", { className: "AdaptiveAveragePooling2D", config: { output_size: [2, 3] }, shape: [1, 5, 4, 2] }],
  [
    "an einsum",
    {
      className: "EinsumDense",
      config: { equation: "abc,cd->abd", output_shape: [null, 3], bias_axes: "d" },
      shape: [2, 3, 4],
    },
  ],
  ["dropout of whole channels", { className: "SpatialDropout1D", config: { rate: 0.5 }, shape: [2, 3, 4] }],
];

/** The case's layer in a network of fixed sizes, with weights of any kind. */
function networkOf({ className, config, shape, mask: steps, twice }: Case) {
  const random = randomNumbers(7);
  const weights = (spec: { readonly shape: readonly number[] }) =>
    Float32Array.from({ length: elementCount(spec.shape) }, () => random() - 0.5);
  const net = new Network({ weights });
  const x = net.input("x", shape);
  const named = steps === undefined ? [] : [net.input("mask", [shape[0] ?? 1, shape[1] ?? 1], "bool")];
  const call = { named: new Map(steps === undefined ? [] : [["mask", named]]), config: new Config({}) };
  return net.graph(net.call({ className, name: "layer", config }, twice ? [x, x] : [x], call).slice(0, 1), "g").graph;
}

describe("gradients through layers", () => {
  it.each(cases)("%s", async (_, each) => {
    const graph = networkOf(each);
    const x = { tensor: randomTensorOf(each.shape) };
    const inputs: { [name: string]: { tensor: NumericTensor } } =
      each.mask === undefined
        ? { given: x }
        : {
            given: x,
            steps: { tensor: tensorOf("bool", [each.mask.length, each.mask[0]?.length ?? 0], each.mask.flat()) },
          };
    const define = (build: Builder, values: Readonly<Record<string, Value>>) => {
      const given = [values["given"], values["steps"]];
      for (const [value, tensor] of graph.initializers) build.adoptConstant(value, tensor);
      for (const [index, input] of graph.inputs.entries()) build.define(input, "Identity", [given[index]]);
      for (const node of graph.nodes) build.adopt(node);
      const [output] = graph.outputs;
      if (output === undefined) throw new Error("no output");
      return output;
    };
    await checkGradient(inputs, define, { dtype: "float32", wanted: ["given"] });
  });
});

function randomTensorOf(shape: readonly number[]): NumericTensor {
  const random = randomNumbers(3);
  return tensorOf(
    "float32",
    shape,
    Array.from({ length: elementCount(shape) }, () => 2 * random() - 1),
  );
}
