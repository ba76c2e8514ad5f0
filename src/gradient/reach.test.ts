import { describe, expect, it } from "vitest";
import { describeNode, type ForeignNode, type Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32 } from "../tensor/index.ts";
import { gradientReach } from "./index.ts";

function names(values: Iterable<Value>): readonly string[] {
  return [...values].map(({ name }) => name).sort();
}

describe("gradientReach", () => {
  it("goes back along floating-point values, past indices and shapes, to inputs and weights", () => {
    const b = newBuilder();
    const [x, index] = [b.input("x", "float32", ["N", 4]), b.input("index", "int64", [2])];
    const w = b.constant(float32([4, 3], new Float32Array(12)), "w");
    const y = b.apply("Gather", [b.apply("MatMul", [x, w], {}, "product"), index], { axis: 1 }, "y");
    const { reached, barriers } = gradientReach(b.graph([y]), y);
    expect(names(reached)).toEqual(["product", "w", "x", "y"]);
    expect(barriers).toEqual([]);
  });

  it("names what stops it, foreign operators and values of unknown type included", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", [4]);
    const held: Value = { name: "held", dtype: undefined, shape: undefined };
    const foreign: ForeignNode = {
      kind: "foreign",
      domain: "com.example",
      operator: "Hold",
      name: "hold",
      attributes: [],
      inputs: [b.apply("Exp", [x], {}, "before")],
      outputs: [held],
    };
    b.adopt(foreign);
    const y = b.apply("Tanh", [held], {}, "y");
    const { reached, barriers } = gradientReach(b.graph([y]), y);
    expect(names(reached)).toEqual(["held", "y"]);
    expect(barriers.map(({ node, reason }) => `${describeNode(node)}: ${reason}`)).toEqual([
      'Hold "hold": the operator is unknown here',
    ]);
  });
});
