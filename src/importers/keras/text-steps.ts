/** @file Layers that take texts: when one is the first after an input, the graph takes what it gives, and it becomes a step before. */
import type { Json } from "../../layers/index.ts";
import { type DType, GraftError } from "../../tensor/index.ts";
import type { TextStep } from "../imported.ts";
import type { ModelFiles } from "../model-files.ts";
import { fieldOf, type JsonRecord, typeName } from "./config.ts";
import { referencesIn } from "./functional-arguments.ts";
import type { LayerPart, ModelPart } from "./model-parts.ts";

const kinds = ["StringLookup", "TextVectorization"] as const;
const mostBytes = 2 ** 26;

/** An input of texts with the layer that takes them. */
export interface TextInput {
  /** The name of the input, in the graph too. */
  readonly input: string;
  readonly layer: LayerPart;
  readonly kind: TextStep["kind"];
}

/** A text input with the words that its layer knows. */
export interface KnownTextInput extends TextInput {
  readonly vocabulary: readonly string[];
}

/** What the graph takes instead of the texts. */
export interface TextNumbers {
  readonly dtype: DType;
  readonly shape: readonly (number | null)[];
}

/** The inputs of the model whose texts go first, and only, into a layer that makes numbers of them. */
export function textInputs(model: ModelPart): readonly TextInput[] {
  return model.inputs.flatMap(({ reference }): readonly TextInput[] => {
    const input = model.layers.find(({ name }) => name === reference.layer);
    if (input === undefined || typeName(fieldOf(input.config, "dtype")) !== "string") return [];
    const takers = model.layers.filter(({ calls }) =>
      calls.some(({ positional, named }) =>
        [...positional, ...named.values()].flatMap(referencesIn).some(({ layer }) => layer === input.name),
      ),
    );
    const [layer, ...others] = takers;
    const kind = kinds.find((each) => each === layer?.className);
    if (layer === undefined || kind === undefined || others.length > 0 || layer.calls.length !== 1) {
      throw new GraftError(
        "model-refused",
        "texts can be taken only where they go first into one TextVectorization or StringLookup",
        {
          path: [`input "${input.name}"`],
          actual: takers.map((each) => `layer "${each.name}" (${each.className})`).join(", ") || "no layer",
        },
      );
    }
    return [{ input: input.name, layer, kind }];
  });
}

/** The numbers that the layer makes of texts `shape`. */
export function numbersOf(
  { layer, kind }: TextInput,
  shape: readonly (number | null)[],
  vocabulary: readonly string[],
): TextNumbers {
  const { config } = layer;
  const mode = fieldOf(config, "output_mode") ?? "int";
  const [batch = null] = shape;
  if (mode === "int") {
    if (kind === "StringLookup") return { dtype: "int64", shape };
    const length = fieldOf(config, "output_sequence_length");
    return { dtype: "int64", shape: [batch, typeof length === "number" ? length : null] };
  }
  const out = kind === "StringLookup" ? numberOr(fieldOf(config, "num_oov_indices"), 1) : 1;
  const most = fieldOf(config, "max_tokens");
  const isPadded = fieldOf(config, "pad_to_max_tokens") === true && typeof most === "number";
  const width = isPadded ? Number(most) : vocabulary.length + out;
  const isEach = mode === "one_hot" && shape.length > 1 && shape.at(-1) !== 1;
  return { dtype: "float32", shape: isEach ? [...shape, width] : [batch, width] };
}

function numberOr(value: Json | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

/** What a layer knows of words: its own list, or the file that came along. Without mask and out-of-vocabulary tokens. */
export async function vocabularyOf(
  { layer, kind }: Pick<TextInput, "layer" | "kind">,
  way: string | undefined,
  assets: ModelFiles | undefined,
): Promise<readonly string[]> {
  const own = fieldOf(layer.config, "vocabulary");
  if (Array.isArray(own)) return own.map(String);
  const found = assets?.names.find((name) => isVocabularyAt(name, way));
  if (assets === undefined || found === undefined) {
    throw new GraftError("model-refused", "the layer's vocabulary is not in the file", {
      path: [`layer "${layer.name}" (${kind})`],
      hint: "save the model as .keras, which brings its vocabulary along",
    });
  }
  const size = assets.size(found);
  if (size > mostBytes) {
    throw new GraftError("model-invalid", "the vocabulary is too large", { path: [found], actual: `${size} bytes` });
  }
  const text = new TextDecoder().decode(await assets.read(found));
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const reserved = reservedOf(layer.config, kind);
  const first = lines.findIndex((line) => !reserved.has(line));
  return lines.slice(first < 0 ? lines.length : Math.min(first, reserved.size));
}

/** Tokens that Keras may write before the words themselves. */
function reservedOf(config: JsonRecord, kind: TextStep["kind"]): ReadonlySet<string> {
  const texts = ["mask_token", "oov_token"].flatMap((key) => {
    const value = fieldOf(config, key);
    return typeof value === "string" ? [value] : [];
  });
  return new Set(kind === "TextVectorization" ? ["", "[UNK]"] : texts);
}

/** `layers/text_vectorization/_lookup_layer/vocabulary.txt` below the assets, or without their folder. */
function isVocabularyAt(name: string, way: string | undefined): boolean {
  if (way === undefined || !name.endsWith("vocabulary.txt")) return false;
  const own = name.startsWith("assets/") ? name.slice("assets/".length) : name;
  return own.startsWith(`${way}/`);
}

/** A step, as the model carries it. */
export function textStep({ input, layer, kind }: TextInput, vocabulary: readonly string[]): TextStep {
  const { name: _name, vocabulary: _vocabulary, trainable: _trainable, dtype: _dtype, ...settings } = layer.config;
  return { input, kind, vocabulary, settings };
}

export function textRemark({ input, layer, kind }: TextInput): string {
  return `The input "${input}" takes numbers: what ${kind} ("${layer.name}") makes of texts is done before the graph.`;
}
