/** @file What is on this machine: the models in the caches of the hubs' own programs and in this one's. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasModel } from "./choose.ts";
import { huggingFaceCache, kaggleCache, kerasCache, tfHubCache } from "./environment-node.ts";
import { DEFAULT_REVISION, printHandle } from "./handle.ts";
import { cachedCommit, isCommit, namesIn, repositoryFolder, snapshotFolder } from "./huggingface-cache-node.ts";
import { isHuggingFaceName, kaggleFrameworkNamed } from "./names.ts";
import { ownFolders, readNote } from "./own-cache-node.ts";
import { parseHandle } from "./parse-handle.ts";

/** A model in a cache. */
export interface CachedModel {
  /** What to type for it: a handle, or the path where the cache does not say what the file is. */
  readonly handle: string;
  readonly cache: "keras" | "tfhub" | "kaggle" | "hf" | "graft";
  readonly path: string;
  /** What it takes on the disk, in bytes. */
  readonly bytes: number;
}

/** All models in all caches, in the order of the caches and of their names. Caches that are not there are empty. */
export async function cachedModels(): Promise<CachedModel[]> {
  const all = await Promise.all([inKeras(), inTfHub(), inKaggle(), inHuggingFace(), inOwn()]);
  return all.flatMap((models) => models.sort((a, b) => (a.handle < b.handle ? -1 : 1)));
}

async function inKeras(): Promise<CachedModel[]> {
  const files = (await namesOf(kerasCache())).filter((name) => /\.(h5|hdf5|keras)$/.test(name));
  return await Promise.all(
    files.map(async (name) => {
      const path = join(kerasCache(), name);
      return { handle: path, cache: "keras" as const, path, bytes: await bytesOf(path) };
    }),
  );
}

async function inTfHub(): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const name of (await namesOf(tfHubCache())).filter((each) => /^[0-9a-f]{40}$/.test(each))) {
    const path = join(tfHubCache(), name);
    const about = await readFile(`${path}.descriptor.txt`, "utf8").catch(() => "");
    const typed = /^Module: (\S+)$/m.exec(about)?.[1];
    found.push({ handle: handleOf(typed) ?? path, cache: "tfhub", path, bytes: await folderBytes(path) });
  }
  return found;
}

/** A handle from a file of another program, printed; `undefined` where it is none. */
function handleOf(typed: string | undefined): string | undefined {
  if (typed === undefined) return undefined;
  try {
    return printHandle(parseHandle(typed));
  } catch {
    return undefined;
  }
}

async function inKaggle(): Promise<CachedModel[]> {
  let folders: readonly (readonly string[])[] = [[]];
  for (let level = 0; level < 4; level++) {
    const deeper = await Promise.all(
      folders.map(async (parts) => (await namesOf(join(kaggleCache(), ...parts))).map((name) => [...parts, name])),
    );
    folders = deeper.flat();
  }
  const found: CachedModel[] = [];
  for (const [owner = "", model = "", framework = "", variation = ""] of folders) {
    const folder = join(kaggleCache(), owner, model, framework, variation);
    const complete = (await namesOf(folder)).flatMap((name) => /^(\d+)\.complete$/.exec(name)?.[1] ?? []);
    for (const version of complete) {
      const path = join(folder, version);
      const spelled = kaggleFrameworkNamed(framework)?.name ?? framework;
      const handle = `kaggle:${owner}/${model}/${spelled}/${variation}/${version}`;
      found.push({ handle, cache: "kaggle", path, bytes: await folderBytes(path) });
    }
  }
  return found;
}

async function inHuggingFace(): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const name of await namesOf(huggingFaceCache())) {
    const repository = /^models--(.+)$/.exec(name)?.[1]?.replace("--", "/");
    if (repository === undefined || !isHuggingFaceName(repository)) continue;
    const folder = repositoryFolder(repository);
    const main = await cachedCommit(repository, DEFAULT_REVISION);
    const commits = (await namesOf(join(folder, "snapshots"))).filter(isCommit);
    // Commits share their blobs: what the repository takes is counted once.
    let bytes = await folderBytes(join(folder, "blobs"));
    for (const commit of commits) {
      if (!hasModel(await namesIn(snapshotFolder(repository, commit)))) continue;
      const handle = commit === main ? `hf:${repository}` : `hf:${repository}@${commit}`;
      found.push({ handle, cache: "hf", path: snapshotFolder(repository, commit), bytes });
      bytes = 0;
    }
  }
  return found;
}

async function inOwn(): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const path of await ownFolders()) {
    const note = await readNote(path);
    if (note !== undefined) {
      found.push({ handle: note.handle, cache: "graft", path: join(path, note.file), bytes: await folderBytes(path) });
    }
  }
  return found;
}

async function namesOf(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await namesIn(folder)).map((name) => bytesOf(join(folder, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function bytesOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
