/** @file Work that may hang, take all memory or crash, in a process of its own that can be killed: strangers' files. */
import { type ChildProcess, execFile, fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type ErrorCode, GraftError } from "../tensor/index.ts";
import { argumentsFor } from "./script-node.ts";
import { reasonOf } from "./system-node.ts";

export interface KillableOptions {
  /** What the work is on, for messages: a file's path. */
  readonly place: string;
  /** From the moment that the process has its task. */
  readonly seconds: number;
  /** How many bytes of memory it may hold. */
  readonly memory: number;
  readonly signal?: AbortSignal | undefined;
  /** Told what the process tells before it is done. */
  readonly onNote?: ((note: unknown) => void) | undefined;
}

type Message =
  | { readonly kind: "ready" }
  | { readonly kind: "note"; readonly note: unknown }
  | { readonly kind: "done"; readonly answer: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };

/** A GraftError's fields. */
interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly path: readonly string[];
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
  readonly hint?: string | undefined;
}

const watchEvery = 100;
const strangerHint = "the file may be damaged or hostile; convert it to ONNX elsewhere if you trust it";

/**
 * Runs the task in the process of `script`, which serves it with `serveTask`. Task and answer go as JSON.
 *
 * @throws GraftError as the work; `model-refused` where it takes too long or ends its process; `out-of-resources` where
 *   it takes too much memory; what `signal` was aborted with
 */
export function runKillable<Answer>(script: URL, task: unknown, options: KillableOptions): Promise<Answer> {
  const { place, seconds, memory, signal, onNote } = options;
  return new Promise((resolve, reject) => {
    const child = start(script);
    let isSettled = false;
    let clock: NodeJS.Timeout | undefined;
    let complaints = "";
    const end = (settle: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(clock);
      clearInterval(watch);
      signal?.removeEventListener("abort", abort);
      child.kill("SIGKILL");
      settle();
    };
    const refuse = (code: ErrorCode, reason: string, expected: string): void =>
      end(() => reject(new GraftError(code, reason, { path: [place], expected, hint: strangerHint })));
    const abort = (): void => end(() => reject(signal?.reason));
    const watch = setInterval(() => {
      void memoryOf(child).then((taken) => {
        if (taken === undefined || taken <= memory) return;
        refuse("out-of-resources", "it takes too much memory", `at most ${Math.round(memory / 1e6)} MB`);
      });
    }, watchEvery);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    child.stderr?.on("data", (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-4000);
    });
    child.on("error", (cause) => {
      const error = new GraftError("runtime-failed", "a process cannot be started", { actual: reasonOf(cause), cause });
      end(() => reject(error));
    });
    child.on("message", (message: Message) => {
      if (message.kind === "ready") {
        const late = () => refuse("model-refused", "it takes too long", `at most ${Math.round(seconds)} s`);
        clock = setTimeout(late, seconds * 1000);
        child.send({ task });
      } else if (message.kind === "note") onNote?.(message.note);
      // The script and its caller are written together: what one sends is what the other expects.
      else if (message.kind === "done") end(() => resolve(message.answer as Answer));
      else end(() => reject(errorOf(message.failure, place)));
    });
    child.on("exit", (code, killedBy) => {
      const isMemory = killedBy === "SIGKILL" || /heap out of memory|allocation failed|bad_alloc/i.test(complaints);
      const details = { path: [place], actual: killedBy ?? `exit code ${code}`, hint: strangerHint };
      const error = isMemory
        ? new GraftError("out-of-resources", "there is not enough memory for it", details)
        : new GraftError("model-refused", "it ended the process that read it", {
            ...details,
            actual: [details.actual, complaints.trim().split("\n").at(-1)].filter(Boolean).join(": "),
          });
      end(() => reject(error));
    });
  });
}

/** The other side: does the work once it is asked for, answers, and ends. */
export function serveTask<Task>(work: (task: Task, note: (note: unknown) => void) => Promise<unknown>): void {
  const send = (message: Message): Promise<void> =>
    new Promise((resolve) => {
      if (process.send === undefined || !process.connected) resolve();
      else process.send(message, undefined, undefined, () => resolve());
    });
  // The parent is gone: nobody waits for an answer.
  process.once("disconnect", () => process.exit());
  process.once("message", ({ task }: { readonly task: Task }) => {
    work(task, (note) => void send({ kind: "note", note }))
      .then((answer) => send({ kind: "done", answer }))
      .catch((error: unknown) => send({ kind: "failed", failure: failureOf(error) }))
      .finally(() => process.exit());
  });
  void send({ kind: "ready" });
}

function start(script: URL): ChildProcess {
  return fork(script, [], {
    execArgv: argumentsFor(script),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: environment(),
  });
}

/** A reader of files needs no secrets: tokens and keys stay here. */
function environment(): NodeJS.ProcessEnv {
  const isNeeded = (name: string) =>
    /^(PATH|HOME|USERPROFILE|TMPDIR|TEMP|TMP|SYSTEMROOT|LANG|LC_\w+|KERAS_HOME|XDG_CACHE_HOME|GRAFT_\w+)$/i.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isNeeded(name)));
}

/** The memory that a process holds, in bytes; `undefined` where that cannot be told. */
async function memoryOf({ pid }: ChildProcess): Promise<number | undefined> {
  if (pid === undefined || process.platform === "win32") return undefined;
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  }
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim() === "" ? undefined : Number(stdout) * 1024;
}

function failureOf(error: unknown): Failure {
  if (error instanceof GraftError) {
    const { code, reason, path, expected, actual, hint } = error;
    return { code, reason, path, expected, actual, hint };
  }
  const isMemory = error instanceof RangeError && /alloc|array length|buffer/i.test(error.message);
  return {
    code: isMemory ? "out-of-resources" : "model-invalid",
    reason: isMemory ? "there is not enough memory for it" : "it cannot be read",
    path: [],
    actual: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  };
}

function errorOf({ code, reason, path, expected, actual, hint }: Failure, place: string): GraftError {
  return new GraftError(code, reason, {
    path: path[0] === place ? path : [place, ...path],
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(hint === undefined ? {} : { hint }),
  });
}
