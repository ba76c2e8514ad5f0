/** @file Files read whole and written whole: under a temporary name, synced, then renamed. */
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { GraftError } from "../tensor/index.ts";

let written = 0;

/**
 * Writes a file so that no half file is ever seen, and what was there stays until the new one is whole. Folders on the
 * way are made.
 *
 * @throws GraftError `out-of-resources` where the disk is full, `usage` where the folder cannot be written
 */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  written += 1;
  const temporary = `${path}.${process.pid}.${written}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, cause);
  }
}

/** The whole file. Throws GraftError `usage` where it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
}

/** So that the new name survives a power cut. Some systems cannot open folders: there the rename alone must do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function unwritable(path: string, cause: unknown): GraftError {
  const isFull = ["ENOSPC", "EDQUOT"].includes(codeOf(cause));
  return new GraftError(isFull ? "out-of-resources" : "usage", "the file cannot be written", {
    path: [path],
    actual: reasonOf(cause),
    cause,
  });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

/** What the system said, in words. */
export function reasonOf(cause: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file or folder",
    ENOTDIR: "a file where a folder was expected",
    EACCES: "permission denied",
    EROFS: "a read-only file system",
    ENOSPC: "no space left on the disk",
    EDQUOT: "the disk quota is used up",
    EMFILE: "too many open files",
    EISDIR: "a folder",
  };
  return known[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}
