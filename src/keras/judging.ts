/** @file Predicting and evaluating in batches of one size, so that no picture's answer depends on its neighbours. */
import type { Dataset, PixelRecipe } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { cutAfter } from "../passes/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor, numbersOf, tensorOf } from "../tensor/index.ts";
import type { Loss } from "../training/index.ts";

/** Pictures as they come: the next pixels, at most `most` of them, until there are none. */
export interface PixelSource {
  readonly count: number;
  /** `[examples, height, width, channels]`. */
  readonly shape: readonly number[];
  readonly dtype: "uint8" | "float32";
  read(from: number, to: number): Promise<Uint8Array | Float32Array>;
}

export interface LossAndAccuracy {
  readonly loss: number;
  /** The share that is right; absent where the loss is of no classes. */
  readonly accuracy?: number;
}

/** The pictures of a dataset, as they are. */
export function pixelsOfDataset(dataset: Dataset, recipe: PixelRecipe): PixelSource {
  return {
    count: dataset.labels.length,
    shape: [recipe.height, recipe.width, 3],
    dtype: "uint8",
    read: (from, to) =>
      dataset.read(
        Array.from({ length: to - from }, (_, index) => ({ index: from + index })),
        recipe,
      ),
  };
}

/**
 * Pictures that are in memory.
 *
 * @throws GraftError `usage` where they do not fill whole pictures
 */
export function pixelsInMemory(pixels: Uint8Array | Float32Array, shape: readonly number[]): PixelSource {
  const size = shape.reduce((product, each) => product * each, 1);
  if (pixels.length % size !== 0) {
    throw new GraftError("usage", "the pixels do not fill whole examples", {
      expected: `a multiple of ${size} numbers, of examples [${shape.join(", ")}]`,
      actual: `${pixels.length}`,
    });
  }
  return {
    count: pixels.length / size,
    shape,
    dtype: pixels instanceof Uint8Array ? "uint8" : "float32",
    read: async (from, to) => pixels.slice(from * size, to * size),
  };
}

/** What the graph says of each example, `[examples, …]`, in batches of `batchSize`, the last one padded. */
export async function outputsOf(
  runtime: Runtime,
  graph: Graph,
  source: PixelSource,
  batchSize: number,
): Promise<NumericTensor> {
  const executable = await runtime.compile(writeModel(onnxModelOf(graph)));
  const parts: NumericTensor[] = [];
  const end = (from: number) => Math.min(from + batchSize, source.count);
  try {
    let next = source.read(0, end(0));
    for (let from = 0; from < source.count; from += batchSize) {
      const pixels = await next;
      // Pictures are decoded elsewhere while the engine works here.
      next = end(from) < source.count ? source.read(end(from), end(from + batchSize)) : Promise.resolve(pixels);
      const outputs = await executable.run({ image: batchOf(pixels, source, batchSize) });
      const [output] = outputs.values();
      if (output === undefined || output.dtype === "string") throw new GraftError("runtime-failed", "no output came");
      parts.push(firstRows(output, end(from) - from));
    }
  } finally {
    await executable.dispose();
  }
  return joined(parts);
}

/** The loss and the share that is right, of outputs `[examples, outputs]` that the loss is taken of. */
export async function judge(
  runtime: Runtime,
  loss: Loss,
  outputs: NumericTensor,
  labels: readonly number[],
): Promise<LossAndAccuracy> {
  const [count = 0, width = 0] = outputs.shape;
  if (count === 0) throw new GraftError("usage", "there is nothing to evaluate");
  const build = newBuilder();
  const output = build.input("output", "float32", [count, width]);
  const isIndices = loss.labels === "indices";
  const given = build.input("labels", isIndices ? "int64" : "float32", isIndices ? [count] : [count, width]);
  const value = loss.build(build, { output, labels: given, sampleWeights: undefined }).loss;
  const targets = isIndices ? tensorOf("int64", [count], labels) : targetsOf(labels, width);
  const executable = await runtime.compile(writeModel(onnxModelOf(cutAfter(build.graph([value]), [value]))));
  try {
    const results = await executable.run({ output: outputs, labels: targets });
    const [result] = results.values();
    const isOfClasses = isIndices || loss.classifies === true;
    return {
      loss: Number(result?.data[0]),
      ...(isOfClasses ? { accuracy: shareRight(outputs, labels) } : {}),
    };
  } finally {
    await executable.dispose();
  }
}

/** One output: the label itself; several: a row with a one. */
function targetsOf(labels: readonly number[], width: number): NumericTensor {
  const targets = new Float32Array(labels.length * width);
  labels.forEach((label, index) => {
    if (width === 1) targets[index] = label;
    else targets[index * width + label] = 1;
  });
  return float32([labels.length, width], targets);
}

/** By the largest output; of a single one, by its sign. */
function shareRight(outputs: NumericTensor, labels: readonly number[]): number {
  const [count = 0, width = 1] = outputs.shape;
  const values = numbersOf(outputs);
  const right = labels.filter((label, row) => {
    if (width === 1) return (values[row] ?? 0) > 0 === (label === 1);
    const scores = values.slice(row * width, (row + 1) * width);
    return scores.indexOf(Math.max(...scores)) === label;
  });
  return right.length / count;
}

/** A whole batch: what is missing is zero. */
function batchOf(pixels: Uint8Array | Float32Array, { shape }: PixelSource, batchSize: number): NumericTensor {
  const size = shape.reduce((product, each) => product * each, 1);
  const full = [batchSize, ...shape];
  if (pixels instanceof Float32Array) {
    const data = new Float32Array(batchSize * size);
    data.set(pixels);
    return float32(full, data);
  }
  const data = new Uint8Array(batchSize * size);
  data.set(pixels);
  return { dtype: "uint8", shape: full, data };
}

function firstRows({ dtype, shape: [rows = 1, ...others], data }: NumericTensor, count: number): NumericTensor {
  return { dtype, shape: [count, ...others], data: data.slice(0, (data.length / rows) * count) };
}

function joined(parts: readonly NumericTensor[]): NumericTensor {
  const [first] = parts;
  const count = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data as Float32Array, at);
    at += part.data.length;
  }
  return float32([count, ...(first?.shape.slice(1) ?? [])], data);
}
