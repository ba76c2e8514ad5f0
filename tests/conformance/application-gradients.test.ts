/**
 * @file Gradients reach the first convolution of applications with TensorFlow's values: deep layers change the output of a
 * random model so little that its forward cases would not show a mistake in the first ones.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { buildApplication, familyNamed, preprocessInput } from "../../src/applications/index.ts";
import { withGradients } from "../../src/gradient/index.ts";
import { inferShapes } from "../../src/shapes/index.ts";
import { elementCount, float32, numbersOf } from "../../src/tensor/index.ts";
import { runGraph } from "../../src/testing/index.ts";
import { channelsFirst, formulaWeights, pixels, unit } from "./application-cases.ts";

interface Case {
  readonly model: string;
  readonly arguments: {
    readonly input_shape: readonly [number, number, number];
    readonly include_top?: boolean;
    readonly pooling?: "avg";
    readonly classes?: number;
    readonly classifier_activation?: null;
  };
  /** The kernel's path, and its shape `[height, width, in, out]`. */
  readonly weight: string;
  readonly shape: readonly [number, number, number, number];
  readonly largest: number;
  /** The first elements. */
  readonly gradient: readonly number[];
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "application-gradients.json"), "utf8"),
);

describe("gradients of applications", () => {
  it.each(cases)("reach the first convolution of $model", async (given) => {
    const { input_shape, include_top = true, pooling = null, classes = 1000 } = given.arguments;
    const family = familyNamed(given.model);
    const options = { inputShape: input_shape, includeTop: include_top, pooling, classes, classifierActivation: null };
    const { graph } = buildApplication(family, options, formulaWeights());
    const [input] = graph.inputs;
    const [output] = graph.outputs;
    const features = output?.shape?.at(-1);
    if (input === undefined || output === undefined || typeof features !== "number") throw new Error("no features");
    const derived = withGradients(inferShapes(graph), { output: output.name, wanted: [given.weight] });
    const dy = float32(
      [1, features],
      Float32Array.from({ length: features }, (_, index) => unit(77, index)),
    );
    const feed = channelsFirst(preprocessInput(pixels(input_shape), family.preprocessing), input_shape);
    const outputs = await runGraph(derived, new Map([[input.name, feed]]).set("dy", dy));
    const found = outputs.get(`grad:${given.weight}`);
    if (found === undefined || found.dtype === "string") throw new Error("no gradient");
    const values = numbersOf(found);
    const [height, width, channels, filters] = given.shape;
    expect(values.length).toBe(elementCount(given.shape));
    const deviations = given.gradient.map((value, index) => {
      const filter = index % filters;
      const place = Math.floor(index / filters);
      const channel = place % channels;
      const at = (filter * channels + channel) * height * width + Math.floor(place / channels);
      return Math.abs(value - (values[at] ?? Number.NaN));
    });
    expect(Math.max(...deviations)).toBeLessThanOrEqual(1e-3 * given.largest);
  });
});
