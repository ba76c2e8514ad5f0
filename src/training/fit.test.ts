import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { augmented, type Dataset, memoryDataset, type PixelRecipe, randomFlip } from "../data/index.ts";
import type { Builder, Graph, Value } from "../graph/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor, numbersOf, randomNumbers } from "../tensor/index.ts";
import { pocketBuilder, randomTensor } from "../testing/index.ts";
import { type Callback, earlyStopping, reduceLROnPlateau } from "./callbacks.ts";
import type { CheckpointStore } from "./checkpoint.ts";
import { featureStore } from "./features-node.ts";
import { type FitOptions, type FitResult, fit, type TrainingProblem } from "./fit.ts";
import { adam, sgd } from "./optimizers.ts";
import { cosineDecay } from "./schedules.ts";

const runtime: Runtime = await nodeRuntime({ threads: 1 });
const recipe: PixelRecipe = { height: 4, width: 4, method: "bilinear", aspect: "stretch" };

interface KerasFit {
  readonly history: Readonly<Record<"loss" | "accuracy" | "val_loss" | "val_accuracy", readonly number[]>>;
  readonly kernel: readonly number[];
  readonly bias: readonly number[];
}

/** Keras's, written by make_fit_fixtures.py. */
const { fit: keras } = JSON.parse(
  readFileSync(new URL("../../tests/fixtures/training/fit.json", import.meta.url), "utf8"),
) as {
  readonly fit: Readonly<
    Record<
      "pixels" | "labels" | "held" | "heldLabels" | "first" | "second" | "sampleWeights" | "classWeights",
      readonly number[]
    >
  > & { readonly cases: Readonly<Record<string, KerasFit>> };
};

const pictures = (pixels: readonly number[], labels: readonly number[], classes: readonly string[]): Promise<Dataset> =>
  memoryDataset(
    labels.map((label, index) => ({
      width: 4,
      height: 4,
      data: Uint8Array.from(pixels.slice(index * 48, (index + 1) * 48)),
      label,
    })),
    classes,
  );

function weight(b: Builder, name: string, tensor: NumericTensor): Value {
  const value = { name, dtype: tensor.dtype, shape: tensor.shape };
  b.adoptConstant(value, tensor);
  return value;
}

/** The network of make_fit_fixtures.py. */
function dense(width: number): Graph {
  const b = newBuilder();
  const image = b.input("image", "uint8", ["N", 4, 4, 3]);
  const scaled = b.shift(b.scale(b.cast(image, "float32"), 1 / 127.5), -1);
  const second = Float32Array.from(keras.second.filter((_, index) => index % 3 < width));
  const hidden = b.apply("Gemm", [
    b.apply("Flatten", [scaled]),
    weight(b, "first/kernel", float32([48, 6], Float32Array.from(keras.first))),
    weight(b, "first/bias", float32([6], new Float32Array(6))),
  ]);
  const logits = b.apply("Gemm", [
    b.apply("Tanh", [hidden]),
    weight(b, "second/kernel", float32([6, width], second)),
    weight(b, "second/bias", float32([width], new Float32Array(width))),
  ]);
  return b.graph([width === 1 ? b.apply("Sigmoid", [logits]) : b.apply("Softmax", [logits], { axis: -1 })]);
}

const denseNames = ["first/kernel", "first/bias", "second/kernel", "second/bias"];
const plain = (graph: Graph, trainable: readonly string[]): TrainingProblem => ({
  graph,
  trainable,
  trainingNodes: new Set(),
  recipe,
});

describe("fit beside Keras's", () => {
  const options: Readonly<Record<string, FitOptions>> = {
    plain: { optimizer: sgd(), learningRate: 0.1 },
    adam: { optimizer: adam(), learningRate: 0.01 },
    binary: { optimizer: sgd(), learningRate: 0.1 },
    classWeights: { optimizer: sgd(), learningRate: 0.1, classWeights: keras.classWeights },
    sampleWeights: { optimizer: sgd(), learningRate: 0.1, sampleWeights: keras.sampleWeights },
    schedule: { optimizer: sgd(), learningRate: cosineDecay({ initialLearningRate: 0.2, decaySteps: 9 }) },
  };

  it.each(Object.keys(keras.cases))("has the same epochs and weights: %s", async (name) => {
    const judged = keras.cases[name] ?? expect.fail();
    const isBinary = name === "binary";
    const classes = isBinary ? ["other", "one"] : ["a", "b", "c"];
    const labels = (all: readonly number[]) => (isBinary ? all.map((label) => Number(label === 1)) : all);
    const data = await pictures(keras.pixels, labels(keras.labels), classes);
    const validationData = await pictures(keras.held, labels(keras.heldLabels), classes);
    const problem = plain(dense(isBinary ? 1 : 3), denseNames);
    const settings = { epochs: 3, batchSize: 8, shuffle: false, validationData, ...options[name] };
    const { history, weights } = await fit(problem, data, settings, { runtime });
    for (const [epoch, record] of history.entries()) {
      expect(record.loss).toBeCloseTo(judged.history.loss[epoch] ?? 0, 4);
      expect(record.accuracy).toBeCloseTo(judged.history.accuracy[epoch] ?? 0, 6);
      expect(record.valLoss).toBeCloseTo(judged.history.val_loss[epoch] ?? 0, 4);
      expect(record.valAccuracy).toBeCloseTo(judged.history.val_accuracy[epoch] ?? 0, 6);
    }
    const apart = (found: NumericTensor | undefined, wanted: readonly number[]) =>
      Math.max(...numbersOf(found ?? expect.fail()).map((value, index) => Math.abs(value - (wanted[index] ?? 9))));
    expect(history).toHaveLength(3);
    expect(apart(weights.get("first/kernel"), judged.kernel)).toBeLessThan(2e-4);
    expect(apart(weights.get("second/bias"), judged.bias)).toBeLessThan(2e-4);
  });
});

/** Drawn pictures of two classes: bright above, or bright below. */
async function drawn(count: number, seed = 1): Promise<Dataset> {
  const random = randomNumbers(seed);
  const all = Array.from({ length: count }, (_, index) => {
    const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => {
      const isBright = index % 2 === 0 ? at < 96 : at >= 96;
      return 40 + 120 * random() + (isBright ? 60 : 0);
    });
    return { width: 8, height: 8, data, label: index % 2 };
  });
  return memoryDataset(all, ["above", "below"]);
}

/** A residual network with batch norm and dropout, and the first outputs of both kinds of node. */
function residual(): Graph {
  const b = newBuilder();
  const tensor = (shape: number[], seed: number) => randomTensor(randomNumbers(seed), "float32", shape, [-0.4, 0.4]);
  const image = b.input("image", "uint8", ["N", 8, 8, 3]);
  const x = b.transpose(b.shift(b.scale(b.cast(image, "float32"), 1 / 127.5), -1), [0, 3, 1, 2]);
  const conv = (input: Value, name: string, channels: number, seed: number) =>
    b.apply("Conv", [input, weight(b, `${name}/kernel`, tensor([channels, Number(input.shape?.[1]), 3, 3], seed))], {
      pads: [1, 1, 1, 1],
    });
  const norm = (input: Value, name: string) => {
    const channels = Number(input.shape?.[1]);
    const ones = () => float32([channels], new Float32Array(channels).fill(1));
    const zeros = () => float32([channels], new Float32Array(channels));
    const parameters = [
      weight(b, `${name}/gamma`, ones()),
      weight(b, `${name}/beta`, zeros()),
      weight(b, `${name}/moving_mean`, zeros()),
      weight(b, `${name}/moving_variance`, ones()),
    ];
    return b.apply("BatchNormalization", [input, ...parameters], { epsilon: 1e-3, momentum: 0.9 }, name);
  };
  const first = b.apply("Relu", [conv(x, "first", 6, 3)], {}, "first");
  const inner = b.apply("Relu", [norm(conv(first, "second", 6, 4), "norm")], {}, "inner");
  const sum = b.add(first, conv(inner, "third", 6, 5));
  const mean = b.reduceMean(sum, [2, 3], false);
  const dropped = b.apply("Dropout", [mean, b.scalar(0.3, mean)], {}, "dropout");
  const kernel = weight(b, "head/kernel", tensor([6, 2], 6));
  const logits = b.apply("Gemm", [dropped, kernel, weight(b, "head/bias", float32([2], new Float32Array(2)))]);
  return b.graph([b.apply("Softmax", [logits], { axis: -1 })]);
}

const wide: PixelRecipe = { ...recipe, height: 8, width: 8 };
const trainableNames = ["third/kernel", "head/kernel", "head/bias"];
/** Without batch norm in training, with it, and everything at once. */
const problems: Readonly<Record<string, TrainingProblem>> = {
  "the upper part": { graph: residual(), trainable: trainableNames, trainingNodes: new Set(["dropout"]), recipe: wide },
  "batch norm in training": {
    graph: residual(),
    trainable: ["second/kernel", "norm/gamma", "norm/beta", ...trainableNames],
    trainingNodes: new Set(["norm", "dropout"]),
    recipe: wide,
  },
  everything: {
    graph: residual(),
    trainable: ["first/kernel", "second/kernel", ...trainableNames],
    trainingNodes: new Set<string>(),
    recipe: wide,
  },
};

function sameBytes(one: FitResult["weights"], other: FitResult["weights"]): boolean {
  const bytes = (tensor: NumericTensor | undefined) =>
    Buffer.from(tensor?.data.buffer ?? new ArrayBuffer(0), tensor?.data.byteOffset, tensor?.data.byteLength);
  return (
    one.size > 0 &&
    one.size === other.size &&
    [...one].every(([name, tensor]) => Buffer.compare(bytes(tensor), bytes(other.get(name))) === 0)
  );
}

const data = await drawn(37);
const validationData = await drawn(11, 2);
const flipped = augmented(data, [randomFlip({ mode: "horizontal" })]);
const common: FitOptions = { epochs: 4, batchSize: 16, learningRate: 0.01, validationData, seed: 3 };
const withoutSeconds = (result: FitResult) => result.history.map(({ seconds: _, ...record }) => record);

describe.each(Object.entries(problems))("fit of %s", (_, problem) => {
  it("gives the same bytes with one, two and four threads, and others with another seed", async () => {
    const [one, two, four] = await Promise.all([1, 2, 4].map((threads) => nodeRuntime({ threads, spinning: false })));
    const results: FitResult[] = [];
    for (const each of [one, two, four]) {
      results.push(await fit(problem, flipped, common, { runtime: each ?? runtime }));
    }
    const [first, second, third] = results;
    if (!first || !second || !third) throw new Error("a result is missing");
    expect(sameBytes(first.weights, second.weights)).toBe(true);
    expect(sameBytes(first.weights, third.weights)).toBe(true);
    expect(withoutSeconds(third)).toEqual(withoutSeconds(first));
    const other = await fit(problem, flipped, { ...common, seed: 4 }, { runtime });
    expect(sameBytes(first.weights, other.weights)).toBe(false);
  });

  it("learns, changes what is trained and nothing else, and proves it", async () => {
    const { weights, history, graph, frozenDigest } = await fit(
      problem,
      data,
      { ...common, epochs: 12, learningRate: 0.03 },
      { runtime },
    );
    expect(history.at(-1)?.loss).toBeLessThan((history[0]?.loss ?? 0) * 0.8);
    expect(history.at(-1)?.valAccuracy).toBeGreaterThan(0.8);
    expect(frozenDigest.after).toBe(frozenDigest.before);
    const before = new Map([...problem.graph.initializers].map(([value, tensor]) => [value.name, tensor]));
    for (const [value, tensor] of graph.initializers) {
      const isTrained = weights.has(value.name);
      expect(Buffer.compare(bytesOf(tensor), bytesOf(before.get(value.name))) === 0, value.name).toBe(!isTrained);
    }
    const statistics = ["norm/moving_mean", "norm/moving_variance"].filter(() => problem.trainingNodes.has("norm"));
    expect([...weights.keys()].sort()).toEqual([...problem.trainable, ...statistics].sort());
  });

  it.each([1, 2, 5, 9])("goes on after being killed at save %i as if nothing had happened", async (save) => {
    const callbacks = (): Callback[] => [
      earlyStopping({ patience: 2, minDelta: 0.05, restoreBestWeights: true }),
      reduceLROnPlateau({ patience: 1, minDelta: 0.05 }),
    ];
    const options = { ...common, checkpointSteps: 2 };
    const whole = await fit(problem, flipped, { ...options, callbacks: callbacks() }, { runtime });
    let [saves, kept]: [number, Uint8Array | undefined] = [0, undefined];
    const store: CheckpointStore = {
      load: async () => kept,
      save: async (bytes) => {
        saves += 1;
        if (saves > save) throw new Error("killed");
        kept = bytes.slice();
      },
    };
    const killed = fit(problem, flipped, { ...options, callbacks: callbacks(), checkpoint: store }, { runtime });
    // Fewer saves than this: it came to its end, and is asked again all the same.
    await killed.catch((error: Error) => expect(error.message).toBe("killed"));
    saves = Number.NEGATIVE_INFINITY;
    const resumed = await fit(problem, flipped, { ...options, callbacks: callbacks(), checkpoint: store }, { runtime });
    expect(sameBytes(resumed.weights, whole.weights)).toBe(true);
    expect(withoutSeconds(resumed)).toEqual(withoutSeconds(whole));
    expect(resumed.stopped).toBe(whole.stopped);
  });
});

const bytesOf = (tensor: { readonly data: unknown } | undefined) => {
  if (!(tensor?.data instanceof Float32Array)) return Buffer.alloc(0);
  return Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
};

describe("fit", () => {
  const problem = problems["the upper part"] ?? expect.fail();

  it("refuses a checkpoint of another training", async () => {
    let kept: Uint8Array | undefined;
    const checkpoint: CheckpointStore = {
      load: async () => kept,
      save: async (bytes) => {
        kept = bytes;
      },
    };
    await fit(problem, data, { ...common, epochs: 1, checkpoint }, { runtime });
    for (const changed of [
      { batchSize: 8 },
      { learningRate: 0.02 },
      { seed: 9 },
      { optimizer: sgd() },
      { classWeights: [1, 2] },
    ]) {
      const again = fit(problem, data, { ...common, ...changed, checkpoint }, { runtime });
      await expect(again).rejects.toThrow(/checkpoint is of another training/);
    }
    const others = fit(problem, validationData, { ...common, checkpoint }, { runtime });
    await expect(others).rejects.toThrow(/checkpoint is of another training/);
    // More epochs are more of the same training.
    expect((await fit(problem, data, { ...common, epochs: 2, checkpoint }, { runtime })).history).toHaveLength(2);
  });

  it("tells callbacks what happens, and does what they say", async () => {
    const events: string[] = [];
    const callback: Callback = {
      onTrainBegin: () => void events.push("begin"),
      onEpochBegin: (epoch, handle) => {
        events.push(`epoch ${epoch}`);
        handle.setLearningRate(handle.learningRate / 2);
      },
      onBatchEnd: ({ batch, batches, size }) => void events.push(`${batch + 1}/${batches} of ${size}`),
      onEpochEnd: ({ epoch }, handle) => {
        if (epoch === 6) handle.stop("enough");
      },
      onTrainEnd: async (handle) => {
        events.push(`end at ${handle.learningRate}`);
        const bias = float32([2], Float32Array.of(5, 6));
        await handle.writeWeights(new Map([["head/bias", bias]]));
      },
    };
    const options = { ...common, epochs: 20, initialEpoch: 5, learningRate: 1, callbacks: [callback] };
    const { stopped, history, weights } = await fit(problem, data, options, { runtime });
    const batches = ["1/3 of 16", "2/3 of 16", "3/3 of 5"];
    expect(events).toEqual(["begin", "epoch 5", ...batches, "epoch 6", ...batches, "end at 0.25"]);
    expect([stopped, ...history.map(({ learningRate }) => learningRate)]).toEqual(["enough", 0.5, 0.25]);
    expect(numbersOf(weights.get("head/bias") ?? expect.fail())).toEqual([5, 6]);
  });

  it("does not let a callback set a rate that follows a schedule", async () => {
    const callback: Callback = { onEpochBegin: (_, handle) => handle.setLearningRate(1) };
    const learningRate = cosineDecay({ initialLearningRate: 0.1, decaySteps: 5 });
    await expect(fit(problem, data, { learningRate, callbacks: [callback] }, { runtime })).rejects.toThrow(/schedule/);
  });

  it("stops when the loss is no number any more", async () => {
    const options = { ...common, optimizer: sgd(), learningRate: 1e30 };
    const { stopped, history } = await fit(problem, data, options, { runtime });
    expect(stopped).toMatch(/no finite number/);
    expect(history.length).toBeLessThan(4);
  });

  it("can be aborted between two steps", async () => {
    const controller = new AbortController();
    const callback: Callback = { onBatchEnd: () => controller.abort(new Error("enough")) };
    const options = { ...common, callbacks: [callback], signal: controller.signal };
    await expect(fit(problem, data, options, { runtime })).rejects.toThrow("enough");
  });

  it.each<[string, Partial<TrainingProblem>, FitOptions]>([
    ["the batch size", {}, { batchSize: 0 }],
    ["the epochs", {}, { epochs: 1.5 }],
    ["the class weights", {}, { classWeights: [1] }],
    ["the sample weights", {}, { sampleWeights: new Array(37).fill(-1) }],
    ["the schedule", {}, { learningRate: Number.NaN }],
    ["the names to train", { trainable: ["no such name"] }, {}],
    ["what is trained: nothing", { trainable: [], trainingNodes: new Set() }, {}],
    ["the nodes in training", { trainingNodes: new Set(["first"]) }, {}],
  ])("refuses options that do not fit: %s", async (_, change, options) => {
    await expect(fit({ ...problem, ...change }, data, options, { runtime })).rejects.toThrow(GraftError);
  });

  it("refuses labels that the model has no output for", async () => {
    const three = { ...data, classNames: ["a", "b", "c"], labels: data.labels.map((_, index) => index % 3) };
    await expect(fit(problem, three, common, { runtime })).rejects.toThrow(/no output for a label/);
  });
});

describe("fit of the base that comes along", () => {
  it("tunes its last layers and a head on drawn pictures, from features that it finds again", async () => {
    const { build, features } = pocketBuilder();
    const kernel = weight(build, "head/kernel", float32([1280, 2], new Float32Array(2560)));
    const bias = weight(build, "head/bias", float32([2], new Float32Array(2)));
    const problem: TrainingProblem = {
      graph: build.graph([build.apply("Gemm", [features, kernel, bias])]),
      trainable: ["block_16_project/kernel", "Conv_1/kernel", "head/kernel", "head/bias"],
      trainingNodes: new Set(),
      recipe: { ...recipe, height: 128, width: 128 },
    };
    const folder = await mkdtemp(join(tmpdir(), "graft fit "));
    try {
      const options: FitOptions = {
        epochs: 12,
        batchSize: 8,
        learningRate: 0.002,
        rateOf: (name) => (name.startsWith("head") ? 1 : 0.1),
      };
      const platform = { runtime, store: featureStore(folder) };
      const one = await fit(problem, validationData, options, platform);
      expect(one.history.at(-1)?.loss).toBeLessThan(0.75 * (one.history[0]?.loss ?? 0));
      expect(one.frozenDigest.after).toBe(one.frozenDigest.before);
      const segments = async () =>
        (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".segment"));
      expect(await segments()).toHaveLength(1);
      const again = await fit(problem, validationData, options, platform);
      expect(sameBytes(again.weights, one.weights)).toBe(true);
      expect(await segments()).toHaveLength(1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
