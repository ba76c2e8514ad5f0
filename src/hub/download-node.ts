/** @file Downloading a file into a cache: resumed where it was cut off, whole or not at all, never an HTML page in its place. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, reasonOf, systemCode, unwritable, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";

export interface DownloadProgress {
  /** The file's name. */
  readonly file: string;
  readonly received: number;
  /** `undefined` where the server does not say. */
  readonly total: number | undefined;
}

export interface DownloadOptions {
  /** Never ask the network. Default: whether the environment variable GRAFT_OFFLINE is set to anything but `0`. */
  readonly offline?: boolean;
  /** The SHA-256 that the file must have, where it is known. */
  readonly digest?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal | undefined;
  /** How often it is tried. Default: 4. */
  readonly attempts?: number;
  /** How long nothing may arrive, in milliseconds. Default: 30,000. */
  readonly timeout?: number;
  /** The pause before the second try, in milliseconds; it doubles each time. Default: 1,000. */
  readonly pause?: number;
}

/** What a part of a file is a part of. */
interface PartOf {
  readonly url: string;
  /** A strong validator: only with one can a part be gone on with. */
  readonly etag: string | undefined;
  readonly total: number | undefined;
}

/** A failure that another try may mend. */
class Temporary extends Error {
  readonly retryAfter: number;
  constructor(message: string, retryAfter = 0) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Whether the environment says to stay off the network. */
function isOffline(): boolean {
  const value = process.env["GRAFT_OFFLINE"];
  return value !== undefined && value !== "" && value !== "0";
}

/**
 * Downloads `url` to `path`, and returns the file's SHA-256, which is also stored beside it as `<path>.sha256`. What
 * arrived before an interruption is kept as `<path>.part` and gone on with, if the server still has the same file.
 *
 * @throws GraftError `not-cached` where the network is off or fails, or answers with something else than the file;
 *   `model-invalid` where the digest is another; `usage` or `out-of-resources` where it cannot be written
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<string> {
  if (options.offline ?? isOffline()) {
    throw new GraftError("not-cached", "the file is not on this machine, and the network is off", {
      path: [basename(path)],
      hint: `put it at ${path}; it comes from ${url}`,
    });
  }
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw new GraftError("usage", "the folder cannot be made", {
      path: [dirname(path)],
      actual: reasonOf(cause),
      cause,
    });
  });
  const lock = await lockOf(path);
  const part = lock === undefined ? `${path}.${process.pid}.part` : `${path}.part`;
  try {
    await withRetries(url, path, options, () => receive(url, part, basename(path), options));
    const digest = await digestOf(part);
    if (options.digest !== undefined && digest !== options.digest) {
      await forget(part);
      throw new GraftError("model-invalid", "the downloaded file is not the one expected", {
        path: [url],
        expected: `SHA-256 ${options.digest}`,
        actual: digest,
        hint: "try again; if it stays so, the file was changed at its source",
      });
    }
    await rename(part, path);
    await forget(part);
    await writeWhole(`${path}.sha256`, `${digest}  ${basename(path)}\n`);
    return digest;
  } finally {
    if (lock === undefined) await forget(part);
    else await unlink(lock).catch(() => undefined);
  }
}

async function withRetries(
  url: string,
  path: string,
  { attempts = 4, pause = 1000, signal }: DownloadOptions,
  receiveOnce: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await receiveOnce();
      return;
    } catch (cause) {
      if (cause instanceof GraftError) throw cause;
      signal?.throwIfAborted();
      if (!(cause instanceof Temporary) || attempt >= attempts) {
        throw new GraftError("not-cached", "the download failed", {
          path: [url],
          actual: cause instanceof Error ? cause.message : String(cause),
          hint: `try again, or put the file at ${path}`,
          cause,
        });
      }
      await delay(Math.max(pause * 2 ** (attempt - 1), cause.retryAfter), undefined, { ...(signal && { signal }) });
    }
  }
}

/** One request: goes on with the part where the server allows it, starts anew otherwise. */
async function receive(url: string, part: string, file: string, options: DownloadOptions): Promise<void> {
  const { timeout = 30_000, onProgress, signal } = options;
  const before = await partOf(part, url);
  const controller = new AbortController();
  const quiet = setTimeout(() => controller.abort(new Temporary(`nothing arrived for ${timeout} ms`)), timeout);
  const signals = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
  try {
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (before !== undefined) {
      headers["range"] = `bytes=${before.size}-`;
      headers["if-range"] = before.etag;
    }
    const response = await fetch(url, { headers, signal: signals }).catch((cause: unknown) => {
      throw temporary(cause);
    });
    refuseAnswer(response, url);
    const start = response.status === 206 ? startOf(response, before) : 0;
    if (response.status === 416 || start === undefined) {
      await response.body?.cancel();
      await forget(part);
      throw new Temporary("the server does not go on where the last download ended");
    }
    const total = totalOf(response, start);
    const etag = response.headers.get("etag");
    await writeFile(`${part}.json`, JSON.stringify({ url, etag: etag ?? undefined, total } satisfies PartOf));
    const received = await store(response, part, start, {
      url,
      onChunk: (size) => {
        quiet.refresh();
        onProgress?.({ file, received: size, total });
      },
    });
    if (total !== undefined && received < total) throw new Temporary(`it ended after ${received} of ${total} bytes`);
    if (total !== undefined && received > total) {
      await forget(part);
      throw new Temporary(`${received} bytes arrived instead of ${total}`);
    }
  } finally {
    clearTimeout(quiet);
  }
}

async function store(
  response: Response,
  part: string,
  start: number,
  { url, onChunk }: { readonly url: string; readonly onChunk: (received: number) => void },
): Promise<number> {
  if (response.body === null) throw new Temporary("the answer is empty");
  const handle = await openAt(part, start);
  let received = start;
  try {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw temporary(cause);
      });
      if (done) break;
      if (received === 0) refusePage(value, url);
      await handle.write(value, 0, value.length, received);
      received += value.length;
      onChunk(received);
    }
    await handle.sync();
    return received;
  } catch (cause) {
    if (cause instanceof GraftError || cause instanceof Temporary) throw cause;
    throw unwritable(part, cause);
  } finally {
    await handle.close();
  }
}

async function openAt(part: string, start: number): Promise<FileHandle> {
  try {
    const handle = await open(part, start === 0 ? "w" : "r+");
    await handle.truncate(start);
    return handle;
  } catch (cause) {
    throw unwritable(part, cause);
  }
}

/** What was received before, if it is of the same address and can be told from a changed file. */
async function partOf(
  part: string,
  url: string,
): Promise<{ readonly size: number; readonly etag: string } | undefined> {
  try {
    const about: PartOf = JSON.parse(await readFile(`${part}.json`, "utf8"));
    const { size } = await stat(part);
    const isStrong = typeof about.etag === "string" && !about.etag.startsWith("W/");
    if (about.url !== url || !isStrong || size === 0 || size === about.total) return undefined;
    return { size, etag: String(about.etag) };
  } catch {
    return undefined;
  }
}

/** Where the answer goes on; `undefined` where that is not what was asked for. */
function startOf(
  response: Response,
  before: { readonly size: number; readonly etag: string } | undefined,
): number | undefined {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  const etag = response.headers.get("etag");
  if (before === undefined || Number(start) !== before.size || (etag !== null && etag !== before.etag))
    return undefined;
  return before.size;
}

function totalOf(response: Response, start: number): number | undefined {
  const whole = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (whole !== undefined) return Number(whole);
  const length = response.headers.get("content-length");
  return length === null ? undefined : start + Number(length);
}

function refuseAnswer(response: Response, url: string): void {
  if (response.ok || response.status === 416) {
    if (response.headers.get("content-type")?.startsWith("text/html")) throw page(url);
    return;
  }
  const answer = `HTTP ${response.status}${response.statusText && ` ${response.statusText}`}`;
  if (response.status >= 500 || response.status === 429 || response.status === 408) {
    throw new Temporary(answer, Math.min(60, Number(response.headers.get("retry-after")) || 0) * 1000);
  }
  throw new GraftError("not-cached", "the address has no such file", { path: [url], actual: answer });
}

/** Sign-in pages and errors come as HTML, whatever type is declared. */
function refusePage(bytes: Uint8Array, url: string): void {
  const text = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) throw page(url);
}

function page(url: string): GraftError {
  return new GraftError("not-cached", "the address answers with an HTML page, not with the file", {
    path: [url],
    hint: "a proxy or a sign-in page may stand between; open the address in a browser",
  });
}

function temporary(cause: unknown): Temporary {
  if (cause instanceof Temporary) return cause;
  // fetch hides the reason ("fetch failed") in the cause.
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new Temporary(inner instanceof Error ? inner.message : String(inner));
}

/** The file's SHA-256, read in pieces. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.json`, { force: true });
}

/** So that two processes do not write one part: the second gets no lock and takes a part of its own. */
async function lockOf(path: string): Promise<string | undefined> {
  const lock = `${path}.lock`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return lock;
    } catch (cause) {
      if (systemCode(cause) !== "EEXIST") throw unwritable(lock, cause);
      if (await isHeld(lock)) return undefined;
      await rm(lock, { force: true });
    }
  }
  return undefined;
}

async function isHeld(lock: string): Promise<boolean> {
  return await isAlive(Number(await readFile(lock, "utf8").catch(() => "")));
}
