/**
 * @file Gradients reach the first convolution of imported models with TensorFlow's values, and training moves it: a path
 * that is cut, or a weight that became a constant, would show in no forward pass.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { memoryDataset } from "../../src/data/index.ts";
import { nodeEngine } from "../../src/keras/engine-node.ts";
import { BaseModel, installEngine, layers, sequential } from "../../src/keras/index.ts";
import { baseOf, modelWithGradients } from "../../src/model/index.ts";
import { readSource } from "../../src/model/read-source-node.ts";
import { onnxModelOf } from "../../src/onnx/index.ts";
import { elementCount, float32, numbersOf } from "../../src/tensor/index.ts";
import { readNpz, runGraph } from "../../src/testing/index.ts";
import { unit } from "./application-cases.ts";
import { type ImportCase, importCases } from "./import-cases.ts";

interface GradientCase {
  readonly case: string;
  /** The kernel's, `[height, width, in, out]`, as is the gradient's order. */
  readonly shape: readonly [number, number, number, number];
  readonly largest: number;
  readonly gradient: readonly number[];
}

const gradients = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "import-gradients.json"), "utf8"),
) as readonly GradientCase[];
const cases = gradients.flatMap((wanted) =>
  importCases.filter(({ name }) => name === wanted.case).map((given) => ({ name: given.name, given, wanted })),
);
const sourceOf = (given: ImportCase) => readSource(join(given.folder, given.file));

describe.skipIf(importCases.length === 0)("imported models (skipped where shared/conformance is not there)", () => {
  it("are all there that have gradients to compare", () => {
    expect(cases.map(({ name }) => name)).toEqual(gradients.map((each) => each.case));
  });

  it.each(cases)("$name: the gradient at its first convolution is TensorFlow's", async ({ given, wanted }) => {
    const { graph } = await sourceOf(given);
    const [input] = graph.inputs;
    const [output] = graph.outputs;
    const kernel = graph.nodes.find(({ operator }) => operator === "Conv")?.inputs[1];
    const arrays = readNpz(join(given.folder, "case.npz"));
    const [x, y] = [arrays.get("in:0"), arrays.get("out:0")];
    if (!input || !output || !kernel || !x || !y) throw new Error("no convolution, or no case");
    const [height, width, channels, filters] = wanted.shape;
    expect(graph.initializers.get(kernel)?.shape).toEqual([filters, channels, height, width]);
    const request = { output: output.name, wanted: [kernel.name] };
    const derived = modelWithGradients(onnxModelOf(graph), request).graph;
    const count = elementCount(y.shape);
    const dy = float32(
      y.shape,
      Float32Array.from({ length: count }, (_, index) => unit(77, index)),
    );
    const results = await runGraph(derived, new Map([[input.name, x]]).set("dy", dy));
    const found = results.get(`grad:${kernel.name}`);
    if (found === undefined || found.dtype === "string") throw new Error("no gradient");
    const values = numbersOf(found);
    const deviations = wanted.gradient.map((value, index) => {
      const [filter, place] = [index % filters, Math.floor(index / filters)];
      const [channel, pixel] = [place % channels, Math.floor(place / channels)];
      return Math.abs(value - (values[(filter * channels + channel) * height * width + pixel] ?? Number.NaN));
    });
    expect(deviations).toHaveLength(values.length);
    expect(Math.max(...deviations)).toBeLessThanOrEqual(1e-3 * wanted.largest);
  });

  it.each(cases.filter(({ name }) => /^(keras2_h5|keras2_savedmodel|keras3_keras|tfjs_layers)_tutorial$/.test(name)))(
    "$name: a few steps of training move its first convolution and lower the loss",
    async ({ given }) => {
      installEngine(nodeEngine());
      const base = baseOf(await sourceOf(given), { source: given.name, digest: "0".repeat(64), license: undefined });
      const [, height, width] = new BaseModel(base).inputShape;
      const side = { width: width ?? 0, height: height ?? 0 };
      // Bright pictures against dark ones.
      const pictures = Array.from({ length: 8 }, (_, index) => ({
        ...side,
        label: index % 2,
        data: Uint8Array.from({ length: side.width * side.height * 3 }, (_, at) =>
          Math.round((index % 2) * 120 + 60 * (1 + unit(index, at))),
        ),
      }));
      const model = sequential(
        [
          layers.inputLayer({ shape: [side.height, side.width, 3] }),
          layers.rescaling({ scale: 1 / 255 }),
          new BaseModel(base),
          ...(base.graph.outputs[0]?.shape?.length === 4 ? [layers.globalAveragePooling2d()] : []),
          layers.dense({ units: 2 }),
        ],
        { seed: 3 },
      );
      const kernel = model.weights.find(({ path, shape }) => path.endsWith("kernel") && shape.length === 4);
      const before = numbersOf(kernel?.value ?? expect.fail("no kernel"));
      const dataset = await memoryDataset(pictures, ["dark", "bright"]);
      const { history } = await model.fit(dataset, { epochs: 8, batchSize: 8, learningRate: 0.003 });
      expect(history.loss?.at(-1)).toBeLessThan(0.9 * (history.loss?.[0] ?? 0));
      const moved = numbersOf(kernel?.value ?? expect.fail("no kernel"));
      const steps = before.map((value, index) => Math.abs(value - (moved[index] ?? 0)));
      expect(Math.max(...steps)).toBeGreaterThan(1e-4);
    },
  );
});
