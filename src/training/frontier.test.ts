import { describe, expect, it } from "vitest";
import type { Builder, Graph, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor, randomNumbers, type Tensor } from "../tensor/index.ts";
import { deviation, randomTensor, runGraph } from "../testing/index.ts";
import { type SplitGraph, splitAtFrontier } from "./frontier.ts";

const random = randomNumbers(1);
const pixels: NumericTensor = {
  dtype: "uint8",
  shape: [2, 4, 4, 3],
  data: Uint8Array.from({ length: 96 }, () => 256 * random()),
};

function weight(b: Builder, name: string, shape: readonly number[]): Value {
  const tensor = randomTensor(random, "float32", shape);
  const value = { name, dtype: tensor.dtype, shape };
  b.adoptConstant(value, tensor);
  return value;
}

/** Pixels → conv → relu, twice, with a shortcut around the second; then the mean and a head. */
function residual(batch: "N" | null = "N"): Graph {
  const b = newBuilder();
  const x = b.transpose(b.cast(b.input("image", "uint8", [batch, 4, 4, 3]), "float32"), [0, 3, 1, 2]);
  const conv = (input: Value, name: string) => {
    const kernel = weight(b, name, [5, Number(input.shape?.[1]), 3, 3]);
    return b.apply("Conv", [input, kernel], { pads: [1, 1, 1, 1] }, `${name}/conv`);
  };
  const first = b.apply("Relu", [conv(x, "first")], {}, "first/relu");
  const second = b.apply("Relu", [conv(first, "second")], {}, "second/relu");
  const sum = b.add(first, conv(second, "third"));
  // As exporters flatten: by a shape that is computed from another value.
  const size = b.apply("Shape", [first], { start: 0, end: 1 });
  const flat = b.reshape(b.reduceMean(sum, [2, 3], false), b.concat([size, b.ints([-1])], 0));
  return b.graph([
    b.apply("Gemm", [b.apply("Dropout", [flat], {}, "dropout"), weight(b, "head", [5, 2])], {}, "logits"),
  ]);
}

const options = { trainingNodes: new Set<string>(), example: [4, 4, 3], batch: 2 };
const names = ({ frozen, trained }: SplitGraph) => ({
  frozen: [...frozen.initializers.keys()].map(({ name }) => name).filter((name) => !/constant/.test(name)),
  trained: [...trained.initializers.keys()].map(({ name }) => name).filter((name) => !/constant/.test(name)),
});

/** What comes out of both parts, one after the other. */
async function runBoth({ frozen, trained }: SplitGraph, image: Tensor): Promise<Tensor> {
  const [middle] = (await runGraph(frozen, { image })).values();
  const [input, ...others] = trained.inputs;
  expect(others).toEqual([]);
  if (input === undefined || middle === undefined) throw new Error("a part is empty");
  const [output] = (await runGraph(trained, new Map([[input.name, middle]]))).values();
  return output ?? expect.fail("no output");
}

describe("splitting at the frozen frontier", () => {
  const graph = residual();
  it.each<[string, readonly string[], readonly string[], object, readonly number[]]>([
    ["before a head", ["head"], [], { frozen: ["first", "second", "third"], trained: ["head"] }, [5]],
    [
      "before dropout in training",
      ["head"],
      ["dropout"],
      { frozen: ["first", "second", "third"], trained: ["head"] },
      [5],
    ],
    [
      "with what goes around the first trained layer",
      ["third"],
      [],
      { frozen: ["first", "second"], trained: ["third", "head"] },
      [2 * 5 * 4 * 4],
    ],
    [
      "before two branches",
      ["second", "head"],
      [],
      { frozen: ["first"], trained: ["second", "third", "head"] },
      [5, 4, 4],
    ],
    [
      "at the pixels where all is trained",
      ["first"],
      [],
      { frozen: [], trained: ["first", "second", "third", "head"] },
      [3, 4, 4],
    ],
  ])("computes the same in two parts: %s", async (_, trainable, trainingNodes, expected, shape) => {
    const split = splitAtFrontier(graph, { ...options, trainable, trainingNodes: new Set(trainingNodes) });
    expect(names(split)).toEqual(expected);
    expect(split.shape).toEqual(shape);
    expect(split.isCostly).toBe(!trainable.includes("first"));
    const [whole] = (await runGraph(graph, { image: pixels })).values();
    expect(deviation(await runBoth(split, pixels), whole ?? expect.fail())).toBeLessThan(1e-5);
    const [output] = split.frozen.outputs;
    expect([output?.dtype, ...(output?.shape ?? [])]).toEqual(["float32", 2, ...shape]);
  });

  it("keeps the shape of the frontier for another batch", () => {
    const of = (batch: number) => splitAtFrontier(residual(null), { ...options, batch, trainable: ["third"] });
    expect(of(7).shape).toEqual(of(32).shape);
  });

  it("passes on numbers that float32 holds, of pixels that are read directly as well", async () => {
    const b = newBuilder();
    const image = b.input("image", "float32", ["N", 2, 2, 3]);
    const half = b.cast(b.apply("Flatten", [image]), "float16");
    const kernel = weight(b, "kernel", [12, 2]);
    const sum = b.matMul(b.cast(half, "float32"), kernel);
    const direct = b.matMul(b.apply("Flatten", [image]), kernel);
    const both = b.graph([b.add(sum, direct)]);
    const split = splitAtFrontier(both, { ...options, example: [2, 2, 3], trainable: ["kernel"] });
    const fed = float32(
      [2, 2, 2, 3],
      Float32Array.from({ length: 24 }, () => random()),
    );
    const [whole] = (await runGraph(both, { image: fed })).values();
    expect(deviation(await runBoth(split, fed), whole ?? expect.fail())).toBeLessThan(1e-6);
  });

  it("refuses a graph in which nothing that is trained reaches the output, and more than one input", () => {
    expect(() => splitAtFrontier(graph, { ...options, trainable: [] })).toThrow(/nothing that is to be trained/);
    expect(() => splitAtFrontier(graph, { ...options, trainable: ["no such"] })).toThrow(GraftError);
    const b = newBuilder();
    const two = b.graph([b.add(b.input("a", "float32", [1]), b.input("b", "float32", [1]))]);
    expect(() => splitAtFrontier(two, { ...options, trainable: ["x"] })).toThrow(/nothing else/);
  });
});
