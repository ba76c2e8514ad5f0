/** @file The models of keras.applications with weights from Keras's own files: given, found in Keras's folder, or downloaded. */
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { type Family, type FamilyOptions, families, randomWeights } from "../applications/index.ts";
import { readBytes } from "../files/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import { type DownloadOptions, download } from "../hub/index.ts";
import { isHdf5, type KerasWeightFile, readKerasWeights } from "../importers/index.ts";
import { recognizeOther } from "../onnx/index.ts";
import { GraftError, sha256 } from "../tensor/index.ts";
import type { Provenance } from "./base.ts";
import { applicationWithWeights } from "./base-application.ts";

export interface ApplicationOptions extends FamilyOptions, Pick<DownloadOptions, "offline" | "onProgress" | "signal"> {
  /** `imagenet` (default): Keras's published weights; `null`: drawn from the seed; else the path of a weights file. */
  readonly weights?: "imagenet" | (string & {}) | null;
  /** Of drawn weights. Default: 0. */
  readonly seed?: number;
}

/** A model of keras.applications, and where its weights came from: `undefined` where they were drawn. */
export interface LoadedApplication extends LayeredGraph {
  readonly family: Family;
  readonly provenance: Provenance | undefined;
}

/**
 * A model of keras.applications by its name (`MobileNetV2`), with the meanings and defaults of Keras's function.
 *
 * @throws GraftError `usage` where Keras refuses the options; `not-cached` where the weights are neither on this machine
 *   nor to be had; `model-invalid` where the file is damaged or does not fit
 */
export async function loadApplication(name: string, options: ApplicationOptions = {}): Promise<LoadedApplication> {
  const family = familyNamed(name);
  const { weights = "imagenet", seed = 0 } = options;
  if (weights === null) return { ...family.build(options, randomWeights(seed)), family, provenance: undefined };
  if (weights !== "imagenet") return await fromFile(family, options, weights, undefined);
  const { alpha, size, checked } = publishedOptions(family, options);
  const file = family.weightsFile(alpha, size, options.includeTop ?? true);
  const path = join(kerasModels(), file);
  // Weights of another size that are here come before a download: they fit, and most machines that lack one lack a network.
  const cached = await cachedWeights(family, alpha, size, options.includeTop ?? true);
  if (cached === undefined) await download(family.weightsAddress + file, path, options);
  return await fromFile(family, checked, cached ?? path, family.license);
}

/** The family of that name, whatever its case. Throws GraftError `usage`. */
export function familyNamed(name: string): Family {
  const found = families.find((family) => family.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  throw new GraftError("usage", `there is no application "${name}"`, {
    expected: families.map((family) => family.name).join(", "),
  });
}

/** A file that is already in Keras's folder and whose weights serve: those of the size first, then the default's. */
export async function cachedWeights(
  family: Family,
  alpha: number,
  size: number,
  includeTop = false,
): Promise<string | undefined> {
  const sizes = [...new Set([publishedSize(family, [size, size]), family.defaultSize])];
  const candidates = (includeTop ? [true] : [false, true]).flatMap((top) =>
    sizes.map((each) => family.weightsFile(alpha, each, top)),
  );
  for (const file of candidates) {
    const path = join(kerasModels(), file);
    if (await exists(path)) return path;
  }
  return undefined;
}

/** Where Keras keeps what it downloads: `$KERAS_HOME/models`, or `~/.keras/models`. */
export function kerasModels(): string {
  return join(process.env["KERAS_HOME"] || join(homedir(), ".keras"), "models");
}

/** Keras's rule: square pictures of a published size have weights of their own; all others take the default's. */
export function publishedSize(family: Family, [height, width]: readonly [number | null, number | null]): number {
  return height !== null && height === width && family.sizes.includes(height) ? height : family.defaultSize;
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

async function fromFile(
  family: Family,
  options: ApplicationOptions,
  path: string,
  license: string | undefined,
): Promise<LoadedApplication> {
  const { file, digest } = await readWeightsFile(path);
  try {
    const built = applicationWithWeights(family, options, file);
    return { ...built, family, provenance: { source: basename(path), digest, license } };
  } catch (error) {
    throw error instanceof GraftError && error.code === "model-invalid" ? error.at(path) : error;
  }
}

/** What Keras checks before it loads published weights. */
function publishedOptions(
  family: Family,
  options: ApplicationOptions,
): { readonly alpha: number; readonly size: number; readonly checked: ApplicationOptions } {
  const { alpha = 1, includeTop = true, classes = 1000, inputShape } = options;
  const refuse = (expected: string, actual: string) => {
    throw new GraftError("usage", expected, { path: [family.name], actual });
  };
  if (!family.alphas.includes(alpha)) {
    refuse(`weights are published for alpha ${family.alphas.join(", ")}`, `alpha ${alpha}`);
  }
  const [height, width, channels] = inputShape ?? [null, null, 3];
  const size = publishedSize(family, [height, width]);
  if (channels !== 3) refuse("published weights take pictures of 3 channels", `${channels}`);
  if (includeTop && classes !== 1000) refuse("with published weights the top has 1000 classes", `${classes}`);
  if (includeTop && inputShape !== undefined && (height !== size || width !== size)) {
    refuse(`with the top, published weights take pictures of ${size}×${size}`, `${height}×${width}`);
  }
  return { alpha, size, checked: options };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
