import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const command = join(root, "bin/graft.js");

let folder = "";
let cache = "";
const environment = () => ({ ...process.env, GRAFT_CACHE: cache });

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function graft(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [command, ...args],
      { cwd: folder, env: environment(), maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** The JSON document a command printed. */
function documentOf({ code, stdout, stderr }: Ended) {
  expect(stderr.includes("internal error"), stderr).toBe(false);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "graft train's “journey” "));
  cache = join(folder, "cache");
  documentOf(await graft("sample", "photos", "--per-class", "30", "--json"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("graft train", () => {
  it("learns from drawn pictures, and says how good it is, in a run's folder", async () => {
    const result = documentOf(await graft("train", "photos", "--base", "pocket", "--out", "run one", "--json"));
    expect(result).toMatchObject({
      schema: "graftwork/train/1",
      classes: ["lighthouse", "sailboat", "windmill"],
      counts: { train: [30, 30, 30] },
      judgedBy: "cross-validation",
      n: 90,
      fineTuned: { tried: false, accuracy: null, kept: false },
    });
    expect(result.accuracy).toBeGreaterThan(0.6);
    const [low, high] = result.accuracyInterval;
    expect(low).toBeLessThan(result.accuracy);
    expect(high).toBeGreaterThan(result.accuracy);
    expect(result.frozenDigest.before).toBe(result.frozenDigest.after);
    expect(result.frozenDigest.tensors).toBeGreaterThan(100);
    expect(readdirSync(join(folder, "run one")).sort()).toEqual(["model.onnx", "report.html", "run.json"]);
    expect(readFileSync(join(folder, "run one/report.html"), "utf8")).toContain("lighthouse");
    const said = documentOf(await graft("predict", result.artifact, "photos/windmill", "--json"));
    expect(said).toHaveLength(30);
    const evaluated = documentOf(await graft("evaluate", result.artifact, "photos", "--json"));
    expect(evaluated.n).toBe(90);
    expect(evaluated.accuracy).toBeGreaterThan(0.7);
  });

  it("gives the same bytes for one thread and for three, with a warm cache and a cold one", async () => {
    const settings = ["train", "photos", "--fine-tune", "2", "--epochs", "1", "--test-fraction", "0.2", "--json"];
    const one = documentOf(await graft(...settings, "--threads", "1", "--out", "threads-1"));
    rmSync(cache, { recursive: true, force: true });
    const three = documentOf(await graft(...settings, "--threads", "3", "--out", "threads-3"));
    expect(one.fineTuned.tried).toBe(true);
    expect(three.artifactDigest).toBe(one.artifactDigest);
    expect(one.frozenDigest.before).toBe(one.frozenDigest.after);
  });

  it("killed at any moment, goes on to the same bytes", async () => {
    const settings = ["photos", "--fine-tune", "2", "--epochs", "3", "--test-fraction", "0.2", "--json"];
    const whole = documentOf(await graft("train", ...settings, "--out", "whole"));
    const { seconds } = whole;
    for (const share of [0.3, 0.6, 0.85]) {
      rmSync(cache, { recursive: true, force: true });
      const out = `killed-${share}`;
      await killedAfter(seconds * share * 1000, ["train", ...settings, "--out", out]);
      if (!existsSync(join(folder, out, "run.json"))) continue;
      const resumed = documentOf(await graft("resume", out, "--json"));
      expect(resumed.artifactDigest).toBe(whole.artifactDigest);
      expect(readdirSync(join(folder, out)).filter((name) => name.includes("lock"))).toEqual([]);
    }
  });

  it("names what is wrong with a folder, and leaves what was there", async () => {
    mkdirSync(join(folder, "one/only"), { recursive: true });
    cpSync(join(folder, "photos/windmill"), join(folder, "one/only"), { recursive: true });
    const oneClass = await graft("train", "one", "--out", "never");
    expect(oneClass.code).toBe(3);
    expect(oneClass.stderr).toContain("only one class");
    expect(existsSync(join(folder, "never"))).toBe(false);
    expect((await graft("train", "nowhere", "--out", "never")).code).toBe(2);
    expect((await graft("train", "photos", "--base", "nothing.onnx", "--out", "never")).code).toBe(2);
    const done = join(folder, "finished");
    mkdirSync(done);
    writeFileSync(join(done, "run.json"), JSON.stringify({ schema: 1, status: "done", settings: {}, decisions: {} }));
    const again = await graft("train", "photos", "--base", "pocket", "--out", "finished");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("finished run");
    expect(readdirSync(done)).toEqual(["run.json"]);
  });

  it.skipIf(process.getuid?.() === 0)("says that a folder cannot be written", async () => {
    const sealed = join(folder, "sealed");
    mkdirSync(sealed);
    chmodSync(sealed, 0o500);
    const { code, stderr } = await graft("train", "photos", "--base", "pocket", "--out", "sealed/run");
    expect(code).toBe(2);
    expect(stderr).toContain("permission denied");
  });

  it("counts and names broken files, and goes on without them", async () => {
    const mixed = join(folder, "mixed");
    cpSync(join(folder, "photos"), mixed, { recursive: true });
    const [first = ""] = readdirSync(join(mixed, "sailboat"));
    writeFileSync(join(mixed, "sailboat", "empty.jpg"), "");
    writeFileSync(join(mixed, "sailboat", "page.jpg"), "<!doctype html><html></html>");
    writeFileSync(join(mixed, "windmill", "cut.jpg"), readFileSync(join(mixed, "sailboat", first)).subarray(0, 2000));
    cpSync(join(mixed, "lighthouse"), join(mixed, "__proto__"), { recursive: true });
    rmSync(join(mixed, "lighthouse"), { recursive: true });
    const result = documentOf(await graft("train", "mixed", "--base", "pocket", "--out", "mixed run", "--json"));
    expect(result.classes).toEqual(["__proto__", "sailboat", "windmill"]);
    expect(result.skipped.map(({ file }: { file: string }) => file)).toEqual([
      "sailboat/empty.jpg",
      "sailboat/page.jpg",
      "windmill/cut.jpg",
    ]);
    expect((await graft("train", "mixed", "--strict", "--out", "never")).code).toBe(3);
  });

  it("says beforehand what it would take", async () => {
    const plan = documentOf(await graft("train", "photos", "--base", "pocket", "--dry-run", "--json"));
    expect(plan).toMatchObject({ schema: "graftwork/dry-run/1", photos: 90 });
    expect(plan.seconds).toBeGreaterThan(0);
    expect(plan.memoryBytes).toBeGreaterThan(1e8);
    expect(plan.diskBytes).toBeGreaterThan(90 * 1280 * 4);
  });
});

async function killedAfter(milliseconds: number, args: readonly string[]): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    env: environment(),
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  await ended;
  clearTimeout(timer);
}
