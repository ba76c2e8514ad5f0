/** @file `transfer()` in Node: photos and a base in, a classifier with honest figures out. */
import type { PhotoFolder } from "../data/index.ts";
import { packageVersion } from "../files/index.ts";
import { checkFit, type Finding } from "../inspection/index.ts";
import type { Base } from "../model/index.ts";
import { defaultBase, loadBase } from "../model/load-base-node.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { featureStore } from "../training/features-node.ts";
import { aboutArtifact } from "./about.ts";
import { packClassifier } from "./classifier.ts";
import { type LoadedModel, loadedModel } from "./classifier-node.ts";
import type { Progress } from "./platform.ts";
import { dataDigest } from "./run-node.ts";
import { type TransferOptions, type Transferred, transferTo } from "./transfer.ts";

export interface TransferSettings extends TransferOptions {
  /** A base, or the name or file of one: see `loadBase`. Default: the best that is on this machine. */
  readonly base?: Base | string;
  /** The side of the pixels that a base named here is given. Default: its own. */
  readonly imageSize?: number;
  /** Threads within one operator. Default: one a core. They do not change the result. */
  readonly threads?: number;
  readonly onProgress?: Progress;
  readonly signal?: AbortSignal;
}

export interface TransferResult extends Omit<Transferred, "graph"> {
  /** The classifier: predicts, is evaluated, is saved. */
  readonly model: LoadedModel;
  /** What did not fit by itself between the base and the photos, and what was done about it. */
  readonly findings: readonly Finding[];
}

/**
 * Fits a classifier to photos: a regularised head on the frozen base, then fine-tuning from the head down where it helps
 * on photos set apart. The figures come from photos held back, or from cross-validation where there are too few.
 *
 * @throws GraftError as `loadBase` and `transferTo`
 */
export async function transfer(photos: PhotoFolder, settings: TransferSettings = {}): Promise<TransferResult> {
  const { base, imageSize, threads, onProgress = () => {}, signal, ...options } = settings;
  const loaded = typeof base === "object" ? base : await loadBase(base ?? (await defaultBase()), { imageSize });
  const runtime = await nodeRuntime({ threads });
  const platform = {
    runtime,
    features: featureStore(),
    progress: onProgress,
    timed: async <T>(_: string, work: () => Promise<T>) => await work(),
    log: async () => {},
    decide: async <T>(_: string, make: () => T) => make(),
    signal,
  };
  const fit = await checkFit(loaded, photos, runtime);
  const { graph, ...transferred } = await transferTo(fit.base, photos, options, platform);
  const digest = await dataDigest([photos.train, photos.validation, photos.test]);
  const facts = { seed: options.seed ?? 0, digest, runtime, version: packageVersion() };
  const bytes = await packClassifier(graph, aboutArtifact({ ...transferred, graph }, facts), runtime);
  return { ...transferred, findings: fit.findings, model: await loadedModel(bytes, { threads }) };
}
