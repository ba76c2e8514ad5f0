/** @file The files of a folder on disk as a model's files. */
import { constants } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { reasonOf } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { filesFrom, type ModelFile, type ModelFiles } from "./model-files.ts";

export interface FolderOptions {
  /** Where links may lead: the folder itself where nothing is said. Caches of hubs keep the files themselves elsewhere. */
  readonly within?: string | undefined;
}

const mostFiles = 10_000;
const deepest = 12;
/** What is read at once: systems read less than 2 GiB. */
const step = 2 ** 30;

/**
 * The plain files below a folder, folders that begin with a dot left out. Links that lead out of it are refused when they
 * are read.
 *
 * @throws GraftError `usage` where the folder cannot be read, `model-refused` where it holds too many files to be a model
 */
export async function folderFiles(path: string, { within = path }: FolderOptions = {}): Promise<ModelFiles> {
  const files = new Map<string, ModelFile>();
  try {
    const [root, limit] = [await realpath(path), await realpath(within)];
    await collect(root, limit, "", files, 0);
  } catch (cause) {
    if (cause instanceof GraftError) throw cause.at(path);
    throw new GraftError("usage", "the folder cannot be read", { path: [path], actual: reasonOf(cause), cause });
  }
  return filesFrom(files);
}

async function collect(
  folder: string,
  limit: string,
  prefix: string,
  files: Map<string, ModelFile>,
  depth: number,
): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [path, name] = [join(folder, entry.name), prefix + entry.name];
    if (entry.isDirectory() && !entry.name.startsWith(".") && depth < deepest) {
      await collect(path, limit, `${name}/`, files, depth + 1);
    } else if (entry.isFile()) files.set(name, plainFile(path, (await stat(path)).size, name));
    else if (entry.isSymbolicLink()) await follow(path, limit, name, files);
    if (files.size > mostFiles) {
      throw new GraftError("model-refused", "the folder holds too many files", {
        expected: `at most ${mostFiles}`,
        hint: "name the model's own folder",
      });
    }
  }
}

/** Links to folders are not followed: they may lead round in circles. */
async function follow(path: string, limit: string, name: string, files: Map<string, ModelFile>): Promise<void> {
  const target = await realpath(path).catch(() => undefined);
  const found = target === undefined ? undefined : await stat(target);
  if (found?.isDirectory()) return;
  const isInside = target?.startsWith(limit.endsWith(sep) ? limit : limit + sep) ?? false;
  if (target !== undefined && isInside && found?.isFile()) files.set(name, plainFile(target, found.size, name));
  else files.set(name, { size: 0, read: () => refuseLink(name) });
}

function refuseLink(name: string): never {
  throw new GraftError("model-refused", "the file is a link that leads out of the folder, or nowhere", {
    path: [name],
    hint: "put the file itself into the folder",
  });
}

function plainFile(path: string, size: number, name: string): ModelFile {
  const read = async (): Promise<Uint8Array> => {
    try {
      // The path has no links in it; one put there since is not followed.
      const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      try {
        const bytes = new Uint8Array(size);
        let at = 0;
        while (at < size) {
          const { bytesRead } = await handle.read(bytes, at, Math.min(step, size - at), at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      } finally {
        await handle.close();
      }
    } catch (cause) {
      throw new GraftError("model-invalid", "the file cannot be read", {
        path: [name],
        actual: reasonOf(cause),
        cause,
      });
    }
  };
  return { size, read };
}
