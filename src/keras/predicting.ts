/** @file What a graph says of pictures, in batches of one size, so that no picture's answer depends on its neighbours. */
import type { Dataset, PixelRecipe } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { float32, GraftError, type NumericTensor } from "../tensor/index.ts";

/** Pictures as pixels, any stretch of them when asked for. */
export interface PixelSource {
  readonly count: number;
  /** `[examples, height, width, channels]`. */
  readonly shape: readonly number[];
  readonly dtype: "uint8" | "float32";
  read(from: number, to: number): Promise<Uint8Array | Float32Array>;
}

/** How many batches are decoded ahead while the engine works: it occupies the calling thread. */
const readAhead = 3;

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

/** What the graph says of each example, one after another, in batches of `batchSize`, the last one padded. */
export async function outputsOf(
  runtime: Runtime,
  graph: Graph,
  source: PixelSource,
  batchSize: number,
): Promise<Float32Array> {
  const executable = await runtime.compile(writeModel(onnxModelOf(graph)));
  const parts: Float32Array[] = [];
  const starts = Array.from({ length: Math.ceil(source.count / batchSize) }, (_, index) => index * batchSize);
  const end = (from: number) => Math.min(from + batchSize, source.count);
  const ahead: Promise<Uint8Array | Float32Array>[] = [];
  const readNext = () => {
    const from = starts.shift();
    if (from === undefined) return;
    const pixels = source.read(from, end(from));
    // Whoever takes it from the queue hears of its failure; nobody does where another batch failed before.
    pixels.catch(() => undefined);
    ahead.push(pixels);
  };
  for (let batch = 0; batch < readAhead; batch++) readNext();
  try {
    for (let from = 0; from < source.count; from += batchSize) {
      const pixels = await ahead.shift();
      readNext();
      if (pixels === undefined) break;
      const outputs = await executable.run({ image: batchOf(pixels, source, batchSize) });
      const [output] = outputs.values();
      if (!(output?.data instanceof Float32Array)) throw new GraftError("runtime-failed", "no outputs came");
      parts.push(output.data.subarray(0, (output.data.length / batchSize) * (end(from) - from)));
    }
  } finally {
    await executable.dispose();
  }
  return joined(parts);
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

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
