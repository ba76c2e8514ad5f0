/** @file From the files of a model to the model, whatever its format: recognised by content. */
import { adviceOn, recognizeOther } from "../onnx/index.ts";
import { GraftError } from "../tensor/index.ts";
import { foreignFiles } from "./foreign.ts";
import { knownFormats } from "./formats.ts";
import type { ImportedModel, ImportOptions } from "./imported.ts";
import { isObject, parseJson } from "./json.ts";
import {
  importConfigAndWeights,
  importKerasArchive,
  importKerasH5,
  importTfjsLayers,
  isHdf5,
  weightsKind,
} from "./keras/index.ts";
import { withLabelsBeside } from "./labels.ts";
import { filesBelow, type ModelFiles } from "./model-files.ts";
import { isTar, tarFiles } from "./tar.ts";
import { importFrozenGraph, importSavedModel, importTfjsGraph, isFrozenGraph } from "./tensorflow/index.ts";
import { isZip, zipFiles } from "./zip.ts";

/** Where a model is: some files, and the one that was pointed at, if it was one. */
export interface ModelLocation {
  readonly files: ModelFiles;
  readonly entry?: string | undefined;
}

/** How deep archives lie in archives, and the model's folder in the folder that was named. */
const mostNested = 3;

/**
 * Imports a model that is not ONNX: Keras (.h5, .keras, config and weights), TensorFlow.js (layers and graph, Teachable
 * Machine's too), SavedModel, frozen graph; alone, in a folder, in a zip or a tar.
 *
 * @throws GraftError `model-refused` for what is well-formed and not accepted, `model-invalid` for what is damaged or is
 *   no model; both name the file
 */
export async function importModel(location: ModelLocation, options: ImportOptions): Promise<ImportedModel> {
  return await importAt(location, options, 0);
}

async function importAt(location: ModelLocation, options: ImportOptions, depth: number): Promise<ImportedModel> {
  if (depth > mostNested) throw new GraftError("model-refused", "archives lie too deep in archives");
  const { files, entry } = location;
  if (entry === undefined) return await importFolder(files, options, depth);
  const bytes = await files.read(entry);
  if (isHdf5(bytes)) {
    const kind = weightsKind(bytes);
    if (kind === "paths" || kind === "layers") {
      return await importConfigAndWeights(files, { config: configBeside(files, entry), weights: entry }, options);
    }
    return await withLabelsBeside(await importKerasH5(bytes, options), files, entry);
  }
  if (isZip(bytes)) return await importAt({ files: zipFiles(bytes) }, options, depth + 1);
  if (isTar(bytes)) return await importAt({ files: await tarFiles(bytes) }, options, depth + 1);
  if (isJson(bytes)) return await importJson(files, entry, bytes, options);
  if (lastPart(entry) === "saved_model.pb") return await importSavedModel(folderOf(files, entry), options);
  if (isFrozenGraph(bytes)) return await importFrozenGraph(bytes, options);
  throw new GraftError("model-invalid", `this is ${recognizeOther(bytes) ?? "no model that is known here"}`, {
    expected: knownFormats,
    ...hintOf(bytes),
  });
}

function hintOf(bytes: Uint8Array): { readonly hint?: string } {
  const hint = adviceOn(bytes);
  return hint === undefined ? {} : { hint };
}

/** What says that a folder holds a model: the file to look at, the most certain first. */
const markers = ["saved_model.pb", "model.json", "config.json"];

async function importFolder(files: ModelFiles, options: ImportOptions, depth: number): Promise<ImportedModel> {
  const folder = modelFolder(files);
  const { names } = folder;
  if (names.includes("saved_model.pb")) return await importSavedModel(folder, options);
  if (names.includes("saved_model.pbtxt")) {
    throw new GraftError("model-refused", "SavedModels as text are not read", {
      path: ["saved_model.pbtxt"],
      expected: "saved_model.pb",
      hint: "save it again with tf.saved_model.save",
    });
  }
  const weights = names.find((name) => /^model\.weights\.(h5|npz|json)$/.test(name));
  if (names.includes("config.json") && weights !== undefined) return await importKerasArchive(folder, options);
  if (names.includes("model.json")) return await importAt({ files: folder, entry: "model.json" }, options, depth);
  const single = names.filter((name) => /\.(keras|h5|hdf5|zip|tar|tar\.gz|tgz|pb)$/i.test(name) && !name.includes("/"));
  const [only, second] = single;
  if (only !== undefined && second === undefined) {
    return await importAt({ files: folder, entry: only }, options, depth + 1);
  }
  const foreign = only === undefined ? foreignFiles(names, knownFormats) : undefined;
  if (foreign !== undefined) throw foreign;
  throw new GraftError(
    "model-invalid",
    only === undefined ? "there is no model in it" : "there are several models in it",
    {
      expected: knownFormats,
      actual: names.length === 0 ? "no files" : `${names.slice(0, 6).join(", ")}${names.length > 6 ? ", …" : ""}`,
      hint: "name the model's file itself",
    },
  );
}

/** The folder itself, or the one below it that a marker lies in alone: archives often hold one folder. */
function modelFolder(files: ModelFiles): ModelFiles {
  const found = files.names
    .filter((name) => markers.includes(lastPart(name)) && name.split("/").length <= mostNested + 1)
    .sort((a, b) => a.split("/").length - b.split("/").length);
  const [first] = found;
  if (first === undefined || !first.includes("/")) return files;
  const folders = new Set(found.map((name) => name.slice(0, name.lastIndexOf("/"))));
  return folders.size === 1 ? folderOf(files, first) : files;
}

function folderOf(files: ModelFiles, name: string): ModelFiles {
  const end = name.lastIndexOf("/");
  return end < 0 ? files : filesBelow(files, name.slice(0, end));
}

async function importJson(
  files: ModelFiles,
  entry: string,
  bytes: Uint8Array,
  options: ImportOptions,
): Promise<ImportedModel> {
  const json = parseJson(bytes, entry);
  if (!isObject(json)) throw new GraftError("model-invalid", "a JSON document that is no model", { path: [entry] });
  if (Object.hasOwn(json, "modelTopology") || Object.hasOwn(json, "weightsManifest")) {
    const topology = json["modelTopology"];
    const hasNodes = typeof topology === "object" && topology !== null && Object.hasOwn(topology, "node");
    const isGraph = json["format"] === "graph-model" || (json["format"] !== "layers-model" && hasNodes);
    return isGraph ? await importTfjsGraph(files, entry, options) : await importTfjsLayers(files, entry, options);
  }
  if (Object.hasOwn(json, "class_name") || Object.hasOwn(json, "config")) {
    const weights = weightsBeside(files, entry);
    if (weights !== undefined) return await importConfigAndWeights(files, { config: entry, weights }, options);
    throw new GraftError("model-invalid", "a model's architecture, and no weights beside it", {
      path: [entry],
      expected: "one .weights.h5 or .h5 file in the same folder",
    });
  }
  if (Object.hasOwn(json, "weight_map")) {
    return await importConfigAndWeights(files, { config: configBeside(files, entry), weights: entry }, options);
  }
  throw new GraftError("model-invalid", "a JSON document that is no model", { path: [entry], expected: knownFormats });
}

/** The config that belongs to a `.weights.h5`: of the same name, else Keras's usual ones. */
function configBeside(files: ModelFiles, weights: string): string {
  const stem = weights.replace(/(\.weights)?\.(h5|hdf5|json)$/i, "");
  const folder = weights.includes("/") ? weights.slice(0, weights.lastIndexOf("/") + 1) : "";
  const candidates = [`${stem}.json`, `${folder}model.json`, `${folder}config.json`];
  const found = candidates.find((name) => files.names.includes(name));
  if (found !== undefined) return found;
  throw new GraftError("model-refused", "the file has weights only, and no architecture", {
    path: [weights],
    expected: `${candidates[0]} or model.json beside it, as model.to_json() writes it`,
    hint: "save the whole model instead: model.save('model.keras')",
  });
}

function weightsBeside(files: ModelFiles, config: string): string | undefined {
  const stem = config.replace(/\.json$/i, "");
  const all = files.names.filter((name) => /\.(h5|hdf5|npz)$|\.weights\.json$/i.test(name));
  const named = [`${stem}.weights.h5`, `${stem}.weights.json`, `${stem}.h5`].find((name) => all.includes(name));
  // A list of shards stands for them.
  const lists = all.filter((name) => name.endsWith(".json"));
  const [only, second] = lists.length > 0 ? lists : all;
  return named ?? (second === undefined ? only : undefined);
}

function isJson(bytes: Uint8Array): boolean {
  const head = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  return head.startsWith("{") && /^\{\s*("|$|\})/.test(head);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
