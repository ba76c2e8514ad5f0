/** @file `graft inspect`: any model by its handle, beside a folder of photos if wanted. */
import { stat } from "node:fs/promises";
import { imageFolder } from "../data/image-folder-node.ts";
import { runKillable, scriptBeside } from "../files/index.ts";
import { familyOfHandle } from "../model/application-node.ts";
import type { BaseOptions, Provenance } from "../model/index.ts";
import { locateModel, type OpenOptions, openModel, provenanceOf } from "../model/open-model-node.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { inspectParts } from "./inspect.ts";
import type { FitReport } from "./report.ts";

export interface InspectOptions extends Pick<OpenOptions, "offline" | "onProgress" | "signal" | "limits"> {
  /** A folder of photos that the model is to be trained on. */
  readonly data?: string | undefined;
  /** The output to walk gradients from. Default: every floating-point output. */
  readonly output?: string | undefined;
  /** Whether the model is run, to measure its cost and to tell its range. Default: true. */
  readonly run?: boolean | undefined;
  /** What is said of it as a base. */
  readonly base?: BaseOptions | undefined;
  readonly threads?: number | undefined;
}

/** What the process that looks is asked. */
export interface InspectTask extends Pick<InspectOptions, "data" | "output" | "base" | "threads"> {
  readonly path: string;
  readonly provenance: Provenance;
  readonly license: string | undefined;
  readonly bytes: number | undefined;
  readonly isRun: boolean;
}

/**
 * Looks at a model: what goes in and out, which values it takes, how deep it can be tuned, and whether it fits a folder of
 * photos. Files from strangers are read and run in a process of their own.
 *
 * @throws GraftError as `openModel`; `usage` for an output that the model does not have; `bad-data` for a folder that is
 *   no folder of photos
 */
export async function inspectModel(handle: string, options: InspectOptions = {}): Promise<FitReport> {
  const { data, output, run: isRun = true, base, threads, limits = {}, signal } = options;
  if (familyOfHandle(handle) !== undefined) {
    const model = await openModel(handle, options);
    const whole = { validationFraction: 0, testFraction: 0 };
    const photos = data === undefined ? undefined : { folder: data, read: await imageFolder(data, whole) };
    try {
      const runtime = isRun ? await nodeRuntime({ threads }) : undefined;
      return await inspectParts({ model, bytes: undefined, photos, runtime, output }, base);
    } finally {
      await photos?.read.close();
    }
  }
  const located = await locateModel(handle, options);
  const { path, fetched } = located;
  const facts = await stat(path);
  const bytes = facts.isFile() ? facts.size : undefined;
  const provenance = await provenanceOf(located);
  const task: InspectTask = { path, provenance, license: fetched?.license, data, output, base, threads, bytes, isRun };
  const script = scriptBeside(import.meta.url, "inspect-worker-node");
  // Decoding photos and running a base take longer than reading it, and more memory.
  return await runKillable<FitReport>(script, task, {
    place: path,
    seconds: limits.seconds ?? 60 + (bytes ?? 2 ** 27) / 2e6 + (data === undefined ? 0 : 3600),
    memory: limits.memory ?? 3 * 2 ** 30 + 10 * (bytes ?? 2 ** 27),
    signal,
  });
}
