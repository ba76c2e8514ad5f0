import { expect, it } from "vitest";
import { newBuilder } from "../shapes/index.ts";
import { float32 } from "../tensor/index.ts";
import { deviation, runGraph } from "../testing/index.ts";
import { printGraph } from "./print.ts";
import { separatePads } from "./separate-pads.ts";

function padded() {
  const b = newBuilder();
  const x = b.input("x", "float32", [1, 1, 2, 2]);
  const y = b.apply("Pad", [x, b.ints([0, 0, 1, 1, 0, 0, 1, 1])], {}, "y");
  return b.graph([b.apply("MaxPool", [y], { kernelShape: [3, 3], strides: [1, 1] }, "z")], "padded");
}

it("keeps zeros around a map among the maxima, whatever the runtime makes of pads", async () => {
  const x = float32([1, 1, 2, 2], Float32Array.of(-1, -2, -3, -4));
  const outputs = await runGraph(separatePads(padded()), new Map([["x", x]]));
  const z = outputs.get("z");
  expect(z && deviation(z, float32([1, 1, 2, 2], new Float32Array(4)))).toBe(0);
});

it("leaves other graphs as they are, and names all axes where it does not", () => {
  const b = newBuilder();
  const x = b.input("x", "float32", [1, 1, 2, 2]);
  const graph = b.graph([b.apply("Pad", [x, b.ints([0, 0, 1, 1, 0, 0, 1, 1])], {}, "y")], "plain");
  expect(separatePads(graph)).toBe(graph);
  expect(printGraph(separatePads(padded()))).toContain("y/axes");
});
