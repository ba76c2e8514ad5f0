/** @file A model as a file: an artifact where its classes are known, an ordinary ONNX model otherwise. */
import type { Dataset, PixelRecipe } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import {
  type ArtifactMetadata,
  artifactSchema,
  type Provenance,
  withProbabilities,
  writeArtifact,
} from "../model/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError, sha256 } from "../tensor/index.ts";
import { upToLogits } from "../training/index.ts";

/** What a model was fitted on. */
export interface FittedOn {
  readonly classNames: readonly string[];
  /** SHA-256 over the digests and labels of the examples. */
  readonly digest: string;
  /** How many examples each part had. */
  readonly counts: { readonly train: number; readonly validation: number };
}

export interface SavedModel {
  readonly name: string;
  readonly graph: Graph;
  readonly recipe: PixelRecipe;
  /** Of the base inside, where there is one that says. */
  readonly base: { readonly name: string; readonly provenance: Provenance } | undefined;
  readonly fittedOn: FittedOn | undefined;
  readonly versions: ArtifactMetadata["versions"];
}

/** What the model was fitted on, for its artifact. */
export async function describeData(train: Dataset, validation: Dataset | undefined): Promise<FittedOn> {
  const parts = [train, ...(validation === undefined ? [] : [validation])];
  const lines = parts.map(({ digests, labels }) => digests.map((digest, index) => `${digest} ${labels[index]}`));
  return {
    classNames: train.classNames,
    digest: await sha256(JSON.stringify(lines)),
    counts: { train: train.labels.length, validation: validation?.labels.length ?? 0 },
  };
}

/**
 * The bytes of the file. After `fit`, a model that tells classes apart becomes an artifact, which `graft predict`,
 * `graft evaluate` and `loadModel` take: outputs `probabilities` and `logits`. Any other keeps its own output.
 */
export async function modelBytes(model: SavedModel): Promise<Uint8Array> {
  const { fittedOn, recipe, versions } = model;
  const logits = fittedOn && classLogits(model.graph, fittedOn.classNames.length);
  const plain = writeModel(onnxModelOf(model.graph));
  if (fittedOn === undefined || logits === undefined) return plain;
  const { name, provenance } = model.base ?? { name: model.name, provenance: undefined };
  return writeArtifact(withProbabilities(logits), {
    schema: artifactSchema,
    task: "image-classification",
    classes: fittedOn.classNames,
    pixels: recipe,
    range: null,
    temperature: 1,
    notSureBelow: 0,
    base: {
      name,
      source: provenance?.source ?? "layers",
      digest: provenance?.digest ?? (await sha256(plain)),
      license: provenance?.license ?? null,
    },
    data: { digest: fittedOn.digest, counts: fittedOn.counts },
    settings: { interface: "keras" },
    versions,
    figures: null,
    frozenDigest: null,
    golden: [],
  });
}

/** The graph up to one logit a class; `undefined` where it says something else. A single logit is that of the second class. */
function classLogits(graph: Graph, classes: number): Graph | undefined {
  const cut = upToLogits(graph);
  const [output] = cut.outputs;
  const isSigmoid = graph.nodes.at(-1)?.operator === "Sigmoid";
  const width = output?.shape?.[1];
  if (output?.shape?.length !== 2) return undefined;
  if (width === 1 && classes === 2) {
    const build = newBuilder(cut);
    return build.graph([build.concat([build.sub(output, output), output], 1)]);
  }
  // Independent yes and no for each class: no class is the answer.
  if (isSigmoid) return undefined;
  if (width === classes) return cut;
  throw new GraftError("usage", "the model has another number of outputs than there are classes", {
    expected: `${classes}`,
    actual: `${width}`,
  });
}
