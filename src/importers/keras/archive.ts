/** @file Keras 3's models: the members of a .keras, and a config beside its weights. */
import type { Json } from "../../layers/index.ts";
import { adviceOn, recognizeOther } from "../../onnx/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { foreignFiles } from "../foreign.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import { isObject, member, parseJson } from "../json.ts";
import { filesBelow, type ModelFiles } from "../model-files.ts";
import { isHdf5 } from "./hdf5-header.ts";
import { kerasModel } from "./model.ts";
import type { KerasWeights } from "./stores.ts";
import { kindOf, openKerasH5, weightsByLayer } from "./weights.ts";
import { weightsOfGroups, weightsOfShards } from "./weights-of-paths.ts";

/** What `model.save` calls the weights, the first that is there counts. */
const weightNames = ["model.weights.h5", "model.weights.json", "model.weights.npz"];

/**
 * Imports the members of a .keras archive, also where they lie in a folder, as on Hugging Face: `config.json`,
 * `metadata.json`, `model.weights.h5` or its shards, `assets/`.
 *
 * @throws GraftError `model-invalid` where a member is missing or damaged, `model-refused` for what kerasModel refuses
 */
export async function importKerasArchive(files: ModelFiles, options: ImportOptions): Promise<ImportedModel> {
  if (!files.names.includes("config.json")) throw noConfig(files);
  const config = parseJson(await files.read("config.json"), "config.json");
  const weights = weightNames.find((name) => files.names.includes(name));
  if (weights === undefined) {
    throw new GraftError("model-invalid", "the model has no weights", {
      expected: weightNames.slice(0, 2).join(" or "),
      actual: files.names.slice(0, 6).join(", "),
      hint: "download the whole model, not its config alone",
    });
  }
  const kerasVersion = await versionIn(files);
  return await kerasModel(
    {
      config,
      kerasVersion,
      weights: await weightsIn(files, weights),
      assets: filesBelow(files, "assets"),
      format: "Keras model (.keras)",
    },
    options,
  );
}

function noConfig({ names }: ModelFiles): GraftError {
  const expected = "config.json and model.weights.h5";
  const unknown = new GraftError("model-invalid", "the archive holds no Keras model", {
    expected,
    actual: names.length === 0 ? "nothing" : names.slice(0, 6).join(", "),
    hint: 'Keras writes it with model.save("model.keras")',
  });
  return foreignFiles(names, expected) ?? unknown;
}

async function versionIn(files: ModelFiles): Promise<string | undefined> {
  if (!files.names.includes("metadata.json")) return undefined;
  const version = member(parseJson(await files.read("metadata.json"), "metadata.json"), "keras_version");
  return typeof version === "string" ? version : undefined;
}

/**
 * Imports a model whose architecture and weights lie in two files: `model.to_json()` and `model.save_weights(…)`, as
 * `.weights.h5` of Keras 3 or as `.h5` of before.
 *
 * @throws GraftError `model-invalid` where one is damaged or no such file, `model-refused` for what kerasModel refuses
 */
export async function importConfigAndWeights(
  files: ModelFiles,
  { config, weights }: { readonly config: string; readonly weights: string },
  options: ImportOptions,
): Promise<ImportedModel> {
  const json = parseJson(await files.read(config), config);
  if (!isObject(json) || !Object.hasOwn(json, "class_name")) {
    throw new GraftError("model-invalid", "the JSON document is no Keras model", {
      path: [config],
      expected: "what model.to_json() writes, with class_name and config",
    });
  }
  const stored = await weightsIn(files, weights);
  return await kerasModel(
    {
      config: json,
      kerasVersion: versionOf(json) ?? (await versionIn(files)),
      weights: stored,
      assets: undefined,
      format: `Keras config and weights (${stored.kind === "paths" ? ".weights.h5" : ".h5"})`,
    },
    options,
  );
}

/** `to_json` of Keras 2 says its version itself. */
function versionOf(json: Json): string | undefined {
  const version = member(json, "keras_version");
  return typeof version === "string" ? version : undefined;
}

async function weightsIn(files: ModelFiles, name: string): Promise<KerasWeights> {
  try {
    if (name.endsWith(".json")) return await weightsOfShards(files, name);
    const bytes = await files.read(name);
    if (!isHdf5(bytes)) throw notHdf5(bytes);
    const root = openKerasH5(bytes);
    const kind = kindOf(root);
    // A model without weights leaves an empty file.
    return kind === "paths" || (kind === undefined && root.names.length === 0)
      ? weightsOfGroups([root])
      : weightsByLayer(root);
  } catch (error) {
    throw error instanceof GraftError && error.path[0] !== name ? error.at(name) : error;
  }
}

function notHdf5(bytes: Uint8Array): GraftError {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) {
    return new GraftError("model-refused", "the weights are a NumPy archive, in which Keras pickles Python objects", {
      hint: "pickles are code and are not read: save the model again with its weights as .h5",
    });
  }
  const hint = adviceOn(bytes);
  return new GraftError("model-invalid", "the weights are no HDF5 file", {
    actual: recognizeOther(bytes) ?? "something else",
    ...(hint === undefined ? {} : { hint }),
  });
}
