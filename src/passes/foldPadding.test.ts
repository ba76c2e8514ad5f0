import { describe, expect, it } from "vitest";
import { printGraph } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { expectClose, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { foldPadding } from "./foldPadding.ts";

function padded(pads: readonly number[], fill?: number) {
  const b = newBuilder();
  const x = b.input("x", "float32", [2, 3, 7, 6]);
  const w = b.input("w", "float32", [4, 3, 3, 3]);
  const value = fill === undefined ? undefined : b.scalar(fill, x);
  const wide = b.apply("Pad", [x, b.ints(pads), value], {}, "wide");
  const y = b.apply("Conv", [wide, w], { strides: [2, 2], pads: [1, 0, 0, 0] }, "y");
  return b.graph([y]);
}

const feeds = {
  x: randomTensor(randomNumbers(1), "float32", [2, 3, 7, 6]),
  w: randomTensor(randomNumbers(2), "float32", [4, 3, 3, 3]),
};

describe("foldPadding", () => {
  it("adds the zeros around a map to the convolution's own, and computes the same", async () => {
    const graph = padded([0, 0, 0, 1, 0, 0, 1, 2], 0);
    const folded = foldPadding(graph);
    expect(printGraph(folded)).not.toContain("Pad(");
    const plain = (await runGraph(graph, feeds)).get("y");
    if (plain === undefined) throw new Error("the graph gives no y");
    expectClose((await runGraph(folded, feeds)).get("y"), plain, 1e-6, "y");
  });

  it.each([
    ["with something else than zeros", [0, 0, 1, 1, 0, 0, 1, 1], 2],
    ["of channels", [0, 1, 0, 0, 0, -1, 0, 0], 0],
    ["that crops", [0, 0, -1, 0, 0, 0, 0, 0], 0],
  ] as const)("leaves padding %s", (_, pads, fill) => {
    expect(printGraph(foldPadding(padded(pads, fill)))).toContain("Pad(");
  });
});
