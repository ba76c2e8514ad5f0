/** @file A dry run: how long training would take on this machine, and how much memory and disk, from one batch. */
import { classCounts } from "../data/index.ts";
import { headlessGraph, withViews } from "../model/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { elementCount } from "../tensor/index.ts";
import { rememberedBytes, tuningShare } from "./fineTune.ts";
import { defaultEpochs, testFraction, validationFraction } from "./plan.ts";
import { readPhotos, resolveSettings, type TrainHooks, type TrainSettings } from "./train-node.ts";

/** What `graft train --dry-run --json` prints. */
export interface DryRun {
  readonly schema: "graftwork/dry-run/1";
  readonly base: { readonly name: string; readonly digest: string };
  readonly classes: readonly string[];
  readonly photos: number;
  readonly counts: readonly number[];
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  readonly layout: string;
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[];
  /** Where nothing is cached yet and fine-tuning is tried. */
  readonly seconds: number;
  readonly memoryBytes: number;
  /** The cache of features and the run's folder, where nothing is cached yet and fine-tuning is tried. */
  readonly diskBytes: number;
}

/** Photos that are timed. */
const timed = 32;
/** A step forward and back takes about this many times as long as going forward. */
const stepOverForward = 3.5;
/** The process, the runtime and the threads that decode. */
const restingBytes = 350e6;

/** Says what training would take. Nothing is written. Throws as `trainFolder`. */
export async function dryRun(asked: TrainSettings, hooks: TrainHooks = {}): Promise<DryRun> {
  const { settings, base } = await resolveSettings(asked, hooks);
  const lookFrom = performance.now();
  const photos = await readPhotos(settings, hooks);
  const lookedSeconds = (performance.now() - lookFrom) / 1000;
  try {
    const { train, validation, test, classNames } = photos;
    const runtime = await nodeRuntime({ threads: hooks.threads });
    const range = base.range ?? { name: "any", channels: "rgb", scale: [1, 1, 1], offset: [0, 0, 0] };
    const looked = withViews({ ...base, range }, settings.views);
    const graph = headlessGraph(looked);
    const executable = await runtime.compile(writeModel(onnxModelOf(graph)));
    const views = Array.from({ length: timed }, (_, index) => ({ index: index % train.labels.length }));
    const { height, width } = looked.recipe;
    const read = async () => await train.read(views, looked.recipe);
    const run = async (data: Uint8Array) =>
      await executable.run({ image: { dtype: "uint8", shape: [timed, height, width, 3], data } });
    // The first time loads threads and code.
    await run(await read());
    const [decoded, decode] = await secondsOf(read);
    const [, forward] = await secondsOf(() => run(decoded));
    await executable.dispose();
    const counts = classCounts(train);
    const total = train.labels.length + validation.labels.length + test.labels.length;
    const perPhoto = Math.max(decode, forward) / timed;
    const heldBack = test.labels.length > 0 ? 0 : (settings.testFraction ?? testFraction(counts));
    const learnt = train.labels.length * (1 - heldBack - (validation.labels.length > 0 ? 0 : validationFraction));
    const isTuned = settings.fineTune !== "none" && settings.fineTune !== 0 && (heldBack > 0 || test.labels.length > 0);
    const epochs = settings.epochs ?? defaultEpochs(Math.round(learnt));
    const share = tuningShare(base, settings.fineTune ?? "auto");
    const weights = [...base.graph.initializers.values()].reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
    const featureBytes = total * base.features * 4;
    // What is remembered where training begins, and two checkpoints of weights, their best and two moments each.
    const tuningBytes = isTuned
      ? total * (1 - heldBack) * rememberedBytes(base, settings.fineTune ?? "auto") + 8 * share * weights
      : 0;
    const stages = [
      { stage: "looking through the photos", seconds: lookedSeconds },
      { stage: "features", seconds: total * perPhoto },
      { stage: "head", seconds: 0.3 + (total * base.features * classNames.length * 2e3) / 2e9 },
      ...(isTuned
        ? [{ stage: "fine-tuning, if tried", seconds: learnt * epochs * (forward / timed) * share * stepOverForward }]
        : []),
    ];
    return {
      schema: "graftwork/dry-run/1",
      base: { name: base.name, digest: base.provenance.digest },
      classes: classNames,
      photos: total,
      counts,
      skipped: photos.skipped.map(({ file, reason }) => ({ file, reason })),
      layout: photos.layout,
      stages,
      seconds: stages.reduce((sum, { seconds }) => sum + seconds, 0),
      memoryBytes: restingBytes + 2 * featureBytes + 6 * weights + (isTuned ? 250e6 : 0),
      diskBytes: featureBytes + weights + tuningBytes + 1e6,
    };
  } finally {
    await photos.close();
  }
}

async function secondsOf<T>(work: () => Promise<T>): Promise<[T, number]> {
  const from = performance.now();
  const result = await work();
  return [result, (performance.now() - from) / 1000];
}
