/** @file graft.lock: which revision and which bytes a handle means in this working directory. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { systemCode, unwritable, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { digestOf } from "./digest-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { Fields } from "./fields.ts";
import { type Handle, publicName, type RemoteHandle, webAddress } from "./handle.ts";
import { takeLock } from "./lock-node.ts";

/** What a handle means. */
export interface LockEntry {
  /** The commit or version; `undefined` where an address has none. */
  readonly revision: string | undefined;
  readonly url: string;
  readonly kind: FetchedModel["kind"];
  /** Of the file; of several, that of the sorted lines `sha256  name`. */
  readonly sha256: string;
  /** In bytes, of all files. */
  readonly size: number;
}

const VERSION = 1;

/** Where graft.lock lies: in the working directory. */
export function lockPath(): string {
  return resolve("graft.lock");
}

/**
 * All entries, by handle; none where there is no file.
 *
 * @throws GraftError `usage` where the file is damaged or of a newer version
 */
export async function readLock(path: string = lockPath()): Promise<ReadonlyMap<string, LockEntry>> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw unwritable(path, cause);
  });
  if (text === undefined) return new Map();
  let content: Fields;
  try {
    content = new Fields(JSON.parse(text));
  } catch {
    throw new GraftError("usage", "the file is no JSON", { path: [path], hint: "mend it, or delete it and pin anew" });
  }
  const version = content.count("version");
  if (version !== VERSION) {
    throw new GraftError("usage", "the lock file is of another version", {
      path: [path],
      expected: String(VERSION),
      actual: String(version),
    });
  }
  const models = content.fields("models");
  return new Map(models.names().map((handle) => [handle, entryOf(models.fields(handle), [path, handle])]));
}

function entryOf(fields: Fields, place: readonly string[]): LockEntry {
  const sha256 = fields.text("sha256");
  const size = fields.count("size");
  const kind = kinds.find((each) => each === fields.text("kind"));
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256) || size === undefined || kind === undefined) {
    throw new GraftError("usage", "the entry has no digest, size or kind", { path: place, hint: "pin the model anew" });
  }
  return { revision: fields.text("revision"), url: fields.text("url") ?? "", kind, sha256, size };
}

const kinds: readonly FetchedModel["kind"][] = ["file", "folder", "archive"];

/** What graft.lock says a handle means. Throws as `readLock` does. */
export async function lockEntry(handle: Handle, path?: string): Promise<LockEntry | undefined> {
  return (await readLock(path)).get(publicName(handle));
}

/**
 * Writes into graft.lock what was fetched for a handle, beside the entries that are there.
 *
 * @throws GraftError `usage` or `out-of-resources` where the file cannot be read or written
 */
export async function pin(handle: RemoteHandle, fetched: FetchedModel, path: string = lockPath()): Promise<LockEntry> {
  const { revision, kind } = fetched;
  const entry = { revision, url: webAddress(handle, revision), kind, ...(await contentOf(fetched)) };
  const lock = await takeLock(`${path}.lock`, { progress: path, patience: 10_000 });
  try {
    const entries = new Map(await readLock(path)).set(publicName(handle), entry);
    const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    await writeWhole(path, `${JSON.stringify({ version: VERSION, models: Object.fromEntries(sorted) }, null, 2)}\n`);
  } finally {
    await lock.release();
  }
  return entry;
}

/**
 * Compares what was fetched with its entry.
 *
 * @throws GraftError `model-invalid` where it is something else
 */
export async function checkAgainstLock(fetched: FetchedModel, entry: LockEntry, path: string): Promise<void> {
  if (fetched.kind === entry.kind) {
    const { sha256, size } = await contentOf(fetched);
    if (sha256 === entry.sha256 && size === entry.size) return;
    throw differs(fetched, path, `SHA-256 ${entry.sha256}, ${entry.size} bytes`, `${sha256}, ${size} bytes`);
  }
  throw differs(fetched, path, `a ${entry.kind}`, `a ${fetched.kind}`);
}

function differs(fetched: FetchedModel, path: string, expected: string, actual: string): GraftError {
  return new GraftError("model-invalid", "the model is not the one that graft.lock pins", {
    path: [fetched.source, fetched.path],
    expected,
    actual,
    hint: `if the new one is meant, take its entry out of ${path} and pin it anew`,
  });
}

/** The digest and size of all that a model consists of. */
export async function contentOf({ files }: Pick<FetchedModel, "files">): Promise<Pick<LockEntry, "sha256" | "size">> {
  const lines: string[] = [];
  let size = 0;
  for (const file of files) {
    lines.push(`${await digestOf(file.path)}  ${file.name}`);
    size += (await stat(file.path)).size;
  }
  const [only = ""] = lines;
  if (lines.length === 1) return { sha256: only.slice(0, 64), size };
  const text = lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join("\n");
  return { sha256: createHash("sha256").update(`${text}\n`).digest("hex"), size };
}
