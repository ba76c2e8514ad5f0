/** @file Validating: the loss and the share of right answers over all examples of a dataset. */
import type { Runtime } from "../runtime/index.ts";
import { elementCount, float32, GraftError } from "../tensor/index.ts";
import { featureBatch } from "./features.ts";
import { Judge, type Validation } from "./judge.ts";
import type { Loss } from "./losses.ts";
import type { ExampleRows } from "./rows.ts";
import type { Trainee } from "./trainee.ts";

/** The examples a model is validated by. */
export class Validator {
  readonly #rows: ExampleRows;
  readonly #labels: readonly number[];
  readonly #runtime: Runtime;
  readonly #judge: Judge;

  constructor(rows: ExampleRows, labels: readonly number[], loss: Loss, runtime: Runtime) {
    this.#rows = rows;
    this.#labels = labels;
    this.#runtime = runtime;
    this.#judge = new Judge(labels, loss, runtime);
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
    return await this.#judge.judge(outputs);
  }

  async close(): Promise<void> {
    await this.#judge.close();
    await this.#rows.close();
  }
}
