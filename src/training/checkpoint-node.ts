/** @file Checkpoints in a file, and the one before beside it. */
import { readFile, rename } from "node:fs/promises";
import { writeWhole } from "../files/index.ts";
import { type CheckpointStore, decodeCheckpoint } from "./checkpoint.ts";

/**
 * A checkpoint in a file. The one before stays as `<path>.previous`, and is taken where the last one is damaged.
 * `save` throws GraftError `out-of-resources` where the disk is full and `usage` where the folder cannot be written;
 * what was there stays.
 */
export function checkpointFile(path: string): CheckpointStore {
  const previous = `${path}.previous`;
  const readWhole = async (from: string): Promise<Uint8Array | undefined> => {
    const bytes = await readFile(from).catch(() => undefined);
    return bytes !== undefined && (await decodeCheckpoint(bytes)) !== undefined ? bytes : undefined;
  };
  // Whether the file is known to be whole: then it becomes the previous one.
  let isWhole: boolean | undefined;
  return {
    async load() {
      const last = await readWhole(path);
      isWhole = last !== undefined;
      return last ?? (await readWhole(previous));
    },
    async save(bytes) {
      isWhole ??= (await readWhole(path)) !== undefined;
      if (isWhole) await keepAsPrevious(path, previous);
      await writeWhole(path, bytes);
      isWhole = true;
    },
  };
}

/** Where this is not possible, neither is what comes next, which says so. */
async function keepAsPrevious(path: string, previous: string): Promise<void> {
  await rename(path, previous).catch(() => undefined);
}
