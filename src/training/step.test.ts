import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Builder, findValue, type Graph, printGraph, type Value } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { trainingForm } from "../passes/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, type NumericTensor, numbersOf, tensorOf } from "../tensor/index.ts";
import { readNpz, runGraph } from "../testing/index.ts";
import { adam, buildTrainingStep, sgd, softmaxCrossEntropy, type TrainingStepOptions } from "./index.ts";

const runtime: Runtime = await nodeRuntime({ threads: 1 });
/** Keras's, made by make_batch_norm_fixtures.py. */
const arrays = readNpz(fileURLToPath(new URL("../../tests/fixtures/training/batch_norm.npz", import.meta.url)));
const array = (name: string): NumericTensor => arrays.get(name) ?? expect.fail(`no array ${name}`);
const weightNames = [...arrays.keys()].filter((name) => name.startsWith("start/")).map((name) => name.slice(6));
const isStatistic = (name: string) => name.includes("/moving_");

/** The fixture's network with some weights, in inference mode; kernels stand as Keras has them. */
function network(prefix: string): Graph {
  const b = newBuilder();
  const weight = (name: string): Value => {
    const tensor = array(`${prefix}/${name}`);
    const value = { name, dtype: tensor.dtype, shape: tensor.shape };
    b.adoptConstant(value, tensor);
    return value;
  };
  const norm = (x: Value, name: string, momentum: number, epsilon: number) =>
    b.apply(
      "BatchNormalization",
      [x, ...["gamma", "beta", "moving_mean", "moving_variance"].map((each) => weight(`${name}/${each}`))],
      { momentum, epsilon },
      name,
    );
  const conv = (x: Value, name: string, pad: number, bias?: Value) =>
    b.apply("Conv", [x, b.transpose(weight(`${name}/kernel`), [3, 2, 0, 1]), bias], { pads: [pad, pad, pad, pad] });
  const x = b.transpose(b.input("x", "float32", ["N", 8, 8, 3]), [0, 3, 1, 2]);
  const first = b.apply("Relu", [norm(conv(x, "conv", 1), "first", 0.9, 1e-3)]);
  const second = b.apply("Relu", [norm(conv(first, "wide", 0), "second", 0.99, 1e-5)]);
  const deep = b.apply("Relu", [conv(second, "deep", 0, weight("deep/bias"))]);
  const mean = b.reduceMean(conv(deep, "narrow", 0), [2, 3], false);
  const third = norm(mean, "third", 0.8, 1e-2);
  return b.graph([b.apply("Gemm", [third, weight("dense/kernel"), weight("dense/bias")], {}, "logits")]);
}

/** Batch `index` modulo the number of batches. */
function batch(index: number) {
  const x = array("x");
  const labels = array("labels");
  const at = index % 5;
  return {
    x: float32([6, 8, 8, 3], (x.data as Float32Array).slice(at * 1152, (at + 1) * 1152)),
    labels: tensorOf("int64", [6], numbersOf(labels).slice(at * 6, (at + 1) * 6)),
  };
}

const norms = new Set(["first", "second", "third"]);
const trainable = weightNames.filter((name) => !isStatistic(name));
const stepOf = (options: Partial<TrainingStepOptions> = {}) => {
  const { graph, updates } = trainingForm(network("start"), norms);
  return buildTrainingStep({ graph, trainable, updates, loss: softmaxCrossEntropy(), optimizer: sgd(), ...options });
};

const optimizers = [
  { optimizer: "sgd", rate: 0.05, make: () => sgd({ momentum: 0.9 }) },
  { optimizer: "adam", rate: 0.01, make: () => adam() },
];
const forms = [
  { form: "any batch", options: {} },
  { form: "a fixed batch", options: { batch: 6 } },
];
const cases = optimizers.flatMap((each) => forms.map((form) => ({ ...each, ...form })));

describe("a step with batch norm in training mode", () => {
  it.each(cases)("takes twenty steps as Keras does: $optimizer, $form", async ({ optimizer, rate, make, options }) => {
    const { graph, state } = stepOf({ optimizer: make(), ...options });
    const executable = await runtime.compile(writeModel(onnxModelOf(graph)), { state });
    const losses: number[] = [];
    for (let index = 0; index < 20; index++) {
      const outputs = await executable.run({ ...batch(index), learning_rate: float32([], Float32Array.of(rate)) });
      losses.push(Number(outputs.get("loss")?.data[0]));
    }
    expect(worst(losses, numbersOf(array(`${optimizer}/losses`)))).toBeLessThan(1e-4);
    const after = await executable.readState();
    for (const name of weightNames) {
      const wanted = numbersOf(array(`${optimizer}/${name}`));
      expect(worst(numbersOf(after.get(name) ?? expect.fail(name)), wanted), name).toBeLessThan(1e-4);
      expect(worst(numbersOf(array(`start/${name}`)), wanted), `${name} does not stay`).toBeGreaterThan(1e-4);
    }
    await executable.dispose();
  });

  it("gives the moved statistics to inference", async () => {
    const logits = (await runGraph(network("sgd"), { x: batch(0).x })).get("logits") ?? expect.fail("no logits");
    expect(worst(numbersOf(logits), numbersOf(array("inference")))).toBeLessThan(1e-4);
  });

  it("stacks the batch across batch norm where pointwise convolutions pay for it", () => {
    expect(printGraph(stepOf({ batch: 6 }).graph)).toContain("float32[16, 6, 8, 8] = Sub(");
  });

  it("refuses micro-batches, which would not see the batch's statistics", () => {
    expect(() => stepOf({ batch: 6, microBatch: 3 })).toThrow(/micro-batches/);
  });
});

describe("a step's options by parameter", () => {
  it("scales the learning rate of each parameter", async () => {
    const run = async (rateOf?: (name: string) => number) => {
      const { graph, state } = stepOf(rateOf && { rateOf });
      const executable = await runtime.compile(writeModel(onnxModelOf(graph)), { state });
      await executable.run({ ...batch(0), learning_rate: float32([], Float32Array.of(0.1)) });
      const after = await executable.readState();
      await executable.dispose();
      return (name: string) => {
        const start = numbersOf(array(`start/${name}`));
        return numbersOf(after.get(name) ?? expect.fail(name)).map((value, index) => value - (start[index] ?? 0));
      };
    };
    const plain = await run();
    const scaled = await run((name) => (name.startsWith("dense/") ? 1 : name.startsWith("wide/") ? 0.25 : 0));
    expect(worst(scaled("dense/kernel"), plain("dense/kernel"))).toBeLessThan(1e-6);
    const quarter = plain("wide/kernel").map((value) => value / 4);
    expect(worst(scaled("wide/kernel"), quarter)).toBeLessThan(1e-6);
    expect(
      worst(
        scaled("conv/kernel"),
        plain("conv/kernel").map(() => 0),
      ),
    ).toBe(0);
  });

  it("refuses a factor that is not a number from 0 on", () => {
    expect(() => stepOf({ rateOf: () => -1 })).toThrow(/factor on a learning rate/);
  });
});

describe("a step with dropout", () => {
  it("multiplies by the mask, forward and back", async () => {
    const b: Builder = newBuilder();
    const x = b.input("x", "float32", ["N", 4]);
    const kernel = { name: "kernel", dtype: "float32" as const, shape: [4, 2] };
    b.adoptConstant(kernel, float32([4, 2], Float32Array.of(0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8)));
    const rate = b.constant(float32([], Float32Array.of(0.5)));
    const dropped = b.apply("Dropout", [x, rate], {}, "drop");
    const inference = b.graph([b.apply("MatMul", [dropped, kernel], {}, "logits")]);
    const { graph, masks } = trainingForm(inference, new Set(["drop"]));
    expect(masks).toEqual([{ input: "drop/mask", rate: 0.5, shape: ["N", 4] }]);
    const step = buildTrainingStep({
      graph,
      trainable: ["kernel"],
      loss: softmaxCrossEntropy(),
      optimizer: sgd(),
      batch: 2,
    });
    const executable = await runtime.compile(writeModel(onnxModelOf(step.graph)), { state: step.state });
    await executable.run({
      x: float32([2, 4], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
      "drop/mask": float32([2, 4], Float32Array.of(0, 2, 0, 2, 0, 0, 0, 2)),
      labels: tensorOf("int64", [2], [0, 1]),
      learning_rate: float32([], Float32Array.of(0.1)),
    });
    const after = numbersOf((await executable.readState()).get("kernel") ?? expect.fail("kernel"));
    const changed = after.map(
      (value, index) => Math.abs(value - Number(findInitial(inference, "kernel")[index])) > 1e-6,
    );
    // Rows of inputs that were dropped in every example get no gradient.
    expect(changed).toEqual([false, false, true, true, false, false, true, true]);
    await executable.dispose();
  });
});

function findInitial(graph: Graph, name: string): readonly number[] {
  const tensor = graph.initializers.get(findValue(graph, name));
  return tensor === undefined ? [] : numbersOf(tensor);
}

/** The largest difference. */
function worst(actual: readonly number[], wanted: readonly number[]): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  return Math.max(...actual.map((value, index) => Math.abs(value - (wanted[index] ?? Number.NaN))));
}
