/** @file Reading every labelled photo once: what its bytes are called, and whether it is whole. */
import { join } from "node:path";
import type { Photo } from "./duplicates.ts";
import type { LabelledFile, SkippedFile } from "./layout.ts";
import { askTwice, type PhotoPool } from "./photo-pool-node.ts";
import { type PictureFacts, type PictureSummary, summarizePictures } from "./picture-facts.ts";

/** Told now and then how far a folder has been read. */
export type PhotoProgress = (done: number, total: number) => void;

/** How many photos wait in each thread's queue: enough to keep it busy, few enough to take no memory. */
const queued = 32;

/** The whole photos among the files, in the same order, and what is wrong with the others. */
export async function checkPhotos(
  folder: string,
  files: readonly LabelledFile[],
  pool: PhotoPool,
  onProgress?: PhotoProgress,
): Promise<{
  readonly photos: Photo[];
  readonly broken: SkippedFile[];
  readonly pictures: PictureSummary | undefined;
}> {
  const facts: PictureFacts[] = [];
  const digests = new Array<string>(files.length).fill("");
  const reasons = new Map<number, string>();
  let next = 0;
  let done = 0;
  const follow = async (): Promise<void> => {
    for (let at = next++; at < files.length; at = next++) {
      const answer = await askTwice(pool, { kind: "check", source: join(folder, files[at]?.file ?? "") });
      if (answer.kind === "checked") {
        digests[at] = answer.digest;
        facts.push(answer.facts);
      }
      if (answer.kind === "failed") reasons.set(at, answer.reason);
      done += 1;
      onProgress?.(done, files.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(files.length, pool.size * queued) }, follow));
  const photos: Photo[] = [];
  const broken: SkippedFile[] = [];
  for (const [at, labelled] of files.entries()) {
    const reason = reasons.get(at);
    if (reason === undefined) photos.push({ ...labelled, digest: digests[at] ?? "" });
    else broken.push({ file: labelled.file, reason });
  }
  return { photos, broken, pictures: summarizePictures(facts) };
}
