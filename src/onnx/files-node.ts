/** @file Model files on disk: read whole, written whole or not at all. */
import { open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { externalDataBeside } from "./external-data-node.ts";
import type { OnnxModel } from "./model.ts";
import { readModel } from "./read.ts";
import { writeModel } from "./write.ts";

/** A protobuf message, and so a model in one file, ends at 2 GiB. */
const maximumBytes = 2 ** 31 - 1;

/**
 * Reads an ONNX file. External data is taken from the file's own folder only.
 *
 * @throws GraftError `usage` where there is no such file, `model-invalid` or `model-refused` as `readModel`
 */
export async function readModelFile(path: string): Promise<OnnxModel> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  if (!facts.isFile())
    throw new GraftError("usage", "a model is a file", { path: [path], actual: "a folder or a device" });
  if (facts.size > maximumBytes) {
    throw new GraftError("model-refused", "the file is too large to be a model", {
      path: [path],
      expected: `at most ${maximumBytes} bytes`,
      actual: `${facts.size}`,
    });
  }
  return readModel(await readFile(path), { path, externalData: externalDataBeside(path) });
}

/**
 * Writes a model as one ONNX file: under a temporary name in the same folder, synced, then renamed, so that no half
 * file is ever seen and what was there stays until the new one is whole.
 *
 * @throws GraftError `out-of-resources` where the disk is full, `usage` where the folder cannot be written
 */
export async function writeModelFile(path: string, model: OnnxModel): Promise<void> {
  const bytes = writeModel(model);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    const isFull = ["ENOSPC", "EDQUOT"].includes(codeOf(cause));
    throw new GraftError(isFull ? "out-of-resources" : "usage", "the file cannot be written", {
      path: [path],
      actual: reasonOf(cause),
      cause,
    });
  }
}

/** So that the new name survives a power cut. Some systems cannot open folders: there the rename alone must do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

function reasonOf(cause: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EROFS: "a read-only file system",
    ENOSPC: "no space left on the disk",
    EISDIR: "a folder",
  };
  return known[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}
