/** @file Features: what a frozen graph says of pictures, computed once a picture and view, in batches of one size. */
import type { Dataset, PixelRecipe, View } from "../data/index.ts";
import { type Graph, verify } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { cutAfter } from "../passes/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { inferShapes } from "../shapes/index.ts";
import { elementCount, float32, GraftError, isStatic, sha256 } from "../tensor/index.ts";

/** How many pictures go through a graph at once, always: the last batch is padded, so that no result depends on its neighbours. */
export const featureBatch = 16;
/** How many batches are decoded ahead while the engine works: it occupies the calling thread, so they must wait in queues. */
const readAhead = 3;
/** Tables up to so many bytes are kept in memory; without a store, up to the second. */
const [memoryWithStore, memoryWithoutStore] = [2 ** 28, 2 ** 30];

/** Where features are kept between runs, by what they were computed from. */
export interface FeatureStore {
  /**
   * The records of one table. `identity` says what computed them; the store adds the class of processor, on which the
   * last bits depend. `width`: how many float32 numbers a record has.
   */
  open(identity: string, width: number): Promise<FeatureRecords>;
}

/** Records of one width, by their keys. */
export interface FeatureRecords {
  /** Whether each record is there and whole. */
  find(keys: readonly string[]): Promise<readonly boolean[]>;
  /** The records one after another. Throws GraftError `runtime-failed` for one that is not there any more. */
  read(keys: readonly string[]): Promise<Float32Array>;
  /**
   * Adds records. They are copied, and on disk after `flush`.
   *
   * @throws GraftError `out-of-resources` where neither the disk nor memory takes them
   */
  write(keys: readonly string[], rows: Float32Array): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface FeatureOptions {
  /** One input of pixels `[N, height, width, 3]`, uint8 or float32, RGB 0–255; the first output, float32 `[N, …]`, is taken. */
  readonly graph: Graph;
  readonly data: Dataset;
  readonly recipe: PixelRecipe;
  /** Which looks at which examples, in the order of the table. Default: each example once, as it is. */
  readonly views?: readonly View[];
  readonly runtime: Runtime;
  /** Default: none, the table lives in memory. */
  readonly store?: FeatureStore | undefined;
  /** Told how many views are done, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A table of more bytes stays in the store, and is read from there. Default: 256 MiB with a store, 1 GiB without. */
  readonly memory?: number;
}

/** What a graph says of views: a record each. */
export interface FeatureTable {
  /** How many views. */
  readonly count: number;
  /** Of one record. */
  readonly shape: readonly number[];
  /** How many records were computed now; the others were known. */
  readonly computed: number;
  /** The records of these views one after another, in new memory. Throws GraftError `usage` for no such view. */
  read(indices: readonly number[]): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Computes the features of every view, or finds them in the store. The same picture, view, graph and runtime give the
 * same bytes, in whatever company.
 *
 * @throws GraftError `usage` for a graph that does not take pixels, `bad-data` for a picture that does not decode,
 *   `out-of-resources` where the table fits nowhere; what `signal` was aborted with
 */
export async function extractFeatures(options: FeatureOptions): Promise<FeatureTable> {
  const { data, recipe, runtime, store, onProgress, signal } = options;
  const views = options.views ?? data.labels.map((_, index) => ({ index }));
  const { graph, shape } = fixedBatch(options.graph, recipe);
  const width = elementCount(shape);
  const bytes = 4 * width * views.length;
  const isInMemory = bytes <= (options.memory ?? (store === undefined ? memoryWithoutStore : memoryWithStore));
  if (!isInMemory && store === undefined) throw tooLarge(bytes);
  const model = writeModel(onnxModelOf(graph));
  const records = await store?.open(await identityOf(model, recipe, runtime), width);
  try {
    const keys = views.map((view) => keyOf(data, view));
    const places = placesOf(keys);
    const distinct = [...places.keys()];
    const found = (await records?.find(distinct)) ?? [];
    const missing = distinct.filter((_, index) => found[index] !== true);
    const all = isInMemory ? new Float32Array(width * views.length) : undefined;
    const place = (names: readonly string[], rows: Float32Array) => {
      for (const [row, key] of names.entries()) {
        for (const at of places.get(key) ?? []) all?.set(rows.subarray(row * width, (row + 1) * width), at * width);
      }
    };
    const known = distinct.filter((_, index) => found[index] === true);
    if (all !== undefined && records !== undefined) {
      for (const part of chunks(known, 256)) place(part, await records.read(part));
    }
    onProgress?.(known.length, distinct.length);
    if (missing.length > 0) {
      const wanted = missing.flatMap((key) => views[places.get(key)?.[0] ?? -1] ?? []);
      let done = 0;
      for await (const rows of computeFeatures({ model, data, recipe, runtime, signal }, wanted)) {
        const names = missing.slice(done, done + featureBatch);
        place(names, rows);
        await records?.write(names, rows);
        done += names.length;
        onProgress?.(known.length + done, distinct.length);
      }
      await records?.flush();
    }
    const about = { count: views.length, shape, computed: missing.length };
    if (all === undefined && records !== undefined) return storedTable(about, keys, records);
    await records?.close();
    return memoryTable(about, all ?? new Float32Array(0));
  } catch (error) {
    await records?.close();
    throw error;
  }
}

/** The graph up to its first output, with a batch of `featureBatch`, and the shape of one record. */
function fixedBatch(
  graph: Graph,
  { height, width }: PixelRecipe,
): { readonly graph: Graph; readonly shape: readonly number[] } {
  const [output] = graph.outputs;
  const part = output && cutAfter(graph, [output]);
  const [input] = part?.inputs ?? [];
  if (part === undefined || input === undefined || part.inputs.length > 1) {
    throw new GraftError("usage", "features are computed from pixels and nothing else", {
      path: [`graph "${graph.name}"`],
      expected: "one input and an output",
    });
  }
  const fixed = inferShapes(part, { inputs: { [input.name]: [featureBatch, height, width, 3] } });
  const { dtype, shape } = fixed.outputs[0] ?? output ?? {};
  if (dtype === "float32" && isStatic(shape) && shape[0] === featureBatch) {
    return { graph: verify(fixed), shape: shape.slice(1) };
  }
  throw new GraftError("usage", "the graph's output is no features", {
    path: [`graph "${graph.name}"`, `value "${output?.name ?? ""}"`],
    expected: `float32 [N, …] for N pictures`,
    actual: `${dtype ?? "unknown"} ${JSON.stringify(shape ?? "of unknown shape")}`,
  });
}

export interface Computation {
  /** A model with a batch of `featureBatch`: pixels go in, and its first output is read. */
  readonly model: Uint8Array;
  readonly data: Dataset;
  readonly recipe: PixelRecipe;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal | undefined;
}

/** The features of the views, in order, `featureBatch` of them at a time. Pictures are decoded ahead. */
export async function* computeFeatures(
  { model, data, recipe, runtime, signal }: Computation,
  views: readonly View[],
): AsyncGenerator<Float32Array, void> {
  const executable = await runtime.compile(model);
  try {
    yield* featuresBy(executable, data, recipe, views, signal);
  } finally {
    await executable.dispose();
  }
}

/** As `computeFeatures`, by a model that is compiled already and stays so. */
export async function* featuresBy(
  executable: Executable,
  data: Dataset,
  recipe: PixelRecipe,
  views: readonly View[],
  signal?: AbortSignal,
): AsyncGenerator<Float32Array, void> {
  const [input] = executable.inputs;
  const waiting: Promise<Uint8Array>[] = [];
  const batches = chunks(views, featureBatch);
  let asked = 0;
  const shape = [featureBatch, recipe.height, recipe.width, 3];
  // One block of memory for all batches: each run has settled before the next is filled in.
  const size = elementCount(shape);
  const padded = input?.dtype === "uint8" ? new Uint8Array(size) : new Float32Array(size);
  const feed =
    padded instanceof Float32Array ? float32(shape, padded) : { dtype: "uint8" as const, shape, data: padded };
  for (const batch of batches) {
    signal?.throwIfAborted();
    for (; asked < batches.length && waiting.length <= readAhead; asked++) {
      const reading = data.read(batches[asked] ?? [], recipe);
      // Where the reader stops early, nobody waits for this one.
      reading.catch(() => undefined);
      waiting.push(reading);
    }
    const pixels = await waiting.shift();
    if (input === undefined || pixels === undefined) continue;
    padded.fill(0, pixels.length);
    padded.set(pixels);
    const [output] = (await executable.run(new Map([[input.name, feed]]))).values();
    if (!(output?.data instanceof Float32Array)) throw new GraftError("runtime-failed", "no features came");
    yield output.data.subarray(0, (output.data.length / featureBatch) * batch.length);
  }
}

async function identityOf(model: Uint8Array, recipe: PixelRecipe, runtime: Runtime): Promise<string> {
  const { height, width, method, aspect, centralFraction = 1 } = recipe;
  return JSON.stringify({
    format: 1,
    model: await sha256(model),
    recipe: { height, width, method, aspect, centralFraction },
    runtime: [runtime.name, runtime.version, runtime.device],
  });
}

/** What a view's record is known by: the file's content and how it is changed, not its name. */
function keyOf(data: Dataset, { index, augmentation, seed = 0 }: View): string {
  const digest = data.digests[index];
  if (digest === undefined) {
    throw new GraftError("usage", "no such example", {
      expected: `an index from 0 to ${data.digests.length - 1}`,
      actual: String(index),
    });
  }
  return augmentation === undefined || augmentation.length === 0
    ? digest
    : `${digest} ${JSON.stringify(augmentation)} ${seed}`;
}

/** At which places each key stands. */
function placesOf(keys: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [at, key] of keys.entries()) {
    const known = places.get(key);
    if (known === undefined) places.set(key, [at]);
    else known.push(at);
  }
  return places;
}

type About = Pick<FeatureTable, "count" | "shape" | "computed">;

function memoryTable(about: About, all: Float32Array): FeatureTable {
  const width = elementCount(about.shape);
  return {
    ...about,
    read: async (indices) => {
      const rows = new Float32Array(indices.length * width);
      for (const [row, index] of indices.entries()) {
        checkView(index, about.count);
        rows.set(all.subarray(index * width, (index + 1) * width), row * width);
      }
      return rows;
    },
    close: async () => undefined,
  };
}

function storedTable(about: About, keys: readonly string[], records: FeatureRecords): FeatureTable {
  return {
    ...about,
    read: async (indices) =>
      records.read(
        indices.map((index) => {
          checkView(index, about.count);
          return keys[index] ?? "";
        }),
      ),
    close: () => records.close(),
  };
}

function checkView(index: number, count: number): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new GraftError("usage", "the table has no such view", {
    expected: `an index from 0 to ${count - 1}`,
    actual: String(index),
  });
}

function tooLarge(bytes: number): GraftError {
  return new GraftError("out-of-resources", "the features do not fit into memory", {
    actual: `${Math.ceil(bytes / 2 ** 20)} MiB`,
    hint: "give a store on disk, smaller pictures, or a base with smaller features",
  });
}

/** The values in parts of `size`, the last one with what is left. */
export function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, part) =>
    values.slice(part * size, (part + 1) * size),
  );
}
