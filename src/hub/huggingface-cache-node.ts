/** @file Hugging Face's cache, read and written as huggingface_hub does: `models--org--name/{blobs,refs,snapshots}`. */
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { unwritable, writeWhole } from "../files/index.ts";
import { huggingFaceCache } from "./environment-node.ts";
import { isFileName } from "./names.ts";

/** A repository's folder in the cache. */
export function repositoryFolder(repository: string): string {
  return join(huggingFaceCache(), `models--${repository.replaceAll("/", "--")}`);
}

/** Where a file's content lies: `tag` is its SHA-256, or git's SHA-1. */
export function blobPath(repository: string, tag: string): string {
  return join(repositoryFolder(repository), "blobs", tag);
}

/** A commit's files. */
export function snapshotFolder(repository: string, commit: string): string {
  return join(repositoryFolder(repository), "snapshots", commit);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The commit that a branch or tag was when it was last asked for; `undefined` where it never was. */
export async function cachedCommit(repository: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  if (!isFileName(revision)) return undefined;
  const commit = await readFile(join(repositoryFolder(repository), "refs", revision), "utf8").catch(() => "");
  return isCommit(commit.trim()) ? commit.trim() : undefined;
}

/** Remembers which commit a branch or tag is. A cache that cannot be written is left as it is. */
export async function noteCommit(repository: string, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(repository, revision)) === commit) return;
  await writeWhole(join(repositoryFolder(repository), "refs", revision), commit).catch(() => undefined);
}

/** Gives a blob its name in a commit: a relative link, or a copy where there are no links. */
export async function nameBlob(repository: string, commit: string, name: string, blob: string): Promise<string> {
  const path = join(snapshotFolder(repository, commit), name);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await rm(temporary, { force: true });
    await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary));
    await rename(temporary, path);
  } catch (cause) {
    throw unwritable(path, cause);
  }
  return path;
}

/** So that backups leave the cache out, as huggingface_hub marks it. */
export async function markCache(): Promise<void> {
  const content =
    "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by huggingface_hub.\n# For information about cache directory tags, see:\n#\thttps://bford.info/cachedir/\n";
  await writeFile(join(huggingFaceCache(), "CACHEDIR.TAG"), content, { flag: "wx" }).catch(() => undefined);
}

const MOST_FILES = 10_000;
const DEEPEST = 12;

/** The names of the files in a folder that are there (a link may lead nowhere), at most 10,000, in order. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  const visit = async (inside: string, depth: number): Promise<void> => {
    const entries = await readdir(join(folder, inside)).catch(() => []);
    for (const entry of entries.sort()) {
      const name = inside === "" ? entry : `${inside}/${entry}`;
      const facts = await stat(join(folder, name)).catch(() => undefined);
      if (facts?.isDirectory() === true && depth < DEEPEST) await visit(name, depth + 1);
      if (facts?.isFile() === true && names.length < MOST_FILES) names.push(name);
    }
  };
  await visit("", 0);
  return names;
}
