import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { type PhotoPool, workerPool } from "./photo-pool-node.ts";

let pool: PhotoPool | undefined;
afterEach(async () => await pool?.close());

/** A thread that answers with its number and dies of files called "deadly". */
function startFake(): Worker {
  const code = `const { parentPort, threadId } = require("node:worker_threads");
    parentPort.on("message", ({ source }) => {
      if (source === "deadly") throw new Error("segmentation fault");
      parentPort.postMessage({ kind: "checked", digest: source + " by " + threadId });
    });
    parentPort.postMessage("ready");`;
  return new Worker(code, { eval: true, execArgv: [], stderr: true });
}

const check = (source: string) => ({ kind: "check", source }) as const;

describe("workerPool", () => {
  it("gives every task its own answer, on as many threads as it has", async () => {
    pool = workerPool(3, startFake);
    const names = Array.from({ length: 60 }, (_, at) => String(at));
    const answers = await Promise.all(names.map((name) => pool?.run(check(name))));
    const digests = answers.map((answer) => (answer?.kind === "checked" ? answer.digest : ""));
    expect(digests.map((digest) => digest.split(" ")[0])).toEqual(names);
    expect(new Set(digests.map((digest) => digest.split(" ")[2])).size).toBe(3);
  });

  it("starts no more threads than it has tasks at once", async () => {
    let started = 0;
    pool = workerPool(4, () => {
      started += 1;
      return startFake();
    });
    for (const name of ["a", "b", "c"]) await pool.run(check(name));
    expect(started).toBe(1);
  });

  it("starts the thread it was asked to prepare, and gives it the first task", async () => {
    let started = 0;
    pool = workerPool(2, () => {
      started += 1;
      return startFake();
    });
    pool.prepare();
    pool.prepare();
    expect(started).toBe(1);
    expect(await pool.run(check("a"))).toMatchObject({ kind: "checked" });
    expect(started).toBe(1);
  });

  it("tells the photo that a thread died of, and gives the others another thread", async () => {
    pool = workerPool(2, startFake);
    const names = ["a", "b", "deadly", "c", "d", "deadly", "e", "f"];
    const answers = await Promise.all(names.map((name) => pool?.run(check(name))));
    expect(answers.map((answer) => answer?.kind)).toEqual(
      names.map((name) => (name === "deadly" ? "failed" : "checked")),
    );
    expect(answers[2]).toEqual({ kind: "failed", reason: "decoding it ended its thread (segmentation fault)" });
  });

  it("fails where no thread can start, instead of starting them for ever", async () => {
    let started = 0;
    pool = workerPool(1, () => {
      started += 1;
      return new Worker("throw new Error('no sharp here')", { eval: true, execArgv: [], stderr: true });
    });
    const runs = await Promise.allSettled([pool.run(check("a")), pool.run(check("b"))]);
    expect(runs.map((run) => run.status === "rejected" && String(run.reason))).toEqual([
      expect.stringMatching(/cannot start.*no sharp here/),
      expect.stringMatching(/cannot start.*no sharp here/),
    ]);
    expect(started).toBe(1);
  });

  it("refuses what comes after close, and ends what waits", async () => {
    pool = workerPool(1, startFake);
    const waiting = pool.run(check("a")).catch(String);
    const closing = pool.close();
    expect(await waiting).toMatch(/the photos were closed/);
    await closing;
    await expect(pool.run(check("b"))).rejects.toThrow(/closed/);
  });

  it("has 1 to 16 threads", () => {
    for (const size of [0, 17, 1.5, Number.NaN]) expect(() => workerPool(size, startFake)).toThrow(/number of threads/);
  });
});
