/** @file Weights by layer in Keras's older .h5 files: in their order, as `load_weights` follows them. */
import { GraftError } from "../../tensor/index.ts";
import { type Hdf5Group, openHdf5 } from "./hdf5.ts";
import { isHdf5 } from "./hdf5-header.ts";
import { storedWeight } from "./stored-weight.ts";
import type { StoredLayer, StoredWeight, WeightsByLayer } from "./stores.ts";

/** More layers than any model has. */
const mostLayers = 2 ** 16;

export interface KerasWeightFile extends WeightsByLayer {
  /** Whether the file also holds the model's architecture. */
  readonly isWholeModel: boolean;
}

/** The root group of a file that must be HDF5. Throws GraftError `model-invalid` where it is not, or is damaged. */
export function openKerasH5(bytes: Uint8Array): Hdf5Group {
  if (!isHdf5(bytes)) throw new GraftError("model-invalid", "the bytes are no HDF5 file");
  return openHdf5(bytes);
}

/** Which of Keras's ways a file goes: `model` with its architecture, weights by `layers`, by `paths`; `undefined` for none. */
export type WeightsKind = "model" | "layers" | "paths";

export function weightsKind(bytes: Uint8Array): WeightsKind | undefined {
  return kindOf(openKerasH5(bytes));
}

export function kindOf(root: Hdf5Group): WeightsKind | undefined {
  if (root.attributes.has("model_config") || root.has("model_weights")) return "model";
  if (hasList(root)) return "layers";
  const isByPath = ["layers", "_layer_checkpoint_dependencies", "vars"].some((name) => root.has(name));
  return isByPath ? "paths" : undefined;
}

/** Long lists are split into numbered attributes. */
function hasList({ attributes }: Hdf5Group): boolean {
  return attributes.has("layer_names") || attributes.has("layer_names0");
}

/**
 * Reads the layers and the names, types and shapes of their weights; elements are read when asked for. Weights-only
 * files and whole models are both read. Nothing but what `layer_names` and `weight_names` list is followed.
 *
 * @throws GraftError `model-invalid` where the bytes are no HDF5 file, are damaged or cut off, or hold no Keras layers;
 *   `model-refused` for links and elements in other files
 */
export function readKerasWeights(bytes: Uint8Array): KerasWeightFile {
  const root = openKerasH5(bytes);
  return { ...weightsByLayer(root), isWholeModel: kindOf(root) === "model" };
}

/** The same of a file that is open. */
export function weightsByLayer(root: Hdf5Group): WeightsByLayer {
  const group = !hasList(root) && root.has("model_weights") ? root.group("model_weights") : root;
  const names = group.attributes.texts("layer_names");
  if (names === undefined) {
    const isByPath = kindOf(root) === "paths";
    throw new GraftError("model-invalid", "the file lists no Keras layers", {
      hint: isByPath
        ? "it looks like the .weights.h5 of a newer Keras, which names no layers: it needs the model's config beside it"
        : "Keras's own weight files have an attribute layer_names",
    });
  }
  if (names.length > mostLayers) throw new GraftError("model-invalid", "the file lists too many layers");
  return { kind: "layers", layers: names.map((name) => within(`layer "${name}"`, () => layerIn(group, name))) };
}

function layerIn(root: Hdf5Group, name: string): StoredLayer {
  const group = root.group(name);
  const names = group.attributes.texts("weight_names") ?? [];
  const weights = names.map((weight) => within(`weight "${weight}"`, () => weightIn(group, weight)));
  return { name, weights };
}

function weightIn(group: Hdf5Group, name: string): StoredWeight {
  const found = group.at(name);
  if (found.kind === "dataset") return storedWeight(name, found);
  throw new GraftError("model-invalid", "the listed weight is a group");
}

function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof GraftError ? error.at(place) : error;
  }
}
