import { describe, expect, it } from "vitest";
import { trainingForm } from "../passes/index.ts";
import { elementCount, float32, numbersOf } from "../tensor/index.ts";
import { runGraph } from "../testing/index.ts";
import { type Json, Network } from "./index.ts";

const pixels = Float32Array.from({ length: 24 }, (_, index) => index - 7);

/** One layer on `[2, 2, 2, 3]`, its weights 1, 2, 3. */
function oneLayer(className: string, config: { readonly [key: string]: Json }, inputs = 1) {
  const net = new Network({
    weights: ({ shape }) => Float32Array.from({ length: elementCount(shape) }, (_, index) => index + 1),
  });
  const x = net.input("x", [null, 2, 2, 3]);
  return net.graph([net.layer(className, "layer", config, ...Array.from({ length: inputs }, () => x))], "g").graph;
}

async function run(graph: Parameters<typeof runGraph>[0], masks: readonly (readonly [string, number[]])[] = []) {
  const feeds = new Map([["x", float32([2, 2, 2, 3], pixels)]]);
  for (const [name, values] of masks) feeds.set(name, float32([2, 1, 1, 1], Float32Array.from(values)));
  const [output] = (await runGraph(graph, feeds)).values();
  if (output === undefined || output.dtype === "string") throw new Error("no output");
  return numbersOf(output);
}

describe("layers of applications", () => {
  it("scales channels by LayerScale's factors", async () => {
    const graph = oneLayer("LayerScale", { init_values: 1, projection_dim: 3 });
    expect(await run(graph)).toEqual([...pixels].map((value, index) => value * ((index % 3) + 1)));
  });

  it("adds a part of the second input in CustomScaleLayer", async () => {
    expect(await run(oneLayer("CustomScaleLayer", { scale: 0.5 }, 2))).toEqual([...pixels].map((value) => 1.5 * value));
  });

  it.each([
    ["StochasticDepth", { drop_path_rate: 0.5 }],
    ["Dropout", { rate: 0.5, noise_shape: [null, 1, 1, 1] }],
  ] as const)("drops whole pictures of %s in training, and nothing otherwise", async (className, config) => {
    const graph = oneLayer(className, config);
    expect(await run(graph)).toEqual([...pixels]);
    const node = graph.nodes.find(({ operator }) => operator === "Dropout");
    const name = node?.outputs[0]?.name ?? "";
    const form = trainingForm(graph, new Set([name]));
    const [mask] = form.masks;
    expect(mask?.rate).toBe(0.5);
    const trained = await run(form.graph, [[mask?.input ?? "", [0, 2]]]);
    expect([...trained].map((value) => value + 0)).toEqual(
      [...pixels].map((value, index) => (index < 12 ? 0 : 2 * value)),
    );
  });
});
