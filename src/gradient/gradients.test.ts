/** @file Graphs with their gradients: names in, names out. */
import { describe, expect, it } from "vitest";
import { printGraph } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { tensorOf } from "../tensor/index.ts";
import { withGradients } from "./gradients.ts";

function linear() {
  const b = newBuilder();
  const x = b.input("x", "float32", ["N", 2]);
  const w = b.constant(tensorOf("float32", [2, 1], [1, 2]), "w");
  const index = b.input("index", "int64", [1]);
  const picked = b.apply("Gather", [x, index], { axis: 0 }, "picked");
  return b.graph([b.apply("Gemm", [picked, w], {}, "y")]);
}

describe("a graph with gradients", () => {
  it("has the input dy and an output for each wanted value, initializers included", () => {
    expect(printGraph(withGradients(linear(), { output: "y", wanted: ["w", "picked"] }))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 2], index: int64[1], dy: float32[1, 1]) -> y, grad:w, grad:picked
        w: float32[2, 1] = [1, 2]
        picked: float32[1, 2] = Gather(x, index)
        y: float32[1, 1] = Gemm(picked, w)
        Gemm: float32[1, 2] = Gemm(dy, w) {transB: true}
        Gemm_1: float32[2, 1] = Gemm(picked, dy) {transA: true}
        grad:w: float32[2, 1] = Identity(Gemm_1)
        grad:picked: float32[1, 2] = Identity(Gemm)"
    `);
  });

  it("keeps the graph's own nodes and outputs", () => {
    const graph = linear();
    const derived = withGradients(graph, { output: "y", wanted: ["w"] });
    expect(derived.nodes.slice(0, graph.nodes.length)).toEqual(graph.nodes);
    expect(derived.outputs.map(({ name }) => name)).toEqual(["y", "grad:w"]);
  });

  it("refuses names that the graph does not have, and lists those it has", () => {
    expect(() => withGradients(linear(), { output: "z", wanted: ["w"] })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: the graph has no value "z"; it has x, index, w, picked, y]`,
    );
  });

  it("refuses integers", () => {
    expect(() => withGradients(linear(), { output: "y", wanted: ["index"] })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: value "index": only floating-point values have gradients; found int64]`,
    );
  });
});
