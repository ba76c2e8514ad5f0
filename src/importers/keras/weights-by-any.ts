/** @file Building a model with the weights of any kind of file: by ways, by names, else in order. */
import type { WeightSource, WeightSpec } from "../../layers/index.ts";
import { elementCount } from "../../tensor/index.ts";
import type { ModelPart } from "./model-parts.ts";
import type { KerasWeights } from "./stores.ts";
import { NamedWeights, OrderedWeights, UnmatchedNames } from "./weights-by-layer.ts";
import { missingWeight, PathWeights } from "./weights-by-path.ts";

/** Keras 1 stored the gates of recurrent layers apart. */
const mostParts = 4;

interface Giver {
  readonly source: WeightSource;
  unused(): readonly string[];
}

/** What a model is built from. */
export interface Weighted {
  readonly model: ModelPart;
  readonly version: 1 | 2 | 3;
  readonly stored: KerasWeights;
}

/** Builds with the file's weights. `unused` are the names of those that no layer asked for. */
export function weightAttempts<T extends Weighted, N>(
  from: T,
  build: (from: T, weights: WeightSource) => N,
): { readonly network: N; readonly unused: readonly string[] } {
  const { model, stored, version } = from;
  const built = (giver: Giver) => {
    const network = build(from, giver.source);
    return { network, unused: giver.unused() };
  };
  if (stored.kind === "paths") return built(new PathWeights(model, stored));
  try {
    return built(new NamedWeights(model, stored, version));
  } catch (error) {
    if (!(error instanceof UnmatchedNames)) throw error;
  }
  // Names do not lead there. What the layers ask for, in their order, is learnt from a model without weights.
  const wanted: WeightSpec[] = [];
  const most = Math.max(0, ...stored.layers.flatMap((layer) => layer.weights.map((each) => elementCount(each.shape))));
  build(from, (spec) => {
    const elements = elementCount(spec.shape);
    // No stranger's number is allocated that the file could not fill; gates may have been stored apart.
    if (elements > most * mostParts) throw missingWeight(spec, "any place: no stored weight is so large");
    wanted.push(spec);
    return new Float32Array(elements);
  });
  return built(new OrderedWeights(model, stored, wanted, version));
}
