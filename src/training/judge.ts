/** @file Judging what a model says of all examples of a dataset: the loss and the share of right answers. */
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { cutAfter } from "../passes/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError } from "../tensor/index.ts";
import type { Loss } from "./losses.ts";
import { labelTensor } from "./trainee.ts";

export interface Validation {
  readonly loss: number;
  /** The share that is right; `undefined` where that means nothing. */
  readonly accuracy: number | undefined;
}

/** Judges outputs for the same examples, as often as they come. */
export class Judge {
  readonly #labels: readonly number[];
  readonly #loss: Loss;
  readonly #runtime: Runtime;
  /** From the outputs of all examples to their loss; made at the first judgement. */
  #model: Executable | undefined;

  /** Examples count alike, whatever weights training gives them. Throws GraftError `usage` where there are none. */
  constructor(labels: readonly number[], loss: Loss, runtime: Runtime) {
    if (labels.length === 0) throw new GraftError("usage", "there is nothing to judge by: the dataset is empty");
    this.#labels = labels;
    this.#loss = loss;
    this.#runtime = runtime;
  }

  /** `outputs` are what the loss is taken of, `[examples, outputs]`. */
  async judge(outputs: Float32Array): Promise<Validation> {
    const count = this.#labels.length;
    const width = outputs.length / count;
    this.#model ??= await this.#runtime.compile(lossModel(this.#loss, count, width));
    const feeds = new Map([
      ["output", float32([count, width], outputs)],
      ["labels", labelTensor(this.#loss, this.#labels, count, width)],
    ]);
    const [loss] = (await this.#model.run(feeds)).values();
    return { loss: Number(loss?.data[0] ?? Number.NaN), accuracy: accuracyOf(this.#loss, outputs, this.#labels) };
  }

  async close(): Promise<void> {
    await this.#model?.dispose();
  }
}

function lossModel(loss: Loss, count: number, width: number): Uint8Array {
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
