/** @file Features on disk: segments that are written whole and never changed, read by position. */
import { createHash, randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, statfs, unlink, utimes } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { reasonOf } from "../files/index.ts";
import { elementCount, GraftError } from "../tensor/index.ts";
import type { FeatureRecords, FeatureStore } from "./features.ts";

export interface FeatureStoreOptions {
  /** Told, once, that the disk cannot be used and why; features then stay in memory as far as they fit. */
  readonly onWarning?: (message: string) => void;
  /**
   * How many bytes all tables may take: at opening, those unused longest go first. Default: `GRAFT_CACHE_LIMIT`
   * gigabytes, else 20.
   */
  readonly limit?: number;
  /** How many bytes are kept in memory where the disk takes none. Default: 512 MiB. */
  readonly memory?: number;
}

/**
 * Features kept in a folder. Default: `features` in `GRAFT_CACHE`, else in the user's cache folder for graftwork. Any
 * number of processes may use it at once. A damaged or half-written segment counts as absent.
 */
export function featureStore(folder: string = defaultFolder(), options: FeatureStoreOptions = {}): FeatureStore {
  return {
    open: async (identity, width) => {
      const name = createHash("sha256")
        .update(JSON.stringify([identity, processorClass(), width]))
        .digest("hex");
      const table = new DiskTable(join(folder, name.slice(0, 40)), width, options);
      await table.load();
      await evict(folder, name.slice(0, 40), options.limit ?? defaultLimit());
      return table;
    },
  };
}

/** Begins every segment; the last character is the version of the format. */
const magic = "GRAFTFT1";
const headerBytes = magic.length + 8;
/** A key's SHA-256 and the record's CRC-32. */
const entryBytes = 36;
/** A segment is written when it holds so many bytes or records. */
const [segmentBytes, segmentRecords] = [2 ** 25, 4096];
/** So much of the disk is left free. */
const spared = 2 ** 28;
/** Tables used within so many milliseconds are not removed: somebody may be reading them. */
const inUse = 3_600_000;
/** How many segments are open at once. */
const openFiles = 64;

interface Place {
  readonly segment: string;
  readonly position: number;
  readonly checksum: number;
}

class DiskTable implements FeatureRecords {
  readonly #folder: string;
  readonly #width: number;
  readonly #options: FeatureStoreOptions;
  readonly #places = new Map<string, Place>();
  /** Records that the disk did not take. */
  readonly #inMemory = new Map<string, Float32Array>();
  readonly #files = new Map<string, number>();
  #pending: { readonly key: string; readonly row: Float32Array }[] = [];
  #isDiskUsable = true;

  constructor(folder: string, width: number, options: FeatureStoreOptions) {
    this.#folder = folder;
    this.#width = width;
    this.#options = options;
  }

  /** Reads the indices of all whole segments. */
  async load(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      // When a table was last used decides which one goes first.
      await utimes(this.#folder, new Date(), new Date());
    } catch (cause) {
      this.#giveUp(cause);
    }
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(".segment")).sort()) {
      const path = join(this.#folder, name);
      for (const [key, place] of readIndex(path, this.#width)) this.#places.set(key, place);
    }
    await removeStale(this.#folder, names);
  }

  async find(keys: readonly string[]): Promise<readonly boolean[]> {
    const row = new Float32Array(this.#width);
    return keys.map((key) => {
      const name = hashOf(key);
      if (this.#inMemory.has(name)) return true;
      if (this.#readPlace(name, row)) return true;
      this.#places.delete(name);
      return false;
    });
  }

  async read(keys: readonly string[]): Promise<Float32Array> {
    const rows = new Float32Array(elementCount([keys.length, this.#width]));
    for (const [index, key] of keys.entries()) {
      const name = hashOf(key);
      const row = rows.subarray(index * this.#width, (index + 1) * this.#width);
      const kept = this.#inMemory.get(name);
      if (kept !== undefined) row.set(kept);
      else if (!this.#readPlace(name, row)) throw lost(this.#folder);
    }
    return rows;
  }

  async write(keys: readonly string[], rows: Float32Array): Promise<void> {
    for (const [index, key] of keys.entries()) {
      const row = rows.slice(index * this.#width, (index + 1) * this.#width);
      this.#pending.push({ key: hashOf(key), row });
    }
    const bytes = this.#pending.length * this.#width * 4;
    if (bytes >= segmentBytes || this.#pending.length >= segmentRecords) await this.flush();
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    if (this.#isDiskUsable) {
      try {
        await this.#writeSegment(pending);
        return;
      } catch (cause) {
        this.#giveUp(cause);
      }
    }
    for (const { key, row } of pending) this.#inMemory.set(key, row);
    const bytes = this.#inMemory.size * this.#width * 4;
    if (bytes <= (this.#options.memory ?? 2 ** 29)) return;
    throw new GraftError("out-of-resources", "the features fit neither the disk nor memory", {
      path: [this.#folder],
      actual: `more than ${Math.floor(bytes / 2 ** 20)} MiB`,
      hint: "make room, or set GRAFT_CACHE to a folder that can be written",
    });
  }

  async close(): Promise<void> {
    await this.flush();
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  async #writeSegment(records: readonly { readonly key: string; readonly row: Float32Array }[]): Promise<void> {
    const recordBytes = this.#width * 4;
    const indexBytes = headerBytes + records.length * entryBytes + 4;
    const bytes = Buffer.alloc(indexBytes + records.length * recordBytes);
    bytes.write(magic, "latin1");
    bytes.writeUInt32LE(this.#width, magic.length);
    bytes.writeUInt32LE(records.length, magic.length + 4);
    for (const [index, { key, row }] of records.entries()) {
      const content = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
      content.copy(bytes, indexBytes + index * recordBytes);
      bytes.write(key, headerBytes + index * entryBytes, "hex");
      bytes.writeUInt32LE(crc32(content), headerBytes + index * entryBytes + 32);
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(0, indexBytes - 4)), indexBytes - 4);
    await checkRoom(this.#folder, bytes.length);
    const name = randomUUID();
    const [temporary, path] = [join(this.#folder, `${name}.tmp`), join(this.#folder, `${name}.segment`)];
    try {
      const file = await open(temporary, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (cause) {
      await unlink(temporary).catch(() => undefined);
      throw cause;
    }
    for (const [key, place] of readIndex(path, this.#width)) this.#places.set(key, place);
  }

  /** Whether the record is there and whole. */
  #readPlace(name: string, row: Float32Array): boolean {
    const place = this.#places.get(name);
    if (place === undefined) return false;
    try {
      const content = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
      const read = readSync(this.#fileOf(place.segment), content, 0, content.length, place.position);
      return read === content.length && crc32(content) === place.checksum;
    } catch {
      return false;
    }
  }

  #fileOf(path: string): number {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    for (const [oldest, file] of this.#files) {
      if (this.#files.size < openFiles) break;
      closeSync(file);
      this.#files.delete(oldest);
    }
    const file = openSync(path, "r");
    this.#files.set(path, file);
    return file;
  }

  #giveUp(cause: unknown): void {
    if (this.#isDiskUsable) {
      this.#options.onWarning?.(`features cannot be kept in ${this.#folder}: ${reasonOf(cause)}; they stay in memory`);
    }
    this.#isDiskUsable = false;
  }
}

/** The records of a segment by the hashes of their keys; none where it is damaged. */
function readIndex(path: string, width: number): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  let file: number | undefined;
  try {
    const { size } = statSync(path);
    file = openSync(path, "r");
    const header = Buffer.alloc(headerBytes);
    readSync(file, header, 0, headerBytes, 0);
    const count = header.readUInt32LE(magic.length + 4);
    const indexBytes = headerBytes + count * entryBytes + 4;
    const isOurs = header.toString("latin1", 0, magic.length) === magic && header.readUInt32LE(magic.length) === width;
    if (!isOurs || size !== indexBytes + count * width * 4) return places;
    const index = Buffer.alloc(indexBytes);
    readSync(file, index, 0, indexBytes, 0);
    if (crc32(index.subarray(0, indexBytes - 4)) !== index.readUInt32LE(indexBytes - 4)) return places;
    for (let record = 0; record < count; record++) {
      const at = headerBytes + record * entryBytes;
      const position = indexBytes + record * width * 4;
      places.set(index.toString("hex", at, at + 32), {
        segment: path,
        position,
        checksum: index.readUInt32LE(at + 32),
      });
    }
  } catch {
    return new Map();
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return places;
}

/** Removes what a process that was killed left half-written, a day ago or longer. */
async function removeStale(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names.filter((each) => each.endsWith(".tmp"))) {
    const path = join(folder, name);
    const about = await stat(path).catch(() => undefined);
    if (about !== undefined && Date.now() - about.mtimeMs > 24 * inUse) await unlink(path).catch(() => undefined);
  }
}

/** Removes the tables that were not used for longest, until all fit the limit. */
async function evict(folder: string, own: string, limit: number): Promise<void> {
  const tables: { readonly path: string; readonly bytes: number; readonly used: number; readonly isFree: boolean }[] =
    [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const about = await stat(path).catch(() => undefined);
    // What is no table is not ours to remove.
    if (!about?.isDirectory() || !/^[0-9a-f]{40}$/.test(name)) continue;
    let bytes = 0;
    for (const file of await readdir(path).catch(() => [])) {
      bytes += (await stat(join(path, file)).catch(() => undefined))?.size ?? 0;
    }
    tables.push({ path, bytes, used: about.mtimeMs, isFree: name !== own && Date.now() - about.mtimeMs > inUse });
  }
  let total = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { path, bytes, isFree } of tables.sort((one, other) => one.used - other.used)) {
    if (total <= limit) return;
    if (!isFree) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
    total -= bytes;
  }
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes + spared) return;
  throw Object.assign(new Error("no space left on the disk"), { code: "ENOSPC" });
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

function defaultFolder(): string {
  const { GRAFT_CACHE: own, XDG_CACHE_HOME: shared, LOCALAPPDATA: local } = process.env;
  if (own) return join(own, "features");
  const base = shared || (process.platform === "win32" && local) || join(homedir(), ".cache");
  return join(base, "graftwork", "features");
}

function defaultLimit(): number {
  const gigabytes = Number(process.env["GRAFT_CACHE_LIMIT"] || 20);
  if (gigabytes >= 0) return gigabytes * 1e9;
  throw new GraftError("usage", "GRAFT_CACHE_LIMIT is no number of gigabytes", {
    actual: process.env["GRAFT_CACHE_LIMIT"] ?? "",
  });
}

let knownClass: string | undefined;

/** Architecture, model and instruction sets: results may differ in their last bits between two of them. */
function processorClass(): string {
  knownClass ??= [process.platform, process.arch, cpus()[0]?.model ?? "", instructionSets()].join("\n");
  return knownClass;
}

function instructionSets(): string {
  try {
    const lines = readFileSync("/proc/cpuinfo", "latin1").split("\n");
    return lines.find((line) => /^(flags|Features)\s*:/.test(line)) ?? "";
  } catch {
    return "";
  }
}

function lost(folder: string): GraftError {
  return new GraftError("runtime-failed", "stored features are gone", {
    path: [folder],
    hint: "something removed or changed them while they were used; run again",
  });
}
