/** @file Layouts: what a folder's paths say of classes and parts. */
import { GraftError } from "../tensor/index.ts";
import { readTable, tableNames } from "./metadata.ts";
import { counted, listed } from "./names.ts";
import type { Part } from "./split.ts";

/** What a folder holds, by paths below it, with `/`, sorted. */
export interface FolderListing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** A file that its place or a table gives a label. */
export interface LabelledFile {
  readonly file: string;
  readonly label: string;
  /** Absent where the folder leaves it open. */
  readonly part: Part | undefined;
  readonly group: string | undefined;
}

/** A file that is not used, and why. */
export interface SkippedFile {
  /** Its path below the folder. */
  readonly file: string;
  readonly reason: string;
}

export interface Layout {
  /** For people: `a folder a class`, `train/ and val/ folders`, `metadata.csv`. */
  readonly description: string;
  /** Every class that the folder names, with or without photos, in no order. */
  readonly classNames: readonly string[];
  readonly files: readonly LabelledFile[];
  readonly skipped: readonly SkippedFile[];
}

const partNames: Readonly<Record<Part, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "val", "valid", "dev", "eval"],
  test: ["test", "testing"],
};

/** The part that goes by this name, in upper or lower case. */
function partCalled(name: string): Part | undefined {
  const lower = name.trim().toLowerCase();
  if (partNames.train.includes(lower)) return "train";
  if (partNames.validation.includes(lower)) return "validation";
  return partNames.test.includes(lower) ? "test" : undefined;
}

const expectedLayout =
  "a folder a class; or train/, validation/ and test/ with a folder a class in each; or metadata.csv with file_name and label";

/**
 * The layout of a folder. `tables` holds the text of every `metadata.csv` and `metadata.jsonl`, by path.
 *
 * @throws GraftError `bad-data` for a folder that is none of the layouts, `usage` where it is one but for its place
 */
export function layoutOf(listing: FolderListing, tables: ReadonlyMap<string, string>): Layout {
  const reader = new LayoutReader(listing, tables);
  return reader.read();
}

interface Found {
  readonly classNames: readonly string[];
  readonly files: readonly LabelledFile[];
  readonly skipped: readonly SkippedFile[];
}

class LayoutReader {
  readonly #listing: FolderListing;
  readonly #tables: ReadonlyMap<string, string>;
  /** By folder (the top is ""): the names of the folders, and of the files, directly in it. */
  readonly #folders = new Map<string, string[]>();
  readonly #files = new Map<string, string[]>();

  constructor(listing: FolderListing, tables: ReadonlyMap<string, string>) {
    this.#listing = listing;
    this.#tables = tables;
    for (const [paths, byFolder] of [
      [listing.folders, this.#folders],
      [listing.files, this.#files],
    ] as const) {
      for (const path of paths) {
        const cut = path.lastIndexOf("/");
        const folder = path.slice(0, Math.max(cut, 0));
        const names = byFolder.get(folder);
        if (names === undefined) byFolder.set(folder, [path.slice(cut + 1)]);
        else names.push(path.slice(cut + 1));
      }
    }
  }

  read(): Layout {
    const { folders, files } = this.#listing;
    if (folders.length === 0 && files.length === 0) {
      throw new GraftError("bad-data", "the folder is empty", { expected: expectedLayout });
    }
    const table = this.#tableIn("");
    if (table !== undefined) return { description: table, ...this.#tableRows("", table, undefined) };
    const parts = this.#partsIn("");
    if (parts === undefined) return { description: "a folder a class", ...this.#classFolders("", undefined) };
    const found = [...parts].map(([part, folder]) => {
      const table = this.#tableIn(folder);
      return table === undefined ? this.#classFolders(folder, part) : this.#tableRows(folder, table, part);
    });
    return {
      description: `${inSentence([...parts.values()].map((folder) => `${folder}/`))} folder${parts.size > 1 ? "s" : ""}`,
      classNames: [...new Set(found.flatMap(({ classNames }) => classNames))],
      files: found.flatMap((one) => one.files),
      skipped: [...this.#loose(""), ...found.flatMap(({ skipped }) => skipped)],
    };
  }

  #tableIn(folder: string): string | undefined {
    const found = tableNames.filter((name) => this.#tables.has(joined(folder, name)));
    if (found.length < 2) return found[0];
    throw new GraftError("bad-data", "two tables of labels", {
      path: folder === "" ? [] : [folder],
      expected: "metadata.csv or metadata.jsonl",
      actual: "both",
    });
  }

  /** The folders that are parts, where the folder is made of parts. */
  #partsIn(folder: string): Map<Part, string> | undefined {
    const names = this.#folders.get(folder) ?? [];
    const parts = names.filter((name) => partCalled(name) !== undefined);
    const hasFolders = (name: string) => (this.#folders.get(joined(folder, name)) ?? []).length > 0;
    const [first] = parts;
    // One flat folder among several that are no parts: a class that happens to be called train or test.
    if (first === undefined || (parts.length === 1 && names.length >= 3 && !hasFolders(first))) return undefined;
    const where = folder === "" ? [] : [folder];
    if (parts.length < names.length) {
      const others = names.filter((name) => !parts.includes(name));
      throw new GraftError(
        "bad-data",
        `${listed(parts)} look${parts.length > 1 ? "" : "s"} like a split, not like a class`,
        {
          path: where,
          expected: expectedLayout,
          actual: `${listed(parts)} beside ${listed(others)}`,
          hint: `move ${listed(others)} elsewhere; if ${listed(parts)} is a class, give it another name`,
        },
      );
    }
    if (folder !== "") {
      throw new GraftError("bad-data", "a split inside a split", {
        path: where,
        expected: "a folder a class in it",
        actual: listed(names),
        hint: `give the folder that holds ${listed(names)} on its own`,
      });
    }
    const found = new Map<Part, string>();
    for (const part of ["train", "validation", "test"] as const) {
      const [name, other] = names.filter((name) => partCalled(name) === part);
      if (other !== undefined) {
        throw new GraftError("bad-data", "two folders for one part", {
          path: where,
          expected: `one of ${partNames[part].join(", ")}`,
          actual: listed(names.filter((name) => partCalled(name) === part)),
        });
      }
      if (name !== undefined) found.set(part, name);
    }
    return found;
  }

  /** Everything inside a class's folder, at any depth, belongs to it. */
  #classFolders(folder: string, part: Part | undefined): Found {
    const where = folder === "" ? [] : [folder];
    const classNames = this.#folders.get(folder) ?? [];
    const loose = this.#files.get(folder) ?? [];
    if (classNames.length === 0) {
      throw new GraftError("bad-data", "there are no class folders", {
        path: where,
        expected: folder === "" ? expectedLayout : "a folder a class in it, or metadata.csv",
        actual: loose.length === 0 ? "an empty folder" : `${counted(loose.length, "loose file")}: ${listed(loose, 3)}`,
        hint:
          folder === ""
            ? "put the photos of each class into a folder of its own, called like the class"
            : `move ${JSON.stringify(folder)} elsewhere if its photos have no labels, or give it another name if it is a class`,
      });
    }
    if (part !== undefined) this.#partsIn(folder);
    this.#refuseTurnedSplit(folder, classNames);
    const isIn = new Set(classNames);
    const start = folder === "" ? 0 : folder.length + 1;
    const files = this.#listing.files
      .filter((file) => start === 0 || file.startsWith(`${folder}/`))
      .map((file) => ({ file, label: file.slice(start).split("/", 1)[0] ?? "", part, group: undefined }))
      .filter(({ file, label }) => isIn.has(label) && file.length > start + label.length);
    return { classNames, files, skipped: this.#loose(folder) };
  }

  /** A split inside each class, which would otherwise be mixed without a word. */
  #refuseTurnedSplit(folder: string, classNames: readonly string[]): void {
    const isTurned = classNames.every((name) => {
      const inside = this.#folders.get(joined(folder, name)) ?? [];
      const isFlat = (this.#files.get(joined(folder, name)) ?? []).length === 0;
      return isFlat && inside.length > 0 && inside.every((name) => partCalled(name) !== undefined);
    });
    if (!isTurned) return;
    const [first = ""] = classNames;
    throw new GraftError("bad-data", "a split inside each class", {
      path: folder === "" ? [] : [folder],
      expected: expectedLayout,
      actual: (this.#folders.get(joined(folder, first)) ?? []).map((name) => `${first}/${name}/`).join(", "),
      hint: `turn it around: ${(this.#folders.get(joined(folder, first)) ?? []).map((name) => `${name}/${first}/`).join(", ")}`,
    });
  }

  /** Pictures beside the folders that count. Other files there, such as a README, are no one's example. */
  #loose(folder: string): SkippedFile[] {
    return (this.#files.get(folder) ?? [])
      .filter(isCalledPicture)
      .map((name) => ({ file: joined(folder, name), reason: "not in a class folder" }));
  }

  #tableRows(folder: string, table: string, part: Part | undefined): Found {
    const path = joined(folder, table);
    try {
      const rows = readTable(table, this.#tables.get(path) ?? "");
      const below = this.#listing.files.filter((file) => folder === "" || file.startsWith(`${folder}/`));
      // Macs write é in file names as two characters, tables have it as one.
      const real = new Map(below.map((file) => [file.normalize("NFC"), file]));
      const files = new Map<string, LabelledFile>();
      const skipped: SkippedFile[] = [];
      const hasSplit = part === undefined && rows.some(({ split }) => split !== undefined);
      for (const { line, fileName, label, group, split } of rows) {
        const inside = plainPath(fileName);
        const file =
          inside && (real.get(joined(folder, inside)) ?? real.get(joined(folder, inside.replaceAll("\\", "/"))));
        const own = hasSplit ? partOfRow(split, line) : part;
        if (file === undefined) {
          const reason = inside === undefined ? "lies outside the folder" : "no such file";
          skipped.push({ file: fileName, reason: `${reason} (${path}, line ${line})` });
        } else if (label === undefined) {
          skipped.push({ file, reason: `has no label (${path}, line ${line})` });
        } else if (files.has(file)) {
          const isSame = files.get(file)?.label === label;
          skipped.push({ file, reason: `listed again${isSame ? "" : " with another label"} (${path}, line ${line})` });
        } else {
          files.set(file, { file, label, part: own, group });
        }
      }
      const named = new Set([...files.keys(), ...skipped.map(({ file }) => file)]);
      for (const file of below) {
        if (!named.has(file) && isCalledPicture(file)) skipped.push({ file, reason: `not listed in ${path}` });
      }
      return {
        classNames: [...new Set([...files.values()].map(({ label }) => label))],
        files: [...files.values()],
        skipped,
      };
    } catch (error) {
      throw error instanceof GraftError ? error.at(path) : error;
    }
  }
}

function partOfRow(split: string | undefined, line: number): Part {
  const part = partCalled(split ?? "");
  if (part !== undefined) return part;
  throw new GraftError("bad-data", "no such split", {
    path: [`line ${line}`],
    expected: Object.values(partNames).flat().join(", "),
    actual: split === undefined ? "nothing, where other rows have one" : JSON.stringify(split),
  });
}

/** The path without `.`, or `undefined` where it could leave the folder. */
function plainPath(name: string): string | undefined {
  const places = name.normalize("NFC").split("/");
  const leaves = name.startsWith("/") || /^[a-z]:/i.test(name) || places.includes("..");
  return leaves ? undefined : places.filter((place) => place !== "" && place !== ".").join("/");
}

function isCalledPicture(name: string): boolean {
  return /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|bmp|heic|heif|avif)$/i.test(name);
}

function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function inSentence(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
