/** @file Importing files from strangers: in a process of its own, with limits on time and memory. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf, runKillable, scriptBeside } from "../files/index.ts";
import type { Graph } from "../graph/index.ts";
import { readModel } from "../onnx/index.ts";
import { GraftError, unreachable } from "../tensor/index.ts";
import type { Base } from "./base.ts";
import type { SourceDescription, SourceModel } from "./source.ts";

/** What the reading process is asked: to read a file or folder, and to write its graph as ONNX. */
export interface ImportTask {
  readonly path: string;
  readonly out: string;
  /** Weights of keras.applications become a base of this image size, without their classifier. Default: the whole model. */
  readonly base?: { readonly imageSize?: number | undefined } | undefined;
  /** Of a SavedModel: what is run instead of the usual function. */
  readonly callable?: string | undefined;
}

/** What it answers, beside the graph. */
export type Imported =
  | { readonly kind: "source"; readonly source: SourceDescription }
  | { readonly kind: "base"; readonly base: Omit<Base, "graph"> };

export interface ImportLimits {
  /** How long reading may take, in seconds. Default: 9, and half a second for each megabyte. */
  readonly seconds?: number | undefined;
  /** How much memory the reading process may hold, in bytes. Default: 1 GiB, and ten times the file. */
  readonly memory?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a model of any format but ONNX from a file or folder.
 *
 * @throws GraftError `model-invalid` or `model-refused` as the importers; `model-refused` where it takes too long;
 *   `out-of-resources` where it takes too much memory; `usage` where there is no such file
 */
export async function importFile(
  path: string,
  limits: ImportLimits = {},
  { callable }: Pick<ImportTask, "callable"> = {},
): Promise<SourceModel> {
  return await withImported({ path, callable }, limits, async (file, imported) => {
    if (imported.kind !== "source") unreachable("a whole model was asked for");
    return { ...imported.source, graph: await graphIn(file, path) };
  });
}

/** As `importFile`; weights of keras.applications become a base at once. */
export async function importForBase(
  path: string,
  base: ImportTask["base"] = {},
  limits: ImportLimits = {},
): Promise<SourceModel | Base> {
  return await withImported({ path, base }, limits, async (file, imported) => ({
    ...(imported.kind === "base" ? imported.base : imported.source),
    graph: await graphIn(file, path),
  }));
}

/** Our own process wrote it: what strangers' files are asked is asked no more. */
async function graphIn(file: string, path: string): Promise<Graph> {
  const limits = { nodes: Number.POSITIVE_INFINITY, items: Number.POSITIVE_INFINITY };
  return readModel(await readFile(file), { path, limits }).graph;
}

/** Lets the reading process write the graph to a file, which is removed when `use` is done. */
export async function withImported<T>(
  { path, base, callable }: Omit<ImportTask, "out">,
  limits: ImportLimits,
  use: (file: string, imported: Imported) => Promise<T>,
): Promise<T> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  const bytes = facts.isFile() ? facts.size : 2 ** 27;
  const folder = await mkdtemp(join(tmpdir(), "graftwork-"));
  try {
    const task: ImportTask = { path, base, callable, out: join(folder, "model.onnx") };
    const script = scriptBeside(import.meta.url, "import-worker-node");
    const imported = await runKillable<Imported>(script, task, {
      place: path,
      seconds: limits.seconds ?? 9 + bytes / 2e6,
      memory: limits.memory ?? 2 ** 30 + 10 * bytes,
      signal: limits.signal,
    });
    return await use(task.out, imported);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
