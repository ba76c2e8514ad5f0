import { describe, expect, it } from "vitest";
import { onnxFixture, onnxFixtures } from "../../tests/fixtures/onnx/fixtures.ts";
import { GraftError } from "../tensor/index.ts";
import { checkResources } from "./limits.ts";
import { readModel } from "./read.ts";

function refusal(name: string): string {
  try {
    checkResources(readModel(onnxFixture("bombs", name)));
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

  it("lets every ordinary model pass", () => {
    for (const [name, bytes] of onnxFixtures("models")) {
      expect(() => checkResources(readModel(bytes)), name).not.toThrow();
    }
  });

  it("takes other limits", () => {
    const model = readModel(onnxFixture("models", "loop"));
    expect(() => checkResources(model, { iterations: 3 })).toThrow(/at most 3 times, found 4/);
  });
});
