/** @file A classifier in Node: from a file, on files and folders. */
import { stat } from "node:fs/promises";
import { type NamedBytes, photosOf } from "../data/photo-list-node.ts";
import { readBytes, writeWhole } from "../files/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { GraftError } from "../tensor/index.ts";
import { type AnswerOptions, type Classifier, openClassifier, type PhotoAnswer } from "./classifier.ts";

/** What protobuf can hold. */
const maximumBytes = 2 ** 31 - 1;

export interface LoadModelOptions {
  /** Threads within one operator, and that decode. Default: as many as the process may use. */
  readonly threads?: number | undefined;
}

/** A classifier that reads photos from disk. */
export interface LoadedModel extends Classifier {
  /** What it says of each photo in files and folders, in order; of one that does not decode, its error. */
  predict(photos: string | readonly (string | NamedBytes)[], options?: AnswerOptions): Promise<readonly PhotoAnswer[]>;

  /**
   * Writes the artifact, whole or not at all.
   *
   * @throws GraftError `out-of-resources` where the disk is full, `usage` where the folder cannot be written
   */
  save(path: string): Promise<void>;
}

/**
 * Reads a classifier's file and makes it ready to run. Its golden samples are replayed: see `deviation` and `remarks`.
 *
 * @throws GraftError `usage` where the file cannot be read, else as `openClassifier`
 */
export async function loadModel(path: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  return await loadedModel(await readModelBytes(path), { ...options, path });
}

/** A classifier in memory, ready to run, as `loadModel` gives it. */
export async function loadedModel(
  bytes: Uint8Array,
  { threads, path }: LoadModelOptions & { readonly path?: string } = {},
): Promise<LoadedModel> {
  const runtime = await nodeRuntime({ threads });
  const classifier = await openClassifier(bytes, runtime, path === undefined ? {} : { path });
  return {
    ...classifier,
    async predict(photos, batches) {
      const list = await photosOf(typeof photos === "string" ? [photos] : photos, threadsOf(threads));
      try {
        const answers: PhotoAnswer[] = [];
        for await (const answer of classifier.predictEach(list, batches)) answers.push(answer);
        return answers;
      } finally {
        await list.close();
      }
    },
    save: (out) => writeWhole(out, classifier.bytes),
  };
}

async function readModelBytes(path: string): Promise<Uint8Array> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory()) {
    throw new GraftError("usage", "a model is a file", {
      path: [path],
      actual: "a folder",
      hint: "a run's model is the file model.onnx in its folder",
    });
  }
  if (facts !== undefined && facts.size > maximumBytes) {
    throw new GraftError("model-refused", "the file is too large to be a model", {
      path: [path],
      expected: `at most ${maximumBytes} bytes`,
      actual: String(facts.size),
    });
  }
  return await readBytes(path);
}

function threadsOf(threads: number | undefined): { readonly threads?: number } {
  return threads === undefined ? {} : { threads: Math.min(threads, 16) };
}
