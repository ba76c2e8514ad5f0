import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageFile } from "../files/index.ts";
import { openRun, readRun } from "./run-node.ts";
import { resolveSettings } from "./train-node.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "run "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a run's folder", () => {
  it("keeps what was logged before an interruption, each event once, and no half-written file", async () => {
    const run = await openRun(folder, { seed: 1 });
    await run.log({ stage: "fine-tuning", epoch: 0, loss: 2 });
    await run.log({ stage: "fine-tuning", epoch: 1, loss: 1 });
    await run.close();
    writeFileSync(join(folder, "model.onnx.77.3.tmp"), "half");
    const again = await openRun(folder, { seed: 1 });
    await again.log({ stage: "fine-tuning", epoch: 1, loss: 1 });
    await again.log({ stage: "fine-tuning", epoch: 2, loss: 0.5 });
    await again.close();
    const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).epoch)).toEqual([0, 1, 2]);
    expect(existsSync(join(folder, "model.onnx.77.3.tmp"))).toBe(false);
  });

  it("refuses a run.json that is not one of its own", async () => {
    for (const content of ["", "{", "null", '{"schema":1,"status":"running","settings":{},"decisions":null}']) {
      writeFileSync(join(folder, "run.json"), content);
      await expect(readRun(folder)).rejects.toMatchObject({ name: "GraftError", code: "usage" });
    }
  });

  it.skipIf(!existsSync("/proc/self/stat"))(
    "takes over from a process that was killed and never asked for",
    async () => {
      // The second sleep does not know of the first, and so never asks how it ended.
      const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 30"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      try {
        const [said] = await once(parent.stdout, "data");
        const pid = String(said).trim();
        await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "latin1"), { timeout: 10_000 }).toContain(") Z ");
        writeFileSync(join(folder, "run.lock"), pid);
        const run = await openRun(folder, {});
        await run.close();
      } finally {
        parent.kill("SIGKILL");
      }
      writeFileSync(join(folder, "run.lock"), String(process.ppid));
      await expect(openRun(folder, {})).rejects.toMatchObject({ reason: "the run is in progress in another process" });
    },
  );
});

describe("resolveSettings", () => {
  it("names files from the root, so that a run is gone on with from anywhere", async () => {
    const pocket = packageFile("models/pocket.onnx");
    const fromFile = await resolveSettings({ photos: "photos", base: relative(process.cwd(), pocket) }, {});
    expect(fromFile.settings).toMatchObject({ photos: resolve("photos"), base: resolve(pocket) });
    const named = await resolveSettings({ photos: "photos", base: "pocket" }, {});
    expect(named.settings.base).toBe("pocket");
  });

  it("refuses to hold everything back", async () => {
    const asked = { photos: "photos", base: "pocket", testFraction: 0.9 };
    await expect(resolveSettings(asked, {})).rejects.toMatchObject({ code: "usage", path: ["--test-fraction"] });
    expect((await resolveSettings({ ...asked, fineTune: "none" }, {})).settings.testFraction).toBe(0.9);
  });
});
