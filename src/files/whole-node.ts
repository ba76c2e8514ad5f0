/** @file Files read whole and written whole: under a temporary name, synced, then renamed. */
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { isDiskFull, reasonOf } from "./system-node.ts";

let written = 0;

/**
 * Writes a file, whose content may come in pieces, so that no half file is ever seen, and what was there stays until the new one is whole. Folders on the
 * way are made.
 *
 * @throws GraftError `out-of-resources` where the disk is full, `usage` where the folder cannot be written
 */
export async function writeWhole(path: string, content: Uint8Array | string | readonly Uint8Array[]): Promise<void> {
  written += 1;
  const temporary = `${path}.${process.pid}.${written}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      for (const part of Array.isArray(content) ? content : [content]) await file.writeFile(part);
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
  const { buffer, byteOffset, byteLength } = await readFile(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  // A Buffer's slice is a view where everyone else's is a copy.
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** So that the new name survives a power cut. Some systems cannot open folders: there the rename alone must do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** The error for a file that could not be written: `out-of-resources` where the disk is full, else `usage`. */
export function unwritable(path: string, cause: unknown): GraftError {
  return new GraftError(isDiskFull(cause) ? "out-of-resources" : "usage", "the file cannot be written", {
    path: [path],
    actual: reasonOf(cause),
    cause,
  });
}
