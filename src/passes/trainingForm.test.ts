import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Builder, type Graph, printGraph, type Value, verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, numbersOf } from "../tensor/index.ts";
import { randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { trainingForm } from "./trainingForm.ts";

const channels = 3;

/** x → dropout → batch norm → batch norm with the same weights or with its own → y. */
function network(shape: readonly (number | string)[], isShared = false): Graph {
  const b = newBuilder();
  const random = randomNumbers(3);
  const weightsOf = (name: string) =>
    ["gamma", "beta", "mean", "variance"].map((kind) => {
      const value = { name: `${name}/${kind}`, dtype: "float32" as const, shape: [channels] };
      const tensor = randomTensor(random, "float32", [channels]);
      const isPositive = kind === "variance";
      b.adoptConstant(value, isPositive ? float32([channels], Float32Array.from(numbersOf(tensor), Math.abs)) : tensor);
      return value;
    });
  const norm = (x: Value, weights: readonly Value[], name: string) =>
    b.apply("BatchNormalization", [x, ...weights], { momentum: 0.75, epsilon: 1e-3 }, name);
  const x = b.input("x", "float32", shape);
  const rate = b.constant(float32([], Float32Array.of(0.25)), "rate");
  const weights = weightsOf("a");
  const first = norm(b.apply("Dropout", [x, rate], {}, "drop"), weights, "first");
  return b.graph([norm(first, isShared ? weights : weightsOf("b"), "second")]);
}

describe("trainingForm", () => {
  it("draws and normalizes by the batch where it is told to, and nowhere else", () => {
    const { graph, masks, updates } = trainingForm(network(["N", channels]), new Set(["drop", "first"]));
    expect(printGraph(verify(graph))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 3], drop/mask: float32[N, 3]) -> second, a/mean/next, a/variance/next
        a/gamma: float32[3] = [0.4404536, -0.9226757, -0.08761562]
        a/beta: float32[3] = [-0.850144, 0.5260108, -0.03763916]
        a/mean: float32[3] = [-0.02654085, -0.6763989, -0.4734875]
        a/variance: float32[3] = [0.1052144, 0.6101675, 0.8328142]
        b/gamma: float32[3] = [0.4275748, -0.04654392, 0.5874641]
        b/beta: float32[3] = [0.7595466, -0.3527527, 0.3811628]
        b/mean: float32[3] = [-0.4265059, 0.3442808, 0.05285715]
        b/variance: float32[3] = [0.6634677, 0.07989423, 0.9767881]
        constant: int64[1] = [0]
        constant_1: float32[] = 0.001
        constant_2: float32[] = 0.75
        constant_3: float32[] = 0.25
        drop: float32[N, 3] = Mul(x, drop/mask)
        ReduceMean: float32[1, 3] = ReduceMean(drop, constant)
        Sub: float32[N, 3] = Sub(drop, ReduceMean)
        Mul: float32[N, 3] = Mul(Sub, Sub)
        ReduceMean_1: float32[1, 3] = ReduceMean(Mul, constant)
        Add: float32[1, 3] = Add(ReduceMean_1, constant_1)
        Sqrt: float32[1, 3] = Sqrt(Add)
        Div: float32[1, 3] = Div(a/gamma, Sqrt)
        Mul_1: float32[N, 3] = Mul(Sub, Div)
        first: float32[N, 3] = Add(Mul_1, a/beta)
        Mul_2: float32[3] = Mul(a/mean, constant_2)
        Squeeze: float32[3] = Squeeze(ReduceMean, constant)
        Mul_3: float32[3] = Mul(Squeeze, constant_3)
        a/mean/next: float32[3] = Add(Mul_2, Mul_3)
        Mul_4: float32[3] = Mul(a/variance, constant_2)
        Squeeze_1: float32[3] = Squeeze(ReduceMean_1, constant)
        Mul_5: float32[3] = Mul(Squeeze_1, constant_3)
        a/variance/next: float32[3] = Add(Mul_4, Mul_5)
        second: float32[N, 3] = BatchNormalization(first, b/gamma, b/beta, b/mean, b/variance) {epsilon: 0.001, momentum: 0.75}"
    `);
    expect(masks).toEqual([{ input: "drop/mask", rate: 0.25, shape: ["N", channels] }]);
    expect(updates).toEqual([
      { parameter: "a/mean", next: "a/mean/next" },
      { parameter: "a/variance", next: "a/variance/next" },
    ]);
  });

  it("leaves a graph alone where nothing is in training", () => {
    const graph = network(["N", channels]);
    expect(printGraph(trainingForm(graph, new Set()).graph)).toBe(printGraph(graph));
  });

  it("normalizes each channel to mean beta and deviation gamma, whatever the rank", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
        fc.integer({ min: 4, max: 6 }),
        async (spatial, n) => {
          const { graph } = trainingForm(network(["N", channels, ...spatial]), new Set(["first", "second"]));
          const x = randomTensor(randomNumbers(n), "float32", [n, channels, ...spatial]);
          const { mean, deviation } = momentsOf((await runGraph(graph, { x })).get("second")?.data as Float32Array, n);
          const weight = (name: string) =>
            numbersOf([...graph.initializers].find(([value]) => value.name === name)?.[1] ?? expect.fail(name));
          const [beta, gamma] = [weight("b/beta"), weight("b/gamma")];
          for (let channel = 0; channel < channels; channel++) {
            expect(mean[channel]).toBeCloseTo(beta[channel] ?? Number.NaN, 4);
            // ε takes a little off the deviation.
            expect(deviation[channel]).toBeLessThanOrEqual(Math.abs(gamma[channel] ?? Number.NaN) + 1e-4);
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  it("moves the statistics of a layer that is called twice twice", async () => {
    const { graph, updates } = trainingForm(network(["N", channels], true), new Set(["first", "second"]));
    expect(updates.map(({ parameter }) => parameter)).toEqual(["a/mean", "a/variance"]);
    const x = randomTensor(randomNumbers(1), "float32", [5, channels]);
    const outputs = await runGraph(graph, { x });
    const constant = (name: string) =>
      numbersOf([...graph.initializers].find(([value]) => value.name === name)?.[1] ?? expect.fail(name));
    const { mean } = momentsOf(x.data as Float32Array, 5);
    // The first call's output has mean beta, which the second call sees.
    const wanted = constant("a/mean").map(
      (start, index) => (start * 0.75 + 0.25 * (mean[index] ?? 0)) * 0.75 + 0.25 * (constant("a/beta")[index] ?? 0),
    );
    const [, next] = [...outputs.values()];
    numbersOf(next ?? expect.fail("no statistics")).forEach((value, index) => {
      expect(value).toBeCloseTo(wanted[index] ?? Number.NaN, 5);
    });
  });

  it("makes a dropout of rate 0 nothing", () => {
    const b: Builder = newBuilder();
    const x = b.input("x", "float32", ["N", 2]);
    const graph = b.graph([b.apply("Dropout", [x, b.constant(float32([], Float32Array.of(0)))], {}, "drop")]);
    expect(trainingForm(graph, new Set(["drop"])).masks).toEqual([]);
  });

  it.each([["rate"], ["nobody"]])("refuses %s, which does not behave otherwise in training", (name) => {
    expect(() => trainingForm(network(["N", channels]), new Set([name]))).toThrow(
      expect.objectContaining({ code: "usage", path: [`value "${name}"`] }),
    );
  });
});

/** Mean and deviation of each channel of `[n, channels, …]`. */
function momentsOf(data: Float32Array, n: number): { readonly mean: number[]; readonly deviation: number[] } {
  const pixels = data.length / n / channels;
  const of = (channel: number) => data.filter((_, index) => Math.floor(index / pixels) % channels === channel);
  const average = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const all = Array.from({ length: channels }, (_, channel) => of(channel));
  const mean = all.map(average);
  return {
    mean,
    deviation: all.map((values, index) => Math.sqrt(average(values.map((value) => (value - (mean[index] ?? 0)) ** 2)))),
  };
}
