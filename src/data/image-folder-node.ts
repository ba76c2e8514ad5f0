/** @file A folder of photos as datasets to train on, to choose by, and to measure with. */
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { checkPhotos, type PhotoProgress } from "./check-photos-node.ts";
import { classCounts, type Dataset } from "./dataset.ts";
import { type Photo, remarkTornGroups, settleDuplicates } from "./duplicates.ts";
import { groupPattern, keysOf } from "./group.ts";
import { type Layout, layoutOf, type SkippedFile } from "./layout.ts";
import { listFolder, readTables } from "./list-folder-node.ts";
import { byCodePoint, counted, listed } from "./names.ts";
import { photoDataset } from "./photo-dataset-node.ts";
import type { PhotoFolder } from "./photo-folder.ts";
import { type PhotoPool, photoPool } from "./photo-pool-node.ts";
import { type Part, splitByContent } from "./split.ts";

/** How a folder is read. */
export interface ImageFolderOptions {
  /** Draws the split. Default: 0. */
  readonly seed?: number;
  /** How much of the photos to train on is set apart to choose by, where the folder sets none apart. Default: 0.15. */
  readonly validationFraction?: number;
  /** How much is held back for the final figure, where the folder holds nothing back. Default: 0.15. */
  readonly testFraction?: number;
  /**
   * A folder with train/ and validation/ but without test/: by default its validation photos are held back for the
   * final figure, and others to choose by are split off train/. `true`: they stay the validation part, and nothing is
   * held back unless `testFraction` is given.
   */
  readonly keepValidation?: boolean;
  /** What belongs together, by its path: see `groupPattern`. Takes the place of the table's `group` column. */
  readonly group?: string | RegExp | undefined;
  /** Throw for the first photo that would be skipped. Default: false. */
  readonly strict?: boolean;
  /** Threads that decode. Default: one a core, at most 4. */
  readonly threads?: number | undefined;
  readonly onProgress?: PhotoProgress;
}

/**
 * Reads a folder of photos: a folder a class; or train/, validation/ and test/ (also training, val, valid, dev, eval,
 * testing) with a folder a class in each; or `metadata.csv` or `metadata.jsonl` with `file_name` and `label` (and, if
 * wanted, `group` and `split`), at the top or in each part. Every photo is decoded once to see that it is whole; what is
 * not is skipped and named.
 *
 * What is split is split by content (see `splitByContent`): the same photo has the same part on every machine and
 * whatever is added; exact copies and groups are on one side.
 *
 * @throws GraftError `usage` where the folder cannot be read or an option makes no sense; `bad-data` where it is no
 *   folder of photos, has fewer than two classes, or a class without a photo to train on; with `strict` for a photo that
 *   would be skipped
 */
export async function imageFolder(folder: string, options: ImageFolderOptions = {}): Promise<PhotoFolder> {
  const pool = photoPool(options.threads);
  try {
    return await readFolder(folder, options, pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function readFolder(folder: string, options: ImageFolderOptions, pool: PhotoPool): Promise<PhotoFolder> {
  const { seed = 0, strict = false, onProgress } = options;
  const plan = planSplit(options);
  const groupOf = options.group === undefined ? undefined : groupPattern(options.group);
  const listing = await listFolder(folder);
  const layout = await placed(folder, async () => {
    const found = layoutOf(listing, await readTables(folder, listing));
    refuseTooFewClasses(found, listing.folders);
    return found;
  });
  const grouped = layout.files.map((file) => (groupOf === undefined ? file : { ...file, group: groupOf(file.file) }));
  const ungrouped = grouped.filter(({ group }) => group === undefined).length;
  if (groupOf !== undefined && ungrouped === grouped.length) {
    throw new GraftError("usage", "the group pattern matches no photo", {
      path: [String(options.group)],
      actual: `paths like ${listed(
        grouped.map(({ file }) => file),
        3,
      )}`,
    });
  }
  const { photos: whole, broken, pictures } = await checkPhotos(folder, grouped, pool, onProgress);
  const given = new Set(layout.files.map(({ part }) => part));
  const { parts, description } = plan(given);
  const settled = settleDuplicates(whole.map((photo) => ({ ...photo, part: photo.part && parts(photo.part) })));
  const skipped = [...listing.skipped, ...layout.skipped, ...broken, ...settled.skipped];
  skipped.sort((one, other) => byCodePoint(one.file, other.file));
  if (strict) refuseSkipped(folder, skipped);
  const classNames = [...layout.classNames].sort(byCodePoint);
  const assigned = assign(settled.photos, plan(given).fractions, seed);
  refuseEmptyClasses(folder, classNames, assigned, layout, skipped);
  const labels = new Map(classNames.map((name, label) => [name, label]));
  const sorted = [...assigned].sort((one, other) => byCodePoint(one.file, other.file));
  const partOf = (part: Part): Dataset =>
    photoDataset(
      classNames,
      sorted
        .filter((photo) => photo.assigned === part)
        .map(({ file, label, digest, key }) => ({
          name: file,
          path: join(folder, file),
          label: labels.get(label) ?? 0,
          digest,
          group: key,
        })),
      pool,
    );
  const [train, validation, test] = [partOf("train"), partOf("validation"), partOf("test")];
  return {
    classNames,
    train,
    validation,
    test,
    layout: [layout.description, ...description].join("; "),
    skipped,
    remarks: [
      ...settled.remarks,
      ...remarkTornGroups(settled.photos),
      ...(groupOf !== undefined && ungrouped > 0
        ? [`the group pattern matches all but ${counted(ungrouped, "photo")}; these are on their own`]
        : []),
    ],
    pictures,
    counts: { train: classCounts(train), validation: classCounts(validation), test: classCounts(test) },
    close: () => pool.close(),
  };
}

interface SplitPlan {
  /** What a part that the folder gives is for. */
  parts(given: Part): Part;
  /** What is split off the photos that the folder gives no part, or gives for training. */
  readonly fractions: { readonly validation: number; readonly test: number };
  /** For people. */
  readonly description: readonly string[];
}

/** What is done with the parts that a folder has, and what is made of those it lacks. */
function planSplit(options: ImageFolderOptions): (given: ReadonlySet<Part | undefined>) => SplitPlan {
  const { validationFraction = 0.15, testFraction = 0.15, keepValidation = false } = options;
  // Refused here, before hours of decoding.
  splitByContent([], { validation: validationFraction, test: testFraction }, 0);
  return (given) => {
    const isHeldBack = given.has("validation") && !given.has("test") && !keepValidation;
    const hasTest = given.has("test") || isHeldBack;
    const hasValidation = given.has("validation") && !isHeldBack;
    const leavesNoTest = hasTest || (hasValidation && options.testFraction === undefined);
    const fractions = {
      validation: hasValidation ? 0 : validationFraction,
      test: leavesNoTest ? 0 : testFraction,
    };
    const split = [
      ...(fractions.validation > 0 ? [`${percent(fractions.validation)} to choose by`] : []),
      ...(fractions.test > 0 ? [`${percent(fractions.test)} held back`] : []),
    ];
    const source = given.has("train") ? "split off the training photos" : "split by content";
    return {
      parts: (part) => (part === "validation" && isHeldBack ? "test" : part),
      fractions,
      description: [
        ...(isHeldBack ? ["the validation photos are held back for the final figure"] : []),
        ...(split.length > 0 ? [`${source}: ${split.join(", ")}`] : []),
      ],
    };
  };
}

function percent(fraction: number): string {
  return `${Number((fraction * 100).toFixed(1))} %`;
}

interface AssignedPhoto extends Photo {
  readonly assigned: Part;
  /** What belongs together has the same. */
  readonly key: string;
}

function assign(photos: readonly Photo[], fractions: SplitPlan["fractions"], seed: number): AssignedPhoto[] {
  const keys = keysOf(photos, seed);
  const keyed = photos.map((photo, at) => ({ ...photo, key: keys[at] ?? photo.digest }));
  const isOpen = ({ part }: Photo) => part === undefined || part === "train";
  const parts = splitByContent(keyed.filter(isOpen), fractions, seed).values();
  return keyed.map((photo) => ({
    ...photo,
    assigned: isOpen(photo) ? (parts.next().value ?? "train") : (photo.part ?? "train"),
  }));
}

async function placed<T>(folder: string, read: () => Promise<T>): Promise<T> {
  return await read().catch((error: unknown) => {
    throw error instanceof GraftError ? error.at(folder) : error;
  });
}

function refuseTooFewClasses({ classNames }: Layout, folders: readonly string[]): void {
  if (classNames.length >= 2) return;
  const [only] = classNames;
  const inside = folders.filter((path) => path.startsWith(`${only}/`) && path.split("/").length === 2);
  throw new GraftError("bad-data", only === undefined ? "no photo has a label" : "there is only one class", {
    expected: "at least two classes, a folder each",
    actual: only === undefined ? "none" : JSON.stringify(only),
    ...(inside.length >= 2 && only !== undefined
      ? { hint: `perhaps you meant the folder ${JSON.stringify(only)} in it` }
      : {}),
  });
}

function refuseSkipped(folder: string, skipped: readonly SkippedFile[]): void {
  const [first] = skipped;
  if (first === undefined) return;
  throw new GraftError("bad-data", first.reason, {
    path: [folder, first.file],
    hint:
      skipped.length > 1
        ? `${counted(skipped.length - 1, "more file")} would be skipped; without strict they are, and named`
        : "without strict it is skipped, and named",
  });
}

function refuseEmptyClasses(
  folder: string,
  classNames: readonly string[],
  photos: readonly AssignedPhoto[],
  layout: Layout,
  skipped: readonly SkippedFile[],
): void {
  const trained = new Set(photos.filter(({ assigned }) => assigned === "train").map(({ label }) => label));
  const empty = classNames.filter((name) => !trained.has(name));
  const [first] = empty;
  if (first === undefined) return;
  const files = new Set(layout.files.filter(({ label }) => label === first).map(({ file }) => file));
  const bad = skipped.filter(({ file }) => files.has(file));
  const elsewhere = photos.filter(({ label }) => label === first).length;
  const held = elsewhere > 0 ? `${counted(elsewhere, "photo")}, none of them to train on` : "no file";
  const broken = `${counted(bad.length, "file")}, none of which can be used: ${bad[0]?.file}: ${bad[0]?.reason}`;
  throw new GraftError("bad-data", `${empty.length > 1 ? "classes" : "a class"} without photos to train on`, {
    path: [folder],
    expected: "at least one photo to train on in every class",
    actual: `${listed(empty)}: ${bad.length > 0 ? broken : held}`,
    hint: "add photos, or remove the class",
  });
}
