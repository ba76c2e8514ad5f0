/**
 * @file Builds every keras.applications model of ../shared/conformance/applications, or of the folders named in
 * GRAFT_APPLICATIONS, and compares layers, weights, parameter counts and outputs with Keras's.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type Family, families, weightSpecsOf } from "../../src/applications/index.ts";
import type { WeightSource, WeightSpec } from "../../src/layers/index.ts";
import { elementCount, float32, type NumericTensor, numbersOf } from "../../src/tensor/index.ts";
import { runGraph } from "../../src/testing/index.ts";

interface Case {
  readonly model: string;
  readonly arguments: {
    readonly input_shape?: [number, number, number];
    readonly include_top?: boolean;
    readonly alpha?: number;
    readonly pooling?: "avg" | "max" | null;
    readonly classes?: number;
    readonly classifier_activation?: "softmax" | null;
  };
  readonly input_shape: readonly [number, number, number];
  readonly parameters: { readonly trainable: number; readonly non_trainable: number };
  readonly weights: readonly (readonly [layer: string, weight: string, shape: readonly number[]])[];
  readonly layer_names: readonly string[];
  readonly preprocessed: readonly number[];
  readonly output_shape: readonly number[];
  readonly output: readonly number[];
  readonly output_mean: number;
  readonly output_std: number;
}

const shared = resolve(import.meta.dirname, "../../../shared/conformance/applications");
const own = resolve(import.meta.dirname, "../fixtures/applications");
const folders = process.env["GRAFT_APPLICATIONS"]?.split(delimiter).filter(Boolean) ?? [shared, own];

/** Numbers in [-1, 1) from a position and an index: the cases' own formula, so that no weight file is needed. */
function unit(stream: number, index: number): number {
  let hash = (Math.imul(index, 2654435761) + Math.imul(stream, 2246822519) + 374761393) >>> 0;
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822519);
  hash ^= hash >>> 13;
  return (2 * (hash >>> 0)) / 2 ** 32 - 1;
}

function formulaWeights(): WeightSource {
  let position = 0;
  return ({ layer, weight, shape }: WeightSpec) => {
    const stream = position++;
    const isDepthwise = weight.includes("depthwise") || layer.endsWith("depthwise");
    const fanIn = isDepthwise ? elementCount(shape.slice(0, 2)) : elementCount(shape.slice(0, -1));
    const [scale, offset] =
      shape.length >= 2
        ? [Math.sqrt(3 / fanIn), 0]
        : weight.endsWith("gamma")
          ? [0.2, 1]
          : weight.endsWith("variance")
            ? [0.5, 1]
            : [0.1, 0];
    return Float32Array.from({ length: elementCount(shape) }, (_, index) => offset + scale * unit(stream, index));
  };
}

/** Pixels as `[N, C, H, W]`, drawn in Keras's order, in [-1, 1]. */
function pixels([height, width, channels]: readonly [number, number, number]): NumericTensor {
  const data = new Float32Array(height * width * channels);
  for (let index = 0; index < data.length; index++) {
    const value = Math.floor((256 * (unit(99991, index) + 1)) / 2) / 127.5 - 1;
    data[(index % channels) * height * width + Math.floor(index / channels)] = value;
  }
  return float32([1, channels, height, width], data);
}

/** The elements in Keras's order. */
function channelsLast(tensor: NumericTensor): { shape: readonly number[]; values: number[] } {
  const values = numbersOf(tensor);
  const [batch = 1, channels = 1, ...spatial] = tensor.shape;
  const area = elementCount(spatial);
  const moved = values.map(
    (_, index) => values[(index % channels) * area + Math.floor(index / channels)] ?? Number.NaN,
  );
  return { shape: [batch, ...spatial, channels], values: moved };
}

for (const folder of folders) {
  describe.skipIf(!existsSync(folder))(`applications in ${folder}`, () => {
    const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".json")) : [];
    for (const file of files) {
      const given: Case = JSON.parse(readFileSync(join(folder, file), "utf8"));
      const family = families.find(({ name }) => name === given.model);
      const title = family === undefined ? `${file} (no builder for ${given.model} yet)` : file;
      it.skipIf(family === undefined)(title, async () => {
        if (family !== undefined) await judge(given, family);
      });
    }
  });
}

async function judge(given: Case, family: Family): Promise<void> {
  const { input_shape, include_top, alpha, pooling, classes, classifier_activation } = given.arguments;
  const options = {
    inputShape: input_shape ?? given.input_shape,
    ...(include_top === undefined ? {} : { includeTop: include_top }),
    ...(alpha === undefined ? {} : { alpha }),
    ...(pooling === undefined ? {} : { pooling }),
    ...(classes === undefined ? {} : { classes }),
    ...(classifier_activation === undefined ? {} : { classifierActivation: classifier_activation }),
  };
  const { graph, layers } = family.build(options, formulaWeights());
  expect(layers.map(({ name }) => name)).toEqual(given.layer_names);
  const specs = weightSpecsOf((weights) => family.build(options, weights));
  expect(specs.map(({ layer, weight, shape }) => [layer, weight, shape])).toEqual(given.weights);
  expect(countParameters(layers, graph)).toEqual(given.parameters);
  const input = pixels(given.input_shape);
  given.preprocessed.forEach((value, index) => {
    const [height, width, channels] = given.input_shape;
    const at = (index % channels) * height * width + Math.floor(index / channels);
    expect(input.data[at]).toBeCloseTo(value, 6);
  });
  const outputs = await runGraph(graph, new Map([[graph.inputs[0]?.name ?? "", input]]));
  const output = [...outputs.values()][0];
  if (output === undefined || output.dtype === "string") throw new Error("the model gives no output");
  const { shape, values } = channelsLast(output);
  expect(shape).toEqual(given.output_shape);
  const largest = Math.max(...given.output.map(Math.abs));
  const deviations = given.output.map((value, index) => Math.abs(value - (values[index] ?? Number.NaN)) / largest);
  expect(Math.max(...deviations)).toBeLessThanOrEqual(1e-3);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  expect(Math.abs(mean - given.output_mean)).toBeLessThanOrEqual(1e-3 * largest);
  expect(Math.abs(deviation - given.output_std)).toBeLessThanOrEqual(1e-3 * largest);
}

type Built = ReturnType<(typeof families)[number]["build"]>;

function countParameters(layers: Built["layers"], graph: Built["graph"]) {
  const sizes = new Map([...graph.initializers].map(([{ name }, { shape }]) => [name, elementCount(shape)]));
  const sum = (isTrainable: boolean) =>
    layers
      .flatMap(({ weights }) => weights.filter((weight) => weight.isTrainable === isTrainable))
      .reduce((total, { name }) => total + (sizes.get(name) ?? Number.NaN), 0);
  return { trainable: sum(true), non_trainable: sum(false) };
}
