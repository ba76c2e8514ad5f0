/** @file Fetching into this program's own cache: what is there serves, else it is downloaded and noted. */
import { open, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { type DownloadOptions, download } from "./download-node.ts";
import { isOffline } from "./environment-node.ts";
import type { FetchedFile, FetchedModel } from "./fetched.ts";
import { exists, type Note, ownFolder, readNote, writeNote } from "./own-cache-node.ts";
import { shardsOf } from "./shards.ts";

/** What is fetched and where it comes from. */
export interface Source {
  /** What the cache tells entries apart by. */
  readonly identity: string;
  readonly address: string;
  /** The file's name in the cache. */
  readonly file: string;
  readonly note: Omit<Note, "file">;
}

/** What of `source` is in the cache, whole. */
export async function cachedSource(identity: string): Promise<FetchedModel | undefined> {
  const folder = ownFolder(identity);
  const note = await readNote(folder);
  if (note === undefined) return undefined;
  const files = await filesOf(folder, note.file);
  const areHere = await Promise.all(files.map(({ path }) => exists(path)));
  return areHere.every(Boolean) ? await described(folder, note, files) : undefined;
}

/**
 * Downloads a source, and the weights that a TensorFlow.js `model.json` names beside it.
 *
 * @throws GraftError as `download` does
 */
export async function fetchSource(source: Source, options: DownloadOptions): Promise<FetchedModel> {
  const { identity, address, file, note } = source;
  const folder = ownFolder(identity);
  if (options.offline ?? isOffline()) {
    throw new GraftError("not-cached", "the model is not on this machine, and the network is off", {
      path: [note.handle],
      hint: "fetch it once with the network on, or give the path of a copy",
    });
  }
  // Until the note is there again, a half-renewed entry counts for nothing.
  await rm(join(folder, "source.json"), { force: true });
  await download(address, join(folder, file), options);
  await fetchBesides(address, await filesOf(folder, file), options);
  const whole = { ...note, file };
  await writeNote(folder, whole);
  return await described(folder, whole, await filesOf(folder, file));
}

/** The weights that a `model.json` names, all together within the limit, and a Teachable Machine's labels, if there are any. */
async function fetchBesides(
  address: string,
  [main, ...shards]: readonly FetchedFile[],
  { limit = 8 * 2 ** 30, digest: _, size: __, ...others }: DownloadOptions,
): Promise<void> {
  if (main === undefined || !main.name.endsWith("model.json")) return;
  let left = limit;
  for (const { name, path } of shards) {
    await download(besides(address, name), path, { ...others, limit: left });
    left -= (await stat(path)).size;
  }
  const labels = "metadata.json";
  const options = { ...others, limit: 2 ** 20, attempts: 1 };
  await download(besides(address, labels), join(dirname(main.path), labels), options).catch((cause: unknown) => {
    if (!(cause instanceof GraftError)) throw cause;
  });
}

/** The address of a file beside another; what is asked with that one is asked with it too, as TensorFlow.js does. */
function besides(address: string, name: string): string {
  const url = new URL(address);
  url.pathname = url.pathname.replace(/[^/]*$/, "") + name.split("/").map(encodeURIComponent).join("/");
  return url.href;
}

async function filesOf(folder: string, file: string): Promise<FetchedFile[]> {
  const main = { name: file, path: join(folder, file) };
  if (!file.endsWith("model.json") || !(await exists(main.path))) return [main];
  const shards = shardsOf(await readFile(main.path, "utf8"));
  return [main, ...shards.map((name) => ({ name, path: join(folder, name) }))];
}

async function described(folder: string, note: Note, files: readonly FetchedFile[]): Promise<FetchedModel> {
  const path = join(folder, note.file);
  return {
    kind: await kindOf(path),
    path,
    source: note.handle,
    revision: note.revision,
    license: note.license,
    digest: /^[0-9a-f]{64}/.exec(await readFile(`${path}.sha256`, "utf8").catch(() => ""))?.[0],
    files,
    configPath: undefined,
    preprocessorPath: undefined,
  };
}

/** Whether the file is an archive, by its first bytes. A `.keras` file is a zip, and a file. */
export async function kindOf(path: string): Promise<"file" | "archive"> {
  if (path.endsWith(".keras")) return "file";
  const handle = await open(path, "r");
  try {
    const head = Buffer.alloc(262);
    await handle.read(head, 0, head.length, 0);
    const isGzip = head[0] === 0x1f && head[1] === 0x8b;
    const isZip = head.toString("latin1", 0, 4) === "PK\u0003\u0004";
    const isTar = head.toString("latin1", 257, 262) === "ustar";
    return isGzip || isZip || isTar ? "archive" : "file";
  } finally {
    await handle.close();
  }
}
