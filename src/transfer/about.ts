/** @file What an artifact says about itself. */
import { baseMetadata } from "../model/index.ts";
import type { Runtime } from "../runtime/index.ts";
import type { packClassifier } from "./classifier.ts";
import type { Transferred } from "./transfer.ts";

export interface ArtifactFacts {
  readonly seed: number;
  /** SHA-256 over the photos, their labels and their parts. */
  readonly digest: string;
  readonly runtime: Runtime;
  /** Of this package. */
  readonly version: string;
}

/** What the artifact says about itself: nothing in it depends on when, where or with how many threads it was made. */
export function aboutArtifact(
  { base, parts, temperature, threshold, evaluation, judgedBy, fineTuned, frozen, frozenDigest }: Transferred,
  { seed, digest, runtime, version }: ArtifactFacts,
): Parameters<typeof packClassifier>[1] {
  return {
    classes: parts.train.classNames,
    pixels: base.recipe,
    range: base.range ?? null,
    temperature: temperature.temperature,
    notSureBelow: threshold.threshold,
    base: baseMetadata(base.name, base.provenance),
    data: {
      digest,
      counts: {
        train: parts.train.labels.length,
        validation: parts.validation.labels.length,
        test: parts.test.labels.length,
      },
    },
    settings: {
      seed,
      judgedBy,
      regularization: frozen.head.regularization,
      fineTuned: fineTuned.kept,
    },
    versions: { graftwork: version, runtime: `${runtime.name} ${runtime.version}` },
    figures: {
      n: evaluation.n,
      accuracy: evaluation.accuracy,
      accuracyInterval: evaluation.accuracyInterval,
    },
    frozenDigest: frozenDigest.after,
  };
}
