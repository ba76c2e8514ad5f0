/** @file From any model that takes a picture to a base: cut before its classifier, with what is known of its pixels. */
import { GraftError } from "../tensor/index.ts";
import type { Base, Provenance, ValueRange } from "./base.ts";
import { onnxBase } from "./base-onnx.ts";
import { byteRange } from "./base-ranges.ts";
import type { SourceModel } from "./source.ts";

export interface BaseOptions {
  /** The side of its pictures, in pixels. Default: the model's own. */
  readonly imageSize?: number | undefined;
  /** The name of the value or layer to cut at. Default: before the classifier. */
  readonly cut?: string | undefined;
  /** The values that it was trained on, where they are known better than by the file. */
  readonly range?: ValueRange | undefined;
}

/**
 * The model as a base.
 *
 * @throws GraftError `model-refused` where no picture goes in; `usage` for an image size or a cut that it does not have
 */
export function baseOf(source: SourceModel, provenance: Provenance, options: BaseOptions = {}): Base {
  const { imageSize, cut } = options;
  const found = at(provenance.source, () => onnxBase(source.graph, { imageSize, cut, layers: source.layers }));
  const { graph, layers, layout, features, height, width } = found;
  const range = options.range ?? (found.takesBytes ? byteRange : source.range?.range);
  return {
    graph,
    layers,
    layout,
    features,
    provenance,
    name: source.name,
    recipe: { ...(source.recipe ?? { method: "antialias", aspect: "stretch" }), height, width },
    range,
    remarks: [...source.remarks, `Its ${features} features are ${found.cut}.`],
  };
}

function at<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof GraftError ? error.at(place) : error;
  }
}
