/** @file Exact copies: on one side of every split, and under one label. */
import type { SkippedFile } from "./layout.ts";
import { counted, listed } from "./names.ts";
import type { Part } from "./split.ts";

/** A photo whose bytes have been read. */
export interface Photo {
  /** Its path below the folder. */
  readonly file: string;
  readonly label: string;
  readonly part: Part | undefined;
  readonly group: string | undefined;
  /** SHA-256 of its bytes. */
  readonly digest: string;
}

export interface Settled {
  readonly photos: readonly Photo[];
  readonly skipped: readonly SkippedFile[];
  /** What a person should know, a sentence each. */
  readonly remarks: readonly string[];
}

/** What is held back keeps a photo against what is learned from. */
const order: readonly Part[] = ["test", "validation", "train"];

/**
 * Of photos with the same bytes, those under several labels are left out, all of them: nobody knows which is right. Of
 * those in several given parts, the ones in the part furthest from training stay. Other copies stay, and are remarked.
 */
export function settleDuplicates(photos: readonly Photo[]): Settled {
  const byDigest = new Map<string, Photo[]>();
  for (const photo of photos) {
    const same = byDigest.get(photo.digest);
    if (same === undefined) byDigest.set(photo.digest, [photo]);
    else same.push(photo);
  }
  const reasons = new Map<Photo, string>();
  let copies = 0;
  for (const same of byDigest.values()) {
    const [first] = same;
    if (same.length < 2 || first === undefined) continue;
    if (same.some(({ label }) => label !== first.label)) {
      for (const photo of same) {
        const other = same.find(({ label }) => label !== photo.label) ?? first;
        const twin = `the same picture as ${JSON.stringify(other.file)} of class ${JSON.stringify(other.label)}`;
        reasons.set(photo, `${twin}: its class is unclear`);
      }
      continue;
    }
    const kept = order.find((part) => same.some((photo) => photo.part === part));
    const staying = same.filter(({ part }) => part === kept);
    for (const photo of same) {
      if (photo.part === kept) continue;
      reasons.set(photo, `the same picture as ${JSON.stringify(staying[0]?.file)}, which is kept apart from it`);
    }
    copies += staying.length - 1;
  }
  return {
    photos: photos.filter((photo) => !reasons.has(photo)),
    skipped: [...reasons].map(([{ file }, reason]) => ({ file, reason })),
    remarks:
      copies > 0
        ? [
            `${counted(copies, "photo")} ${are(copies)} an exact copy of another in its class; copies stay on one side of every split`,
          ]
        : [],
  };
}

/** Groups that a given split tears apart. */
export function remarkTornGroups(photos: readonly Photo[]): string[] {
  const parts = new Map<string, Set<Part | undefined>>();
  for (const { group, part } of photos) {
    if (group === undefined) continue;
    const seen = parts.get(group);
    if (seen === undefined) parts.set(group, new Set([part]));
    else seen.add(part);
  }
  const torn = [...parts].filter(([, seen]) => seen.size > 1).map(([group]) => group.replaceAll("\0", " "));
  if (torn.length === 0) return [];
  const which = `${counted(torn.length, "group")} ${are(torn.length)} in more than one of the folder's own parts`;
  return [`${which} (${listed(torn, 3)}): figures may be better than on new groups`];
}

function are(count: number): string {
  return count === 1 ? "is" : "are";
}
