/** @file Downloading a file into a cache: resumed where it was cut off, whole or not at all, never an HTML page in its place. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { reasonOf, unwritable, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type Digest, digestsOf } from "./digest-node.ts";
import { isOffline } from "./environment-node.ts";
import { withoutSecrets } from "./handle.ts";
import { type Lock, takeLock } from "./lock-node.ts";
import { forget, type Received, receive } from "./receive-node.ts";
import { Temporary } from "./request-node.ts";

export interface DownloadProgress {
  /** The file's name. */
  readonly file: string;
  readonly received: number;
  /** `undefined` where the server does not say. */
  readonly total: number | undefined;
}

export interface DownloadOptions {
  /** Never ask the network. Default: whether the environment variable GRAFT_OFFLINE is set to anything but `0`. */
  readonly offline?: boolean | undefined;
  /** The digest that the file must have, where it is known. */
  readonly digest?: Digest | undefined;
  /** The size that the file must have, in bytes, where it is known. */
  readonly size?: number | undefined;
  /** The most bytes that are let in. Default: 8 GiB. */
  readonly limit?: number | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How often in a row it is tried without anything new arriving. Default: 4. */
  readonly attempts?: number | undefined;
  /** How long nothing may arrive, in milliseconds. Default: 30,000. */
  readonly timeout?: number | undefined;
  /** The pause before the second try, in milliseconds; it doubles each time. Default: 1,000. */
  readonly pause?: number | undefined;
  /** How long another process that downloads the same may show no progress. Default: 60,000 ms. */
  readonly patience?: number | undefined;
  /** Whether the SHA-256 is stored beside the file. Default: true. */
  readonly hasNote?: boolean | undefined;
  /** The Authorization header. It is sent to the address's own origin only. */
  readonly authorization?: string | undefined;
  /** What to do where the server answers that one may not. */
  readonly deniedHint?: string | undefined;
}

/** A file that has arrived. */
export interface Downloaded {
  readonly sha256: string;
  /** The entity tag that the hub or the server gives it. */
  readonly tag: string | undefined;
}

const GIBIBYTE = 2 ** 30;
/** So that a server which cuts off after every byte comes to an end. */
const MOST_TRIES = 1000;

/**
 * Downloads `url` to `path`, and returns the file's SHA-256, which is also stored beside it as `<path>.sha256`. What
 * arrived before an interruption is kept as `<path>.part` and gone on with, if the server still has the same file.
 * Another process that downloads the same is waited for, and its file taken.
 *
 * @throws GraftError `not-cached` where the network is off or fails, or answers with something else than the file;
 *   `model-invalid` where the digest or the size is another; `model-refused` where it is too large; `usage` or
 *   `out-of-resources` where it cannot be written
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<string> {
  return (await downloadFile(url, path, options)).sha256;
}

/** As `download`, and says what the server calls the file. */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<Downloaded> {
  if (options.offline ?? isOffline()) {
    throw new GraftError("not-cached", "the file is not on this machine, and the network is off", {
      path: [basename(path)],
      hint: `put it at ${path}; it comes from ${withoutSecrets(url)}`,
    });
  }
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw new GraftError("usage", "the folder cannot be made", {
      path: [dirname(path)],
      actual: reasonOf(cause),
      cause,
    });
  });
  const { patience = 60_000, signal } = options;
  const lock = await takeLock(`${path}.lock`, { progress: `${path}.part`, patience, signal });
  try {
    const others = lock.hasWaited ? await arrived(path, options.digest) : undefined;
    return others ?? (await fetchWhole(url, path, lock, options));
  } finally {
    await lock.release();
  }
}

/** What another process has downloaded meanwhile. */
async function arrived(path: string, digest: Digest | undefined): Promise<Downloaded | undefined> {
  const noted = (await readFile(`${path}.sha256`, "utf8").catch(() => "")).slice(0, 64);
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined || !facts.isFile()) return undefined;
  const found = await digestsOf(path, digest === undefined ? [] : [digest.algorithm]);
  const isSame = digest === undefined ? found.sha256 === noted : found[digest.algorithm] === digest.hex;
  return isSame ? { sha256: found.sha256, tag: undefined } : undefined;
}

async function fetchWhole(url: string, path: string, lock: Lock, options: DownloadOptions): Promise<Downloaded> {
  const part = lock.isHeld ? `${path}.part` : `${path}.${process.pid}.part`;
  try {
    let received = await withRetries(url, path, part, options);
    let sha256 = await verified(part, url, received, options);
    if (sha256 === undefined) {
      // Put together from two files that call themselves the same: what a whole one holds is seen from a whole one.
      await forget(part);
      received = await withRetries(url, path, part, options);
      sha256 = await verified(part, url, { ...received, isResumed: false }, options);
    }
    if (sha256 === undefined)
      throw new GraftError("model-invalid", "the file changes while it is downloaded", { path: [withoutSecrets(url)] });
    await rename(part, path).catch((cause: unknown) => {
      throw unwritable(path, cause);
    });
    await forget(part);
    if (options.hasNote !== false) await writeWhole(`${path}.sha256`, `${sha256}  ${basename(path)}\n`);
    return { sha256, tag: received.tag };
  } finally {
    if (!lock.isHeld) await forget(part);
  }
}

/** The part's SHA-256 if it is what was expected; `undefined` if it is not but was put together from several tries. */
async function verified(
  part: string,
  url: string,
  { isResumed, digests }: Received,
  { digest, size }: DownloadOptions,
): Promise<string | undefined> {
  const expected = digest === undefined ? digests : [digest, ...digests];
  const found = await digestsOf(
    part,
    expected.map(({ algorithm }) => algorithm),
  );
  const wrong = expected.find(({ algorithm, hex }) => found[algorithm] !== hex.toLowerCase());
  const actualSize = (await stat(part)).size;
  if (wrong === undefined && (size === undefined || size === actualSize)) return found.sha256;
  if (isResumed) return undefined;
  await forget(part);
  throw new GraftError("model-invalid", "the downloaded file is not the one expected", {
    path: [withoutSecrets(url)],
    expected: wrong === undefined ? `${size} bytes` : `${titles[wrong.algorithm]} ${wrong.hex}`,
    actual: wrong === undefined ? `${actualSize} bytes` : (found[wrong.algorithm] ?? found.sha256),
    hint: "try again; if it stays so, the file was changed at its source",
  });
}

const titles: Readonly<Record<Digest["algorithm"], string>> = { sha256: "SHA-256", md5: "MD5", git: "git's SHA-1" };

async function withRetries(url: string, path: string, part: string, options: DownloadOptions): Promise<Received> {
  const { attempts = 4, pause = 1000, signal, timeout = 30_000, limit = 8 * GIBIBYTE, onProgress } = options;
  const reception = {
    url,
    part,
    timeout,
    limit,
    signal,
    authorization: options.authorization,
    deniedHint: options.deniedHint,
    onChunk: (received: number, total: number | undefined) => onProgress?.({ file: basename(path), received, total }),
  };
  const source = createHash("sha256").update(url).digest("hex");
  let most = await sizeOf(part);
  let fruitless = 0;
  for (let tries = 1; ; tries++) {
    try {
      return await receive(reception, source);
    } catch (cause) {
      if (cause instanceof GraftError) throw cause;
      signal?.throwIfAborted();
      const size = await sizeOf(part);
      fruitless = size > most ? 0 : fruitless + 1;
      most = Math.max(most, size);
      if (!(cause instanceof Temporary) || attempts === 1 || fruitless >= attempts || tries >= MOST_TRIES) {
        throw new GraftError("not-cached", "the download failed", {
          path: [withoutSecrets(url)],
          actual: cause instanceof Error ? cause.message : String(cause),
          hint: `try again, or put the file at ${path}`,
          cause,
        });
      }
      const wait = Math.max(pause * 2 ** Math.max(0, fruitless - 1), cause.retryAfter);
      await delay(wait, undefined, { ...(signal && { signal }) });
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
