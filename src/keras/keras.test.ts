import { describe, expect, it } from "vitest";
import type { LayeredGraph } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, type NumericTensor, numbersOf } from "../tensor/index.ts";
import { randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { composeModel } from "./compose.ts";
import { nodeEngine } from "./engine-node.ts";
import { attachHead, BaseModel, installEngine, layers, type Model, sequential } from "./index.ts";

installEngine(nodeEngine());

const range = {
  name: "[-1, 1]",
  channels: "rgb" as const,
  scale: [1 / 127.5, 1 / 127.5, 1 / 127.5] as const,
  offset: [-1, -1, -1] as const,
};

/** A base `[N, 3, 4, 4]` → conv → batch norm → map `[N, 5, 4, 4]`, as the rooms of bases make them. */
function smallBase(sizes: readonly (number | string)[] = [4, 4]): LayeredGraph {
  const b = newBuilder();
  const random = randomNumbers(2);
  const weight = (name: string, ...shape: number[]) => {
    const value = { name, dtype: "float32" as const, shape };
    const drawn = randomTensor(random, "float32", shape) as NumericTensor;
    const tensor = name.endsWith("variance") ? float32(shape, Float32Array.from(numbersOf(drawn), Math.abs)) : drawn;
    b.adoptConstant(value, tensor);
    return value;
  };
  const x = b.input("input", "float32", ["N", 3, ...sizes]);
  const conv = b.apply("Conv", [x, weight("conv/kernel", 5, 3, 1, 1)], {}, "conv");
  const names = ["gamma", "beta", "moving_mean", "moving_variance"].map((each) => `norm/${each}`);
  const norm = b.apply(
    "BatchNormalization",
    [conv, ...names.map((name) => weight(name, 5))],
    { momentum: 0.9 },
    "norm",
  );
  const outputShape = [null, ...sizes.map((size) => (typeof size === "number" ? size : null)), 5];
  return {
    graph: b.graph([norm], "small"),
    layers: [
      {
        name: "input",
        className: "InputLayer",
        inputs: [],
        output: "input",
        outputShape: undefined,
        values: [],
        weights: [],
      },
      {
        name: "conv",
        className: "Conv2D",
        inputs: ["input"],
        output: "conv",
        outputShape,
        values: ["conv"],
        weights: [{ name: "conv/kernel", isTrainable: true }],
      },
      {
        name: "norm",
        className: "BatchNormalization",
        inputs: ["conv"],
        output: "norm",
        outputShape,
        values: ["norm"],
        weights: names.map((name) => ({ name, isTrainable: !name.includes("moving_") })),
      },
    ],
  };
}

const pixels = Float32Array.from({ length: 2 * 4 * 4 * 3 }, (_, index) => (index * 37) % 256);
const nodesOf = (model: Model) => [...composeModel(model, "uint8").trainingNodes];

describe("a base in a model", () => {
  it("computes what its graph computes, of maps with channels first", async () => {
    const base = smallBase();
    const model = sequential([new BaseModel(base), layers.flatten()]);
    const rows = await model.predict(pixels);
    // [2, 4, 4, 3] → [2, 3, 4, 4]
    const first = Float32Array.from(pixels, (_, at) => {
      const [n, c, place] = [Math.floor(at / 48), Math.floor(at / 16) % 3, at % 16];
      return pixels[n * 48 + place * 3 + c] ?? Number.NaN;
    });
    const outputs = await runGraph(base.graph, { input: float32([2, 3, 4, 4], first) });
    const wanted = numbersOf(outputs.get("norm") ?? expect.fail("no output"));
    rows.forEach((row, n) => {
      row.forEach((value, at) => {
        expect(value).toBeCloseTo(wanted[n * 80 + (at % 5) * 16 + Math.floor(at / 5)] ?? Number.NaN, 4);
      });
    });
    expect(rows.map((row) => row.length)).toEqual([80, 80]);
  });

  it("keeps its batch norms to their moving statistics where frozen or called with training: false", () => {
    const base = new BaseModel(smallBase());
    const head = () => [layers.flatten(), layers.dropout({ rate: 0.1, name: "drop" })];
    expect(nodesOf(sequential([base, ...head()]))).toEqual(["norm", "drop"]);
    expect(nodesOf(sequential([base.call({ training: false }), ...head()]))).toEqual(["drop"]);
    base.trainable = false;
    expect(nodesOf(sequential([base, ...head()]))).toEqual(["drop"]);
    base.trainable = true;
    base.getLayer("norm").trainable = false;
    expect(nodesOf(sequential([base, ...head()]))).toEqual(["drop"]);
    const inner = sequential([layers.inputLayer({ shape: [4, 4, 3] }), layers.dropout({ rate: 0.5 })]);
    expect(nodesOf(sequential([inner.call({ training: false }), ...head()]))).toEqual(["drop"]);
  });

  it("shares its variables with every model that holds it", () => {
    const base = new BaseModel(smallBase());
    const [one, other] = [sequential([base, layers.flatten()]), sequential([base, layers.globalMaxPooling2d()])];
    const kernel = base.weights[0] ?? expect.fail("no kernel");
    kernel.assign(float32(kernel.shape, new Float32Array(kernel.size).fill(3)));
    for (const model of [one, other]) {
      const { graph, names } = composeModel(model, "float32");
      const initializer = [...graph.initializers].find(([{ name }]) => name === names.get(kernel));
      expect(initializer?.[1].data[0]).toBe(3);
    }
    base.trainable = false;
    expect(one.trainableVariables).toEqual([]);
  });

  it("may stand beside another with the same names", async () => {
    const model = sequential([
      new BaseModel(smallBase(), { name: "first" }),
      layers.dense({ units: 3 }),
      new BaseModel(smallBase(), { name: "second" }),
      layers.globalAveragePooling2d(),
    ]);
    const { names } = composeModel(model, "float32");
    expect(new Set(names.values()).size).toBe(model.weights.length);
    expect((await model.predict(pixels)).length).toBe(2);
  });

  it("takes any size where its own is open, and says which it cannot take", () => {
    const open = new BaseModel(smallBase(["H", "W"]));
    const model = sequential([
      layers.inputLayer({ shape: [6, 7, 3] }),
      open,
      layers.flatten(),
      layers.dense({ units: 2 }),
    ]);
    expect(model.summary({ print: false })).toContain("(None, 210)");
    expect(() => sequential([layers.inputLayer({ shape: [6, 7, 3] }), new BaseModel(smallBase())])).toThrow(
      /the base takes another shape; expected \(None, 4, 4, 3\), found \(None, 6, 7, 3\)/,
    );
    expect(() => open.recipe).toThrow(/how large its pictures are/);
  });
});

describe("a base that takes channels last", () => {
  it("gets them last, and its map goes on with them first", async () => {
    const b = newBuilder();
    const x = b.input("input", "float32", ["N", 4, 4, 3]);
    const doubled = b.apply("Mul", [x, b.constant(float32([3], Float32Array.of(1, 2, 3)))], {}, "map");
    const model = sequential([
      new BaseModel({
        ...{ graph: b.graph([doubled]), layers: [], name: "last", layout: "channels_last" as const, features: 3 },
        ...{ range: undefined, remarks: [], provenance: { source: "test", digest: "0", license: undefined } },
        recipe: { height: 4, width: 4, method: "antialias" as const, aspect: "crop" as const },
      }),
      layers.globalAveragePooling2d(),
    ]);
    expect(model.summary({ print: false })).toContain("(None, 4, 4, 3)");
    expect(model.recipe).toEqual({ height: 4, width: 4, method: "antialias", aspect: "crop" });
    const [row] = await model.predict(pixels.slice(0, 48));
    [1, 2, 3].forEach((factor, channel) => {
      const values = [...pixels.slice(0, 48)].filter((_, at) => at % 3 === channel);
      expect(row?.[channel]).toBeCloseTo((factor * values.reduce((sum, value) => sum + value, 0)) / 16, 3);
    });
  });
});

describe("attachHead", () => {
  it("gives logits of pixels: range, base in inference mode, pooling, dropout, two layers", async () => {
    const base = new BaseModel(smallBase(), { range });
    const model = attachHead(base, { classes: 3, dropout: 0.2, hidden: 7, name: "kinds", seed: 4 });
    expect(model.layers.map(({ name, className }) => `${name} ${className}`)).toEqual([
      "rescaling Rescaling",
      "small Functional",
      "pooling GlobalAveragePooling2D",
      "dropout Dropout",
      "hidden Dense",
      "kinds Dense",
    ]);
    expect(nodesOf(model)).toEqual(["dropout"]);
    base.trainable = false;
    expect(model.trainableVariables.map(({ path }) => path)).toEqual([
      "hidden/kernel",
      "hidden/bias",
      "kinds/kernel",
      "kinds/bias",
    ]);
    expect((await model.predict(pixels)).map((row) => row.length)).toEqual([3, 3]);
  });

  it("draws the same head from the same seed, and another from another", () => {
    const kernel = (seed: number) =>
      attachHead(new BaseModel(smallBase(), { range }), { classes: 2, seed }).getLayer("logits").weights[0]?.value.data;
    expect(kernel(1)).toEqual(kernel(1));
    expect(kernel(1)).not.toEqual(kernel(2));
    // Glorot uniform: within ±√(6 / (5 + 2)).
    expect(Math.max(...Array.from(kernel(1) as Float32Array, Math.abs))).toBeLessThanOrEqual(Math.sqrt(6 / 7));
  });

  it("asks for the range where nobody said it", () => {
    expect(() => attachHead(smallBase(), { classes: 2 })).toThrow(/which values the base takes/);
  });

  it("brings channels into the base's order", async () => {
    const bgr = { ...range, channels: "bgr" as const, scale: [1, 1, 1] as const, offset: [1, 2, 3] as const };
    const model = sequential([layers.inputLayer({ shape: [1, 1, 3] }), layers.rescaling(bgr), layers.flatten()]);
    expect(await model.predict(Uint8Array.of(10, 20, 30))).toEqual([Float32Array.of(31, 22, 13)]);
  });
});

describe("what is refused", () => {
  const image = () => layers.inputLayer({ shape: [4, 4, 3] });
  it.each<[string, () => unknown, RegExp]>([
    ["a rate of 1", () => layers.dropout({ rate: 1 }), /the rate lies outside its range/],
    ["half a unit", () => layers.dense({ units: 0.5 }), /units is a positive whole number/],
    ["an unknown activation", () => layers.activation("nope" as "relu"), /no activation "nope".*one of linear, relu/],
    [
      "an unknown initializer",
      () => sequential([image(), layers.dense({ units: 1, kernelInitializer: "nope_normal" as "zeros" })]),
      /no initializer "nope_normal"/,
    ],
    ["pooling of rows", () => sequential([image(), layers.flatten(), layers.globalAveragePooling2d()]), /another rank/],
    [
      "two layers of one name",
      () => sequential([layers.flatten({ name: "a" }), layers.flatten({ name: "a" })]),
      /different names/,
    ],
    ["an input layer in the middle", () => sequential([layers.flatten(), image()]), /stands first/],
    ["another axis", () => layers.batchNormalization({ axis: 1 as -1 }), /only the last axis/],
    ["a layer that is not there", () => sequential([image()]).getLayer("x"), /no layer "x"/],
    [
      "a size that does not fit",
      () =>
        sequential([image(), layers.dense({ units: 2, name: "d" })]).weights[0]?.assign(
          float32([1], Float32Array.of(1)),
        ),
      /keeps its type and shape/,
    ],
    [
      "lines too short for a table",
      () => sequential([image(), layers.flatten()]).summary({ lineLength: 12, print: false }),
      /too short/,
    ],
  ])("%s", (_what, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "usage", message: expect.stringMatching(message) }));
  });

  it("pixels that do not fill whole pictures", async () => {
    await expect(sequential([image(), layers.flatten()]).predict(new Uint8Array(7))).rejects.toThrow(/whole examples/);
  });

  it("a model that does not know its input", async () => {
    await expect(sequential([layers.dense({ units: 2 })]).predict(new Uint8Array(7))).rejects.toThrow(/what goes in/);
  });
});

describe("first values", () => {
  it.each([
    ["glorot_uniform", 2 / 500],
    ["glorot_normal", 2 / 500],
    ["he_uniform", 2 / 300],
    ["he_normal", 2 / 300],
    ["lecun_uniform", 1 / 300],
    ["lecun_normal", 1 / 300],
  ] as const)("%s has Keras's variance", (kernelInitializer, variance) => {
    const model = sequential([layers.inputLayer({ shape: [300] }), layers.dense({ units: 200, kernelInitializer })]);
    const values = model.weights[0]?.value.data as Float32Array;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // 60,000 draws: the variance is known within 2 %.
    expect(Math.abs(spread / variance - 1)).toBeLessThan(0.02);
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(variance / values.length));
  });
});
