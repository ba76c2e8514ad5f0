import { describe, expect, it } from "vitest";
import { onnxFixture, onnxFixtures } from "../../tests/fixtures/onnx/fixtures.ts";
import { GraftError } from "../tensor/index.ts";
import { checkResources } from "./limits.ts";
import { readModel } from "./read.ts";

const unlimited = { tensorBytes: Number.POSITIVE_INFINITY, iterations: Number.POSITIVE_INFINITY };

function refusal(name: string): string {
  try {
    readModel(onnxFixture("bombs", name), { path: name });
  } catch (error) {
    if (error instanceof GraftError && error.code === "model-refused") return error.message;
    throw error;
  }
  return "";
}

describe("checkResources", () => {
  const reasons: readonly (readonly [name: string, message: RegExp])[] = [
    ["constant_of_shape", /ConstantOfShape "it": a tensor is too large/],
    ["constant_of_shape_overflow", /too large.*\[1099511627776, 1099511627776\]/],
    ["expand", /Expand "it": a tensor is too large/],
    ["tile", /Tile "it": a tensor is too large/],
    ["range", /Range "it": a tensor is too large/],
    ["pad", /Pad "it": a tensor is too large/],
    ["resize", /Resize "it": a tensor is too large/],
    ["one_hot", /OneHot "it": a tensor is too large/],
    ["random", /RandomNormal "it": a tensor is too large/],
    ["declared", /input "x": a tensor is too large/],
    ["endless_loop", /Loop "y": the loop never ends/],
    ["endless_loop_constant", /Loop "y": the loop never ends/],
    ["endless_loop_carried", /Loop "z": the loop never ends/],
    ["endless_loop_computed", /Loop "y": the loop never ends/],
    ["long_loop", /Loop "y": the loop runs too often/],
    ["nested_loops", /Loop "w": the loop runs too often.*found 10000000000/],
    ["collecting_loop", /Loop "y": a tensor is too large/],
  ];

  it("knows a reason for every bomb", () => {
    expect(reasons.map(([name]) => name).sort()).toEqual([...onnxFixtures("bombs").keys()].sort());
  });

  it.each(reasons)("refuses %s", (name, message) => {
    expect(refusal(name)).toMatch(message);
  });

  it("takes other limits", () => {
    const bytes = onnxFixture("models", "loop");
    expect(() => readModel(bytes, { limits: { iterations: 3 } })).toThrow(/at most 3 times, found 4/);
    expect(() => readModel(onnxFixture("bombs", "long_loop"), { limits: unlimited })).not.toThrow();
  });

  it("looks at shapes that inference has filled in", () => {
    const { graph } = readModel(onnxFixture("models", "clip_7"));
    const [node] = graph.nodes;
    const [output] = graph.outputs;
    if (node === undefined || output === undefined) throw new Error("the model has changed");
    const large = { ...output, shape: [2 ** 20, 2 ** 20] };
    const inferred = { ...graph, nodes: [{ ...node, outputs: [large] }], outputs: [large] };
    expect(() => checkResources({ graph: inferred })).toThrow(/Clip "it": a tensor is too large/);
  });
});
