import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { Config, type Json } from "./config.ts";
import type { LayerDefinition } from "./layer.ts";
import { Network } from "./network.ts";
import type { WeightSpec } from "./weights.ts";

function zeros({ shape }: WeightSpec): Float32Array {
  return new Float32Array(shape.reduce((product, size) => product * size, 1));
}

function errorOf(run: () => unknown): GraftError {
  try {
    run();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function called(
  className: string,
  config: { readonly [key: string]: Json },
  shape: (number | null)[] = [null, 4, 4, 3],
) {
  const net = new Network({ weights: zeros });
  return { net, output: net.layer(className, "mine", config, net.input("x", shape)) };
}

describe("what a network refuses", () => {
  it.each<[string, string, { readonly [key: string]: Json }, string, RegExp]>([
    ["an unknown class", "Quantum", {}, "model-refused", /class Quantum is not known/],
    ["a Lambda", "Lambda", { function: "…" }, "model-refused", /Lambda holds a program/],
    ["an unknown activation", "Dense", { units: 2, activation: "wobble" }, "model-refused", /wobble is not known/],
    ["hashes", "Hashing", { num_bins: 3 }, "model-refused", /texts or hashes/],
    [
      "a padding that Keras lacks",
      "Conv2D",
      { filters: 1, kernel_size: 3, padding: "full" },
      "model-refused",
      /padding is not known/,
    ],
    ["a text for a number", "Dense", { units: "many" }, "model-invalid", /"units" cannot be read/],
    ["a size that does not fit", "Reshape", { target_shape: [5, 5] }, "model-invalid", /another number of elements/],
    [
      "groups that do not divide",
      "Conv2D",
      { filters: 4, kernel_size: 1, groups: 2 },
      "model-invalid",
      /do not divide/,
    ],
    ["cropping of everything", "Cropping2D", { cropping: 2 }, "model-invalid", /nothing is left/],
    ["too few axes", "Conv3D", { filters: 4, kernel_size: 1 }, "model-invalid", /another number of axes/],
    [
      "a cell that Keras lacks",
      "TimeDistributed",
      { layer: { class_name: "RNN", config: { cell: { class_name: "Mine", config: {} } } } },
      "model-refused",
      /cell Mine/,
    ],
  ])("%s", (_, className, config, code, words) => {
    const error = errorOf(() => called(className, config));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.message).toContain('layer "mine"');
  });

  it("layers within layers without end", () => {
    let config: { readonly [key: string]: Json } = { layer: { class_name: "Dense", config: { units: 1 } } };
    for (let depth = 0; depth < 40; depth++) config = { layer: { class_name: "TimeDistributed", config } };
    const shape = [null, ...new Array<number>(44).fill(1)];
    expect(errorOf(() => called("TimeDistributed", config, shape)).message).toMatch(/too deeply/);
  });
});

describe("a network", () => {
  it("asks for a shared layer's weights once", () => {
    const asked: string[] = [];
    const weights = (spec: WeightSpec) => {
      asked.push(`${spec.layer}/${spec.weight}`);
      return zeros(spec);
    };
    const net = new Network({ weights });
    const [a, b] = [net.input("a", [null, 3]), net.input("b", [null, 3])];
    const spec = { className: "Dense", name: "shared", config: { units: 2 } };
    net.call(spec, [a]);
    net.call(spec, [b]);
    expect(asked).toEqual(["shared/kernel", "shared/bias"]);
  });

  it("takes a definition of its user for a class that Keras lacks, also as an activation", () => {
    const doubled: LayerDefinition = {
      lower: ([input], { build, name }) => {
        if (input === undefined) throw new Error("no input");
        return { data: input.data.map((x) => build.apply("Add", [x, x], {}, name)) };
      },
    };
    const net = new Network({ weights: zeros, customLayers: new Map([["Doubled", doubled]]) });
    const x = net.layer("Doubled", "twice", {}, net.input("x", [null, 3]));
    const { graph } = net.graph([net.layer("Dense", "dense", { units: 2, activation: "Doubled" }, x)], "g");
    expect(graph.nodes.map(({ operator }) => operator)).toEqual(["Add", "Gemm", "Add"]);
  });

  it("lets no two inputs share an open size", () => {
    const net = new Network({ weights: zeros });
    const [a, b] = [net.input("a", [null, null, 3]), net.input("b", [null, null, 3])];
    expect(a.data.shape).toEqual(["N", "d1", 3]);
    expect(b.data.shape).toEqual(["N", "b_d1", 3]);
  });

  it("says once what does nothing outside training", () => {
    const net = new Network({ weights: zeros });
    const flipped = net.layer("RandomFlip", "flip", {}, net.input("x", [null, 4, 4, 3]));
    net.layer("RandomZoom", "zoom", { height_factor: 0.2 }, flipped);
    expect(net.remarks).toEqual([
      "Random changes of pictures (flips, rotations and the like) do nothing when the model is used.",
    ]);
  });

  it("keeps maps channels first between layers: one transpose before, one after", () => {
    const net = new Network({ weights: zeros });
    let x = net.input("x", [null, 8, 8, 3]);
    x = net.layer("Conv2D", "conv", { filters: 4, kernel_size: 3, padding: "same" }, x);
    x = net.layer("BatchNormalization", "norm", {}, x);
    x = net.layer("PReLU", "slopes", { shared_axes: [1, 2] }, x);
    x = net.layer("SpatialDropout2D", "drop", { rate: 0.5 }, x);
    x = net.layer("MaxPooling2D", "pool", {}, x);
    x = net.layer("Concatenate", "join", {}, x, x);
    x = net.layer("UpSampling2D", "up", {}, x);
    const { graph } = net.graph([x], "g");
    expect(graph.nodes.filter(({ operator }) => operator === "Transpose")).toHaveLength(2);
  });

  it("gives the mask of an embedding on to layers that know masks, and ends it at those that do not", () => {
    const net = new Network({ weights: zeros });
    const embedded = net.layer(
      "Embedding",
      "words",
      { input_dim: 9, output_dim: 4, mask_zero: true },
      net.input("x", [null, 5], "int32"),
    );
    const dense = net.layer("Dense", "dense", { units: 2 }, embedded);
    expect(embedded.mask).toBeDefined();
    expect(dense.mask).toBe(embedded.mask);
    expect(net.layer("Conv1D", "conv", { filters: 2, kernel_size: 2 }, dense).mask).toBeUndefined();
    const last = net.call({ className: "LSTM", name: "lstm", config: { units: 2 } }, [dense], {
      named: new Map(),
      config: new Config({}),
    });
    expect(last.map(({ mask }) => mask)).toEqual([undefined]);
  });
});
