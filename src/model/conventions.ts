/** @file What is known of a model's pictures and classes from where it came and from the files beside it. */
import type { PixelRecipe } from "../data/index.ts";
import type { ValueRange } from "./base.ts";
import { byteRange, signedRange, unitRange, valueRanges } from "./base-ranges.ts";
import type { SourceModel } from "./source.ts";

/** Documents of a Hugging Face repository, as parsed JSON; `undefined` where there are none. */
export interface ModelDocuments {
  /** `config.json`: the names of the classes. */
  readonly config: unknown;
  /** `preprocessor_config.json`: size and values of the pictures. */
  readonly preprocessor: unknown;
}

/** What conventions say; what a model says of itself counts more. */
export type Conventions = Pick<SourceModel, "range" | "labels" | "recipe">;

/** What the documents beside a model, its format and its address say of its pictures and classes. */
export function conventionsOf(
  model: Pick<SourceModel, "graph" | "format">,
  { origin, documents }: { readonly origin: string; readonly documents: ModelDocuments },
): Conventions {
  const preprocessor = objectOf(documents.preprocessor);
  const range = preprocessor && rangeOfPreprocessor(preprocessor);
  return {
    range: (range && { range, because: "preprocessor_config.json says so" }) ?? rangeOfOrigin(model, origin),
    recipe: preprocessor && recipeOf(preprocessor),
    labels: labelsOf(objectOf(documents.config), model.graph.outputs[0]?.shape?.at(-1)),
  };
}

/** The model, with conventions where it does not speak for itself. */
export function withConventions<T extends SourceModel>(
  model: T,
  about: { readonly origin: string; readonly documents: ModelDocuments },
): T {
  const { range, recipe, labels } = conventionsOf(model, about);
  return {
    ...model,
    range: model.range ?? range,
    recipe: model.recipe ?? recipe,
    labels: model.labels ?? labels,
  };
}

/** The hub's convention for images, and Teachable Machine's. */
function rangeOfOrigin({ graph, format }: Pick<SourceModel, "graph" | "format">, origin: string): SourceModel["range"] {
  if (/^Teachable Machine/.test(format)) return { range: signedRange, because: "Teachable Machine's convention" };
  const [input, second] = graph.inputs.filter((value) => !graph.initializers.has(value));
  const [, , , channels] = input?.shape ?? [];
  if (second !== undefined || input?.dtype !== "float32" || input.shape?.length !== 4 || channels !== 3)
    return undefined;
  const isHub = /^(https?:\/\/)?(tfhub\.dev|www\.kaggle\.com|kaggle\.com)\/|^(kaggle|tfhub):/i.test(origin);
  const isReusable = /^(inputs|images)$/.test(input.name);
  if (format !== "TensorFlow SavedModel" || !(isHub || isReusable)) return undefined;
  return { range: unitRange, because: "it is the hub's convention for images" };
}

/** Transformers' image processors: `(pixels · rescale_factor − image_mean) / image_std`. */
function rangeOfPreprocessor(document: JsonObject): ValueRange | undefined {
  const isRescaled = document["do_rescale"] ?? true;
  const isNormalized = document["do_normalize"] ?? true;
  const factor = isRescaled === false ? 1 : (numberOf(document["rescale_factor"]) ?? 1 / 255);
  const mean = isNormalized === false ? zeros : threeOf(document["image_mean"]);
  const deviation = isNormalized === false ? ones : threeOf(document["image_std"]);
  if (mean === undefined || deviation === undefined || deviation.some((each) => each <= 0)) return undefined;
  const [red, green, blue] = deviation;
  const scale = [factor / red, factor / green, factor / blue] as const;
  const offset = [-mean[0] / red, -mean[1] / green, -mean[2] / blue] as const;
  const channels = document["do_flip_channel_order"] === true ? "bgr" : "rgb";
  const known = [byteRange, ...valueRanges].find(
    (each) => each.channels === channels && areClose(each.scale, scale) && areClose(each.offset, offset),
  );
  return known ?? { name: "its own mean and deviation", channels, scale, offset };
}

/** How its pictures are resized: a part of the middle where it is cropped, the whole otherwise. */
function recipeOf(document: JsonObject): Omit<PixelRecipe, "height" | "width"> | undefined {
  const size = objectOf(document["size"]);
  const shortest = numberOf(size?.["shortest_edge"]) ?? numberOf(document["size"]);
  const crop = objectOf(document["crop_size"]);
  const cropped = numberOf(crop?.["height"]) ?? numberOf(document["crop_size"]);
  const share = numberOf(document["crop_pct"]);
  const method = "antialias";
  const isCropped = document["do_center_crop"] === true && cropped !== undefined;
  const fraction = isCropped ? cropped / (shortest ?? numberOf(size?.["height"]) ?? cropped) : share;
  if (!isCropped && share === undefined) {
    return document["do_resize"] === true && size !== undefined
      ? { method, aspect: shortest === undefined ? "stretch" : "crop" }
      : undefined;
  }
  return {
    method,
    aspect: "crop",
    ...(fraction !== undefined && fraction > 0 && fraction < 1 && { centralFraction: fraction }),
  };
}

/** The names in `id2label`, where there is one for each output and they are names, not `LABEL_0`. */
function labelsOf(config: JsonObject | undefined, classes: unknown): readonly string[] | undefined {
  const names = objectOf(config?.["id2label"]);
  if (names === undefined || typeof classes !== "number") return undefined;
  const entries = new Map(Object.entries(names));
  if (entries.size !== classes) return undefined;
  const labels = Array.from({ length: classes }, (_, index) => entries.get(`${index}`));
  const isNamed = labels.every((label) => typeof label === "string" && !/^LABEL_\d+$/.test(label));
  return isNamed ? labels.map(String) : undefined;
}

interface JsonObject {
  readonly [key: string]: unknown;
}

function objectOf(value: unknown): JsonObject | undefined {
  // Every object but an array has string keys, and what they hold is not said.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}

type Three = readonly [number, number, number];
const zeros: Three = [0, 0, 0];
const ones: Three = [1, 1, 1];

function threeOf(value: unknown): Three | undefined {
  const numbers: readonly unknown[] =
    Array.isArray(value) && value.length === 1 ? [value[0], value[0], value[0]] : Array.isArray(value) ? value : [];
  const [red, green, blue] = numbers.map(Number);
  if (red === undefined || green === undefined || blue === undefined || numbers.length !== 3) return undefined;
  return [red, green, blue].every(Number.isFinite) ? [red, green, blue] : undefined;
}

function areClose(a: Three, b: Three): boolean {
  return a.every(
    (value, index) => Math.abs(value - (b[index] ?? Number.NaN)) <= 1e-3 * Math.max(1e-3, Math.abs(value)),
  );
}
