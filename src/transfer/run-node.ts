/** @file A run's folder: what was asked, what was decided, what came out, and enough to go on after a power cut. */
import { link, mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isAlive, isDiskFull, reasonOf, systemCode, writeWhole } from "../files/index.ts";
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
  if (before === undefined) await refuseOthers(path);
  await makeFolder(path);
  const unlock = await lock(path);
  try {
    if (before !== undefined) for (const folder of [path, join(path, "checkpoints")]) await removeHalfWritten(folder);
    let record: RunRecord = before ?? { schema, status: "running", settings, decisions: {} };
    const events = before === undefined ? new Map<string, string>() : await eventsIn(join(path, "metrics.jsonl"));
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
        events.set(nameOf(event), JSON.stringify(event));
        await writeWhole(join(path, "metrics.jsonl"), `${[...events.values()].join("\n")}\n`);
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
    if (systemCode(cause) === "ENOENT") return undefined;
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
    value.settings !== null &&
    "decisions" in value &&
    typeof value.decisions === "object" &&
    value.decisions !== null
  );
}

/** What a process that was killed was writing: nobody else writes here. */
async function removeHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (/\.\d+\.\d+\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
  }
}

/** What a run that was interrupted has logged: whole lines, by what they are about. */
async function eventsIn(file: string): Promise<Map<string, string>> {
  const text = await readFile(file, "utf8").catch(() => "");
  const events = new Map<string, string>();
  for (const line of text.split("\n")) {
    const event = parse(line);
    if (typeof event === "object" && event !== null) events.set(nameOf(event), line);
  }
  return events;
}

/** What an event is about: a run that is gone on with may say the same again. */
function nameOf(event: object): string {
  const { stage, epoch } = event as { readonly stage?: unknown; readonly epoch?: unknown };
  return JSON.stringify([stage, epoch]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Files of a run's names without a run's `run.json` are somebody else's. */
async function refuseOthers(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  const taken = names.filter((name) => ["model.onnx", "report.html", "metrics.jsonl"].includes(name));
  if (taken.length === 0) return;
  throw new GraftError("usage", "the folder holds files that a run would write over", {
    path: [path],
    actual: taken.join(", "),
    hint: "give another folder with --out",
  });
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch(async (cause: unknown) => {
    throw unusable(path, "the run's folder cannot be made", await whyUnmade(path, cause));
  });
}

/** Making the folders on the way as well, Node calls a read-only disk a folder that is not there; one by one it does not. */
async function whyUnmade(path: string, cause: unknown): Promise<unknown> {
  let why = cause;
  for (
    let folder = resolve(path);
    systemCode(why) === "ENOENT" && folder !== dirname(folder);
    folder = dirname(folder)
  ) {
    why = await mkdir(folder).catch((error: unknown) => error);
  }
  return systemCode(why) === "" ? cause : why;
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
          if (systemCode(cause) === "EEXIST") return true;
          throw cause;
        },
      );
      if (!isTaken) return () => rm(file, { force: true });
      const owner = Number(await readFile(file, "utf8").catch(() => ""));
      // A lock of our own number is from a process before us.
      if (owner !== process.pid && (await isAlive(owner))) {
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
    throw unusable(path, "the run's folder cannot be written", cause);
  } finally {
    await rm(mine, { force: true }).catch(() => undefined);
  }
}

function unusable(path: string, reason: string, cause: unknown): GraftError {
  const isFull = isDiskFull(cause);
  return new GraftError(isFull ? "out-of-resources" : "usage", reason, {
    path: [path],
    actual: reasonOf(cause),
    hint: isFull
      ? "make room, or give a folder on another disk with --out"
      : "give a folder that can be written with --out",
    cause,
  });
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
    // Where nobody can look, whoever makes the folder says why.
    const isTaken = await stat(join(path, "run.json")).then(
      () => true,
      () => false,
    );
    if (!isTaken) return path;
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
