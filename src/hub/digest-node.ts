/** @file Digests of files: computed in one reading, and as hubs state them. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** A file's digest. `git` is the SHA-1 that git gives a file's content, and Hugging Face every small file. */
export interface Digest {
  readonly algorithm: "sha256" | "md5" | "git";
  /** In small letters. */
  readonly hex: string;
}

/** The file's SHA-256, read in pieces. */
export async function digestOf(path: string): Promise<string> {
  return (await digestsOf(path, ["sha256"])).sha256;
}

/** The file's digests of these kinds, and its SHA-256. */
export async function digestsOf(
  path: string,
  algorithms: readonly Digest["algorithm"][],
): Promise<Readonly<Partial<Record<Digest["algorithm"], string>>> & { readonly sha256: string }> {
  const sha256 = createHash("sha256");
  const md5 = algorithms.includes("md5") ? createHash("md5") : undefined;
  const git = algorithms.includes("git") ? createHash("sha1") : undefined;
  git?.update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    for (const hash of [sha256, md5, git]) hash?.update(chunk);
  }
  return {
    sha256: sha256.digest("hex"),
    ...(md5 && { md5: md5.digest("hex") }),
    ...(git && { git: git.digest("hex") }),
  };
}

/** The digest in an entity tag of Hugging Face: SHA-256 for large files, git's SHA-1 for others. */
export function digestInTag(tag: string | undefined): Digest | undefined {
  const hex = tag?.replace(/^W\//, "").replaceAll('"', "").toLowerCase() ?? "";
  if (/^[0-9a-f]{64}$/.test(hex)) return { algorithm: "sha256", hex };
  return /^[0-9a-f]{40}$/.test(hex) ? { algorithm: "git", hex } : undefined;
}

/** The MD5 in Google's `x-goog-hash: crc32c=…,md5=…`, which is in base 64. */
export function digestInGoogleHash(header: string | undefined): Digest | undefined {
  const text = /(?:^|[,\s])md5=([A-Za-z0-9+/]{22}==)/.exec(header ?? "")?.[1];
  return text === undefined ? undefined : { algorithm: "md5", hex: Buffer.from(text, "base64").toString("hex") };
}
