/** @file A pool of worker threads that read, check and decode photos. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { argumentsFor, scriptBeside } from "../files/index.ts";
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

  /** Starts a thread ahead of its first task, which is then answered sooner. */
  prepare(): void;

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
  /** It has one task only, which may end it. */
  readonly isAlone: boolean;
  isReady: boolean;
}

/** How long threads that nobody uses are kept for the next folder, in milliseconds: starting one takes time. */
const lingering = 2000;

interface Shared {
  readonly pool: PhotoPool;
  users: number;
}

/** By size: the threads of this process. */
const shared = new Map<number, Shared>();

/**
 * `size` threads, 1 to 16, which all folders that want as many share. Default: one a core, at most 4. After `close`,
 * they end soon unless another folder wants them; what was asked before is still answered.
 */
export function photoPool(size: number = Math.min(availableParallelism(), 4)): PhotoPool {
  const threads: Shared = shared.get(size) ?? { pool: workerPool(size, startWorker), users: 0 };
  shared.set(size, threads);
  threads.users += 1;
  let isClosed = false;
  return {
    size,
    run: (task) => (isClosed ? Promise.reject(closed()) : threads.pool.run(task)),
    prepare: () => threads.pool.prepare(),
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      threads.users -= 1;
      if (threads.users > 0) return;
      const end = (): void => {
        if (threads.users > 0 || shared.get(size) !== threads) return;
        shared.delete(size);
        void threads.pool.close();
      };
      setTimeout(end, lingering).unref();
    },
  };
}

/**
 * The answer to a task; a photo that seems broken is asked for once more, before it is called so: what libvips reports is
 * shared between threads, and a loaded machine may refuse a file once.
 */
export async function askTwice(pool: PhotoPool, task: PhotoTask): Promise<PhotoAnswer> {
  const answer = await pool.run(task);
  return answer.kind === "failed" ? await pool.run(task) : answer;
}

/** Threads of one's own, started by `start`, that answer as photo-worker-node.ts does. */
export function workerPool(size: number, start: () => Worker): PhotoPool {
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

  prepare(): void {
    if (this.#threads.size === 0 && !this.#isClosed) this.#start(false);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const { queue } of threads) for (const { reject } of queue.splice(0)) reject(closed());
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #hand(waiting: Waiting): void {
    const common = [...this.#threads].filter(({ isAlone }) => !isAlone);
    const shortest = common.sort((one, other) => one.queue.length - other.queue.length)[0];
    const isFree = shortest !== undefined && (shortest.queue.length === 0 || common.length >= this.size);
    this.#give(isFree ? shortest : this.#start(false), waiting);
  }

  #give(thread: Thread, waiting: Waiting): void {
    thread.queue.push(waiting);
    thread.worker.ref();
    thread.worker.postMessage(waiting.task);
  }

  #start(isAlone: boolean): Thread {
    const thread: Thread = { worker: this.#startWorker(), queue: [], isAlone, isReady: false };
    const { worker, queue } = thread;
    worker.on("message", (message: PhotoAnswer | "ready") => {
      if (message === "ready") {
        thread.isReady = true;
        return;
      }
      queue.shift()?.resolve(message);
      if (queue.length === 0) worker.unref();
      if (thread.isAlone) void this.#dismiss(thread);
    });
    worker.on("error", (error) => this.#bury(thread, error));
    worker.on("exit", (code) => this.#bury(thread, new Error(`the thread ended with code ${code}`)));
    // Listening for messages keeps the process alive, so this comes after it.
    worker.unref();
    this.#threads.add(thread);
    return thread;
  }

  #dismiss(thread: Thread): Promise<number> {
    this.#threads.delete(thread);
    return thread.worker.terminate();
  }

  /**
   * A thread has died. Which photo it died of is known only where it had one: the others, whose answers may have been
   * lost on the way, are tried again, each on a thread of its own.
   */
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
    const [only, ...others] = orphans;
    if (only !== undefined && others.length === 0) {
      only.resolve({ kind: "failed", reason: `decoding it ended its thread (${cause.message})` });
      return;
    }
    void this.#tryAlone(orphans);
  }

  async #tryAlone(orphans: readonly Waiting[]): Promise<void> {
    for (const { task, resolve, reject } of orphans) {
      await new Promise<void>((next) => {
        if (this.#isClosed) {
          reject(closed());
          next();
          return;
        }
        const settle =
          <T>(tell: (value: T) => void) =>
          (value: T): void => {
            tell(value);
            next();
          };
        this.#give(this.#start(true), { task, resolve: settle(resolve), reject: settle(reject) });
      });
    }
  }
}

function startWorker(): Worker {
  const script = scriptBeside(import.meta.url, "photo-worker-node");
  return new Worker(script, { name: "photos", execArgv: argumentsFor(script) });
}

function closed(): GraftError {
  return new GraftError("usage", "the photos were closed", { hint: "read before calling close()" });
}
