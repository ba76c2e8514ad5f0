/** @file A pool of worker threads that read, check and decode photos. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { GraftError } from "../tensor/index.ts";
import type { PhotoAnswer, PhotoTask } from "./photo-worker-node.ts";

/** Worker threads with one queue each. They start when they are needed and never keep the process alive. */
export interface PhotoPool {
  /** How many threads there are at most. */
  readonly size: number;

  /**
   * Hands the task to the thread with the shortest queue, at once: it is worked on while the calling thread is busy.
   *
   * @throws GraftError `usage` after `close`, `runtime-failed` where threads cannot start
   */
  run(task: PhotoTask): Promise<PhotoAnswer>;

  /** Ends the threads. What is still waiting fails. */
  close(): Promise<void>;
}

interface Waiting {
  readonly task: PhotoTask;
  readonly resolve: (answer: PhotoAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread, and what it was asked, oldest first: it answers in this order. */
interface Thread {
  readonly worker: Worker;
  readonly queue: Waiting[];
  isReady: boolean;
}

/** `size`: 1 to 16. Default: one thread a core, at most 4. `start` starts a thread that answers as photo-worker-node.ts. */
export function photoPool(
  size: number = Math.min(availableParallelism(), 4),
  start: () => Worker = startWorker,
): PhotoPool {
  if (!Number.isInteger(size) || size < 1 || size > 16) {
    throw new GraftError("usage", "no such number of threads", { expected: "1 to 16", actual: String(size) });
  }
  return new WorkerPool(size, start);
}

class WorkerPool implements PhotoPool {
  readonly size: number;
  readonly #threads = new Set<Thread>();
  readonly #startWorker: () => Worker;
  #isClosed = false;

  constructor(size: number, start: () => Worker) {
    this.size = size;
    this.#startWorker = start;
  }

  run(task: PhotoTask): Promise<PhotoAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(closed());
      else this.#hand({ task, resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const { queue } of threads) for (const { reject } of queue.splice(0)) reject(closed());
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #hand(waiting: Waiting): void {
    const shortest = [...this.#threads].sort((one, other) => one.queue.length - other.queue.length)[0];
    const isFree = shortest !== undefined && (shortest.queue.length === 0 || this.#threads.size === this.size);
    const thread = isFree ? shortest : this.#start();
    thread.queue.push(waiting);
    thread.worker.ref();
    thread.worker.postMessage(waiting.task);
  }

  #start(): Thread {
    const thread: Thread = { worker: this.#startWorker(), queue: [], isReady: false };
    const { worker, queue } = thread;
    worker.unref();
    worker.on("message", (message: PhotoAnswer | "ready") => {
      if (message === "ready") {
        thread.isReady = true;
        return;
      }
      queue.shift()?.resolve(message);
      if (queue.length === 0) worker.unref();
    });
    worker.on("error", (error) => this.#bury(thread, error));
    worker.on("exit", (code) => this.#bury(thread, new Error(`the thread ended with code ${code}`)));
    this.#threads.add(thread);
    return thread;
  }

  /** A thread has died: of the photo it worked on, which is told so; the others go to another thread. */
  #bury(thread: Thread, cause: Error): void {
    if (!this.#threads.delete(thread)) return;
    const orphans = thread.queue.splice(0);
    if (!thread.isReady) {
      const error = new GraftError("runtime-failed", "a thread for reading photos cannot start", {
        actual: cause.message,
        cause,
      });
      for (const { reject } of orphans) reject(error);
      return;
    }
    orphans.shift()?.resolve({ kind: "failed", reason: `decoding it ended its thread (${cause.message})` });
    for (const orphan of orphans) this.#hand(orphan);
  }
}

function startWorker(): Worker {
  // Run from sources, the thread needs what this process was started with to read TypeScript.
  const isSource = import.meta.url.endsWith(".ts");
  return new Worker(new URL(`./photo-worker-node.${isSource ? "ts" : "js"}`, import.meta.url), {
    name: "photos",
    execArgv: isSource ? ["--import", new URL("../../scripts/source.js", import.meta.url).href] : [],
  });
}

function closed(): GraftError {
  return new GraftError("usage", "the photos were closed", { hint: "read before calling close()" });
}
