/** @file Files in Keras's folder: published weights and the names of ImageNet's classes, found there or downloaded into it. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  classIndex,
  type DecodedPrediction,
  decodePredictions as decode,
  type Family,
  type FamilyOptions,
  type ImageNetClass,
  type PublishedWeights,
  parseClassIndex,
  publishedFor,
} from "../applications/index.ts";
import { readBytes } from "../files/index.ts";
import { type DownloadOptions, digestsOf, download, kerasCache } from "../hub/index.ts";
import { isHdf5, type KerasWeightFile, readKerasWeights } from "../importers/index.ts";
import { recognizeOther } from "../onnx/index.ts";
import { GraftError, sha256 } from "../tensor/index.ts";

export type Downloading = Pick<DownloadOptions, "offline" | "onProgress" | "signal">;

/** A file of published weights on this machine. */
export interface WeightsOnMachine {
  readonly path: string;
  readonly remarks: readonly string[];
}

/** The file with published weights for the options: one that is here, else downloaded. */
export async function publishedWeights(
  family: Family,
  options: FamilyOptions & Downloading,
): Promise<WeightsOnMachine> {
  const wanted = publishedFor(family, options);
  const cached = await cachedWeights(family, options);
  if (cached === undefined) {
    const path = join(kerasCache(), wanted.file);
    const { digest } = wanted;
    await download(wanted.address, path, { ...options, ...(digest && { digest }) });
    return { path, remarks: [] };
  }
  const { path, published } = cached;
  const remarks = [];
  if (published.size !== wanted.size) {
    remarks.push(
      `Its weights are those for ${published.size} pixels: those for ${wanted.size} are not on this machine.`,
    );
  }
  const { digest } = published;
  if (digest !== undefined && (await digestsOf(path, [digest.algorithm]))[digest.algorithm] !== digest.hex) {
    remarks.push(`${published.file} in Keras's folder is not the file that Keras publishes: its digest is another.`);
  }
  return { path, remarks };
}

/**
 * A file that is already in Keras's folder and whose weights serve: those of the size first, then the default's; without the
 * top a file with it serves as well.
 */
export async function cachedWeights(
  family: Family,
  options: FamilyOptions,
): Promise<{ readonly path: string; readonly published: PublishedWeights } | undefined> {
  const wanted = publishedFor(family, options);
  const isVariant = ({ alpha, minimalistic }: PublishedWeights) =>
    alpha === wanted.alpha && minimalistic === wanted.minimalistic;
  const sizes = [...new Set([wanted.size, wanted.size && family.defaultSize])];
  const candidates = (wanted.includeTop ? [true] : [false, true]).flatMap((includeTop) =>
    sizes.flatMap((size) =>
      family.published.filter((each) => isVariant(each) && each.size === size && each.includeTop === includeTop),
    ),
  );
  for (const published of candidates) {
    const path = join(kerasCache(), published.file);
    if (await exists(path)) return { path, published };
  }
  return undefined;
}

/** A file's weights, with what is wrong about the file said kindly. */
export async function readWeightsFile(path: string): Promise<{ file: KerasWeightFile; digest: string }> {
  const bytes = await readBytes(path);
  try {
    if (!isHdf5(bytes)) {
      throw new GraftError("model-invalid", `this is ${recognizeOther(bytes) ?? "something else"}, no HDF5 file`);
    }
    const file = readKerasWeights(bytes);
    return { file, digest: await sha256(bytes) };
  } catch (error) {
    throw error instanceof GraftError ? error.at(path) : error;
  }
}

/**
 * The `top` most likely classes of ImageNet for each row of predictions `[rows, 1000]`. Their names are read from Keras's
 * folder, or downloaded into it once.
 *
 * @throws GraftError `usage` where the predictions are no rows of 1,000 numbers; `not-cached` where the names cannot be had
 */
export async function decodePredictions(
  predictions: ArrayLike<number>,
  { top = 5, ...options }: Downloading & { readonly top?: number } = {},
): Promise<readonly (readonly DecodedPrediction[])[]> {
  return decode(predictions, await imageNetClasses(options), top);
}

/** The 1,000 classes of ImageNet in the order of the models' outputs, from Keras's folder or downloaded into it. */
export async function imageNetClasses(options: Downloading = {}): Promise<readonly ImageNetClass[]> {
  const path = join(kerasCache(), classIndex.file);
  if (!(await exists(path))) await download(classIndex.address, path, { ...options, digest: classIndex.digest });
  return parseClassIndex(await readFile(path, "utf8"));
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
