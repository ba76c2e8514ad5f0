import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Builder, type Graph, printGraph, type Value } from "../graph/index.ts";
import { inferShapes, newBuilder } from "../shapes/index.ts";
import { deviation, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { depthwiseGeometry, lowerDepthwise } from "./depthwise.ts";
import { stackBatch } from "./stackBatch.ts";

const batch = 3;

/** x → 1×1 → depthwise (stride) → 1×1 + residual or not, → pool → features; every weight an input named w0, w1, … */
function block(
  size: number,
  stride: number,
  kernel: number,
): { readonly graph: Graph; readonly weights: readonly Value[] } {
  const b = newBuilder();
  const weights: Value[] = [];
  const weight = (...shape: number[]) => {
    const value = b.input(`w${weights.length}`, "float32", shape);
    weights.push(value);
    return value;
  };
  const x = b.input("x", "float32", [batch, 4, size, size]);
  const relu6 = (value: Value) => b.apply("Clip", [value, b.scalar(0, value), b.scalar(6, value)]);
  const wide = relu6(b.apply("Conv", [x, weight(8, 4, 1, 1), weight(8)]));
  const pads = stride === 1 ? new Array<number>(4).fill((kernel - 1) / 2) : [0, 0, 1, 1];
  const deep = b.apply("Conv", [wide, weight(8, 1, kernel, kernel), weight(8)], {
    group: 8,
    strides: [stride, stride],
    pads,
  });
  const gate = b.apply("Sigmoid", [b.apply("Conv", [b.apply("GlobalAveragePool", [deep]), weight(8, 8, 1, 1)])]);
  const narrow = b.apply("Conv", [b.mul(relu6(deep), gate), weight(4, 8, 1, 1), weight(4)]);
  const sum = stride === 1 ? b.add(x, narrow) : narrow;
  const y = b.apply("Conv", [sum, weight(5, 4, 1, 1)], {}, "map");
  return { graph: b.graph([y, b.reduceMean(y, [2, 3], false)]), weights };
}

function feedsOf(graph: Graph) {
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }, index) => [
      name,
      randomTensor(randomNumbers(index + 1), "float32", (shape ?? []).map(Number)),
    ]),
  );
}

describe("stackBatch", () => {
  it.each([
    [6, 1, 3, "toeplitz"],
    [6, 1, 3, "grouped"],
    [6, 2, 3, "grouped"],
    [7, 1, 5, "toeplitz"],
    [6, 2, 3, "toeplitz"],
  ] as const)("computes the same on %i px, stride %i, kernel %i, %s", async (size, stride, kernel, form) => {
    const { graph, weights } = block(size, stride, kernel);
    const stacked = stackBatch(graph, { trained: weights, depthwise: () => form });
    expect(printGraph(stacked.graph)).toContain(`float32[1, 8, ${batch * size}, ${size}]`);
    const [plain, tall] = [await runGraph(graph, feedsOf(graph)), await runGraph(stacked.graph, feedsOf(graph))];
    for (const { name } of graph.outputs) {
      const [expected, actual] = [plain.get(name), tall.get(name)];
      expect(expected && actual && deviation(actual, expected)).toBeLessThan(1e-5);
    }
  });

  it("leaves alone what does not pay for its transposes", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", [batch, 4, 6, 6]);
    const w = b.input("w", "float32", [4, 4, 3, 3]);
    const v = b.input("v", "float32", [4, 4, 1, 1]);
    const dense = b.apply("Conv", [x, w], { pads: [1, 1, 1, 1] });
    const y = b.apply("Conv", [b.apply("Relu", [dense]), v]);
    const graph = b.graph([y]);
    expect(stackBatch(graph, { trained: [w, v], depthwise: () => "grouped" }).graph.nodes).toEqual(graph.nodes);
  });
});

describe("the given derivative of a depthwise convolution", () => {
  it("agrees with the chain rule's, whatever the shape", async () => {
    const shapes = fc.record({
      n: fc.integer({ min: 1, max: 3 }),
      c: fc.integer({ min: 1, max: 3 }),
      height: fc.integer({ min: 5, max: 9 }),
      width: fc.constantFrom(5, 6, 7, 33),
      kernel: fc.constantFrom([3, 3], [5, 3], [1, 3], [2, 2]),
      strides: fc.constantFrom([1, 1], [2, 2], [1, 2], [2, 1]),
      pads: fc.tuple(fc.nat(1), fc.nat(1), fc.nat(1), fc.nat(1)),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ n, c, height, width, kernel, strides, pads }) => {
        const build = newBuilder();
        const x = build.input("x", "float32", [n, c, height, width]);
        const w = build.input("w", "float32", [c, 1, ...kernel]);
        build.apply("Conv", [x, w], { group: c, strides, pads });
        const [node] = build.nodes;
        if (node?.kind !== "operator" || node.operator !== "Conv" || !depthwiseGeometry(node)) return;
        const [, , p = 1, q = 1] = (node.outputs[0]?.shape ?? []).map(Number);
        const tall = (b: Builder, map: Value, h: number, v: number) =>
          b.reshape(b.transpose(map, [1, 0, 2, 3]), [1, c, n * h, v]);
        const { derivative } = lowerDepthwise(build, node, tall(build, x, height, width), () => "grouped");
        const dy = build.input("dy", "float32", [n, c, p, q]);
        const [dx, dw] = derivative?.gradients(build, tall(build, dy, p, q), () => true) ?? [];
        if (dx === undefined || dw === undefined) throw new Error("no derivative was given");
        // dx spreads dy: ⟨dx, x⟩ = ⟨dy, y⟩ = ⟨dw, w⟩, and y is linear in each.
        const inner = (a: Value, b: Value) => build.reduceSum(build.reshape(build.mul(a, b), [-1]), [0], false);
        const y = node.outputs[0] as Value;
        const outputs = [inner(dy, y), inner(dx, tall(build, x, height, width)), inner(dw, w)];
        const graph = inferShapes(build.graph(outputs));
        const results = [...(await runGraph(graph, feedsOf(graph))).values()].map(({ data }) => Number(data[0]));
        const scale = Math.max(1, ...results.map(Math.abs));
        for (const result of results) expect(Math.abs(result - (results[0] ?? 0)) / scale).toBeLessThan(1e-4);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});
