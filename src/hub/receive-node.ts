/** @file One try of a download: what arrives is put into a part, which a later try can go on with. */
import { type FileHandle, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { unwritable, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type Digest, digestInGoogleHash, digestInTag } from "./digest-node.ts";
import { withoutSecrets } from "./handle.ts";
import { type Answer, ask, pageInstead, refuseStatus, Temporary, temporary } from "./request-node.ts";

export interface Reception {
  readonly url: string;
  /** Where the part lies; what it is a part of lies beside it, as `.json`. */
  readonly part: string;
  readonly authorization: string | undefined;
  readonly deniedHint: string | undefined;
  /** How long nothing may arrive, in milliseconds. */
  readonly timeout: number;
  /** The most bytes that a file may have. */
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
  readonly onChunk: (received: number, total: number | undefined) => void;
}

/** A whole part: whether it was put together from several tries, and what the server says of it. */
export interface Received {
  readonly isResumed: boolean;
  readonly digests: readonly Digest[];
  /** The hub's entity tag of the file, or else the server's. */
  readonly tag: string | undefined;
}

/** What a part of a file is a part of. No address: it may hold keys. */
interface PartOf {
  /** The digest of the address. */
  readonly source: string;
  /** A strong validator: only with one can a part be gone on with. */
  readonly etag: string | undefined;
  readonly total: number | undefined;
}

interface Before {
  readonly size: number;
  readonly etag: string;
  readonly total: number | undefined;
}

/**
 * One request: goes on with the part where the server allows it, starts anew otherwise.
 *
 * @throws Temporary where another try may do; GraftError else
 */
export async function receive(reception: Reception, source: string): Promise<Received> {
  const { url, part, timeout, signal } = reception;
  const before = await partOf(part, source);
  const controller = new AbortController();
  const quiet = setTimeout(() => controller.abort(new Temporary(`nothing arrived for ${timeout} ms`)), timeout);
  let body: Readable | undefined;
  try {
    const answer = await ask(url, {
      headers: before === undefined ? {} : { range: `bytes=${before.size}-`, "if-range": before.etag },
      authorization: reception.authorization,
      signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    });
    body = answer.body;
    return await take(answer, before, reception, source, () => quiet.refresh());
  } catch (cause) {
    // What breaks off because of the silence is told as that, whatever the socket says.
    throw controller.signal.aborted ? controller.signal.reason : cause;
  } finally {
    clearTimeout(quiet);
    body?.on("error", () => undefined).destroy();
  }
}

async function take(
  answer: Answer,
  before: Before | undefined,
  { url, part, limit, deniedHint, onChunk }: Reception,
  source: string,
  heard: () => void,
): Promise<Received> {
  if (answer.status === 416) {
    await forget(part);
    throw new Temporary("the server does not go on where the last download ended");
  }
  refuseStatus(answer, url, deniedHint);
  if (answer.header("content-type")?.startsWith("text/html") === true) throw pageInstead(url);
  const start = startOf(answer, before);
  if (start === undefined) {
    await forget(part);
    throw new Temporary("the server goes on elsewhere than asked");
  }
  const { encoding, body } = decodedBody(answer);
  const total = totalOf(answer, start);
  refuseSize(total, limit, url);
  if (total !== undefined && encoding === undefined) await refuseFullDisk(part, total - start);
  const etag = answer.header("etag");
  // What was decoded on its way cannot be gone on with: ranges count encoded bytes.
  const about: PartOf = { source, etag: encoding === undefined ? etag : undefined, total };
  // A part that is gone on with is a part of the same.
  if (start === 0) await writeWhole(`${part}.json`, JSON.stringify(about));
  const size = encoding === undefined ? total : undefined;
  const received = await store(body, part, start, {
    limit,
    url,
    onChunk: (at) => {
      heard();
      onChunk(at, size);
    },
  });
  if (received === 0) throw new Temporary("the answer is empty");
  if (size !== undefined && received < size) throw new Temporary(`it ended after ${received} of ${size} bytes`);
  if (size !== undefined && received > size) {
    await forget(part);
    throw new Temporary(`${received} bytes arrived instead of ${size}`);
  }
  return {
    isResumed: start > 0,
    digests: statedDigests(answer, encoding),
    tag: answer.anyHeader("x-linked-etag") ?? etag,
  };
}

/** What servers say of the file's content: Hugging Face before it redirects, Google's storage with the file. */
function statedDigests(answer: Answer, encoding: string | undefined): Digest[] {
  const google = encoding === undefined && answer.header("x-goog-stored-content-encoding") !== "gzip";
  return [
    digestInTag(answer.anyHeader("x-linked-etag")),
    google ? digestInGoogleHash(answer.header("x-goog-hash")) : undefined,
  ].filter((digest) => digest !== undefined);
}

/** The file itself, where a server packs it for the way although it was asked not to. */
function decodedBody(answer: Answer): { readonly encoding: string | undefined; readonly body: Readable } {
  const encoding = answer.header("content-encoding")?.trim().toLowerCase();
  if (encoding === undefined || encoding === "" || encoding === "identity")
    return { encoding: undefined, body: answer.body };
  if (encoding !== "gzip" && encoding !== "x-gzip") {
    throw new Temporary(`the server packs the file in a way that was not asked for: ${encoding.slice(0, 40)}`);
  }
  const unpacked = createGunzip();
  answer.body.on("error", (cause) => unpacked.destroy(cause));
  return { encoding, body: answer.body.pipe(unpacked) };
}

async function store(
  body: Readable,
  part: string,
  start: number,
  { limit, url, onChunk }: { readonly limit: number; readonly url: string; readonly onChunk: (at: number) => void },
): Promise<number> {
  const handle = await openAt(part, start);
  let received = start;
  try {
    const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await chunks.next().catch((cause: unknown) => {
        throw temporary(cause);
      });
      if (done === true) break;
      if (received === 0) refusePage(value, url);
      refuseSize(received + value.length, limit, url);
      await handle.write(value, 0, value.length, received).catch((cause: unknown) => {
        throw unwritable(part, cause);
      });
      received += value.length;
      onChunk(received);
    }
    return received;
  } finally {
    // What has arrived is kept even if the power goes before the next try.
    await handle.sync().catch(() => undefined);
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
async function partOf(part: string, source: string): Promise<Before | undefined> {
  try {
    const about: Partial<PartOf> = JSON.parse(await readFile(`${part}.json`, "utf8"));
    const { size } = await stat(part);
    const { etag, total } = about;
    if (about.source !== source || typeof etag !== "string" || etag.startsWith("W/") || size === 0) return undefined;
    if (total !== undefined && size >= total) return undefined;
    return { size, etag, total };
  } catch {
    return undefined;
  }
}

/** Where the answer begins: 0, or where the part ends; `undefined` where it goes on with something else. */
function startOf({ status, header }: Answer, before: Before | undefined): number | undefined {
  if (status !== 206) return 0;
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header("content-range") ?? "") ?? [];
  if (before === undefined || header("etag") !== before.etag || Number(first) !== before.size) return undefined;
  const isToEnd = Number(last) === Number(total) - 1;
  return isToEnd && (before.total === undefined || before.total === Number(total)) ? before.size : undefined;
}

function totalOf({ status, header }: Answer, start: number): number | undefined {
  const text = status === 206 ? /\/(\d+)$/.exec(header("content-range") ?? "")?.[1] : header("content-length");
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Math.max(start, Number(text));
}

function refuseSize(size: number | undefined, limit: number, url: string): void {
  if (size === undefined || size <= limit) return;
  throw new GraftError("model-refused", "the file is larger than is let in", {
    path: [withoutSecrets(url)],
    expected: `at most ${limit} bytes`,
    actual: `${size} bytes or more`,
  });
}

async function refuseFullDisk(part: string, needed: number): Promise<void> {
  const disk = await statfs(dirname(part)).catch(() => undefined);
  if (disk === undefined || disk.bavail * disk.bsize >= needed) return;
  throw new GraftError("out-of-resources", "there is no room for the file", {
    path: [dirname(part)],
    expected: `${needed} bytes`,
    actual: `${disk.bavail * disk.bsize} bytes free`,
  });
}

/** Sign-in pages and errors come as HTML, whatever type is declared. */
function refusePage(bytes: Uint8Array, url: string): void {
  const text = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) throw pageInstead(url);
}

/** Removes a part, and what it is a part of. */
export async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.json`, { force: true });
}
