/** @file What a file held as a model: any format, ONNX too. */

import type { PixelRecipe } from "../data/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import type { TextStep } from "../importers/index.ts";
import type { OnnxModel } from "../onnx/index.ts";
import type { Provenance, ValueRange } from "./base.ts";

/** A model as its file has it, with what is known of it. */
export interface SourceModel extends LayeredGraph {
  readonly name: string;
  /** For people: `ONNX`, `Keras 3 model (.keras)`, `weights of MobileNetV2 (.h5)`. */
  readonly format: string;
  readonly savedBy: string | undefined;
  /** The names of its classes, where they came along. */
  readonly labels: readonly string[] | undefined;
  readonly textSteps: readonly TextStep[];
  readonly remarks: readonly string[];
  /** The values that its pictures take and how that is known; `undefined` where the file does not say. */
  readonly range: { readonly range: ValueRange; readonly because: string } | undefined;
  readonly license: string | undefined;
  /** How pictures become its pictures, where the file says so. */
  readonly recipe?: Omit<PixelRecipe, "height" | "width"> | undefined;
  /** What an ONNX file says beside its graph. */
  readonly onnx?: Omit<OnnxModel, "graph"> | undefined;
}

/** A model, and where it came from. */
export interface OpenedModel extends SourceModel {
  readonly provenance: Provenance;
  /** Where it lies on this machine: a file or folder; `undefined` where it was made from a table. */
  readonly path: string | undefined;
}

/** All but the graph's constants, as JSON: what the process that reads files tells about what it read. */
export type SourceDescription = Omit<SourceModel, "graph" | "onnx">;

/** What a converted model says of the file it came from, under a key of ONNX's metadata. */
export function importMetadata({
  format,
  savedBy,
  labels,
  textSteps,
}: Pick<SourceDescription, "format" | "savedBy" | "labels" | "textSteps">): ReadonlyMap<string, string> {
  return new Map([["graftwork.import", JSON.stringify({ schema: 1, format, savedBy, labels, textSteps })]]);
}
