import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Graph, verify } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, numbersOf, randomNumbers, type Tensor, tensorOf } from "../tensor/index.ts";
import type { Base, ValueRange } from "./base.ts";
import { classifierGraph, headlessGraph, logitsGraph, withProbabilities, withWeights } from "./classifierGraph.ts";

const minusOneToOne: ValueRange = {
  name: "[-1, 1]",
  channels: "rgb",
  scale: [1 / 127.5, 1 / 127.5, 1 / 127.5],
  offset: [-1, -1, -1],
};

interface Form {
  readonly layout?: Base["layout"];
  readonly range?: ValueRange | undefined;
  /** The names of the base's input, inner value and output. */
  readonly names?: readonly [string, string, string];
  readonly dtype?: "float32" | "float16";
}

/** A base whose map is its pictures, doubled: what goes into it can be read off what comes out. */
function doublingBase({
  layout = "channels_first",
  range = minusOneToOne,
  names = ["x", "inner", "map"],
  dtype = "float32",
}: Form = {}): Base {
  const build = newBuilder();
  const x = build.input(names[0], dtype, layout === "channels_first" ? ["N", 3, 2, 2] : ["N", 2, 2, 3]);
  const inner = build.apply("Mul", [x, build.constant(tensorOf(dtype, [1], [2]), "factor")], {}, names[1]);
  const map = build.apply("Identity", [inner], {}, names[2]);
  return {
    graph: verify(build.graph([map])),
    layers: [],
    name: "doubling",
    layout,
    recipe: { height: 2, width: 2, method: "bilinear", aspect: "stretch" },
    range,
    features: 3,
    provenance: { source: "test", digest: "0", license: undefined },
    remarks: [],
  };
}

async function run(graph: Graph, image: Tensor): Promise<ReadonlyMap<string, number[]>> {
  const runtime = await nodeRuntime({ threads: 1 });
  const executable = await runtime.compile(writeModel(onnxModelOf(graph)));
  const outputs = await executable.run({ image });
  await executable.dispose();
  return new Map([...outputs].map(([name, tensor]) => [name, numbersOf(tensor)]));
}

/** One picture whose four pixels have these mean red, green and blue. */
const picture = tensorOf("uint8", [1, 2, 2, 3], [0, 10, 200, 20, 30, 220, 40, 50, 240, 60, 70, 255]);
const means = [30, 40, 228.75];
const head = { kernel: new Float32Array([1, 0, 0, 1, 0.5, -0.5]), bias: new Float32Array([0.25, -0.25]) };

describe("headlessGraph", () => {
  it.each(["channels_first", "channels_last"] as const)(
    "gives the mean over the map of a base with %s",
    async (layout) => {
      const features = (await run(headlessGraph(doublingBase({ layout })), picture)).get("features") ?? [];
      expect(features).toHaveLength(3);
      for (const [channel, mean] of means.entries()) expect(features[channel]).toBeCloseTo(2 * (mean / 127.5 - 1), 5);
    },
  );

  it("takes the same pixels as float32 when asked", async () => {
    const graph = headlessGraph(doublingBase(), { pixels: "float32" });
    const same = tensorOf("float32", picture.shape, numbersOf(picture));
    expect(await run(graph, same)).toEqual(await run(headlessGraph(doublingBase()), picture));
  });

  it("puts channels in order and scales each by its own numbers", async () => {
    const range: ValueRange = { name: "caffe", channels: "bgr", scale: [1, 2, 3], offset: [-100, 0, 5] };
    const features = (await run(headlessGraph(doublingBase({ range })), picture)).get("features") ?? [];
    const [red = 0, green = 0, blue = 0] = means;
    for (const [channel, value] of [blue - 100, 2 * green, 3 * red + 5].entries()) {
      expect(features[channel]).toBeCloseTo(2 * value, 3);
    }
  });

  it("feeds a base of float16 in its own type and gives float32", async () => {
    const features = (await run(headlessGraph(doublingBase({ dtype: "float16" })), picture)).get("features") ?? [];
    for (const [channel, mean] of means.entries()) expect(features[channel]).toBeCloseTo(2 * (mean / 127.5 - 1), 2);
  });

  it("refuses a base of which nobody knows the range", () => {
    const base: Base = { ...doublingBase(), range: undefined };
    expect(() => headlessGraph(base)).toThrow(/doubling: nobody said which values/);
  });

  it("names the output that is not the features promised", () => {
    expect(() => headlessGraph({ ...doublingBase(), features: 4 })).toThrow(/an axis of 4, found \[N, 3, 2, 2\]/);
  });
});

describe("classifierGraph", () => {
  it("gives logits before the temperature and their softmax after it", async () => {
    const outputs = await run(classifierGraph(doublingBase(), head, { temperature: 2 }), picture);
    const [r = 0, g = 0, b = 0] = means.map((mean) => 2 * (mean / 127.5 - 1));
    const expected = [r + 0.5 * b + 0.25, g - 0.5 * b - 0.25];
    const logits = outputs.get("logits") ?? [];
    for (const [place, value] of expected.entries()) expect(logits[place]).toBeCloseTo(value, 5);
    const [first = 0, second = 0] = outputs.get("probabilities") ?? [];
    expect(first).toBeCloseTo(1 / (1 + Math.exp(((logits[1] ?? 0) - (logits[0] ?? 0)) / 2)), 5);
    expect(first + second).toBeCloseTo(1, 6);
  });

  it.each([
    [["image", "logits", "probabilities"]],
    [["x", "image", "features"]],
    [["features", "logits/kernel", "logits"]],
  ] as const)("keeps its interface whatever the base calls its values: %s", async (names) => {
    const graph = classifierGraph(doublingBase({ names }), head);
    expect(graph.inputs.map(({ name }) => name)).toEqual(["image"]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(["probabilities", "logits"]);
    expect([...(await run(graph, picture)).values()].flat()).toEqual(
      [...(await run(classifierGraph(doublingBase(), head), picture)).values()].flat(),
    );
  });

  it("keeps the names of the base's weights and tells those of the head", () => {
    const { graph, headWeights } = logitsGraph(doublingBase(), head);
    expect(headWeights).toEqual(["logits/kernel", "logits/bias"]);
    expect([...graph.initializers.keys()].map(({ name }) => name)).toContain("factor");
  });

  it("takes a head of any form", async () => {
    const { graph, headWeights } = logitsGraph(doublingBase(), (build, features) =>
      build.matMul(
        build.apply("Relu", [features]),
        build.constant(float32([3, 2], new Float32Array(6).fill(1)), "own"),
      ),
    );
    expect(headWeights).toEqual(["own"]);
    const [first = 0] = (await run(graph, picture)).get("logits") ?? [];
    expect(first).toBeCloseTo(2 * (228.75 / 127.5 - 1), 5);
  });

  it("refuses a head of another width", () => {
    const narrow = { kernel: new Float32Array(4), bias: new Float32Array(2) };
    expect(() => logitsGraph(doublingBase(), narrow)).toThrow(/a kernel of 3 × classes.*found 4 and 2 numbers/);
  });

  it("refuses a temperature of nothing", () => {
    expect(() => classifierGraph(doublingBase(), head, { temperature: 0 })).toThrow(GraftError);
    expect(() => withProbabilities({ ...doublingBase().graph, outputs: [] })).toThrow(/one output/);
  });

  it("transforms features as the head asks, whatever their sign", async () => {
    const runtime = await nodeRuntime({ threads: 1 });
    const identity = { kernel: new Float32Array([1, 0, 0, 0, 1, 0, 0, 0, 1]), bias: new Float32Array(3) };
    const [roots, unit] = await Promise.all(
      (["sqrt", "l2"] as const).map(async (transform) => {
        const { graph } = logitsGraph(doublingBase(), { ...identity, transform });
        return await runtime.compile(writeModel(onnxModelOf(graph)));
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = randomNumbers(seed);
        const image = tensorOf(
          "uint8",
          [1, 2, 2, 3],
          Array.from({ length: 12 }, () => Math.floor(random() * 256)),
        );
        const features = (await run(headlessGraph(doublingBase()), image)).get("features") ?? [];
        const length = Math.max(Math.hypot(...features), 1e-12);
        const rooted = numbersOf((await roots?.run({ image }))?.get("logits") ?? image);
        const scaled = numbersOf((await unit?.run({ image }))?.get("logits") ?? image);
        for (const [place, value] of features.entries()) {
          expect(rooted[place]).toBeCloseTo(Math.sign(value) * Math.sqrt(Math.abs(value)), 3);
          expect(scaled[place]).toBeCloseTo(value / length, 4);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe("withWeights", () => {
  it("puts trained weights in their places and leaves the others", async () => {
    const graph = classifierGraph(doublingBase(), head);
    const trained = withWeights(graph, new Map([["logits/bias", float32([2], new Float32Array([9, 9]))]]));
    const [before, after] = [await run(graph, picture), await run(trained, picture)];
    expect(after.get("logits")?.[0]).toBeCloseTo((before.get("logits")?.[0] ?? 0) + 8.75, 5);
  });

  it("refuses a weight that has no place, or does not fit it", () => {
    const graph = classifierGraph(doublingBase(), head);
    const two = float32([2], new Float32Array(2));
    expect(() => withWeights(graph, new Map([["nothing", two]]))).toThrow(/no initializer "nothing"/);
    expect(() => withWeights(graph, new Map([["logits/kernel", two]]))).toThrow(/float32\[3, 2\], found float32\[2\]/);
  });
});
