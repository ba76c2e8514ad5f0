import { describe, expect, it } from "vitest";
import type { Builder, Graph, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { type DType, float32, randomNumbers, type Shape, tensorOf } from "../tensor/index.ts";
import { randomTensor, runGraph } from "../testing/index.ts";
import { onnxBase } from "./base-onnx.ts";
import { fineTuningPoints } from "./base-points.ts";

const next = randomNumbers(3);

function weight(b: Builder, name: string, shape: readonly number[]): Value {
  const count = shape.reduce((product, size) => product * size, 1);
  return b.constant(
    float32(
      shape,
      Float32Array.from({ length: count }, () => next() - 0.5),
    ),
    name,
  );
}

interface Model {
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly reshape?: readonly number[];
  readonly transposed?: boolean;
}

/** conv → relu → pool → reshape to a vector → dense; the picture may come as bytes, halves or channels last. */
function model({ shape, dtype = "float32", reshape, transposed = false }: Model): Graph {
  const b = newBuilder();
  const x = b.input("x", dtype, shape);
  const floats = b.cast(x, "float32");
  const maps = transposed ? b.transpose(floats, [0, 3, 1, 2]) : floats;
  const conv = b.apply("Conv", [maps, weight(b, "conv/kernel", [8, 3, 3, 3]), weight(b, "conv/bias", [8])], {}, "conv");
  const pool = b.apply("GlobalAveragePool", [b.apply("Relu", [conv], {}, "relu")], {}, "pool");
  const flat =
    reshape === undefined
      ? b.apply("Flatten", [pool], {}, "flat")
      : b.apply("Reshape", [pool, b.ints(reshape)], {}, "flat");
  return b.graph([b.apply("Gemm", [flat, weight(b, "fc/kernel", [8, 5])], {}, "y")]);
}

describe("onnxBase", () => {
  it("finds the picture, its layout and size, and the features", () => {
    const base = onnxBase(model({ shape: ["N", 3, 20, 24] }));
    expect(base).toMatchObject({ layout: "channels_first", height: 20, width: 24, features: 8, takesBytes: false });
    expect(base.graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([["x", ["N", 3, 20, 24]]]);
    expect(base.graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([["flat", ["N", 8]]]);
    const last = onnxBase(model({ shape: ["N", 20, 24, 3], transposed: true }));
    expect(last).toMatchObject({ layout: "channels_last", height: 20, width: 24, features: 8 });
  });

  it("takes open sizes as 224 or as asked, and tells the layout by what reads the picture", () => {
    const base = onnxBase(model({ shape: ["batch", "channels", "height", "width"] }));
    expect(base).toMatchObject({ layout: "channels_first", height: 224, width: 224 });
    const last = onnxBase(model({ shape: [null, null, null, null], transposed: true }), { imageSize: 32 });
    expect(last).toMatchObject({ layout: "channels_last", height: 32, width: 32 });
  });

  it("gives a model that ends in global pooling another size, and says why another takes none", () => {
    expect(onnxBase(model({ shape: ["N", 3, 20, 20] }), { imageSize: 40 })).toMatchObject({ height: 40, features: 8 });
    const b = newBuilder();
    const x = b.input("x", "float32", ["N", 3, 4, 4]);
    const flat = b.apply("Flatten", [x], {}, "flat");
    const fixed = b.graph([b.apply("Gemm", [flat, weight(b, "k", [48, 5])], {}, "y")]);
    expect(() => onnxBase(fixed, { imageSize: 8 })).toThrow(/does not take pictures of 8×8/);
    expect(onnxBase(fixed)).toMatchObject({ features: 48 });
  });

  it("opens a batch that was exported as a number, and computes the same", async () => {
    const base = onnxBase(model({ shape: [1, 3, 12, 12], reshape: [1, -1] }));
    expect(base.graph.inputs[0]?.shape).toEqual(["N", 3, 12, 12]);
    const pictures = randomTensor(next, "float32", [3, 3, 12, 12]);
    const features = (await runGraph(base.graph, { x: pictures })).get("flat");
    const first = (
      await runGraph(base.graph, { x: float32([1, 3, 12, 12], (pictures.data as Float32Array).slice(0, 432)) })
    ).get("flat");
    expect(features?.shape).toEqual([3, 8]);
    expect(Array.from(features?.data.slice(0, 8) as Float32Array)).toEqual(Array.from(first?.data as Float32Array));
  });

  it("repeats for each picture a token that was exported for one", async () => {
    const b = newBuilder();
    const x = b.input("x", "float32", [1, 3, 4, 4]);
    const rows = b.transpose(b.apply("Reshape", [x, b.ints([1, 3, 16])]), [0, 2, 1]);
    const all = b.concat([weight(b, "token", [1, 1, 3]), rows], 1);
    const base = onnxBase(b.graph([b.apply("Identity", [all], {}, "last_hidden_state")]));
    const features = (await runGraph(base.graph, { x: randomTensor(next, "float32", [2, 3, 4, 4]) })).get(
      base.graph.outputs[0]?.name ?? "",
    );
    expect(features?.shape).toEqual([2, 3]);
    expect(Array.from(features?.data.slice(0, 3) as Float32Array)).toEqual(
      Array.from(features?.data.slice(3) as Float32Array),
    );
  });

  it("refuses a model that cannot take several pictures", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", [1, 3, 4, 4]);
    const fixed = b.add(b.apply("Reshape", [x, b.ints([48])]), weight(b, "k", [48]));
    const graph = b.graph([b.apply("Reshape", [fixed, b.ints([1, 48])], {}, "y")]);
    expect(() => onnxBase(graph)).toThrow(/fixed number of pictures/);
  });

  it("takes bytes and halves as float32 numbers", async () => {
    const base = onnxBase(model({ shape: ["N", 3, 8, 8], dtype: "uint8" }));
    expect(base.takesBytes).toBe(true);
    expect(base.graph.inputs[0]).toMatchObject({ name: "x", dtype: "float32" });
    const pixels = tensorOf(
      "float32",
      [1, 3, 8, 8],
      Array.from({ length: 192 }, (_, index) => index),
    );
    const features = (await runGraph(base.graph, { x: pixels })).get("flat");
    expect(features?.shape).toEqual([1, 8]);
    expect(onnxBase(model({ shape: ["N", 3, 8, 8], dtype: "float16" })).graph.inputs[0]?.dtype).toBe("float32");
  });

  it("takes the class token of a transformer's tokens, and leaves a grid of tokens alone", () => {
    const tokens = (count: number) => {
      const b = newBuilder();
      const x = b.input("x", "float32", ["N", 3, 8, 8]);
      const patches = b.apply("Conv", [x, weight(b, "patch", [6, 3, 4, 4])], { strides: [4, 4] }, "patches");
      const rows = b.transpose(b.apply("Reshape", [patches, b.ints([0, 6, 4])]), [0, 2, 1]);
      const extra = b.slice(rows, [0], [count - 4], [1]);
      const all = count > 4 ? b.concat([extra, rows], 1) : rows;
      return b.graph([b.apply("Identity", [all], {}, "last_hidden_state")]);
    };
    expect(onnxBase(tokens(5))).toMatchObject({ features: 6 });
    expect(onnxBase(tokens(5)).graph.outputs[0]?.shape).toEqual(["N", 6]);
    expect(onnxBase(tokens(4)).graph.outputs[0]?.shape).toEqual(["N", 4, 6]);
  });

  it("names what goes in where it is no picture, or more than one", () => {
    const b = newBuilder();
    const x = b.input("tokens", "int64", ["N", 16]);
    expect(() => onnxBase(b.graph([b.cast(x, "float32")]))).toThrow(/takes no picture.*tokens int64\[N, 16\]/);
    const two = newBuilder();
    const [p, q] = ["p", "q"].map((name) => two.input(name, "float32", ["N", 3, 8, 8]));
    if (p === undefined || q === undefined) throw new Error("no inputs");
    expect(() => onnxBase(two.graph([two.add(p, q)]))).toThrow(/several pictures/);
    const third = newBuilder();
    const picture = third.input("picture", "float32", ["N", 3, 8, 8]);
    const mask = third.input("mask", "float32", ["N", 1, 1, 1]);
    expect(() => onnxBase(third.graph([third.mul(picture, mask)]))).toThrow(/more than the picture.*mask/);
  });

  it("groups nodes into layers under the names their weights share", () => {
    const { layers } = onnxBase(model({ shape: ["N", 3, 8, 8] }));
    expect(layers.map(({ name, className, inputs }) => [name, className, inputs])).toEqual([
      ["conv", "Conv", ["x"]],
      ["relu", "Relu", ["conv"]],
      ["pool", "GlobalAveragePool", ["relu"]],
      ["flat", "Flatten", ["pool"]],
    ]);
    expect(layers[0]?.weights).toEqual([
      { name: "conv/kernel", isTrainable: true },
      { name: "conv/bias", isTrainable: true },
    ]);
    expect(layers[0]?.outputShape).toEqual([null, 6, 6, 8]);
  });
});

describe("fineTuningPoints", () => {
  it("lists what every path passes, and what can be trained after it", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", ["N", 3, 8, 8]);
    const stem = b.apply("Conv", [x, weight(b, "stem/kernel", [4, 3, 3, 3])], { pads: [1, 1, 1, 1] }, "stem");
    const inner = b.apply("Conv", [stem, weight(b, "inner/kernel", [4, 4, 1, 1])], {}, "inner");
    const sum = b.apply("Add", [stem, b.apply("Relu", [inner], {}, "bent")], {}, "sum");
    const last = b.apply("Conv", [sum, weight(b, "last/kernel", [2, 4, 1, 1])], {}, "last");
    const graph = b.graph([b.apply("Flatten", [b.apply("GlobalAveragePool", [last], {}, "pool")], {}, "features")]);
    const points = fineTuningPoints(onnxBase(graph));
    expect(points.map(({ value, trainable }) => [value, trainable])).toEqual([
      ["x", ["stem/kernel", "inner/kernel", "last/kernel"]],
      ["stem", ["inner/kernel", "last/kernel"]],
      ["sum", ["last/kernel"]],
      ["last", []],
      ["pool", []],
      ["features", []],
    ]);
    expect(points.filter(({ isBlockEnd }) => isBlockEnd).map(({ value }) => value)).toEqual(["x", "stem", "sum"]);
  });
});
