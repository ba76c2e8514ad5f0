import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Graph } from "../graph/index.ts";
import { type DType, GraftError, isFloating, numbersOf, type Tensor, tensorOf } from "../tensor/index.ts";
import { runGraph } from "../testing/index.ts";
import { Config, type Json } from "./config.ts";
import { type LayerOutput, Network } from "./network.ts";
import type { WeightSpec } from "./weights.ts";

interface Case {
  readonly title: string;
  readonly kerasVersion: number;
  readonly seed: number;
  readonly inputs: readonly { shape: number[]; dtype: DType; scale?: number; limit?: number }[];
  readonly layers: readonly {
    className: string;
    config: { [key: string]: Json };
    /** It gives the next layer a second input. */
    aside?: boolean;
    /** It takes its input twice. */
    twice?: boolean;
    weights: readonly { name: string; shape: number[]; trainable: boolean; holder?: string[] }[];
  }[];
  readonly call?: { [key: string]: Json };
  readonly named?: { [key: string]: number };
  readonly outputs: readonly { shape: number[]; dtype: string; data: string }[];
}

/** What the committed script beside them wrote. */
function casesOf(version: number): readonly Case[] {
  const file = new URL(`../../tests/fixtures/layers/keras${version}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}

/** The numbers in [-1, 1) that the script makes of a seed. */
function numbers(seed: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => {
    let hash = (Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca77)) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b) >>> 0;
    return ((hash ^ (hash >>> 16)) >>> 16) / 32768 - 1;
  });
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function inputOf({ shape, dtype, scale = 1, limit }: Case["inputs"][number], seed: number): Tensor {
  const values = numbers(seed, countOf(shape));
  const own =
    limit === undefined
      ? values.map((x) => x * Math.fround(scale))
      : values.map((x) => Math.floor(((x + 1) / 2) * limit));
  return tensorOf(dtype as "float32", shape, [...own]);
}

function weightOf({ name, shape }: { name: string; shape: readonly number[] }, seed: number): Float32Array {
  const values = numbers(seed, countOf(shape));
  if (name.includes("variance")) return values.map((x) => Math.fround(Math.abs(x) + 0.5));
  return name.includes("count") ? values.fill(7) : values;
}

/**
 * Builds the case's layers in a network that hands out the weights in order, and checks what is asked. `sizes`: what is
 * known of an input's sizes.
 */
function built(each: Case, sizes = (shape: readonly number[]): (number | null)[] => [null, ...shape.slice(1)]) {
  const expected = each.layers.flatMap(({ weights }) => weights);
  let asked = 0;
  const weights = (spec: WeightSpec): Float32Array => {
    const weight = expected[asked];
    if (weight === undefined) throw new Error(`one weight too many: ${spec.weight}`);
    expect(spec.weight.split("/").at(-1), "the weight's name").toBe(weight.name);
    expect(spec.shape, `the shape of ${spec.weight}`).toEqual(weight.shape);
    expect(spec.isTrainable, `whether ${spec.weight} is trained`).toBe(weight.trainable);
    if (weight.holder !== undefined) expect(spec.holder, `the holder of ${spec.weight}`).toEqual(weight.holder);
    return weightOf(weight, each.seed + 100 + asked++);
  };
  const net = new Network({ weights, kerasVersion: each.kerasVersion });
  const inputs = each.inputs.map(({ shape, dtype }, index) => net.input(`input_${index}`, sizes(shape), dtype));
  const used = new Set(Object.values(each.named ?? {}));
  let values: readonly LayerOutput[] = inputs.filter((_, index) => !used.has(index));
  for (const [index, { className, config, aside, twice }] of each.layers.entries()) {
    const isLast = index === each.layers.length - 1;
    const named = Object.entries(isLast ? (each.named ?? {}) : {}).map(
      ([name, at]): [string, readonly LayerOutput[]] => [name, inputs.slice(at, at + 1)],
    );
    const { training, ...rest } = (isLast ? each.call : undefined) ?? {};
    const given = twice === true ? [...values, ...values] : values;
    const results = net.call({ className, name: `layer_${index}`, config }, given, {
      ...(training === true ? { training } : {}),
      named: new Map(named),
      config: new Config(rest),
    });
    values = aside === true ? [...values, ...results] : results;
  }
  expect(asked, "as many weights as Keras has").toBe(expected.length);
  return net.graph(values, "case").graph;
}

function storedNumbers(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}

function deviation(actual: readonly number[] | Float32Array, expected: Float32Array): number {
  return expected.reduce(
    (most, value, index) =>
      Math.max(most, Math.abs((actual[index] ?? Number.NaN) - value) / Math.max(1, Math.abs(value))),
    0,
  );
}

/** Runs the case's graph and compares what comes out with what came out of Keras. */
async function judge(graph: Graph, { inputs, seed, outputs }: Case): Promise<void> {
  const feeds = inputs.map((input, index): [string, Tensor] => [`input_${index}`, inputOf(input, seed + index)]);
  const results = [...(await runGraph(graph, new Map(feeds))).values()];
  expect(results.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
  for (const [index, output] of outputs.entries()) {
    const result = results[index];
    if (result === undefined || result.dtype === "string") throw new Error("no numbers came out");
    expect(isFloating(result.dtype), `whether output ${index} is floating-point`).toBe(
      output.dtype.startsWith("float"),
    );
    expect(deviation(numbersOf(result), storedNumbers(output.data)), `output ${index}`).toBeLessThan(1e-5);
  }
}

describe.each([3, 2])("layers of Keras %i", (version) => {
  it.each(casesOf(version).map((each) => [each.title, each] as const))("%s", async (_, each) => {
    await judge(built(each), each);
  });
});

/** What is refused where sizes are open, because something is decided by them while the graph is built. */
const needsSizes = /must be known|of a known (size|length)/;

describe("layers that are not told sizes and lengths", () => {
  const cases = casesOf(3).filter(({ inputs }) => inputs.some(({ shape }) => shape.length >= 3));
  const open = (shape: readonly number[]) => [...shape.map(() => null).slice(1), ...shape.slice(-1)];
  it("give what they give otherwise, or say that they need them", async () => {
    let refused = 0;
    for (const each of cases) {
      const graph = builtOrRefused(each, open);
      if (graph === undefined) refused++;
      // In Keras a picture of open size is cut, not made larger.
      else if (each.title !== "CenterCrop of a smaller picture") await judge(graph, each);
    }
    expect(refused).toBeLessThan(cases.length / 6);
  });
});

function builtOrRefused(each: Case, sizes: (shape: readonly number[]) => (number | null)[]): Graph | undefined {
  try {
    return built(each, sizes);
  } catch (error) {
    if (error instanceof GraftError && needsSizes.test(error.message)) return undefined;
    throw error;
  }
}
