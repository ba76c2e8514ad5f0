/** @file From the 1,000 numbers of a classifier of ImageNet to names: Keras's `decode_predictions`. */
import { GraftError } from "../tensor/index.ts";

/** A class and how sure the model is of it. */
export interface DecodedPrediction {
  /** WordNet's number: `n02123045`. */
  readonly id: string;
  /** `tabby`. */
  readonly name: string;
  /** What the model gave: with softmax a probability. */
  readonly score: number;
}

/** The classes of ImageNet in the order of a model's output. */
export interface ImageNetClass {
  readonly id: string;
  readonly name: string;
}

/** The file that Keras reads the classes from. */
export const classIndex = {
  file: "imagenet_class_index.json",
  address: "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
  digest: { algorithm: "md5", hex: "c2c37ea517e94d9795004a39431a14cb" },
} as const;

const classCount = 1000;

/** Reads Keras's `imagenet_class_index.json`: `{"0": ["n01440764", "tench"], …}`. Throws GraftError `model-invalid`. */
export function parseClassIndex(text: string): readonly ImageNetClass[] {
  const invalid = (actual: string) =>
    new GraftError("model-invalid", "these are not the 1,000 classes of ImageNet", { path: [classIndex.file], actual });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "no JSON");
  }
  const entries = new Map(Object.entries(value ?? {}));
  return Array.from({ length: classCount }, (_, index) => {
    const entry: unknown = entries.get(String(index));
    const [id, name] = Array.isArray(entry) ? entry : [];
    if (typeof id !== "string" || typeof name !== "string") throw invalid(`no class ${index}`);
    return { id, name };
  });
}

/**
 * The `top` most likely classes of each row of predictions `[rows, 1000]`, the likeliest first.
 *
 * @throws GraftError `usage` where the predictions are no rows of 1,000 numbers
 */
export function decodePredictions(
  predictions: ArrayLike<number>,
  classes: readonly ImageNetClass[],
  top = 5,
): readonly (readonly DecodedPrediction[])[] {
  if (predictions.length === 0 || predictions.length % classCount !== 0) {
    throw new GraftError("usage", "predictions are rows of 1,000 numbers", { actual: `${predictions.length} numbers` });
  }
  if (!(Number.isSafeInteger(top) && top >= 1)) {
    throw new GraftError("usage", "top is a positive whole number", { actual: `${top}` });
  }
  const scores = Float32Array.from(predictions);
  return Array.from({ length: scores.length / classCount }, (_, row) => {
    const own = scores.subarray(row * classCount, (row + 1) * classCount);
    return classes
      .map(({ id, name }, index) => ({ id, name, score: own[index] ?? 0 }))
      .sort((a, b) => b.score - a.score)
      .slice(0, top);
  });
}
