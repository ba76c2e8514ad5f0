/** @file This program's own cache: for each handle a folder with the files as they came and a note of where they came from. */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../files/index.ts";
import { graftCache } from "./environment-node.ts";

/** What stands beside the files. Strangers' keys are never in it. */
export interface Note {
  /** The handle, without what may be a key. */
  readonly handle: string;
  /** The file to open, a name inside the folder. */
  readonly file: string;
  readonly revision: string | undefined;
  readonly license: string | undefined;
}

const NOTE = "source.json";

/** The folder of what `identity` stands for: a handle as it is printed, or an address with all it holds. */
export function ownFolder(identity: string): string {
  return join(graftCache(), "models", createHash("sha256").update(identity).digest("hex").slice(0, 32));
}

/** The folders of all that is here. */
export async function ownFolders(): Promise<string[]> {
  const root = join(graftCache(), "models");
  return (await readdir(root).catch(() => [])).map((name) => join(root, name));
}

/** The note in a folder; `undefined` where nothing came there whole. */
export async function readNote(folder: string): Promise<Note | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(join(folder, NOTE), "utf8"));
    if (typeof found !== "object" || found === null || !("handle" in found && "file" in found)) return undefined;
    const { handle, file } = found;
    if (typeof handle !== "string" || typeof file !== "string") return undefined;
    const text = (name: "revision" | "license"): string | undefined => {
      const value: unknown = name in found ? Reflect.get(found, name) : undefined;
      return typeof value === "string" ? value : undefined;
    };
    return { handle, file, revision: text("revision"), license: text("license") };
  } catch {
    return undefined;
  }
}

/** Says that the folder's files are whole. */
export async function writeNote(folder: string, note: Note): Promise<void> {
  await writeWhole(join(folder, NOTE), `${JSON.stringify(note, null, 2)}\n`);
}

/** Whether there is a file. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
