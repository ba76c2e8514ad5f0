/** @file The models of keras.applications with weights from Keras's own files: given, found in Keras's folder, or downloaded. */
import { basename } from "node:path";
import {
  type ApplicationLayout,
  applicationFromQuery,
  buildApplication,
  type Family,
  type FamilyOptions,
  familyNamed,
  findFamily,
  preprocessInput,
  queryOf,
  randomWeights,
} from "../applications/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import type { KerasWeightFile } from "../importers/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Base, Provenance, ValueRange } from "./base.ts";
import { applicationWithWeights, recognizeApplication } from "./base-application.ts";
import { rangeOfMode } from "./base-ranges.ts";
import { type Downloading, publishedWeights, readWeightsFile } from "./keras-folder-node.ts";

export interface ApplicationOptions extends FamilyOptions, Downloading {
  /** `imagenet` (default): Keras's published weights; `null`: drawn from the seed; else the path of a weights file. */
  readonly weights?: "imagenet" | (string & {}) | null;
  /** Of drawn weights. Default: 0. */
  readonly seed?: number;
  /** The axes of the graph's pictures. Default: channels_first. */
  readonly layout?: ApplicationLayout;
}

/** A model of keras.applications, and where its weights came from: `undefined` where they were drawn. */
export interface LoadedApplication extends LayeredGraph {
  readonly family: Family;
  readonly provenance: Provenance | undefined;
  /** The values that its pictures take; `undefined` where that is none of Keras's modes. */
  readonly range: ValueRange | undefined;
  /** What a person should know of it, a sentence each. */
  readonly remarks: readonly string[];
}

/**
 * A model of keras.applications by its name (`MobileNetV2`), with the meanings and defaults of Keras's function.
 *
 * @throws GraftError `usage` where Keras refuses the options; `not-cached` where the weights are neither on this machine
 *   nor to be had; `model-invalid` where the file is damaged or does not fit
 */
export async function loadApplication(name: string, options: ApplicationOptions = {}): Promise<LoadedApplication> {
  const family = familyNamed(name);
  const { weights = "imagenet", seed = 0, layout } = options;
  const range = rangeOfApplication(family, options);
  if (weights === null) {
    return {
      ...buildApplication(family, options, randomWeights(seed), layout),
      family,
      provenance: undefined,
      range,
      remarks: [],
    };
  }
  const found = weights === "imagenet" ? await publishedWeights(family, options) : undefined;
  const { file, digest } = await readWeightsFile(found?.path ?? weights);
  const path = found?.path ?? weights;
  const built = locate(path, () => applicationWithWeights(family, { ...options, weights }, file, layout));
  const provenance = { source: basename(path), digest, license: found && family.license };
  return { ...built, family, provenance, range, remarks: found?.remarks ?? [] };
}

/** Pixels 0–255 as the application of that name takes them. Throws GraftError `usage` for names of none. */
export function preprocessFor(pixels: ArrayLike<number>, name: string): Float32Array {
  return preprocessInput(pixels, familyNamed(name).preprocessing);
}

/** What a family's pictures take, with layers that scale them or without. */
function rangeOfApplication(family: Family, { includePreprocessing = true }: FamilyOptions): ValueRange | undefined {
  const mode = includePreprocessing ? family.preprocessing : family.preprocessingOutside;
  return mode && rangeOfMode[mode];
}

/** The family of a handle such as `MobileNetV2`, `keras:ResNet50` or `EfficientNetB0?pooling=avg`; `undefined` for other handles. */
export function familyOfHandle(handle: string): Family | undefined {
  return findFamily(partsOf(handle).name);
}

function partsOf(handle: string): { readonly name: string; readonly query: URLSearchParams } {
  const [name = "", ...query] = handle.replace(/^keras:/i, "").split("?");
  return { name, query: new URLSearchParams(query.join("?")) };
}

/** A model of keras.applications as any model that is opened. */
export interface OpenedApplication extends LayeredGraph {
  readonly name: string;
  readonly format: string;
  readonly savedBy: undefined;
  readonly labels: undefined;
  readonly textSteps: readonly [];
  readonly remarks: readonly string[];
  readonly range: { readonly range: ValueRange; readonly because: string } | undefined;
  readonly license: string;
  readonly provenance: Provenance;
  readonly path: undefined;
}

/**
 * The model that a handle such as `keras:ResNet50?include_top=false&pooling=avg` means, as Keras has it: channels last.
 *
 * @throws GraftError as `loadApplication`; `usage` for options that the family does not have
 */
export async function openApplication(handle: string, options: Downloading = {}): Promise<OpenedApplication> {
  const { name, query } = partsOf(handle);
  const family = familyNamed(name);
  const own = applicationFromQuery(family, query);
  const loaded = await loadApplication(name, { ...own, ...options, layout: "channels_last" });
  const { graph, layers, provenance, range, remarks } = loaded;
  const because = `keras.applications.${family.name} takes it`;
  return {
    graph,
    layers,
    name: graph.name,
    format: `keras.applications.${family.name}`,
    savedBy: undefined,
    labels: undefined,
    textSteps: [],
    remarks,
    range: range && { range, because },
    license: family.license,
    provenance: provenance ?? { source: handle, digest: "", license: undefined },
    path: undefined,
  };
}

/** What of a base can be chosen. */
interface BaseChoice extends Downloading {
  /** The side of its pictures, in pixels. Default: the family's own. */
  readonly imageSize?: number | undefined;
  /** The width, where the handle does not say it. */
  readonly alpha?: number;
}

/**
 * An application without its classifier, its features averaged over the map. Weights of a published size are taken where
 * they are, others of the same width before any download.
 *
 * @throws GraftError as `loadApplication`; `usage` for options that the family does not have, and that a base has not
 */
export async function applicationBase(handle: string, choice: BaseChoice = {}): Promise<Base> {
  const { name, query } = partsOf(handle);
  const family = familyNamed(name);
  const given = applicationFromQuery(family, query);
  const variant = choice.alpha === undefined ? given : { ...given, alpha: choice.alpha };
  for (const option of ["includeTop", "pooling", "classes", "classifierActivation", "weights", "name"] as const) {
    if (given[option] === undefined) continue;
    throw new GraftError("usage", `${option} is no option of a base`, {
      path: [handle],
      expected: ["inputShape", ...family.options].join(", "),
    });
  }
  const { path, remarks } = await publishedWeights(family, { ...baseOptions(family, variant, choice), ...choice });
  const { file, digest } = await readWeightsFile(path);
  return locate(path, () => {
    const options = { ...baseOptions(family, variant, choice), weights: "imagenet" };
    const provenance = { source: basename(path), digest, license: family.license };
    return baseOf(family, options, file, { provenance, remarks });
  });
}

/**
 * The base that a file of weights holds, recognised by their shapes. A classifier in it is left out.
 *
 * @throws GraftError `model-refused` where no family has such weights; `model-invalid`; `usage` for the image size
 */
export async function baseFromWeights(path: string, choice: BaseChoice = {}): Promise<Base> {
  const { file, digest } = await readWeightsFile(path);
  return locate(path, () => {
    if (file.isWholeModel) {
      throw new GraftError("model-refused", "the file holds a whole model, not weights of keras.applications alone");
    }
    const { family, options } = recognizeApplication(file);
    const { includeTop, classes } = options;
    const remarks = includeTop ? [`The file's classifier of ${classes} classes was left out.`] : [];
    const provenance = { source: basename(path), digest, license: undefined };
    return baseOf(family, baseOptions(family, options, choice), file, { provenance, remarks });
  });
}

function baseOptions(family: Family, variant: FamilyOptions, { imageSize }: BaseChoice): FamilyOptions {
  const [height, width] = variant.inputShape ?? [imageSize ?? family.defaultSize, imageSize ?? family.defaultSize];
  const { classes: _classes, ...others } = variant;
  return { ...others, inputShape: [height, width, 3], includeTop: false, pooling: "avg" };
}

function baseOf(
  family: Family,
  options: FamilyOptions,
  file: KerasWeightFile,
  { provenance, remarks }: Pick<Base, "provenance" | "remarks">,
): Base {
  const { graph, layers } = applicationWithWeights(family, options, file);
  const [height, width] = options.inputShape ?? [];
  const { inputShape, includeTop, pooling, weights, alpha, ...others } = options;
  const query = queryOf({ ...(alpha !== undefined && alpha !== 1 && { alpha }), ...others });
  return {
    graph,
    layers,
    name: query === "" ? family.name : `${family.name}?${query}`,
    layout: "channels_first",
    recipe: { height: Number(height), width: Number(width), method: "bilinear", aspect: "stretch" },
    range: rangeOfApplication(family, options),
    features: Number(graph.outputs[0]?.shape?.[1]),
    provenance,
    remarks,
  };
}

/** Puts the path before what goes wrong with a file; what is wrong with options stays as it is. */
function locate<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof GraftError && error.code !== "usage" ? error.at(path) : error;
  }
}
