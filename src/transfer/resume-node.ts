/** @file `graft resume`: going on with a run that was interrupted. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { type RunRecord, readRun } from "./run-node.ts";
import { type TrainHooks, type TrainResult, type TrainSettings, trainFolder } from "./train-node.ts";

/**
 * Goes on with an interrupted run: by default the one begun last of those under `runs/`. A run that is done gives its
 * result again.
 *
 * @throws GraftError `usage` where there is no such run, else as `trainFolder`
 */
export async function resumeRun(path: string | undefined, hooks: TrainHooks = {}): Promise<TrainResult> {
  const run = path ?? (await lastInterrupted("runs"));
  const record = await readRun(run);
  if (record === undefined) {
    throw new GraftError("usage", "there is no run to go on with", {
      path: [run],
      expected: "a folder with the run.json that `graft train` writes",
    });
  }
  // Written by `trainFolder` under this schema: what it finished with, and what it was asked for.
  if (record.status === "done" && record.result) return record.result as unknown as TrainResult;
  return await trainFolder(run, settingsOf(run, record), hooks);
}

function settingsOf(run: string, { settings }: RunRecord): TrainSettings {
  const { photos } = settings;
  if (typeof photos === "string") return { ...settings, photos };
  throw new GraftError("usage", "the run does not say which photos it is about", { path: [join(run, "run.json")] });
}

async function lastInterrupted(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const runs = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const record = await readRun(path).catch(() => undefined);
      const facts = await stat(join(path, "run.json")).catch(() => undefined);
      return { path, time: record?.status === "running" ? (facts?.mtimeMs ?? 0) : 0 };
    }),
  );
  const [last] = runs.filter(({ time }) => time > 0).sort((one, other) => other.time - one.time);
  if (last !== undefined) return last.path;
  throw new GraftError("usage", "there is no interrupted run", {
    path: [folder],
    hint: "name the run's folder: graft resume <run>",
  });
}
