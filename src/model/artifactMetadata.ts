/** @file What an artifact says about itself: one JSON document with a versioned schema, checked by hand when read. */
import type { PixelRecipe } from "../data/index.ts";
import { GraftError } from "../tensor/index.ts";
import { Field, type Json } from "./artifactField.ts";
import type { Provenance, ValueRange } from "./base.ts";

/** The schema that is written, and the only one that is read. */
export const artifactSchema = "graftwork/artifact/1";

/**
 * A small picture with the answers the classifier gave when it was made. The input is the picture enlarged without
 * smoothing: pixel (y, x) of the input is pixel (⌊y·height/H⌋, ⌊x·width/W⌋) of the sample.
 */
export interface GoldenSample {
  readonly height: number;
  readonly width: number;
  /** uint8 `[height, width, 3]` RGB, in base64. */
  readonly pixels: string;
  /** `[classes]`, before the temperature. */
  readonly logits: readonly number[];
  /** `[classes]`. */
  readonly probabilities: readonly number[];
}

/** How good it was, on pictures kept apart. */
export interface ArtifactFigures {
  /** How many pictures. */
  readonly n: number;
  readonly accuracy: number;
  /** 95 %. */
  readonly accuracyInterval: readonly [number, number];
}

/** No time, no path and no machine is named: equal runs give equal documents. */
export interface ArtifactMetadata {
  readonly schema: typeof artifactSchema;
  readonly task: "image-classification";
  /** In the order of the outputs. Any text is a name. */
  readonly classes: readonly string[];
  /** How a picture becomes the input `image`. */
  readonly pixels: PixelRecipe;
  /** What is done to RGB 0–255 inside the graph; `null` where the graph was not built from a base. */
  readonly range: ValueRange | null;
  /** What the logits are divided by before the softmax, inside the graph. */
  readonly temperature: number;
  /** Answers with a smaller probability mean "not sure"; 0 where every answer counts. */
  readonly notSureBelow: number;
  readonly base: {
    readonly name: string;
    readonly source: string;
    readonly digest: string;
    readonly license: string | null;
  };
  /** The pictures it was made from. */
  readonly data: {
    /** SHA-256 over the pictures' digests, labels and parts. */
    readonly digest: string;
    /** How many examples each part had, by the part's name. */
    readonly counts: { readonly [part: string]: number };
  };
  /** What was asked for and decided: the seed, the recipe. */
  readonly settings: { readonly [name: string]: Json };
  readonly versions: { readonly graftwork: string; readonly runtime: string };
  /** `null` where no pictures were kept apart. */
  readonly figures: ArtifactFigures | null;
  /** SHA-256 over what was frozen; `null` where nothing was. */
  readonly frozenDigest: string | null;
  /** Replayed when the artifact is loaded. */
  readonly golden: readonly GoldenSample[];
}

/** The part of the metadata that a base's provenance gives. */
export function baseMetadata(name: string, { source, digest, license }: Provenance): ArtifactMetadata["base"] {
  return { name, source, digest, license: license ?? null };
}

/**
 * The document, checked field by field.
 *
 * @throws GraftError `code`, naming the field, what was expected there and what stands there
 */
export function parseMetadata(document: string, code: "usage" | "model-invalid"): ArtifactMetadata {
  const root = new Field(parseJson(document, code), ["metadata"], code);
  const schema = root.get("schema").text();
  if (schema !== artifactSchema) {
    throw root.get("schema").unlike(`"${artifactSchema}"`, "read it with the version of Graftwork that wrote it");
  }
  const task = root.get("task").oneOf(["image-classification"]);
  const classes = root.get("classes").list((field) => field.text());
  if (classes.length === 0) throw root.get("classes").unlike("at least one name");
  if (new Set(classes).size < classes.length) throw root.get("classes").unlike("names that differ");
  const data = root.get("data");
  const versions = root.get("versions");
  const base = root.get("base");
  return {
    schema,
    task,
    classes,
    pixels: recipeOf(root.get("pixels")),
    range: root.get("range").orNull(rangeOf),
    temperature: root.get("temperature").number({ above: 0 }),
    notSureBelow: root.get("notSureBelow").number({ from: 0, to: 1 }),
    base: {
      name: base.get("name").text(),
      source: base.get("source").text(),
      digest: base.get("digest").text(),
      license: base.get("license").orNull((field) => field.text()),
    },
    data: {
      digest: data.get("digest").text(),
      counts: data.get("counts").record((field) => field.whole(0)),
    },
    settings: root.get("settings").record((field) => field.json()),
    versions: { graftwork: versions.get("graftwork").text(), runtime: versions.get("runtime").text() },
    figures: root.get("figures").orNull(figuresOf),
    frozenDigest: root.get("frozenDigest").orNull((field) => field.text()),
    golden: root.get("golden").list((field) => sampleOf(field, classes.length)),
  };
}

function recipeOf(field: Field): PixelRecipe {
  const fraction = field.optional("centralFraction");
  return {
    height: field.get("height").whole(1, 16_384),
    width: field.get("width").whole(1, 16_384),
    method: field.get("method").oneOf(["bilinear", "antialias"]),
    aspect: field.get("aspect").oneOf(["stretch", "crop", "pad"]),
    ...(fraction === undefined ? {} : { centralFraction: fraction.number({ above: 0, to: 1 }) }),
  };
}

function rangeOf(field: Field): ValueRange {
  return {
    name: field.get("name").text(),
    channels: field.get("channels").oneOf(["rgb", "bgr"]),
    scale: field.get("scale").triple(),
    offset: field.get("offset").triple(),
  };
}

function figuresOf(field: Field): ArtifactFigures {
  const [low, high] = field.get("accuracyInterval").numbers(2);
  return {
    n: field.get("n").whole(0),
    accuracy: field.get("accuracy").number({ from: 0, to: 1 }),
    accuracyInterval: [low ?? 0, high ?? 1],
  };
}

function sampleOf(field: Field, classes: number): GoldenSample {
  const [height, width] = [field.get("height").whole(1, 1024), field.get("width").whole(1, 1024)];
  const pixels = field.get("pixels").text();
  if (decodeBase64(pixels)?.length !== height * width * 3) {
    throw field.get("pixels").unlike(`${height * width * 3} bytes in base64`);
  }
  return {
    height,
    width,
    pixels,
    logits: field.get("logits").numbers(classes),
    probabilities: field.get("probabilities").numbers(classes),
  };
}

/** The bytes, or `undefined` where the text is no base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** The bytes as text. */
export function encodeBase64(bytes: Uint8Array): string {
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}

function parseJson(document: string, code: "usage" | "model-invalid"): unknown {
  try {
    return JSON.parse(document);
  } catch (cause) {
    throw new GraftError(code, "the metadata are no JSON", { path: ["metadata"], cause });
  }
}
