/** @file `graft convert` and `graft inspect` as processes, on models that other systems saved. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { readModelFile } from "graftwork/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importFile } from "../../src/model/import-node.ts";
import { expectClose, readNpz, runGraph } from "../../src/testing/index.ts";
import { importCases } from "../conformance/import-cases.ts";

const root = resolve(import.meta.dirname, "../..");
const strangers = join(root, "tests/fixtures/strangers");
let folder = "";
let temporary = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "graft convert 'é "));
  temporary = join(folder, "temporary");
  mkdirSync(temporary);
  for (const name of ["control", "CVE-2025-9905"]) {
    writeFileSync(join(folder, `${name}.h5`), gunzipSync(readFileSync(join(strangers, `${name}.h5.gz`))));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command as a user does, with temporary files in a folder of its own. */
function graft(...given: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, TMPDIR: temporary };
  return new Promise((done) => {
    execFile(
      process.execPath,
      [join(root, "bin/graft.js"), ...given],
      { cwd: folder, env },
      (error, stdout, stderr) => {
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

const left = (name: string) => readdirSync(folder).filter((each) => each.startsWith(name));

describe("graft convert", () => {
  it("writes what a model computes, and leaves nothing else", async () => {
    const ended = await graft("convert", "control.h5", "good.onnx");
    expect(ended.code, ended.stderr).toBe(0);
    const { graph } = await readModelFile(join(folder, "good.onnx"));
    const kernel = [...graph.initializers.values()].find(({ data }) => data.length === 8);
    expect([...(kernel?.data ?? [])].map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(left("good")).toEqual(["good.onnx"]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("ends with 4 for what is refused, names file and layer, and leaves nothing", async () => {
    const { code, stderr } = await graft("convert", "CVE-2025-9905.h5", "never.onnx");
    expect(code).toBe(4);
    expect(stderr).toMatch(/CVE-2025-9905\.h5: .*"evil" \(Lambda\)/);
    expect(left("never")).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("ends with 2 for a file that is not there", async () => {
    const { code } = await graft("convert", "./absent.h5", "never.onnx");
    expect(code).toBe(2);
    expect(left("never")).toEqual([]);
  });

  const chosen = importCases.filter(({ name }) => /^(keras3_keras|keras2_savedmodel|tfjs_graph)_tutorial$/.test(name));
  it.skipIf(chosen.length === 0).each(chosen)("$name becomes ONNX that computes the same", async (each) => {
    const out = `${each.name}.onnx`;
    const { code, stderr } = await graft("convert", join(each.folder, each.file), out);
    expect(code, stderr).toBe(0);
    const { graph } = await readModelFile(join(folder, out));
    const arrays = readNpz(join(each.folder, "case.npz"));
    const feeds = new Map(
      graph.inputs.map(({ name }, index) => [name, arrays.get(`in:${index}`) ?? expect.fail(name)]),
    );
    const results = await runGraph(graph, feeds);
    for (const [index, { name }] of graph.outputs.entries()) {
      expectClose(results.get(name), arrays.get(`out:${index}`) ?? expect.fail(name), each.tolerance, name);
    }
  });
});

describe("graft inspect", () => {
  it("says as JSON what an imported model takes and gives", async () => {
    const { code, stdout, stderr } = await graft("inspect", "control.h5", "--json");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "graftwork/inspect/1",
      file: "control.h5",
      savedBy: expect.stringContaining("2.15.0"),
      parameters: { elements: 8 },
    });
  });

  it("ends with 4 for what is refused", async () => {
    const { code, stdout } = await graft("inspect", "CVE-2025-9905.h5", "--json");
    expect(code).toBe(4);
    expect(stdout).toBe("");
  });
});

describe("a process that reads", () => {
  it("is ended when it takes longer than it may, and the one that asked goes on", async () => {
    const path = join(folder, "control.h5");
    const started = performance.now();
    // No process starts in a hundredth of a second.
    await expect(importFile(path, { seconds: 0.01 })).rejects.toMatchObject({ code: "model-refused", path: [path] });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect((await importFile(path)).layers.length).toBeGreaterThan(0);
  });
});
