/**
 * @file Builds every keras.applications model of ../shared/conformance/applications, or of the folders named in
 * GRAFT_APPLICATIONS, and compares layers, weights, parameter counts and outputs with Keras's.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  buildApplication,
  type Family,
  type FamilyOptions,
  families,
  preprocessInput,
} from "../../src/applications/index.ts";
import type { LayeredGraph } from "../../src/graph/index.ts";
import type { WeightSpec } from "../../src/layers/index.ts";
import { elementCount, type NumericTensor, numbersOf } from "../../src/tensor/index.ts";
import { runGraph } from "../../src/testing/index.ts";
import { channelsFirst, formulaWeights, pixels } from "./application-cases.ts";

interface Case {
  readonly model: string;
  /** Under Keras's names. */
  readonly arguments: { readonly [name: string]: unknown };
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

/** Keras's names of arguments are ours in snake case. */
function optionsOf(given: Case): FamilyOptions {
  const entries = Object.entries(given.arguments).map(([name, value]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return { inputShape: given.input_shape, ...Object.fromEntries(entries) };
}

async function judge(given: Case, family: Family): Promise<void> {
  const options = optionsOf(given);
  const specs: WeightSpec[] = [];
  const weights = formulaWeights(given.weights);
  const { graph, layers } = buildApplication(family, options, (spec) => {
    specs.push(spec);
    return weights(spec);
  });
  // A nested model is one layer for Keras, and several here: `outer/inner`.
  const names = layers.map(({ name }) => outer(name));
  expect(names.filter((name, index) => name !== names[index - 1])).toEqual(given.layer_names);
  expect(specs.map(({ layer, weight, shape }) => [outer(layer), weight, shape])).toEqual(
    given.weights.map(([layer, weight, shape]) => [layer, isAutomatic(weight) ? "gamma" : weight, shape]),
  );
  expect(countParameters({ graph, layers })).toEqual(given.parameters);
  // The other modes know three channels only.
  const isPossible = given.input_shape[2] === 3 || family.preprocessing === "tf";
  const isPlain = options.includePreprocessing === false || !isPossible;
  const input = preprocessInput(pixels(given.input_shape), isPlain ? "raw" : family.preprocessing);
  given.preprocessed.forEach((value, index) => {
    expect(Math.abs((input[index] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(value)));
  });
  const feed = channelsFirst(input, given.input_shape);
  const outputs = await runGraph(graph, new Map([[graph.inputs[0]?.name ?? "", feed]]));
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

function outer(name: string): string {
  return name.split("/")[0] ?? name;
}

/** Whether Keras gave the weight no name of its own: those of LayerScale. */
function isAutomatic(weight: string): boolean {
  return /^variable(_\d+)?$/.test(weight);
}

function countParameters({ layers, graph }: LayeredGraph) {
  const sizes = new Map([...graph.initializers].map(([{ name }, { shape }]) => [name, elementCount(shape)]));
  const sum = (isTrainable: boolean) =>
    layers
      .flatMap(({ weights }) => weights.filter((weight) => weight.isTrainable === isTrainable))
      .reduce((total, { name }) => total + (sizes.get(name) ?? Number.NaN), 0);
  return { trainable: sum(true), non_trainable: sum(false) };
}
