/** @file TensorFlow.js layers models: a Keras config with weights by flat names, of the converter, of TensorFlow.js itself and of Teachable Machine. */
import type { Json } from "../../layers/index.ts";
import { GraftError, numbersOf, type Tensor } from "../../tensor/index.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import { isObject, member, parseJson } from "../json.ts";
import type { ModelFiles } from "../model-files.ts";
import { tfjsWeights } from "../tfjs-weights.ts";
import { kerasModel } from "./model.ts";
import type { StoredLayer, StoredWeight, WeightsByLayer } from "./stores.ts";

const mostLabels = 100_000;

/**
 * Imports a layers model from its model.json and the shards beside it.
 *
 * @param entry the name of model.json among the files
 * @throws GraftError `model-invalid` where the files do not fit each other, `model-refused` for graph models and for what
 *   kerasModel refuses
 */
export async function importTfjsLayers(
  files: ModelFiles,
  entry: string,
  options: ImportOptions,
): Promise<ImportedModel> {
  const model = parseJson(await files.read(entry), entry);
  const topology = member(model, "modelTopology");
  const config = configIn(topology, entry);
  const weights = grouped(await tfjsWeights(model, files, entry), layerNamesIn(config));
  const version = member(topology, "keras_version");
  const labels = await labelsBeside(files, entry);
  return await kerasModel(
    {
      config,
      kerasVersion: typeof version === "string" ? version : undefined,
      weights,
      assets: undefined,
      format: labels === undefined ? "TensorFlow.js layers model" : "Teachable Machine model",
      labels,
    },
    options,
  );
}

/** Under `model_config` where a converter wrote it, at the top where TensorFlow.js did. */
function configIn(topology: Json | undefined, entry: string): Json {
  const inner = member(topology, "model_config") ?? topology ?? null;
  const config = typeof inner === "string" ? parseJson(new TextEncoder().encode(inner), entry) : inner;
  if (isObject(config) && Object.hasOwn(config, "class_name")) return isOwn(topology) ? withPythonKeys(config) : config;
  const isGraph = member(topology, "node") !== undefined;
  throw new GraftError(
    isGraph ? "model-refused" : "model-invalid",
    isGraph ? "it is a graph model" : "it has no layers",
    { path: [entry, "modelTopology"], expected: "a layers model, with class_name and config" },
  );
}

/** Whether TensorFlow.js itself made the model: it says `tfjs-layers 4.22.0`. Its configs are Keras 2's. */
function isOwn(topology: Json | undefined): boolean {
  const version = member(topology, "keras_version");
  return typeof version === "string" && version.startsWith("tfjs-layers");
}

/** TensorFlow.js calls some options in camel case; it writes them in Keras's snake case, which old versions forgot in places. */
function withPythonKeys(json: Json): Json {
  if (Array.isArray(json)) return json.map((each: Json) => withPythonKeys(each));
  if (!isObject(json)) return json;
  const entries = Object.entries(json).map(([key, value]) => [snakeCase(key), withPythonKeys(value)] as const);
  return Object.fromEntries(entries);
}

/** `kernelInitializer` to `kernel_initializer`. */
function snakeCase(key: string): string {
  return /^[a-z]+[A-Za-z0-9]*$/.test(key) ? key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase() : key;
}

/** All names of layers in the config, of nested models too. */
function layerNamesIn(json: Json, names: Set<string> = new Set()): ReadonlySet<string> {
  if (Array.isArray(json)) for (const each of json) layerNamesIn(each, names);
  else if (isObject(json)) {
    const name = member(json, "name");
    if (typeof name === "string") names.add(name);
    for (const value of Object.values(json)) layerNamesIn(value, names);
  }
  return names;
}

/** The layer that a weight's name begins with: names of layers may hold slashes themselves. */
function layerOf(weight: string, names: ReadonlySet<string>): string {
  for (let end = weight.lastIndexOf("/"); end > 0; end = weight.lastIndexOf("/", end - 1)) {
    if (names.has(weight.slice(0, end))) return weight.slice(0, end);
  }
  return weight.includes("/") ? weight.slice(0, weight.indexOf("/")) : weight;
}

/** Flat names `layer/…/weight` by layer, in the order in which layers first appear. */
function grouped(weights: ReadonlyMap<string, Tensor>, names: ReadonlySet<string>): WeightsByLayer {
  const layers = new Map<string, StoredWeight[]>();
  for (const [name, tensor] of weights) {
    const layer = layerOf(name, names);
    const stored = layers.get(layer) ?? [];
    stored.push({ name, shape: tensor.shape, read: () => floats(name, tensor) });
    layers.set(layer, stored);
  }
  return {
    kind: "layers",
    layers: [...layers].map(([name, stored]): StoredLayer => ({ name, weights: stored })),
  };
}

function floats(name: string, tensor: Tensor): Float32Array {
  if (tensor.dtype === "float32" && tensor.data instanceof Float32Array) return tensor.data;
  if (tensor.dtype === "string" || tensor.dtype === "complex64") {
    throw new GraftError("model-invalid", "the weight holds no real numbers", { path: [name], actual: tensor.dtype });
  }
  return Float32Array.from(numbersOf(tensor));
}

/** Teachable Machine writes the names of the classes into metadata.json. */
async function labelsBeside(files: ModelFiles, entry: string): Promise<readonly string[] | undefined> {
  const name = `${entry.slice(0, entry.lastIndexOf("/") + 1)}metadata.json`;
  if (!files.names.includes(name)) return undefined;
  const metadata = parseJson(await files.read(name), name);
  const labels = member(metadata, "labels") ?? member(metadata, "wordLabels");
  const isText = (label: Json): label is string => typeof label === "string";
  return Array.isArray(labels) && labels.length <= mostLabels && labels.every(isText) ? labels : undefined;
}
