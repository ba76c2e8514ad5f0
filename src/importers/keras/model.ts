/** @file From a Keras model's config and weights to a graph in layers. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import type { ModelFiles } from "../model-files.ts";
import { kerasObject, majorVersion } from "./config.ts";
import { modelPart } from "./functional.ts";
import { builtNetwork } from "./model-network.ts";
import type { ModelPart } from "./model-parts.ts";
import { refuseUnknown } from "./model-refusals.ts";
import type { KerasWeights } from "./stores.ts";
import { type KnownTextInput, textInputs, textRemark, textStep, vocabularyOf } from "./text-steps.ts";
import { weightAttempts } from "./weights-by-any.ts";
import { waysTo } from "./weights-by-path.ts";

/** What every Keras format holds in the end. */
export interface KerasModelSource {
  /** The model's config: `{class_name, config}` (any version), parsed JSON. */
  readonly config: Json;
  /** `2.21.0`, `1.2.2`, `3.15.1`: from the file; undefined where it does not say (then told from the config's form). */
  readonly kerasVersion: string | undefined;
  readonly weights: KerasWeights;
  /** Files that came along (`assets/…` of a .keras): vocabularies. */
  readonly assets: ModelFiles | undefined;
  /** What kind of file it was, for people. */
  readonly format: string;
  readonly labels?: readonly string[] | undefined;
}

/**
 * Builds the network that the config describes, with the weights of the file.
 *
 * @throws GraftError `model-refused` that names every layer that is not taken; `model-invalid` where config and weights
 *   contradict each other or themselves
 */
export async function kerasModel(source: KerasModelSource, options: ImportOptions): Promise<ImportedModel> {
  const object = kerasObject(source.config);
  if (object === undefined) {
    throw new GraftError("model-invalid", "the model's config is none of Keras's", {
      expected: "class_name and config",
      actual: JSON.stringify(source.config).slice(0, 60),
    });
  }
  const version = majorVersion(source.kerasVersion, source.config);
  const model = modelPart(object, version);
  const texts = await knownTexts(model, source);
  refuseUnknown(model, { custom: options.customLayers, textLayers: new Set(texts.map(({ layer }) => layer.name)) });
  const vocabularies = await lookupVocabularies(model, source);
  const build = { model, version, texts, vocabularies, customLayers: options.customLayers, stored: source.weights };
  const { network, unused } = weightAttempts(build, builtNetwork);
  return {
    ...network.layered,
    name: model.name || options.name,
    format: source.format,
    savedBy: savedBy(source.kerasVersion),
    labels: source.labels,
    textSteps: texts.map((text) => textStep(text, text.vocabulary)),
    remarks: [...network.remarks, ...texts.map(textRemark), ...unusedRemarks(unused)],
  };
}

async function knownTexts(model: ModelPart, { weights, assets }: KerasModelSource): Promise<readonly KnownTextInput[]> {
  const ways = weights.kind === "paths" ? waysTo(model, weights) : undefined;
  const known: KnownTextInput[] = [];
  for (const text of textInputs(model)) {
    known.push({ ...text, vocabulary: await vocabularyOf(text, ways?.get(text.layer.name), assets) });
  }
  return known;
}

/** The numbers that IntegerLookup layers know, where they lie in files of their own. */
async function lookupVocabularies(
  model: ModelPart,
  { weights, assets }: KerasModelSource,
): Promise<ReadonlyMap<string, readonly Json[]>> {
  const lookups = model.layers.filter(
    ({ className, config }) => className === "IntegerLookup" && !Array.isArray(config["vocabulary"]),
  );
  const ways = weights.kind === "paths" && lookups.length > 0 ? waysTo(model, weights) : undefined;
  const found = new Map<string, readonly Json[]>();
  for (const layer of lookups) {
    if (assets === undefined) continue;
    const words = await vocabularyOf({ layer, kind: "StringLookup" }, ways?.get(layer.name), assets);
    found.set(layer.name, words.map(Number));
  }
  return found;
}

function savedBy(version: string | undefined): string | undefined {
  if (version === undefined) return undefined;
  return version.startsWith("tfjs-layers ") ? version.replace("tfjs-layers", "TensorFlow.js") : `Keras ${version}`;
}

function unusedRemarks(names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, 5).join(", ");
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return [`The file has weights that the model does not use: ${shown}${more}.`];
}
