/** @file From a handle — a name or a file — to a base, recognised by content. */
import { basename } from "node:path";
import { familyNamed } from "../applications/index.ts";
import { packageFile } from "../files/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import { type DownloadOptions, digestOf } from "../hub/index.ts";
import { readModelFile } from "../onnx/files-node.ts";
import { cutAfter } from "../passes/index.ts";
import { GraftError } from "../tensor/index.ts";
import { applicationBase, familyOfHandle } from "./application-node.ts";
import { documentKey } from "./artifact.ts";
import { parseMetadata } from "./artifactMetadata.ts";
import type { Base, Provenance, ValueRange } from "./base.ts";
import { layersWithin } from "./base-layers.ts";
import { onnxBase } from "./base-onnx.ts";
import { byteRange, signedRange } from "./base-ranges.ts";
import { baseOf } from "./base-source.ts";
import { conventionsOf, withConventions } from "./conventions.ts";
import { documentsBeside } from "./conventions-node.ts";
import { namedCut } from "./cut-finder.ts";
import { importForBase } from "./import-node.ts";
import { cachedWeights } from "./keras-folder-node.ts";
import { isOnnx, locateModel, provenanceOf } from "./open-model-node.ts";

export interface LoadBaseOptions extends Pick<DownloadOptions, "offline" | "onProgress" | "signal"> {
  /** The side of its pictures, in pixels. Default: the base's own. */
  readonly imageSize?: number | undefined;
  /** The name of the value or layer to cut at. Default: before the classifier. */
  readonly cut?: string | undefined;
  /** The width of an application. Default: 1, or what the handle says. */
  readonly alpha?: number;
  /** The values that it was trained on, where they are known better than by the file. */
  readonly range?: ValueRange | undefined;
}

/**
 * A pre-trained model without its classifier. The handle is `pocket`, the base that comes along; the name of an
 * application (`MobileNetV2`, `MobileNetV2?alpha=0.5`), whose weights are taken from Keras's folder or downloaded into it;
 * or a file: Keras weights (.h5), any ONNX model, or a classifier made here. Files are told apart by their content.
 *
 * @throws GraftError `usage` for a handle that is none of these, or an image size or cut that the base does not have;
 *   `model-invalid` and `model-refused` for files; `not-cached` where weights cannot be had
 */
export async function loadBase(handle: string, options: LoadBaseOptions = {}): Promise<Base> {
  const base = await resolve(handle, options);
  return options.range === undefined ? base : { ...base, range: options.range };
}

/** The handle of the best base that needs no download: MobileNetV2 where its weights are on this machine, else `pocket`. */
export async function defaultBase({ imageSize }: { readonly imageSize?: number } = {}): Promise<string> {
  const family = familyNamed("MobileNetV2");
  const side = Math.max(imageSize ?? family.defaultSize, family.smallestSide);
  const cached = await cachedWeights(family, { inputShape: [side, side, 3], includeTop: false });
  return cached === undefined ? pocketName : family.name;
}

const pocketName = "pocket";
/** What models/pocket.md says of what it learnt from. */
const pocketLicense = "Apache-2.0; distilled on pictures of ImageNet subsets, whose terms are for research";
/** The figures of models/pocket.md. */
const pocketRemarks = [
  "pocket is a small base that needs no download, for first looks and simple pictures; on cats and dogs it is right on 0.830 where MobileNetV2 is on 0.977, on 30 kinds of Caltech-101 on 0.661 instead of 0.953.",
  "For photos that matter give a better one: --base MobileNetV2 downloads it once, or --base with any .onnx file.",
];

async function resolve(handle: string, options: LoadBaseOptions): Promise<Base> {
  if (handle.toLowerCase() === pocketName) return await fromOnnx(packageFile("models/pocket.onnx"), options);
  if (familyOfHandle(handle) !== undefined) return withCut(await applicationBase(handle, options), options);
  const located = await locateModel(handle, options);
  const { path } = located;
  if (await isOnnx(path)) return await fromOnnx(path, options);
  const { imageSize, signal } = options;
  const imported = await importForBase(path, { imageSize }, { signal });
  const provenance = await provenanceOf(located);
  if ("layout" in imported) return withCut({ ...imported, provenance }, options);
  const origin = located.fetched?.source ?? "";
  return baseOf(withConventions(imported, { origin, documents: await documentsBeside(path) }), provenance, options);
}

/** The base up to the value or layer that the options name. */
function withCut(base: Base, { cut }: LoadBaseOptions): Base {
  if (cut === undefined) return base;
  const part = cutAt(base, cut);
  return { ...base, ...part, features: Number(part.graph.outputs[0]?.shape?.[1]) };
}

function cutAt(whole: LayeredGraph, name: string): LayeredGraph {
  const { graph, layers } = whole;
  const [picture] = graph.inputs;
  if (picture === undefined) return whole;
  const output = layers.find((layer) => layer.name === name)?.output ?? name;
  const part = cutAfter(graph, [namedCut(graph, picture, output).value]);
  return { graph: part, layers: layersWithin(part, layers) };
}

async function fromOnnx(path: string, options: LoadBaseOptions): Promise<Base> {
  const model = await readModelFile(path);
  const document = model.metadata.get(documentKey);
  const artifact =
    document === undefined ? undefined : await locate(path, () => parseMetadata(document, "model-invalid"));
  const found = await locate(path, () => onnxBase(model.graph, options));
  const digest = await digestOf(path);
  const isPocket = digest === (await digestOf(packageFile("models/pocket.onnx")));
  const provenance: Provenance = { source: basename(path), digest, license: undefined };
  const size = { height: found.height, width: found.width };
  const { graph, layers, layout, features } = found;
  const common = { graph, layers, layout, features, provenance };
  if (isPocket) {
    return {
      ...common,
      name: pocketName,
      recipe: { ...size, method: "bilinear", aspect: "stretch" },
      range: signedRange,
      provenance: { ...provenance, source: "pocket.onnx", license: pocketLicense },
      remarks: pocketRemarks,
    };
  }
  if (artifact !== undefined) {
    return {
      ...common,
      name: artifact.base.name,
      recipe: { ...artifact.pixels, ...size },
      range: byteRange,
      remarks: [`It is the base of a classifier of ${artifact.classes.length} classes that was made here.`],
    };
  }
  const about = { origin: "", documents: await documentsBeside(path) };
  const { range, recipe } = conventionsOf({ graph: model.graph, format: "ONNX" }, about);
  return {
    ...common,
    name: basename(path),
    recipe: { ...(recipe ?? { method: "antialias", aspect: "stretch" }), ...size },
    range: found.takesBytes ? byteRange : range?.range,
    remarks: [`Its ${features} features are ${found.cut}.`],
  };
}

async function locate<T>(path: string, run: () => T): Promise<T> {
  try {
    return run();
  } catch (error) {
    throw error instanceof GraftError ? error.at(path) : error;
  }
}
