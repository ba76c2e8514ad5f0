/** @file A lock between processes: one writes a file, the others wait for it. */
import { link, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, systemCode, unwritable } from "../files/index.ts";

export interface LockOptions {
  /** The file that grows while the holder works. */
  readonly progress: string;
  /** How long, in milliseconds, a holder may show no progress before others stop waiting for it. */
  readonly patience: number;
  readonly signal?: AbortSignal | undefined;
}

/** What was got: the lock, with how long others were waited for; or nothing, because its holder does not come to an end. */
export interface Lock {
  readonly isHeld: boolean;
  readonly hasWaited: boolean;
  readonly release: () => Promise<void>;
}

let taken = 0;

/**
 * Takes `path`, a file with this process's number, or waits for it while its holder lives and gets on. That of a process
 * which is gone is taken over.
 *
 * @throws GraftError `usage` or `out-of-resources` where it cannot be written
 */
export async function takeLock(path: string, { progress, patience, signal }: LockOptions): Promise<Lock> {
  taken += 1;
  const own = `${process.pid} ${hostname()} ${taken}`;
  let last = "";
  let since = Date.now();
  let hasWaited = false;
  for (;;) {
    try {
      await writeFile(path, own, { flag: "wx" });
      return { isHeld: true, hasWaited, release: () => release(path, own) };
    } catch (cause) {
      if (systemCode(cause) !== "EEXIST") throw unwritable(path, cause);
    }
    const holder = await readFile(path, "utf8").catch(() => undefined);
    if (holder === undefined) continue;
    if (await isGone(holder, path)) {
      await takeAway(path, holder);
      continue;
    }
    const now = await stateOf(progress);
    if (now !== last) since = Date.now();
    last = now;
    if (Date.now() - since > patience) return { isHeld: false, hasWaited: true, release: async () => undefined };
    hasWaited = true;
    await delay(100, undefined, { ...(signal && { signal }) });
  }
}

/** Whether its process is gone. One of another machine cannot be asked; one without a number yet is just being written. */
async function isGone(holder: string, path: string): Promise<boolean> {
  const [pid, host] = holder.split(" ");
  if (pid === undefined || pid === "") {
    const written = await stat(path).catch(() => undefined);
    return written !== undefined && Date.now() - written.mtimeMs > 2000;
  }
  if (host !== undefined && host !== hostname()) return false;
  return !(await isAlive(Number(pid)));
}

/** Removes the lock of one that is gone; another's that has come meanwhile is put back. */
async function takeAway(path: string, holder: string): Promise<void> {
  const aside = `${path}.${process.pid}.${taken}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, "utf8")) !== holder) await link(aside, path);
  } catch {
    // Another process was faster.
  } finally {
    await rm(aside, { force: true });
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === own) await unlink(path).catch(() => undefined);
}

async function stateOf(path: string): Promise<string> {
  return await stat(path).then(
    ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
    () => "",
  );
}
