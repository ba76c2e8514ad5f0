/** @file Photos without labels: what a classifier is asked about. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { listFolder } from "./list-folder-node.ts";
import type { PhotoList } from "./photo-folder.ts";
import { askTwice, photoPool } from "./photo-pool-node.ts";
import type { PhotoSource } from "./photo-worker-node.ts";

/** A photo that is no file: its bytes, and what to call it. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The photos in files and folders, in the order given. Folders are walked to the bottom, without hidden files. A file
 * that is missing or no picture has its error when it is read.
 *
 * @throws GraftError `usage` for a folder that cannot be read
 */
export async function photosOf(
  sources: readonly (string | NamedBytes)[],
  { threads }: { readonly threads?: number } = {},
): Promise<PhotoList> {
  const photos: { readonly name: string; readonly source: PhotoSource }[] = [];
  for (const source of sources) {
    if (typeof source !== "string") {
      photos.push({ name: source.name, source: source.bytes });
    } else if (await isFolder(source)) {
      const { files, skipped } = await listFolder(source);
      for (const file of [...files, ...skipped.map(({ file }) => file)]) {
        const path = join(source, file);
        photos.push({ name: path, source: path });
      }
    } else {
      photos.push({ name: source, source });
    }
  }
  const pool = photoPool(threads);
  // Whoever lists photos reads them next, often after a model that takes as long to load as a thread to start.
  if (photos.length > 0) pool.prepare();
  return {
    files: photos.map(({ name }) => name),
    read: (indices, recipe) =>
      Promise.all(
        indices.map(async (index) => {
          const photo = photos[index];
          if (photo === undefined) throw new GraftError("usage", "no such photo", { actual: String(index) });
          const answer = await askTwice(pool, { kind: "pixels", source: photo.source, recipe });
          if (answer.kind === "pixels") return answer.pixels;
          const reason = answer.kind === "failed" ? answer.reason : "no pixels";
          return new GraftError("bad-data", reason, { path: [photo.name] });
        }),
      ),
    close: () => pool.close(),
  };
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
