import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { nodeRuntime } from "../../src/node.ts";
import { onnxModelOf, readModel, writeModel } from "../../src/onnx/index.ts";
import { inferShapes } from "../../src/shapes/index.ts";
import { float32, numbersOf, type Tensor, tensorOf } from "../../src/tensor/index.ts";
import { readNpz } from "../../src/testing/index.ts";
import {
  adam,
  adamW,
  buildTrainingStep,
  type Clipping,
  type CrossEntropyOptions,
  type Loss,
  meanSquaredError,
  type Optimizer,
  rmsprop,
  sgd,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
} from "../../src/training/index.ts";

/** Twenty steps of Keras and of PyTorch on a small convolutional network, made by make_training_fixtures.py. */
const folder = new URL("../fixtures/training/", import.meta.url);

interface Case {
  readonly name: string;
  readonly system: "keras" | "torch";
  readonly model: string;
  readonly target: "labels" | "binary" | "multilabel" | "values";
  readonly loss: { readonly kind: string; readonly label_smoothing?: number; readonly class_weights?: number[] };
  readonly optimizer: {
    readonly kind: "SGD" | "Adam" | "AdamW" | "RMSprop";
    readonly learning_rate: number;
    readonly [option: string]: number | string | boolean;
  };
}
interface Fixture {
  readonly steps: number;
  readonly parameters: Readonly<Record<string, readonly (readonly [string, readonly number[]])[]>>;
  readonly cases: readonly Case[];
}

const fixture = JSON.parse(readFileSync(new URL("steps.json", folder), "utf8")) as Fixture;
const arrays = readNpz(fileURLToPath(new URL("steps.npz", folder)));
const runtime = await nodeRuntime({ threads: 1 });

/** The forms a step can take. A weighted mean over the weights of a whole batch cannot be taken in parts. */
const forms = [
  { form: "any batch", options: {} },
  { form: "a fixed batch", options: { batch: 6 } },
  { form: "a fixed batch in parts", options: { batch: 6, microBatch: 2 } },
];
const casesOf = (form: string) =>
  fixture.cases.filter(
    ({ system, loss }) => form !== "a fixed batch in parts" || system === "keras" || !loss.class_weights,
  );

describe.each(forms)("twenty steps of training, $form", ({ form, options }) => {
  it.each(casesOf(form))("$name: losses and parameters agree", async (each) => {
    const { graph } = readModel(readFileSync(new URL(each.model, folder)), { path: each.model });
    const parameters = fixture.parameters[each.model] ?? [];
    const { graph: step, state } = buildTrainingStep({
      graph: inferShapes(graph),
      trainable: parameters.map(([name]) => name),
      loss: lossOf(each),
      optimizer: optimizerOf(each),
      clipping: clippingOf(each),
      ...options,
    });
    const executable = await runtime.compile(writeModel(onnxModelOf(step)), { state });
    const losses: number[] = [];
    const flattened = async () => {
      const values = await executable.readState();
      return parameters.flatMap(([name]) => numbersOf(values.get(name) ?? float32([0], new Float32Array())));
    };
    for (let index = 0; index < fixture.steps; index++) {
      const outputs = await executable.run({
        x: batch("x", index),
        labels: each.target === "labels" ? asInt64(batch("labels", index)) : batch(each.target, index),
        learning_rate: float32([], Float32Array.of(each.optimizer.learning_rate)),
      });
      losses.push(Number(outputs.get("loss")?.data[0]));
      if (index === 0) expectClose(await flattened(), expected(`${each.name}/after1`));
    }
    expectClose(losses, expected(`${each.name}/losses`));
    expectClose(await flattened(), expected(`${each.name}/after20`));
    await executable.dispose();
  });
});

function lossOf({ loss, system }: Case): Loss {
  const { kind, label_smoothing: labelSmoothing, class_weights: classWeights } = loss;
  if (kind === "mean squared error") return meanSquaredError();
  const options: CrossEntropyOptions = {
    ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
    ...(classWeights === undefined ? {} : { classWeights }),
    ...(system === "torch" && kind.startsWith("softmax") ? { weightedMean: "weights" as const } : {}),
  };
  return kind.startsWith("softmax") ? softmaxCrossEntropy(options) : sigmoidCrossEntropy(options);
}

function optimizerOf({ optimizer }: Case): Optimizer {
  const number = (name: string, fallback: number) => Number(optimizer[name] ?? fallback);
  const epsilon = number("epsilon", 1e-7);
  switch (optimizer.kind) {
    case "SGD":
      return sgd({ momentum: number("momentum", 0), nesterov: optimizer["nesterov"] === true });
    case "Adam":
      return adam({ beta1: number("beta_1", 0.9), beta2: number("beta_2", 0.999), epsilon });
    case "AdamW":
      return adamW({ epsilon, weightDecay: number("weight_decay", 0.004) });
    case "RMSprop":
      return rmsprop({
        rho: number("rho", 0.9),
        momentum: number("momentum", 0),
        centered: optimizer["centered"] === true,
        epsilon,
      });
  }
}

function clippingOf({ optimizer }: Case): Clipping {
  const limit = (name: string) => optimizer[name] as number | undefined;
  const [norm, globalNorm, value] = [limit("clipnorm"), limit("global_clipnorm"), limit("clipvalue")];
  return {
    ...(norm === undefined ? {} : { norm }),
    ...(globalNorm === undefined ? {} : { globalNorm }),
    ...(value === undefined ? {} : { value }),
  };
}

function array(name: string): Tensor {
  const tensor = arrays.get(name);
  if (tensor === undefined) throw new Error(`steps.npz has no ${name}`);
  return tensor;
}

/** Step i uses batch i modulo the number of batches. */
function batch(name: string, index: number): Tensor {
  const { dtype, shape, data } = array(name);
  const [batches = 1, ...rest] = shape;
  const size = data.length / batches;
  const start = (index % batches) * size;
  return { dtype, shape: rest, data: data.slice(start, start + size) } as Tensor;
}

function asInt64(tensor: Tensor): Tensor {
  return tensorOf("int64", tensor.shape, numbersOf(tensor));
}

function expected(name: string): readonly number[] {
  return numbersOf(array(name));
}

/** Equal within 1e-4 of the largest element. */
function expectClose(actual: readonly number[], wanted: readonly number[]): void {
  expect(actual.length).toBe(wanted.length);
  const largest = Math.max(...wanted.map(Math.abs));
  const worst = Math.max(...actual.map((value, index) => Math.abs(value - (wanted[index] ?? Number.NaN))));
  expect(worst).toBeLessThanOrEqual(1e-4 * largest);
}
