/**
 * @file Models that attack who reads them, a test for each published hole of other readers (made by
 * tests/fixtures/strangers/make_strangers.py). Each is refused by name, and meanwhile no process starts, no socket opens,
 * and no file outside the model's folder is touched.
 *
 * CVE-2024-3660, -2025-1550, -2025-9905 (code), -2026-1669, -2026-0897 (HDF5), -2026-12479 (names as paths): below; more of
 * their forms in src/importers/keras/{files,hdf5,model}.test.ts.
 * CVE-2022-25882, -2024-27318, -2026-27489, -2026-34447 (external data of ONNX): src/onnx/external-data-node.test.ts.
 * Archives with traversal, links, bombs: src/importers/{zip,tar}.test.ts; links in folders: src/importers/folder.test.ts;
 * shards of TensorFlow.js: src/importers/tfjs-weights.test.ts; TensorBundles: src/importers/tensorflow/bundle.test.ts.
 */
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { strToU8, zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSource } from "../../src/model/read-source-node.ts";
import { GraftError } from "../../src/tensor/index.ts";

const fixtures = resolve(import.meta.dirname, "../fixtures/strangers");
const canary = "never to be read";

let outside = "";
let folder = "";
beforeEach(() => {
  outside = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "strangers-")));
  folder = join(outside, "model");
  fs.mkdirSync(folder);
  fs.writeFileSync(join(outside, "canary.txt"), canary);
  fs.writeFileSync(join(outside, "canary.h5"), gunzipSync(fs.readFileSync(join(fixtures, "control.h5.gz"))));
});
afterEach(() => fs.rmSync(outside, { recursive: true, force: true }));

/** Puts a fixture into the model's folder, under the name of its kind. */
function unpacked(name: string): string {
  const bytes = fs.readFileSync(join(fixtures, name));
  if (name.endsWith(".model.json")) {
    fs.writeFileSync(join(folder, "w.bin"), new Float32Array(8));
    fs.writeFileSync(join(folder, "model.json"), bytes);
    return join(folder, "model.json");
  }
  const file = join(folder, name.endsWith(".gz") ? "model.h5" : "model.keras");
  fs.writeFileSync(file, name.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  return file;
}

type Anything = (...given: unknown[]) => unknown;
/** Everything through which a program of Node reaches outside itself. */
const watched: readonly (readonly [string, object, readonly string[]])[] = [
  ["process", childProcess, ["spawn", "exec", "execFile", "fork", "spawnSync", "execSync", "execFileSync"]],
  ["socket", net.Socket.prototype, ["connect"]],
  ["file", fs, ["open", "openSync", "readFile", "readFileSync", "writeFile", "writeFileSync", "mkdir", "mkdirSync"]],
  ["file", fs, ["createReadStream", "createWriteStream", "rename", "renameSync", "symlinkSync", "copyFileSync"]],
  ["file", fs.promises, ["open", "readFile", "writeFile", "mkdir", "rename", "symlink", "copyFile", "appendFile"]],
];

/** Runs something and lists what it reached for outside the model's folder. */
async function touching(work: () => Promise<unknown>): Promise<{ error: unknown; touched: string[] }> {
  const touched: string[] = [];
  const restore = watched.flatMap(([kind, owner, names]) =>
    names.map((name) => {
      // The names are functions of Node's.
      const functions = owner as Record<string, Anything>;
      const original = functions[name] ?? expect.fail(name);
      functions[name] = function (this: unknown, ...given: unknown[]) {
        const path = resolve(String(given[0]));
        if (kind !== "file" || !path.startsWith(`${folder}/`)) touched.push(`${kind} ${name} ${path}`);
        return original.apply(this, given);
      };
      return () => {
        functions[name] = original;
      };
    }),
  );
  syncBuiltinESMExports();
  try {
    return {
      error: await work().then(
        () => undefined,
        (cause: unknown) => cause,
      ),
      touched,
    };
  } finally {
    for (const each of restore) each();
    syncBuiltinESMExports();
  }
}

const filesIn = (path: string) => (fs.readdirSync(path, { recursive: true }) as string[]).sort();

async function expectRefusal(file: string, words: RegExp): Promise<void> {
  const before = filesIn(outside);
  const { error, touched } = await touching(() => readSource(file));
  if (!(error instanceof GraftError)) throw error ?? new Error("it was read");
  // Both are exit code 4.
  expect(["model-refused", "model-invalid"]).toContain(error.code);
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  expect(error.message).toMatch(words);
  expect(error.message).not.toContain(canary);
  expect(touched).toEqual([]);
  expect(filesIn(outside)).toEqual(before);
  expect(fs.readFileSync(join(outside, "canary.txt"), "utf8")).toBe(canary);
}

describe("models that attack who reads them", () => {
  it.each([
    ["CVE-2024-3660: a Lambda with marshalled code in .h5", "CVE-2024-3660.h5.gz", /"evil" \(Lambda\)/],
    ["CVE-2024-3660: a Lambda with marshalled code in .keras", "CVE-2024-3660.keras", /"evil" \(Lambda\)/],
    ["CVE-2024-3660: a Lambda with marshalled code in TensorFlow.js", "CVE-2024-3660.model.json", /"evil" \(Lambda\)/],
    ["CVE-2025-1550: a .keras that names a class of another module", "CVE-2025-1550-class.keras", /"evil".*os\.system/],
    ["CVE-2025-1550: a .keras that names a function", "CVE-2025-1550-function.keras", /evil.*system/],
    ["CVE-2025-9905: a Lambda of a named function in .h5", "CVE-2025-9905.h5.gz", /"evil" \(Lambda\)/],
    ["CVE-2026-1669: an external link in .h5", "CVE-2026-1669-link.h5.gz", /kernel:0.*external link/],
    ["CVE-2026-1669: external storage in .h5", "CVE-2026-1669-storage.h5.gz", /kernel:0.*external storage/],
    ["CVE-2026-1669: a soft link in .h5", "CVE-2026-1669-soft.h5.gz", /kernel:0.*soft link/],
    ["CVE-2026-1669: an external link in the weights of a .keras", "CVE-2026-1669.keras", /external link/],
    ["CVE-2026-0897: a shape of 4 TiB in 4 KiB", "CVE-2026-0897.h5.gz", /kernel:0.*(larger than|never written)/],
    ["a shard of TensorFlow.js outside its folder", "traversal.model.json", /canary\.txt/],
  ])("%s", async (_, name, words) => {
    await expectRefusal(unpacked(name), words);
  });

  it("CVE-2026-12479: names of layers are no paths", async () => {
    const before = filesIn(outside);
    const file = unpacked("CVE-2026-12479.keras");
    const { error, touched } = await touching(() => readSource(file));
    expect(error).toBeUndefined();
    expect(touched).toEqual([]);
    expect(filesIn(outside)).toEqual([...before, "model/model.keras"].sort());
  });

  it.each([
    ["a member outside the archive", { "../canary.txt": strToU8("{}") }, /\.\.\/canary\.txt/],
    ["an absolute member", { "/tmp/canary.txt": strToU8("{}") }, /\/tmp\/canary\.txt/],
    ["a bomb", { "config.json": new Uint8Array(2 ** 24) }, /config\.json/],
  ])("T4, archives: %s", async (_, members, words) => {
    const file = join(folder, "model.keras");
    fs.writeFileSync(file, zipSync(members));
    await expectRefusal(file, words);
  });

  it("T4, folders: a link out of a SavedModel", async () => {
    fs.symlinkSync(join(outside, "canary.txt"), join(folder, "saved_model.pb"));
    await expectRefusal(folder, /saved_model\.pb.*link/);
  });

  it.each(["control.h5.gz", "control.keras", "control.model.json"])("harmless, is read: %s", async (name) => {
    const file = unpacked(name);
    const { error, touched } = await touching(() => readSource(file));
    expect(error).toBeUndefined();
    expect(touched).toEqual([]);
  });

  it("would be noticed", async () => {
    const { touched } = await touching(async () => {
      await fs.promises.readFile(join(outside, "canary.txt"));
      childProcess.execFileSync(process.execPath, ["--version"]);
      await new Promise((done) => net.connect(9, "127.0.0.1").on("error", done));
    });
    expect(touched.map((each) => each.split(" ")[0])).toEqual(["file", "process", "socket"]);
  });
});
