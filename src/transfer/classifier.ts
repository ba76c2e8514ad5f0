/** @file A classifier in use: an artifact made ready to run, that predicts, is evaluated and is saved. */
import type { Dataset, PhotoList } from "../data/index.ts";
import { type Evaluation, evaluateClassifier } from "../evaluation/index.ts";
import type { Graph } from "../graph/index.ts";
import { type ArtifactMetadata, readArtifact, writeArtifact } from "../model/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { GraftError } from "../tensor/index.ts";
import {
  goldenPictures,
  type Replay,
  recordGolden,
  replayGolden,
  runClassifier,
  type Scores,
} from "./classifierGolden.ts";

/** What a classifier says of one photo. */
export interface Prediction {
  readonly file: string;
  /** The most probable class. */
  readonly label: string;
  /** Its probability. */
  readonly probability: number;
  /** False where the probability is so small that the answer is "not sure". */
  readonly isSure: boolean;
  /** `[classes]`: every class's probability, in the order of `classNames`. */
  readonly probabilities: Float32Array;
}

/** A photo that nothing can be said of. */
export interface FailedPrediction {
  readonly file: string;
  readonly error: GraftError;
}

/** What is said of a photo, or why nothing is. */
export type PhotoAnswer = Prediction | FailedPrediction;

export interface AnswerOptions {
  /** How many pictures go through the model at once: at least 1. Default: 16. */
  readonly batchSize?: number;
  /** Told how many pictures are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal | undefined;
}

/** An artifact, ready to run. */
export interface Classifier {
  /** In the order of the outputs. */
  readonly classNames: readonly string[];
  readonly metadata: ArtifactMetadata;
  /** How far its answers to the golden samples are from those that were saved; `undefined` where it brings none. */
  readonly deviation: number | undefined;
  /** What a person should know, a sentence each. */
  readonly remarks: readonly string[];
  /** The file: what `save` writes. */
  readonly bytes: Uint8Array;

  /**
   * Logits, before the temperature, and probabilities of pictures that are pixels already: uint8
   * `[count, height, width, 3]` as `metadata.pixels` makes them. All of them go through the model at once.
   *
   * @throws GraftError `usage` where the pixels are not whole pictures
   */
  scores(pixels: Uint8Array): Promise<Scores>;

  /** What it says of each photo, in order, as soon as it is said; of one that does not decode, its error. */
  predictEach(photos: PhotoList, options?: AnswerOptions): AsyncGenerator<PhotoAnswer>;

  /**
   * Logits of a dataset, before the temperature, `[examples, classes]`.
   *
   * @throws GraftError `bad-data` for the first example that does not decode
   */
  logits(dataset: Dataset, options?: AnswerOptions): Promise<Float32Array>;

  /**
   * The figures on a dataset, whose classes are the classifier's.
   *
   * @throws GraftError `usage` where its classes are others, `bad-data` where it is empty or an example does not decode
   */
  evaluate(dataset: Dataset, options?: AnswerOptions): Promise<Evaluation>;

  /** Frees the model. */
  close(): Promise<void>;
}

/**
 * Reads an artifact, compiles it and replays its golden samples. `path` is its name in messages.
 *
 * @throws GraftError as `readArtifact`, and `model-invalid` where the model does not answer as it did when it was saved
 */
export async function openClassifier(
  bytes: Uint8Array,
  runtime: Runtime,
  { path = "the model" }: { readonly path?: string } = {},
): Promise<Classifier> {
  const { metadata } = readArtifact(bytes, path);
  const executable = await runtime.compile(bytes);
  try {
    const replay = await replayGolden(executable, metadata.pixels, metadata.golden);
    return classifierOf(bytes, metadata, executable, replay);
  } catch (error) {
    await executable.dispose();
    throw error instanceof GraftError ? error.at(path) : error;
  }
}

/**
 * The bytes of an artifact around a classifier's graph: golden samples are drawn, answered and added to what is said
 * about it. The same graph, words and runtime give the same bytes.
 *
 * @throws GraftError as `writeArtifact`
 */
export async function packClassifier(
  graph: Graph,
  about: Omit<ArtifactMetadata, "schema" | "task" | "golden">,
  runtime: Runtime,
): Promise<Uint8Array<ArrayBuffer>> {
  const metadata: ArtifactMetadata = {
    schema: "graftwork/artifact/1",
    task: "image-classification",
    ...about,
    golden: [],
  };
  const executable = await runtime.compile(writeArtifact(graph, metadata));
  try {
    const golden = await recordGolden(executable, metadata.pixels, goldenPictures());
    return writeArtifact(graph, { ...metadata, golden });
  } finally {
    await executable.dispose();
  }
}

/** The classifier around what was compiled. A plain object: platforms add to it what only they can do. */
function classifierOf(
  bytes: Uint8Array,
  metadata: ArtifactMetadata,
  executable: Executable,
  replay: Replay,
): Classifier {
  const { classes: classNames, pixels: recipe } = metadata;
  const pictureSize = recipe.height * recipe.width * 3;

  async function scores(pixels: Uint8Array): Promise<Scores> {
    if (pixels.length === 0 || pixels.length % pictureSize !== 0) {
      throw new GraftError("usage", "the pixels are no whole pictures", {
        expected: `[count, ${recipe.height}, ${recipe.width}, 3], a multiple of ${pictureSize} bytes`,
        actual: `${pixels.length} bytes`,
      });
    }
    return await runClassifier(executable, pixels, recipe);
  }

  async function* predictEach(photos: PhotoList, options?: AnswerOptions): AsyncGenerator<PhotoAnswer> {
    const { files } = photos;
    const read = (indices: readonly number[]) => photos.read(indices, recipe);
    for await (const { indices, content } of inBatches(files.length, read, options)) {
      const pictures = content.filter((each) => each instanceof Uint8Array);
      const pixels = new Uint8Array(pictures.length * pictureSize);
      for (const [place, picture] of pictures.entries()) pixels.set(picture, place * pictureSize);
      const all = pictures.length > 0 ? (await scores(pixels)).probabilities : new Float32Array();
      let row = 0;
      for (const [place, each] of content.entries()) {
        const file = files[indices[place] ?? -1] ?? "";
        if (each instanceof GraftError) yield { file, error: each };
        else yield prediction(file, metadata, all.slice(row * classNames.length, ++row * classNames.length));
      }
    }
  }

  async function logits(dataset: Dataset, options?: AnswerOptions): Promise<Float32Array> {
    const count = dataset.labels.length;
    const all = new Float32Array(count * classNames.length);
    const views = (indices: readonly number[]) => indices.map((index) => ({ index }));
    const read = (indices: readonly number[]) => dataset.read(views(indices), recipe);
    for await (const { indices, content } of inBatches(count, read, options)) {
      all.set((await scores(content)).logits, (indices[0] ?? 0) * classNames.length);
    }
    return all;
  }

  async function evaluate(dataset: Dataset, options?: AnswerOptions): Promise<Evaluation> {
    if (JSON.stringify(dataset.classNames) !== JSON.stringify(classNames)) {
      throw new GraftError("usage", "the dataset has other classes than the classifier", {
        expected: JSON.stringify(classNames),
        actual: JSON.stringify(dataset.classNames),
      });
    }
    const { labels, names } = dataset;
    const { temperature, notSureBelow: threshold } = metadata;
    const scores = await logits(dataset, options);
    return evaluateClassifier({ logits: scores, labels, names, classNames, temperature, threshold });
  }

  const close = () => executable.dispose();
  return { classNames, metadata, ...replay, bytes, scores, predictEach, logits, evaluate, close };
}

function prediction(
  file: string,
  { classes, notSureBelow }: ArtifactMetadata,
  probabilities: Float32Array,
): Prediction {
  const probability = Math.max(...probabilities);
  const label = classes[probabilities.indexOf(probability)] ?? "";
  return { file, label, probability, isSure: probability >= notSureBelow, probabilities };
}

/** Reads batch after batch, each while the one before it is worked on. */
async function* inBatches<Content>(
  count: number,
  read: (indices: readonly number[]) => Promise<Content>,
  { batchSize = 16, onProgress, signal }: AnswerOptions = {},
): AsyncGenerator<{ readonly indices: readonly number[]; readonly content: Content }> {
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new GraftError("usage", "no such batch size", {
      expected: "a whole number from 1",
      actual: String(batchSize),
    });
  }
  const start = (from: number) => {
    const indices = Array.from({ length: Math.min(batchSize, count - from) }, (_, place) => from + place);
    const content = read(indices);
    // Whoever waits for it hears of its failure; until then nobody does.
    content.catch(() => undefined);
    return { indices, content };
  };
  let next = count > 0 ? start(0) : undefined;
  for (let done = 0; next !== undefined; ) {
    signal?.throwIfAborted();
    const { indices, content }: { indices: readonly number[]; content: Promise<Content> } = next;
    done += indices.length;
    next = done < count ? start(done) : undefined;
    yield { indices, content: await content };
    onProgress?.(done, count);
  }
}
