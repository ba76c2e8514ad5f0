/** @file `graft pull` and `graft base list`: bringing models onto this machine, and what is here. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { families } from "../applications/index.ts";
import { packageFile } from "../files/index.ts";
import { type CachedModel, cachedModels, parseHandle, pin, readLock } from "../hub/index.ts";
import { familyOfHandle } from "./application-node.ts";
import { catalogue } from "./catalogue.ts";
import { locateModel, type OpenOptions, openModel } from "./open-model-node.ts";

export interface PullOptions extends OpenOptions {
  /** Whether graft.lock says from now on what the handle means. Default: where there is a graft.lock. */
  readonly lock?: boolean | undefined;
}

/** A model that was brought here. */
export interface PulledModel {
  readonly handle: string;
  /** Where it lies: a file, a folder or an archive; null where it was built of a table. */
  readonly path: string | null;
  readonly bytes: number | null;
  readonly format: string;
  /** SHA-256; empty for folders. */
  readonly digest: string;
  readonly license: string | null;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: string | null;
    readonly shape: readonly (number | string | null)[] | null;
  }[];
  readonly remarks: readonly string[];
  /** Whether graft.lock names it. */
  readonly isLocked: boolean;
}

/**
 * Fetches a model where it is not here yet, verifies it, and opens it once, so that a broken one is told now.
 *
 * @throws GraftError as `openModel`
 */
export async function pullModel(handle: string, options: PullOptions = {}): Promise<PulledModel> {
  const isApplication = familyOfHandle(handle) !== undefined;
  const located = isApplication ? undefined : await locateModel(handle, options);
  const model = await openModel(handle, options);
  const { fetched } = located ?? {};
  const parsed = fetched === undefined ? undefined : parseHandle(handle);
  const isWanted = options.lock ?? (await hasLock());
  const isLocked =
    fetched !== undefined && parsed !== undefined && parsed.kind !== "path" && parsed.kind !== "keras" && isWanted;
  if (isLocked) await pin(parsed, fetched);
  return {
    handle,
    path: located?.path ?? null,
    bytes: located === undefined ? null : await bytesIn(located.path),
    format: model.format,
    digest: model.provenance.digest,
    license: model.license ?? null,
    inputs: model.graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype: dtype ?? null, shape: shape ?? null })),
    remarks: model.remarks,
    isLocked,
  };
}

/** Whether there is a graft.lock in the working directory. A damaged one is an error. */
async function hasLock(): Promise<boolean> {
  const { size } = await readLock();
  return size > 0 || (await stat("graft.lock").catch(() => undefined)) !== undefined;
}

/** A model on this machine, with what it takes where a table knows it. */
export interface AvailableBase {
  readonly handle: string;
  /** Whose cache it lies in; `graftwork` for what comes along. */
  readonly cache: CachedModel["cache"] | "graftwork";
  readonly path: string;
  readonly bytes: number;
  readonly imageSize: number | null;
  readonly range: string | null;
  readonly license: string | null;
}

/** What is on this machine: what comes along, and what lies in the caches. Files are not opened. */
export async function availableBases(): Promise<AvailableBase[]> {
  const pocket = packageFile("models/pocket.onnx");
  const own = {
    handle: "pocket",
    cache: "graftwork",
    path: pocket,
    bytes: await bytesIn(pocket),
    imageSize: 128,
    range: "[-1, 1]",
    license: "Apache-2.0",
  } as const;
  const cached = (await cachedModels()).map((model): AvailableBase => {
    const handle = model.cache === "keras" ? (kerasHandle(model.path) ?? model.handle) : model.handle;
    const known = catalogue.find((entry) => entry.handle === handle || entry.handle === handle.split("?")[0]);
    const { imageSize = null, range = null, license = null } = known ?? {};
    return { ...model, handle, imageSize: imageSize ?? null, range: range ?? null, license: license ?? null };
  });
  return [own, ...cached];
}

/** The handle of a file that Keras publishes, by its name. */
function kerasHandle(path: string): string | undefined {
  const file = path.split(/[\\/]/).at(-1);
  for (const { name, published } of families) {
    const found = published.find((each) => each.file === file);
    if (found === undefined) continue;
    const { alpha = 1, minimalistic = false } = found;
    const query = [alpha === 1 ? "" : `alpha=${alpha}`, minimalistic ? "minimalistic=true" : ""].filter(Boolean);
    return `keras:${name}${query.length > 0 ? `?${query.join("&")}` : ""}`;
  }
  return undefined;
}

async function bytesIn(path: string): Promise<number> {
  const facts = await stat(path);
  if (!facts.isDirectory()) return facts.size;
  const entries = await readdir(path, { withFileTypes: true });
  const sizes = await Promise.all(
    entries.filter((entry) => entry.isFile() || entry.isDirectory()).map((entry) => bytesIn(join(path, entry.name))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
