/** @file Whole models in Keras's older .h5 files: the config in attributes, the weights by layer. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import { parseJson } from "../json.ts";
import type { Hdf5Group } from "./hdf5.ts";
import { kerasModel } from "./model.ts";
import { kindOf, openKerasH5, weightsByLayer } from "./weights.ts";

/**
 * Imports a whole model of `model.save("….h5")`, of any version of Keras.
 *
 * @throws GraftError `model-refused` for files with weights or an architecture only, and for what kerasModel refuses;
 *   `model-invalid` for what is damaged
 */
export async function importKerasH5(bytes: Uint8Array, options: ImportOptions): Promise<ImportedModel> {
  const root = openKerasH5(bytes);
  const config = configOf(root);
  if (!hasWeights(root)) {
    throw new GraftError("model-refused", "the file has the architecture only, and no weights", {
      hint: 'save the model whole: model.save("model.keras")',
    });
  }
  const kerasVersion = root.attributes.has("keras_version") ? root.attributes.text("keras_version") : undefined;
  const major = /^(\d+)\./.exec(kerasVersion ?? "")?.[1];
  return await kerasModel(
    {
      config,
      kerasVersion,
      weights: weightsByLayer(root),
      assets: undefined,
      format: `Keras ${major ?? "1"} model (.h5)`,
    },
    options,
  );
}

/** The `model_config` attribute; where it became too long for one, it is split as lists are. */
function configOf(root: Hdf5Group): Json {
  const { attributes } = root;
  const text = attributes.has("model_config")
    ? attributes.text("model_config")
    : attributes.texts("model_config")?.join("");
  if (text !== undefined) return parseJson(new TextEncoder().encode(text), "model_config");
  const kind = kindOf(root);
  if (kind === undefined) {
    throw new GraftError("model-invalid", "the HDF5 file holds no Keras model", {
      expected: "the attribute model_config",
      actual: root.names.length === 0 ? "nothing" : root.names.slice(0, 6).join(", "),
    });
  }
  throw new GraftError("model-refused", "the file has weights only, and no architecture", {
    hint: 'save the whole model: model.save("model.keras"); or put the architecture beside it: model.to_json() as model.json',
  });
}

function hasWeights(root: Hdf5Group): boolean {
  return root.has("model_weights") || root.attributes.has("layer_names") || root.attributes.has("layer_names0");
}
