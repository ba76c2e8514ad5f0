/** @file What a training part reads: the frontier of every example, remembered or computed as it comes. */
import type { Dataset, PixelRecipe, View } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { elementCount } from "../tensor/index.ts";
import { extractFeatures, type FeatureStore, featuresBy } from "./features.ts";
import { seedOf } from "./seeds.ts";

export interface RowOptions {
  /** From pixels to the frontier, with a batch of `featureBatch`. */
  readonly frozen: Graph;
  /** Of the frontier of one example. */
  readonly shape: readonly number[];
  /** Whether the frontier is worth remembering. */
  readonly isCostly: boolean;
  readonly data: Dataset;
  readonly recipe: PixelRecipe;
  readonly runtime: Runtime;
  readonly store: FeatureStore | undefined;
  /** Draws the views of an epoch. */
  readonly seed: number;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The examples of a dataset at the frontier. */
export interface ExampleRows {
  /** The examples in this order, as they look in this epoch. Close it before the next one. */
  reader(order: readonly number[], epoch: number): RowReader;
  close(): Promise<void>;
}

export interface RowReader {
  /** The next `count` examples one after another, fewer at the end. */
  next(count: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** More is not remembered: reading it back would take as long as computing it. */
const mostRemembered = 8e9;

/**
 * Examples without augmentation behind a costly part are computed once and remembered. All others are computed when they
 * are asked for, their pictures decoded ahead.
 */
export async function exampleRows(options: RowOptions): Promise<ExampleRows> {
  const { data, shape, isCostly } = options;
  const isAugmented = (data.augmentation ?? []).length > 0;
  const bytes = 4 * elementCount(shape) * data.labels.length;
  return isAugmented || !isCostly || bytes > mostRemembered ? passingRows(options) : rememberedRows(options);
}

async function rememberedRows({ frozen: graph, ...options }: RowOptions): Promise<ExampleRows> {
  const table = await extractFeatures({ graph, ...options });
  return {
    reader(order) {
      let at = 0;
      return {
        async next(count) {
          at += count;
          return table.read(order.slice(at - count, at));
        },
        close: async () => undefined,
      };
    },
    close: () => table.close(),
  };
}

async function passingRows(options: RowOptions): Promise<ExampleRows> {
  const { frozen, shape, data, recipe, runtime, seed, signal } = options;
  const executable = await runtime.compile(writeModel(onnxModelOf(frozen)));
  const width = elementCount(shape);
  const viewOf = (index: number, epoch: number): View =>
    data.augmentation === undefined || data.augmentation.length === 0
      ? { index }
      : { index, augmentation: data.augmentation, seed: seedOf(seed, "view", epoch, data.digests[index] ?? "") };
  return {
    reader(order, epoch) {
      const views = order.map((index) => viewOf(index, epoch));
      const batches = featuresBy(executable, data, recipe, views, signal);
      let rest = new Float32Array(0);
      return {
        async next(count) {
          const rows = new Float32Array(count * width);
          let filled = 0;
          while (filled < rows.length) {
            if (rest.length === 0) {
              const { value } = await batches.next();
              if (value === undefined) return rows.subarray(0, filled);
              rest = new Float32Array(value);
            }
            const part = rest.subarray(0, rows.length - filled);
            rows.set(part, filled);
            filled += part.length;
            rest = rest.subarray(part.length);
          }
          return rows;
        },
        async close() {
          await batches.return();
        },
      };
    },
    close: () => executable.dispose(),
  };
}
