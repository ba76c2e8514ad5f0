/** @file Damaged models in a thread that is ended when one takes too long. */
import { Worker } from "node:worker_threads";
import type { Judgement } from "./imports.ts";
import type { FuzzReport } from "./onnx.ts";

/** How long a thread may take to begin, in milliseconds. */
const loading = 60_000;

interface Message {
  readonly seed: number;
  readonly isDone?: boolean;
  readonly judgement?: Judgement;
  readonly milliseconds?: number;
}

/** Imports `count` damaged models of a format, the first with the seed `first`; a hang is a failure, and it goes on after it. */
export async function fuzzImports(format: string, count: number, first: number, limit: number): Promise<FuzzReport> {
  const failures: string[] = [];
  let accepted = 0;
  let slowest = { milliseconds: 0, name: "" };
  let next = first;
  while (next < first + count) {
    await new Promise<void>((resolve) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), {
        workerData: { format, count: first + count - next, first: next },
      });
      // Until it reports its first model it loads the sources, which a busy machine takes long for.
      let started = performance.now() + loading;
      const watch = setInterval(() => {
        if (performance.now() - started < limit) return;
        failures.push(`${format}, seed ${next}: takes longer than ${limit} ms`);
        next++;
        void worker.terminate();
      }, 500);
      worker.on("message", ({ seed, isDone, judgement, milliseconds = 0 }: Message) => {
        started = performance.now();
        next = isDone ? seed + 1 : seed;
        if (!isDone) return;
        if (milliseconds > slowest.milliseconds) slowest = { milliseconds, name: `${format}, seed ${seed}` };
        if (judgement === undefined) accepted++;
        else if (judgement !== "") failures.push(judgement);
      });
      worker.on("error", (error) => {
        failures.push(`${format}, seed ${next}: ${error.stack}`);
        next++;
      });
      worker.on("exit", () => {
        clearInterval(watch);
        resolve();
      });
    });
  }
  return { cases: count, accepted, slowest, failures };
}
