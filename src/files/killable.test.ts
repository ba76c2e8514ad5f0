import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runKillable } from "./killable-node.ts";

const folder = mkdtempSync(join(tmpdir(), "graftwork-killable-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A script that serves tasks as `serveTask` does, with this work. */
function script(name: string, work: string): URL {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(
    path,
    `process.once("message", async ({ task }) => { const answer = await (async () => { ${work} })(); process.send({ kind: "done", answer }); });
     process.send({ kind: "ready" });`,
  );
  return pathToFileURL(path);
}

const limits = { place: "model.h5", seconds: 20, memory: 2 ** 30 };

describe("work in a process that can be killed", () => {
  it("gives the answer", async () => {
    expect(await runKillable(script("echo", "return { ...task, seen: true };"), { number: 3 }, limits)).toEqual({
      number: 3,
      seen: true,
    });
  });

  it("ends work that never ends", async () => {
    const endless = script("endless", "for (;;);");
    const started = performance.now();
    await expect(runKillable(endless, {}, { ...limits, seconds: 0.5 })).rejects.toMatchObject({
      code: "model-refused",
      path: ["model.h5"],
      reason: "it takes too long",
    });
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it("ends work that takes more memory than it may", async () => {
    const greedy = script(
      "greedy",
      "const kept = []; for (let i = 0; i < 40; i++) { kept.push(Buffer.alloc(2 ** 25, 1)); await new Promise((r) => setTimeout(r, 50)); } return kept.length;",
    );
    await expect(runKillable(greedy, {}, { ...limits, memory: 3 * 2 ** 27 })).rejects.toMatchObject({
      code: "out-of-resources",
    });
  });

  it("outlives work that crashes its process", async () => {
    const crash = script("crash", "process.abort();");
    await expect(runKillable(crash, {}, limits)).rejects.toMatchObject({ code: "model-refused", path: ["model.h5"] });
  });

  it("hands no secrets on", async () => {
    process.env["HF_TOKEN"] = "canary";
    try {
      const answer = await runKillable(script("environment", "return JSON.stringify(process.env);"), {}, limits);
      expect(String(answer)).not.toContain("canary");
    } finally {
      delete process.env["HF_TOKEN"];
    }
  });

  it("ends when it is aborted", async () => {
    const endless = script("aborted", "for (;;);");
    const controller = new AbortController();
    const work = runKillable(endless, {}, { ...limits, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 300);
    await expect(work).rejects.toThrow("enough");
  });

  it("leaves no process behind", async () => {
    const note = join(folder, "pid");
    const endless = script(
      "left",
      `(await import("node:fs")).writeFileSync(${JSON.stringify(note)}, String(process.pid)); for (;;);`,
    );
    await expect(runKillable(endless, {}, { ...limits, seconds: 1 })).rejects.toThrow("too long");
    await expect
      .poll(() => {
        try {
          return process.kill(Number(readFileSync(note, "utf8")), 0);
        } catch {
          return false;
        }
      })
      .toBe(false);
  });
});
