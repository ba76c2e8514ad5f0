/** @file The input of a Sequential model that has no InputLayer: what its first layer says of it. */
import type { Json } from "../../layers/index.ts";
import {
  computeType,
  fieldOf,
  isModel,
  isRecord,
  type JsonRecord,
  type KerasObject,
  kerasObject,
  nameIn,
} from "./config.ts";
import type { LayerPart } from "./model-parts.ts";

const deepest = 32;

/** The input that a Sequential model's first layer, or what it was built with, describes. */
export function impliedInput(first: KerasObject, config: JsonRecord, objects: readonly KerasObject[]): LayerPart {
  const shape = fieldOf(config, "build_input_shape") ?? firstShape(first) ?? null;
  const taken = new Set(objects.map((each) => nameIn(each)));
  const wished = `${nameIn(first) ?? "model"}_input`;
  return {
    kind: "input",
    className: "InputLayer",
    name: taken.has(wished) ? `${wished}_0` : wished,
    config: { batch_shape: shape, dtype: firstType(first) ?? "float32" },
    sharedId: undefined,
    trainable: true,
    calls: [],
    model: undefined,
    foreign: undefined,
  };
}

/** What the first layer, or the first layer of the first model, says of its input. */
function firstShape(object: KerasObject, depth = 0): Json | undefined {
  const inner = firstLayer(object);
  if (inner !== undefined && depth < deepest) return firstShape(inner, depth + 1);
  const config: JsonRecord = isRecord(object.config) ? object.config : {};
  const built = fieldOf(object.envelope, "build_config");
  const given = fieldOf(config, "batch_shape") ?? fieldOf(config, "batch_input_shape");
  if (given !== undefined && given !== null) return given;
  const dimension = fieldOf(config, "input_dim");
  // Keras 1's Dense; in an Embedding it is the number of words.
  if (typeof dimension === "number" && object.className !== "Embedding") return [null, dimension];
  return isRecord(built) ? (fieldOf(built, "input_shape") ?? undefined) : undefined;
}

function firstLayer(object: KerasObject): KerasObject | undefined {
  if (!isModel(object)) return undefined;
  const layers = isRecord(object.config) ? fieldOf(object.config, "layers") : object.config;
  return Array.isArray(layers) && layers[0] !== undefined ? kerasObject(layers[0]) : undefined;
}

/** Embeddings take whole numbers, whatever the type they compute in. */
function firstType(object: KerasObject, depth = 0): string | undefined {
  const inner = firstLayer(object);
  if (inner !== undefined && depth < deepest) return firstType(inner, depth + 1);
  if (object.className === "Embedding") return "int32";
  if (object.className === "TextVectorization" || object.className === "StringLookup") return "string";
  const config: JsonRecord = isRecord(object.config) ? object.config : {};
  return computeType(fieldOf(config, "input_dtype") ?? fieldOf(config, "dtype"));
}
