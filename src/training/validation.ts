/** @file Validating: the loss and the share of right answers over all examples of a dataset. */
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { cutAfter } from "../passes/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { elementCount, float32, GraftError } from "../tensor/index.ts";
import { featureBatch } from "./features.ts";
import type { Loss } from "./losses.ts";
import type { ExampleRows } from "./rows.ts";
import { labelTensor, type Trainee } from "./trainee.ts";

export interface Validation {
  readonly loss: number;
  /** The share that is right; `undefined` where that means nothing. */
  readonly accuracy: number | undefined;
}

/** The examples a model is validated by. They count alike, whatever weights training gives them. */
export class Validator {
  readonly #rows: ExampleRows;
  readonly #labels: readonly number[];
  readonly #loss: Loss;
  readonly #runtime: Runtime;
  /** From the outputs of all examples to their loss; made at the first validation. */
  #judge: Executable | undefined;

  constructor(rows: ExampleRows, labels: readonly number[], loss: Loss, runtime: Runtime) {
    if (labels.length === 0) throw new GraftError("usage", "there is nothing to validate by: the dataset is empty");
    this.#rows = rows;
    this.#labels = labels;
    this.#loss = loss;
    this.#runtime = runtime;
  }

  /** In batches of one size, so that no example's answer depends on its neighbours. */
  async validate(trainee: Trainee, onProgress?: (done: number, total: number) => void): Promise<Validation> {
    const labels = this.#labels;
    const executable = await this.#runtime.compile(await trainee.inferenceModel(featureBatch));
    const { shape } = trainee.split(featureBatch);
    const size = elementCount(shape);
    const [input] = executable.inputs;
    const reader = this.#rows.reader([...labels.keys()], 0);
    const parts: Float32Array[] = [];
    try {
      for (let from = 0; from < labels.length; from += featureBatch) {
        const rows = new Float32Array(featureBatch * size);
        const count = Math.min(featureBatch, labels.length - from);
        rows.set(await reader.next(count));
        const feeds = new Map([[input?.name ?? "", float32([featureBatch, ...shape], rows)]]);
        const [output] = (await executable.run(feeds)).values();
        if (!(output?.data instanceof Float32Array)) throw new GraftError("runtime-failed", "no outputs came");
        parts.push(output.data.subarray(0, (output.data.length / featureBatch) * count));
        onProgress?.(from + count, labels.length);
      }
    } finally {
      await reader.close();
      await executable.dispose();
    }
    const width = (parts[0]?.length ?? 0) / Math.min(featureBatch, labels.length);
    const outputs = new Float32Array(labels.length * width);
    let at = 0;
    for (const part of parts) {
      outputs.set(part, at);
      at += part.length;
    }
    return { loss: await this.#lossOf(outputs, width), accuracy: accuracyOf(this.#loss, outputs, labels) };
  }

  async close(): Promise<void> {
    await this.#judge?.dispose();
    await this.#rows.close();
  }

  async #lossOf(outputs: Float32Array, width: number): Promise<number> {
    const count = this.#labels.length;
    this.#judge ??= await this.#runtime.compile(judgeModel(this.#loss, count, width));
    const feeds = new Map([
      ["output", float32([count, width], outputs)],
      ["labels", labelTensor(this.#loss, this.#labels, count, width)],
    ]);
    const [loss] = (await this.#judge.run(feeds)).values();
    return Number(loss?.data[0] ?? Number.NaN);
  }
}

function judgeModel(loss: Loss, count: number, width: number): Uint8Array {
  const build = newBuilder();
  const output = build.input("output", "float32", [count, width]);
  const isIndices = loss.labels === "indices";
  const labels = build.input("labels", isIndices ? "int64" : "float32", isIndices ? [count] : [count, width]);
  const { loss: value } = loss.build(build, { output, labels, sampleWeights: undefined });
  return writeModel(onnxModelOf(cutAfter(build.graph([value]), [value])));
}

/** By the largest output, of two alike the first; of a single one, by its sign. */
function accuracyOf(loss: Loss, outputs: Float32Array, labels: readonly number[]): number | undefined {
  if (loss.labels === "targets" && loss.classifies !== true) return undefined;
  const width = outputs.length / labels.length;
  let right = 0;
  for (const [row, label] of labels.entries()) {
    const scores = outputs.subarray(row * width, (row + 1) * width);
    const guess = width === 1 ? Number((scores[0] ?? 0) > 0) : scores.indexOf(Math.max(...scores));
    if (guess === label) right += 1;
  }
  return right / labels.length;
}
