/** @file A run's folder: what was asked, what was decided, what came out, and enough to go on after a power cut. */
import { link, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { reasonOf, writeWhole } from "../files/index.ts";
import { GraftError, sha256 } from "../tensor/index.ts";

const schema = 1;

/** What `run.json` holds. */
export interface RunRecord {
  readonly schema: number;
  readonly status: "running" | "done";
  /** What was asked for, complete: a run repeats from it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** SHA-256 of the photos and their parts: the run goes on only with the same ones. */
  readonly data?: string;
  /** What was decided by a clock, and must be decided the same way again. */
  readonly decisions: Readonly<Record<string, unknown>>;
  /** What `graft train --json` printed, once done. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** The folder of one run: `run.json`, `metrics.jsonl`, `model.onnx`, `report.html` and `checkpoints/`. */
export interface RunFolder {
  readonly path: string;
  readonly record: RunRecord;
  /** Whether it was begun before and is now gone on with. */
  readonly isResumed: boolean;
  /** Replaces fields of `run.json`. */
  update(change: Partial<RunRecord>): Promise<void>;
  /** A decision by the clock: the one recorded before, else the one made now, which is recorded. */
  decide<T>(name: string, make: () => T): Promise<T>;
  /** Adds a line to `metrics.jsonl`. What a resumed run says again replaces what it said before. */
  log(event: Readonly<Record<string, unknown>>): Promise<void>;
  /** A file of the run. */
  file(...names: string[]): string;
  /** Takes back that it was begun: for a run that ended before it knew its photos. What was there before stays. */
  discard(): Promise<void>;
  /** Gives the folder back. */
  close(): Promise<void>;
}

/**
 * Opens a run's folder: a new one, or one that was interrupted with the same settings.
 *
 * @throws GraftError `usage` where the folder holds something else, a finished run, other settings, or is in use;
 *   `out-of-resources` where the disk is full
 */
export async function openRun(path: string, settings: Readonly<Record<string, unknown>>): Promise<RunFolder> {
  const before = await readRun(path);
  if (before?.status === "done") {
    throw new GraftError("usage", "the folder holds a finished run", {
      path: [path],
      hint: "give another folder with --out, or delete this one",
    });
  }
  if (before !== undefined && canonical(before.settings) !== canonical(settings)) {
    throw new GraftError("usage", "the folder holds an interrupted run with other settings", {
      path: [path],
      hint: `go on with it by \`graft resume ${path}\`, or give another folder with --out`,
    });
  }
  await makeFolder(path);
  const unlock = await lock(path);
  try {
    let record: RunRecord = before ?? { schema, status: "running", settings, decisions: {} };
    const events: string[] = [];
    const save = () => writeWhole(join(path, "run.json"), `${JSON.stringify(record, null, 2)}\n`);
    await save();
    return {
      path,
      isResumed: before !== undefined,
      get record() {
        return record;
      },
      async update(change) {
        record = { ...record, ...change };
        await save();
      },
      async decide<T>(name: string, make: () => T): Promise<T> {
        // What was recorded under a name is what `make` gave then.
        if (Object.hasOwn(record.decisions, name)) return record.decisions[name] as T;
        const decision = make();
        record = { ...record, decisions: { ...record.decisions, [name]: decision } };
        await save();
        return decision;
      },
      async log(event) {
        events.push(JSON.stringify(event));
        await writeWhole(join(path, "metrics.jsonl"), `${events.join("\n")}\n`);
      },
      file: (...names) => join(path, ...names),
      async discard() {
        await rm(join(path, "run.json"), { force: true });
        await unlock();
        // Only where nothing else is in it.
        await rmdir(path).catch(() => undefined);
      },
      close: unlock,
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/**
 * What a run's folder says, or `undefined` where there is none.
 *
 * @throws GraftError `usage` where `run.json` is not one of ours
 */
export async function readRun(path: string): Promise<RunRecord | undefined> {
  const file = join(path, "run.json");
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new GraftError("usage", "the run cannot be read", { path: [file], actual: reasonOf(cause), cause });
  });
  if (text === undefined) return undefined;
  const record: unknown = parse(text);
  if (!isRecord(record) || record.schema !== schema) {
    throw new GraftError("usage", "this is not a run that this version can go on with", {
      path: [file],
      expected: `a run of schema ${schema}`,
      hint: "give another folder",
    });
  }
  return record;
}

function isRecord(value: unknown): value is RunRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    "schema" in value &&
    "status" in value &&
    "settings" in value &&
    typeof value.settings === "object" &&
    "decisions" in value &&
    typeof value.decisions === "object"
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new GraftError("usage", "the run's folder cannot be made", {
      path: [path],
      actual: reasonOf(cause),
      hint: "give a folder that can be written with --out",
      cause,
    });
  });
}

/** One process a run: `run.lock` names it. A lock whose process is gone is taken over. */
async function lock(path: string): Promise<() => Promise<void>> {
  const file = join(path, "run.lock");
  const mine = `${file}.${process.pid}`;
  try {
    await writeFile(mine, String(process.pid));
    for (let attempt = 0; attempt < 2; attempt++) {
      // A link appears with its content, so that no one reads a lock without an owner.
      const isTaken = await link(mine, file).then(
        () => false,
        (cause: unknown) => {
          if (codeOf(cause) === "EEXIST") return true;
          throw cause;
        },
      );
      if (!isTaken) return () => rm(file, { force: true });
      const owner = Number(await readFile(file, "utf8").catch(() => ""));
      if (isAlive(owner)) {
        throw new GraftError("usage", "the run is in progress in another process", {
          path: [path],
          actual: `process ${owner}`,
        });
      }
      await rm(file, { force: true });
    }
    throw new GraftError("usage", "the run's folder is taken by another process", { path: [path] });
  } catch (cause) {
    if (cause instanceof GraftError) throw cause;
    throw new GraftError(
      codeOf(cause) === "ENOSPC" ? "out-of-resources" : "usage",
      "the run's folder cannot be written",
      {
        path: [path],
        actual: reasonOf(cause),
        hint: "give a folder that can be written with --out",
        cause,
      },
    );
  } finally {
    await rm(mine, { force: true }).catch(() => undefined);
  }
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return codeOf(cause) === "EPERM";
  }
}

/** The settings as text, whatever the order of their names. */
function canonical(settings: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A folder for a run of these photos that does not exist yet: `runs/<folder>`, `runs/<folder>-2`, … */
export async function freshRunPath(photos: string): Promise<string> {
  const name = basename(resolve(photos)) || "photos";
  for (let count = 1; ; count++) {
    const path = join("runs", count === 1 ? name : `${name}-${count}`);
    if ((await readRun(path).catch(() => true)) === undefined) return path;
  }
}

/** What the photos of a run are called by: their digests, labels and parts. */
export async function dataDigest(
  parts: readonly { readonly digests: readonly string[]; readonly labels: readonly number[] }[],
): Promise<string> {
  return await sha256(
    JSON.stringify(parts.map(({ digests, labels }) => digests.map((digest, index) => [digest, labels[index]]))),
  );
}
