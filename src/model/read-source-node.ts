/** @file From a file or folder that is not ONNX to a model: what the reading process does. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readBytes, reasonOf } from "../files/index.ts";
import { folderFiles } from "../importers/folder-node.ts";
import {
  type ImportOptions,
  importModel,
  isHdf5,
  type ModelFiles,
  type ModelLocation,
  readKerasWeights,
  weightsKind,
} from "../importers/index.ts";
import { GraftError } from "../tensor/index.ts";
import { applicationWithWeights, recognizeApplication } from "./base-application.ts";
import { rangeOfMode } from "./base-ranges.ts";
import type { SourceModel } from "./source.ts";
import { statedRange } from "./stated-range.ts";

/**
 * Reads a model: Keras, SavedModel or TensorFlow.js, in a folder, in an archive or alone, or weights of
 * keras.applications.
 *
 * @throws GraftError as `importModel` and `recognizeApplication`, with the path in front
 */
export async function readSource(path: string, options: Omit<ImportOptions, "name"> = {}): Promise<SourceModel> {
  try {
    return await read(path, options);
  } catch (error) {
    throw error instanceof GraftError && error.path[0] !== path ? error.at(path) : error;
  }
}

/** Whether a file holds weights of layers alone, as keras.applications downloads them. */
export async function holdsWeightsOnly(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true) return false;
  const bytes = await readBytes(path);
  return isHdf5(bytes) && weightsKind(bytes) === "layers";
}

async function read(path: string, options: Omit<ImportOptions, "name">): Promise<SourceModel> {
  const location = await locationOf(path);
  if (location.entry !== undefined) {
    const bytes = await location.files.read(location.entry);
    if (isHdf5(bytes) && weightsKind(bytes) === "layers") return ofApplication(bytes, basename(path));
  }
  const imported = await importModel(location, { ...options, name: basename(path) });
  const pictures = imported.graph.inputs.filter(({ shape }) => shape?.length === 4);
  const [picture, second] = pictures;
  const range = picture !== undefined && second === undefined ? statedRange(imported.graph, picture) : undefined;
  return { ...imported, range, license: undefined };
}

/** A file of weights only: the model is built that they belong to. */
function ofApplication(bytes: Uint8Array, name: string): SourceModel {
  const file = readKerasWeights(bytes);
  const { family, options } = recognizeApplication(file);
  const { graph, layers } = applicationWithWeights(family, options, file, "channels_last");
  const range = rangeOfMode[family.preprocessing];
  return {
    graph,
    layers,
    name,
    format: `weights of ${family.name} (.h5)`,
    savedBy: undefined,
    labels: undefined,
    textSteps: [],
    remarks: [],
    range: { range, because: `keras.applications.${family.name} takes it` },
    license: family.license,
  };
}

async function locationOf(path: string): Promise<ModelLocation> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  if (facts.isDirectory()) return { files: await folderFiles(path) };
  if (!facts.isFile()) throw new GraftError("usage", "a model is a file or a folder", { path: [path] });
  return { files: await fileAndSiblings(path), entry: basename(path) };
}

/** How many files beside one are looked at. */
const mostSiblings = 10_000;

/** A file and those beside it, in which shards and configs are looked for by name; folders below are not entered. */
async function fileAndSiblings(path: string): Promise<ModelFiles> {
  const folder = dirname(path);
  const entries = await readdir(folder, { withFileTypes: true });
  const sizes = new Map<string, number>();
  for (const entry of entries.slice(0, mostSiblings)) {
    // A link beside a model could lead anywhere; the file that a person named may be one.
    if (!entry.isFile() && entry.name !== basename(path)) continue;
    const { size } = await stat(join(folder, entry.name)).catch(() => ({ size: 0 }));
    sizes.set(entry.name, size);
  }
  const known = (name: string): number => {
    const size = sizes.get(name);
    if (size === undefined) throw new GraftError("model-invalid", "the file is not there", { path: [name] });
    return size;
  };
  return {
    names: [...sizes.keys()].sort(),
    size: known,
    read: async (name) => {
      known(name);
      return await readBytes(join(folder, name));
    },
  };
}
