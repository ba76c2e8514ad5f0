/** @file A folder of photos to evaluate a classifier on. */
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { checkPhotos, type PhotoProgress } from "./check-photos-node.ts";
import { layoutOf } from "./layout.ts";
import { listFolder, readTables } from "./list-folder-node.ts";
import { byCodePoint, listed } from "./names.ts";
import { photoDataset } from "./photo-dataset-node.ts";
import type { LabelledFolder } from "./photo-folder.ts";
import { photoPool } from "./photo-pool-node.ts";
import type { Part } from "./split.ts";

export interface LabelledFolderOptions {
  /** Which part of a folder with parts; `all`: every photo. Default: test/, or else validation/, or else train/. */
  readonly part?: Part | "all";
  /** Throw for the first photo that would be skipped. Default: false. */
  readonly strict?: boolean;
  /** Threads that decode. Default: one a core, at most 4. */
  readonly threads?: number;
  readonly onProgress?: PhotoProgress;
}

/**
 * The photos of a folder, in any layout that `imageFolder` reads, labelled by the classes of a classifier: its folders
 * need not have all of them, and none that the classifier does not know.
 *
 * @throws GraftError `usage` where the folder cannot be read or has no such part, `bad-data` where it is no folder of
 *   photos, has a class that is not among `classNames`, or no photo that can be used
 */
export async function labelledFolder(
  folder: string,
  classNames: readonly string[],
  options: LabelledFolderOptions = {},
): Promise<LabelledFolder> {
  const { strict = false, threads, onProgress } = options;
  const listing = await listFolder(folder);
  let layout: ReturnType<typeof layoutOf>;
  try {
    layout = layoutOf(listing, await readTables(folder, listing));
  } catch (error) {
    throw error instanceof GraftError ? error.at(folder) : error;
  }
  const part = partToTake(folder, new Set(layout.files.map((file) => file.part)), options.part);
  const files = layout.files.filter((file) => part === "all" || file.part === part);
  refuseUnknownClasses(folder, new Set(files.map(({ label }) => label)), classNames);
  const pool = photoPool(threads);
  try {
    const { photos, broken } = await checkPhotos(folder, files, pool, onProgress);
    const skipped = [...listing.skipped, ...layout.skipped, ...broken];
    skipped.sort((one, other) => byCodePoint(one.file, other.file));
    const [first] = skipped;
    if (first !== undefined && (strict || photos.length === 0)) {
      throw new GraftError("bad-data", strict ? first.reason : `no photo can be used: ${first.reason}`, {
        path: [folder, first.file],
      });
    }
    if (photos.length === 0) throw new GraftError("bad-data", "there is no photo", { path: [folder] });
    const labels = new Map(classNames.map((name, label) => [name, label]));
    photos.sort((one, other) => byCodePoint(one.file, other.file));
    const found = photos.map(({ file, label, digest, group }) => ({
      name: file,
      path: join(folder, file),
      label: labels.get(label) ?? 0,
      digest,
      group: group ?? digest,
    }));
    return {
      photos: photoDataset(classNames, found, pool),
      layout: part === "all" ? layout.description : `${layout.description}; the ${part} photos`,
      skipped,
      close: () => pool.close(),
    };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

function partToTake(
  folder: string,
  given: ReadonlySet<Part | undefined>,
  wanted: Part | "all" | undefined,
): Part | "all" {
  const parts = [...given].filter((part) => part !== undefined);
  if (wanted === undefined) return (["test", "validation", "train"] as const).find((part) => given.has(part)) ?? "all";
  if (wanted === "all" || given.has(wanted)) return wanted;
  throw new GraftError("usage", `the folder has no ${wanted} photos`, {
    path: [folder],
    expected: parts.length > 0 ? [...parts, "all"].join(", ") : "all: it has no parts",
    actual: wanted,
  });
}

function refuseUnknownClasses(folder: string, found: ReadonlySet<string>, classNames: readonly string[]): void {
  const unknown = [...found].filter((name) => !classNames.includes(name)).sort(byCodePoint);
  if (unknown.length === 0) return;
  throw new GraftError("bad-data", "the folder has classes that the classifier does not know", {
    path: [folder],
    expected: `folders called ${listed(classNames, 20)}`,
    actual: listed(unknown, 20),
    hint: "rename the folders, or move those of other things elsewhere",
  });
}
