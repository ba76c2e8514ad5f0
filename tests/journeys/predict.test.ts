import { execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type Base,
  classifierGraph,
  headlessGraph,
  numbersOf,
  onnxModelOf,
  packClassifier,
  readModel,
  tensorOf,
  writeModel,
} from "graftwork";
import { loadModel, nodeRuntime, readModelFile } from "graftwork/node";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a user does, in a process of its own, with these bytes on standard input. */
function graft(args: readonly string[], input: Uint8Array | string = ""): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "bin/graft.js"), ...args], { cwd: folder });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        texts[name] += text;
      });
    }
    child.on("close", (code) => resolve({ code, ...texts }));
    child.stdin.on("error", () => undefined).end(input);
  });
}

/** Names that would break a careless program, in an order that is not that of JavaScript's own objects. */
const classNames = ["__proto__", "2", 'say "cheese", please', "1"];
const colors = ["#d02020", "#20c040", "#2040d0", "#e0e0e0"];

let folder = "";
const photo = (name: string) => readFileSync(join(folder, name));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "graft predict ✂ "));
  const pocket = await readModelFile(join(root, "models/pocket.onnx"));
  const base: Base = {
    graph: pocket.graph,
    layers: [],
    name: "pocket",
    layout: "channels_first",
    recipe: { height: 128, width: 128, method: "bilinear", aspect: "stretch" },
    range: { name: "[-1, 1]", channels: "rgb", scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], offset: [-1, -1, -1] },
    features: 1280,
    provenance: { source: "pocket.onnx", digest: "0", license: undefined },
    remarks: [],
  };
  const pictures = await Promise.all(
    colors.map((background) =>
      sharp({ create: { width: 90, height: 60, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
  // A head that tells these pictures apart: each class's kernel is the features of its picture, of length 1.
  const runtime = await nodeRuntime({ threads: 1 });
  const about = {
    classes: classNames,
    pixels: base.recipe,
    range: base.range ?? null,
    temperature: 0.05,
    notSureBelow: 0.3,
    base: { name: "pocket", source: "pocket.onnx", digest: "0", license: null },
    data: { digest: "0", counts: { train: 4 } },
    settings: { seed: 0 },
    versions: { graftwork: "0", runtime: "0" },
    figures: null,
    frozenDigest: null,
  };
  const features = await featuresOf(base, pictures);
  const kernel = new Float32Array(1280 * 4);
  for (const [label, row] of features.entries()) {
    for (const [feature, value] of row.entries()) kernel[feature * 4 + label] = value;
  }
  const head = { kernel, bias: new Float32Array(4), transform: "l2" as const };
  const graph = classifierGraph(base, head, { temperature: about.temperature });
  writeFileSync(join(folder, "model.onnx"), await packClassifier(graph, about, runtime));
  for (const [place, name] of classNames.entries()) {
    const directory = join(folder, "photos", name.replaceAll('"', "'"));
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(folder, `${place}.png`), pictures[place] ?? "");
    writeFileSync(join(directory, "photo.png"), pictures[place] ?? "");
  }
  // A folder whose every class has its own picture, except that the last one's is another's; and a torn file.
  for (const [place, name] of ["__proto__", "2", "1"].entries()) {
    mkdirSync(join(folder, "labelled", name), { recursive: true });
    writeFileSync(join(folder, "labelled", name, "photo.png"), pictures[name === "1" ? 3 : place] ?? "");
  }
  writeFileSync(join(folder, "labelled/1/other.png"), await sharp(pictures[0]).resize(80, 80).png().toBuffer());
  writeFileSync(join(folder, "labelled/2/torn.png"), (pictures[1] ?? Buffer.alloc(0)).subarray(0, 90));
  mkdirSync(join(folder, "unknown/cheese"), { recursive: true });
  mkdirSync(join(folder, "unknown/1"), { recursive: true });
  for (const name of ["cheese", "1"]) writeFileSync(join(folder, "unknown", name, "photo.png"), pictures[0] ?? "");
  writeFileSync(join(folder, "-broken.jpg"), photo("0.png").subarray(0, 90));
  writeFileSync(join(folder, "page.jpg"), "<!DOCTYPE html><html><body>404</body></html>");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the base says of each picture, at length 1. */
async function featuresOf(base: Base, pictures: readonly Uint8Array[]): Promise<number[][]> {
  const runtime = await nodeRuntime({ threads: 1 });
  const executable = await runtime.compile(writeModel(onnxModelOf(headlessGraph(base))));
  const rows: number[][] = [];
  for (const picture of pictures) {
    const pixels = await sharp(picture).resize(128, 128, { fit: "fill" }).raw().toBuffer();
    const outputs = await executable.run({ image: tensorOf("uint8", [1, 128, 128, 3], pixels) });
    const row = numbersOf(outputs.get("features") ?? tensorOf("float32", [0], []));
    rows.push(row.map((value) => value / Math.hypot(...row)));
  }
  return rows;
}

describe("graft predict", () => {
  it("prints a JSON array with every class's probability, whatever the classes are called", async () => {
    const { code, stdout, stderr } = await graft(["predict", "model.onnx", "0.png", "1.png", "2.png", "--json"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const entries: readonly Record<string, unknown>[] = JSON.parse(stdout);
    expect(entries.map(({ file }) => file)).toEqual(["0.png", "1.png", "2.png"]);
    expect(entries.map(({ label }) => label)).toEqual(classNames.slice(0, 3));
    for (const { label, probability, scores } of entries) {
      const all = new Map(Object.entries(scores as Record<string, number>));
      expect(new Set(all.keys())).toEqual(new Set(classNames));
      expect(all.get(String(label))).toBe(probability);
      expect([...all.values()].reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 5);
    }
  });

  it("says what it can of the good files, names the broken ones, and ends with code 3", async () => {
    const args = ["predict", "model.onnx", "--json", "--", "0.png", "-broken.jpg", "nothing.png", "page.jpg", "3.png"];
    const { code, stdout } = await graft(args);
    expect(code).toBe(3);
    const entries: readonly Record<string, unknown>[] = JSON.parse(stdout);
    expect(entries.map(({ file, label }) => [file, label])).toEqual([
      ["0.png", "__proto__"],
      ["-broken.jpg", undefined],
      ["nothing.png", undefined],
      ["page.jpg", undefined],
      ["3.png", "1"],
    ]);
    expect(entries[1]?.["error"]).toEqual(expect.any(String));
    expect(entries[2]?.["error"]).toMatch(/no such file/);
    expect(entries[3]?.["error"]).toMatch(/HTML/);
  });

  it("writes a line for each file on standard output and errors on standard error", async () => {
    const { code, stdout, stderr } = await graft(["predict", "model.onnx", "1.png", "page.jpg", "--top", "2", "-q"]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^1\.png: (not sure \()?2 \d+\.\d %, .+ \d+\.\d %\)?\n$/);
    expect(stderr).toMatch(/page\.jpg: .*HTML/);
  });

  it("writes CSV that no spreadsheet takes for a formula", async () => {
    const { code, stdout } = await graft([
      "predict",
      "model.onnx",
      "--csv",
      "--top",
      "2",
      "--",
      "2.png",
      "-broken.jpg",
    ]);
    expect(code).toBe(3);
    const [header, first, second] = stdout.split("\n");
    expect(header).toBe("file,label,probability,sure,error,label_2,probability_2");
    expect(first).toMatch(/^2\.png,"say ""cheese"", please",0\.\d+,(true|false),,/);
    expect(second).toMatch(/^'-broken\.jpg,,,,.+,,$/);
  });

  it("takes a picture from standard input, a list of paths, and folders", async () => {
    const one = await graft(["predict", "model.onnx", "-", "--json"], photo("1.png"));
    expect(JSON.parse(one.stdout)).toMatchObject([{ file: "-", label: "2" }]);
    const listed = await graft(["predict", "model.onnx", "--files-from", "-", "--json"], "0.png\x003.png\0");
    expect(JSON.parse(listed.stdout)).toMatchObject([{ file: "0.png" }, { file: "3.png" }]);
    const walked = await graft(["predict", "model.onnx", "photos", "--json"]);
    expect(JSON.parse(walked.stdout)).toHaveLength(4);
    const twice = await graft(["predict", "model.onnx", "-", "--files-from", "-"]);
    expect(twice).toMatchObject({ code: 2, stdout: "" });
  });

  it("says the same of a photo alone as among others", async () => {
    const all = ["0.png", "1.png", "2.png", "3.png"];
    const alone = await graft(["predict", "model.onnx", "2.png", "--json"]);
    const among = await graft(["predict", "model.onnx", ...all, "--json", "--batch", "3", "--threads", "2"]);
    expect(JSON.parse(among.stdout)[2]).toEqual(JSON.parse(alone.stdout)[0]);
  });

  it("refuses what is no classifier, and one whose weights were changed", async () => {
    cpSync(join(root, "models/pocket.onnx"), join(folder, "pocket.onnx"));
    const other = await graft(["predict", "pocket.onnx", "0.png"]);
    expect(other).toMatchObject({ code: 4, stdout: "" });
    expect(other.stderr).toMatch(/pocket\.onnx: this ONNX file is not a classifier of Graftwork/);
    const model = readModel(photo("model.onnx"));
    const initializers = new Map(
      [...model.graph.initializers].map(([value, tensor]) => [
        value,
        value.name.includes("Conv_1") && tensor.dtype === "float32"
          ? tensorOf(
              "float32",
              tensor.shape,
              numbersOf(tensor).map((number) => -number),
            )
          : tensor,
      ]),
    );
    writeFileSync(join(folder, "changed.onnx"), writeModel({ ...model, graph: { ...model.graph, initializers } }));
    const changed = await graft(["predict", "changed.onnx", "0.png"]);
    expect(changed.stderr).toMatch(/changed\.onnx: .*does not answer as it did when it was saved/);
    expect(changed).toMatchObject({ code: 4, stdout: "" });
  });

  it("ends quietly when its reader has gone", async () => {
    const command = `"${process.execPath}" "${join(root, "bin/graft.js")}" predict model.onnx photos photos photos | head -c 1`;
    const child = spawn("sh", ["-c", command], { cwd: folder });
    let errors = "";
    child.stderr.on("data", (text) => {
      errors += text;
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
    expect(errors).toBe("");
  });
});

describe("graft evaluate", () => {
  it("prints the figures as one JSON document, with what was skipped", async () => {
    const { code, stdout, stderr } = await graft(["evaluate", "model.onnx", "labelled", "--json"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const figures = JSON.parse(stdout);
    expect(figures).toMatchObject({ schema: "graftwork/evaluate/1", n: 4, accuracy: 0.75 });
    for (const key of ["accuracyInterval", "perClass", "confusion", "logLoss", "calibrationError"]) {
      expect(figures).toHaveProperty(key);
    }
    expect(figures.perClass.map(({ name }: { name: string }) => name)).toEqual(classNames);
    expect(figures.skipped).toEqual([{ file: join("2", "torn.png"), reason: expect.any(String) }]);
  });

  it("ends with code 10 below the accuracy asked for, and says so even when quiet", async () => {
    const below = await graft(["evaluate", "model.onnx", "labelled", "--min-accuracy", "0.76", "--quiet"]);
    expect(below.code).toBe(10);
    expect(below.stdout).toMatch(/Right on 3 of 4 photos/);
    expect(below.stderr).toMatch(/accuracy 0\.75 is below the 0\.76 asked for/);
    const reached = await graft(["evaluate", "model.onnx", "labelled", "--min-accuracy", "0.75", "--json"]);
    expect(reached.code).toBe(0);
    expect(JSON.parse(reached.stdout)).toMatchObject({ minAccuracy: 0.75, passed: true });
  });

  it("stops at a broken file when strict, and at classes it does not know", async () => {
    const strict = await graft(["evaluate", "model.onnx", "labelled", "--strict"]);
    expect(strict).toMatchObject({ code: 3, stdout: "" });
    expect(strict.stderr).toMatch(/torn\.png/);
    const other = await graft(["evaluate", "model.onnx", "unknown"]);
    expect(other).toMatchObject({ code: 3, stdout: "" });
    expect(other.stderr).toMatch(/classes that the classifier does not know.*found "cheese"/);
  });

  it("names an option that makes no sense", async () => {
    const ended = await graft(["evaluate", "model.onnx", "labelled", "--min-accuracy", "95"]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/a number from 0 to 1/);
  });
});

describe("the artifact", () => {
  const python = process.env["GRAFT_PYTHON"];

  it.skipIf(python === undefined)("runs unchanged in Python's onnxruntime (GRAFT_PYTHON names one)", async () => {
    const script = join(root, "tests/python/run_artifact.py");
    const { stdout } = await promisify(execFile)(python ?? "", [script, "model.onnx", "1.png"], { cwd: folder });
    const { samples, deviation, predictions } = JSON.parse(stdout);
    expect(samples).toBe(3);
    expect(deviation).toBeLessThan(1e-5);
    expect(predictions).toMatchObject([{ file: "1.png", label: "2" }]);
  });
});

describe("a signal", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends the command with code %d", async (signal, code) => {
    // Standard input stays open: the command waits for a picture that does not come.
    const child = spawn(process.execPath, [join(root, "bin/graft.js"), "predict", "model.onnx", "-"], { cwd: folder });
    const ended = new Promise((resolve) => child.on("close", (number) => resolve(number)));
    setTimeout(() => child.kill(signal), 4000);
    expect(await ended).toBe(code);
  });
});

describe("loadModel", () => {
  it("replays golden samples without a deviation, predicts and saves the same bytes", async () => {
    const model = await loadModel(join(folder, "model.onnx"));
    expect(model.deviation).toBeLessThan(1e-6);
    expect(model.remarks).toEqual([]);
    expect(model.classNames).toEqual(classNames);
    const [first, second] = await model.predict([join(folder, "0.png"), join(folder, "page.jpg")]);
    expect(first).toMatchObject({ label: "__proto__" });
    expect(second).toMatchObject({ error: { code: "bad-data" } });
    await model.save(join(folder, "copy", "saved.onnx"));
    expect(Buffer.compare(photo("copy/saved.onnx"), photo("model.onnx"))).toBe(0);
    await model.close();
  });
});
