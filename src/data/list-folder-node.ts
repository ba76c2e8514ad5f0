/** @file Walking a folder: every file below it, without hidden ones, loops and what is no file. */
import type { Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { FolderListing, SkippedFile } from "./layout.ts";
import { tableNames } from "./metadata.ts";
import { byCodePoint } from "./names.ts";

/** What systems leave in folders of photos. Names that begin with a dot are hidden as well. */
const ignored = new Set(["__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini"]);

const deepest = 64;

/** A folder's paths, and what could not be followed. */
export interface WalkedFolder extends FolderListing {
  readonly skipped: readonly SkippedFile[];
}

/**
 * Everything below a folder, sorted by code point. Links to files and to folders are followed; a folder that has been
 * read already is not read again, so links in a circle end.
 *
 * @throws GraftError `usage` where the folder is missing, a file, or cannot be read
 */
export async function listFolder(folder: string): Promise<WalkedFolder> {
  const status = await stat(folder).catch((cause: unknown) => {
    throw new GraftError("usage", "the folder cannot be read", { path: [folder], actual: reasonOf(cause), cause });
  });
  if (!status.isDirectory()) {
    throw new GraftError("usage", "this is a file", { path: [folder], expected: "a folder of photos" });
  }
  const walk: Walk = { top: folder, seen: new Set(), folders: [], files: [], skipped: [] };
  await readInto(walk, "", 0);
  walk.folders.sort(byCodePoint);
  walk.files.sort(byCodePoint);
  return walk;
}

interface Walk {
  readonly top: string;
  /** The real paths of the folders read. */
  readonly seen: Set<string>;
  readonly folders: string[];
  readonly files: string[];
  readonly skipped: SkippedFile[];
}

async function readInto(walk: Walk, folder: string, depth: number): Promise<void> {
  const path = join(walk.top, folder);
  let entries: Dirent[];
  try {
    walk.seen.add(await realpath(path));
    entries = await readdir(path, { withFileTypes: true });
  } catch (cause) {
    if (folder === "") {
      throw new GraftError("usage", "the folder cannot be read", { path: [path], actual: reasonOf(cause), cause });
    }
    walk.skipped.push({ file: folder, reason: `the folder cannot be read: ${reasonOf(cause)}` });
    return;
  }
  // What is there in person is read before what is linked to it.
  entries.sort(
    (one, other) => Number(one.isSymbolicLink()) - Number(other.isSymbolicLink()) || byCodePoint(one.name, other.name),
  );
  for (const entry of entries) {
    if (entry.name.startsWith(".") || ignored.has(entry.name.toLowerCase())) continue;
    const inside = folder === "" ? entry.name : `${folder}/${entry.name}`;
    await enter(walk, entry, inside, depth);
  }
}

async function enter(walk: Walk, entry: Dirent, inside: string, depth: number): Promise<void> {
  const path = join(walk.top, inside);
  let kind: { isFile(): boolean; isDirectory(): boolean } = entry;
  try {
    if (entry.isSymbolicLink()) kind = await stat(path);
    if (kind.isFile()) {
      walk.files.push(inside);
    } else if (!kind.isDirectory()) {
      walk.skipped.push({ file: inside, reason: "not a regular file" });
    } else if (depth >= deepest) {
      walk.skipped.push({ file: inside, reason: `more than ${deepest} folders deep` });
    } else if (walk.seen.has(await realpath(path))) {
      walk.skipped.push({ file: inside, reason: "a link to a folder that is read already" });
    } else {
      walk.folders.push(inside);
      await readInto(walk, inside, depth + 1);
    }
  } catch (cause) {
    walk.skipped.push({ file: inside, reason: `cannot be read: ${reasonOf(cause)}` });
  }
}

/** The text of every table of labels at the top or one folder below it, by path. */
export async function readTables(folder: string, { files }: FolderListing): Promise<Map<string, string>> {
  const tables = new Map<string, string>();
  for (const file of files) {
    const places = file.split("/");
    if (places.length > 2 || !tableNames.includes(places.at(-1) ?? "")) continue;
    const bytes = await readFile(join(folder, file)).catch((cause: unknown) => {
      throw new GraftError("bad-data", "the table cannot be read", {
        path: [folder, file],
        actual: reasonOf(cause),
        cause,
      });
    });
    tables.set(file, textOf(bytes));
  }
  return tables;
}

/** UTF-8, or UTF-16 where the file says so, as spreadsheets write it. */
function textOf(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes);
}
