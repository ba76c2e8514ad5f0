import { describe, expect, it } from "vitest";
import { verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, numbersOf, tensorOf, unreachable } from "../tensor/index.ts";
import { runGraph } from "../testing/index.ts";
import type { Base } from "./base.ts";
import { fineTuningPoints } from "./base-points.ts";
import { headlessGraph } from "./classifierGraph.ts";
import { loadBase } from "./load-base-node.ts";
import { withTwoViews } from "./twoViews.ts";

/** A base that says the mean of each channel over its 8×8 pixels, times 2. */
function meanBase(layout: Base["layout"]): Base {
  const build = newBuilder();
  const isFirst = layout === "channels_first";
  const x = build.input("x", "float32", isFirst ? ["N", 3, 8, 8] : ["N", 8, 8, 3]);
  const doubled = build.apply("Mul", [x, build.constant(tensorOf("float32", [1], [2]), "factor")], {}, "doubled");
  const features = build.reduceMean(doubled, isFirst ? [2, 3] : [1, 2], false);
  return {
    graph: verify(build.graph([features])),
    layers: [],
    name: "mean",
    layout,
    recipe: { height: 8, width: 8, method: "bilinear", aspect: "stretch" },
    range: { name: "[0, 255]", channels: "rgb", scale: [1, 1, 1], offset: [0, 0, 0] },
    features: 3,
    provenance: { source: "test", digest: "0", license: undefined },
    remarks: [],
  };
}

/** 10×10 pictures: 1 in the middle 8×8, `border` around it; the second picture ten times that. */
function pictures(border: number): Float32Array {
  const data = new Float32Array(2 * 10 * 10 * 3);
  for (let at = 0; at < data.length; at++) {
    const pixel = Math.floor(at / 3) % 100;
    const [row, column] = [Math.floor(pixel / 10), pixel % 10];
    const isMiddle = row >= 1 && row <= 8 && column >= 1 && column <= 8;
    data[at] = (isMiddle ? 1 : border) * (at < 300 ? 1 : 10);
  }
  return data;
}

async function featuresOf(base: Base, size: number, data: Float32Array): Promise<number[]> {
  const graph = headlessGraph(base, { pixels: "float32" });
  const count = data.length / (size * size * 3);
  const outputs = await runGraph(graph, { image: float32([count, size, size, 3], data) });
  return numbersOf(outputs.get("features") ?? unreachable("features are computed"));
}

describe.each(["channels_first", "channels_last"] as const)("two views of pictures with %s", (layout) => {
  it("are the whole and the middle, picture by picture", async () => {
    const base = withTwoViews(meanBase(layout));
    expect(base.recipe).toMatchObject({ height: 10, width: 10 });
    expect(await featuresOf(base, 10, pictures(1))).toEqual([2, 2, 2, 20, 20, 20]);
    const [first = 0, , , second = 0] = await featuresOf(base, 10, pictures(2));
    // The middle says 2; the whole has 36 of 100 pixels of 2, weighted a little otherwise by the resize.
    const whole = first * 2 - 2;
    expect(whole).toBeGreaterThan(2 * 1.25);
    expect(whole).toBeLessThan(2 * 1.45);
    expect(second / first).toBeCloseTo(10, 5);
  });
});

it("leaves a base its weights, its layers and where it can be tuned", async () => {
  const pocket = await loadBase("pocket");
  const twice = withTwoViews(pocket);
  expect(twice.recipe).toMatchObject({ height: 160, width: 160 });
  expect([...twice.graph.initializers.values()].filter((tensor) => tensor.data.length > 64).length).toBe(
    [...pocket.graph.initializers.values()].filter((tensor) => tensor.data.length > 64).length,
  );
  expect(twice.layers).toBe(pocket.layers);
  const pointsOf = (base: Base) => fineTuningPoints(base).filter(({ isBlockEnd }) => isBlockEnd);
  expect(pointsOf(twice).map(({ trainable }) => trainable.length)).toEqual(
    expect.arrayContaining(
      pointsOf(pocket)
        .slice(-3)
        .map(({ trainable }) => trainable.length),
    ),
  );
}, 60_000);

it("gives pocket's own features for pictures whose two views are the same", async () => {
  const pocket = await loadBase("pocket");
  const grey = (size: number) => new Float32Array(size * size * 3).fill(90);
  const once = await featuresOf(pocket, 128, grey(128));
  const twice = await featuresOf(withTwoViews(pocket), 160, grey(160));
  expect(Math.max(...once.map((value, at) => Math.abs(value - (twice[at] ?? 0))))).toBeLessThan(1e-4);
}, 60_000);
