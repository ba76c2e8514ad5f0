import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { float32, GraftError } from "../../tensor/index.ts";
import { runGraph } from "../../testing/index.ts";
import { importModel } from "../import.ts";
import type { ImportedModel } from "../imported.ts";
import { parseJson } from "../json.ts";
import { filesInMemory } from "../model-files.ts";
import { zipFiles } from "../zip.ts";
import { importKerasArchive } from "./archive.ts";

const fixtures = resolve(import.meta.dirname, "../../../tests/fixtures/importers/keras");
const text = (value: string) => new TextEncoder().encode(value);

function bytesOf(name: string): Uint8Array {
  const isPacked = name.endsWith(".h5");
  const bytes = readFileSync(resolve(fixtures, isPacked ? `${name}.gz` : name));
  return new Uint8Array(isPacked ? gunzipSync(bytes) : bytes);
}

const expected: { readonly x: readonly number[][]; readonly y: readonly number[][] } = JSON.parse(
  readFileSync(resolve(fixtures, "expected.json"), "utf8"),
);

/** How far the model's outputs lie from Keras's. */
async function deviation({ graph }: ImportedModel): Promise<number> {
  const input = float32([2, 3], Float32Array.from(expected.x.flat()));
  const outputs = await runGraph(graph, new Map([[graph.inputs[0]?.name ?? "", input]]));
  const [output] = outputs.values();
  return Math.max(...expected.y.flat().map((value, index) => Math.abs(value - Number(output?.data[index]))));
}

async function imported(entry: string, files: Readonly<Record<string, Uint8Array>>): Promise<ImportedModel> {
  return await importModel({ files: filesInMemory(new Map(Object.entries(files))), entry }, { name: entry });
}

function fixtureFiles(names: readonly string[]): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(names.map((name) => [name, bytesOf(name)]));
}

async function membersOf(name: string): Promise<Map<string, Uint8Array>> {
  const files = zipFiles(bytesOf(name));
  const members = new Map<string, Uint8Array>();
  for (const member of files.names) members.set(member, await files.read(member));
  return members;
}

/** A .keras whose config is changed as text. */
async function changed(change: (config: string) => string): Promise<Uint8Array> {
  const members = await membersOf("keras3.keras");
  members.set("config.json", text(change(new TextDecoder().decode(members.get("config.json")))));
  return zipSync(Object.fromEntries(members), { level: 0 });
}

describe("files of Keras", () => {
  const shards = ["sharded.weights.json", "sharded_00000.weights.h5", "sharded_00001.weights.h5"];

  it.each([
    ["keras3.keras", [], "Keras model (.keras)", "Keras 3.15.1"],
    ["keras2.keras", [], "Keras model (.keras)", "Keras 2.21.0"],
    ["keras3.h5", [], "Keras 3 model (.h5)", "Keras 3.15.1"],
    ["keras2.h5", [], "Keras 2 model (.h5)", "Keras 2.21.0"],
    ["keras3.weights.h5", ["model.json"], "Keras config and weights (.weights.h5)", undefined],
    ["weights_only.h5", ["model.json"], "Keras config and weights (.h5)", undefined],
    ["sharded.weights.json", [...shards, "model.json"], "Keras config and weights (.weights.h5)", undefined],
    ["model.json", [...shards], "Keras config and weights (.weights.h5)", undefined],
  ])("compute what Keras computes: %s", async (entry, beside, format, savedBy) => {
    const model = await imported(entry, fixtureFiles([entry, ...beside]));
    expect(model.format).toBe(format);
    expect(model.savedBy).toBe(savedBy);
    expect(await deviation(model)).toBeLessThan(1e-6);
  });

  it("compute the same unzipped, as on Hugging Face, and in another archive", async () => {
    const folder = filesInMemory(await membersOf("keras3.keras"));
    expect(await deviation(await importKerasArchive(folder, { name: "model" }))).toBeLessThan(1e-6);
    const outer = zipSync({ "model/m.keras": bytesOf("keras3.keras"), "model/labels.txt": text("x") });
    const inner = { "m.zip": zipSync({ "m.keras": bytesOf("keras3.keras"), "README.md": text("x") }) };
    expect(await deviation(await imported("m.zip", inner))).toBeLessThan(1e-6);
    await expect(imported("m.zip", { "m.zip": outer })).rejects.toThrow(GraftError);
  });

  it("take the labels of a labels.txt beside them, where they are as many as the outputs", async () => {
    const h5 = bytesOf("keras2.h5");
    const labels = async (list: string) => (await imported("m.h5", { "m.h5": h5, "labels.txt": text(list) })).labels;
    expect(await labels("0 a cat\n1 a dog\n")).toEqual(["a cat", "a dog"]);
    expect(await labels("5 euros\r\n10 euros")).toEqual(["5 euros", "10 euros"]);
    expect(await labels("only one\n")).toBeUndefined();
  });

  it("say what is missing", async () => {
    const only = (entry: string) => imported(entry, fixtureFiles([entry]));
    await expect(only("architecture_only.h5")).rejects.toThrow(/architecture only, and no weights.*model\.save/);
    await expect(only("weights_only.h5")).rejects.toThrow(/weights only, and no architecture.*model\.save/);
    await expect(only("keras3.weights.h5")).rejects.toThrow(/weights only, and no architecture.*to_json/);
    await expect(only("model.json")).rejects.toThrow(/no weights beside it/);
    await expect(imported("model.json", fixtureFiles(["model.json", ...shards.slice(0, 2)]))).rejects.toThrow(
      /sharded_00001\.weights\.h5: a file of weights is missing/,
    );
    const members = await membersOf("keras3.keras");
    members.delete("model.weights.h5");
    await expect(importKerasArchive(filesInMemory(members), { name: "m" })).rejects.toThrow(/no weights/);
  });

  it("do not choose files: shards lie beside the list", async () => {
    for (const name of ["../secret.h5", "/etc/secret.h5", "https://example.org/a.h5", "secret.txt"]) {
      const list = text(JSON.stringify({ weight_map: { "/layers/dense/vars": name } }));
      const files = { "m.weights.json": list, "model.json": bytesOf("model.json") };
      await expect(imported("m.weights.json", files)).rejects.toThrow(/names other files/);
    }
  });

  it("are refused where they name code: modules, Lambda, pickles (CVE-2025-1550, -2024-3660)", async () => {
    const module = await changed((config) =>
      config.replace('"module": "keras.layers", "class_name": "ReLU"', '"module": "os", "class_name": "system"'),
    );
    await expect(imported("m.keras", { "m.keras": module })).rejects.toThrow(/"open".*system/);
    const lambda = await changed((config) => config.replace('"class_name": "ReLU"', '"class_name": "Lambda"'));
    await expect(imported("m.keras", { "m.keras": lambda })).rejects.toThrow(/"open" \(Lambda\).*never run/);
    const members = await membersOf("keras3.keras");
    members.delete("model.weights.h5");
    members.set("model.weights.npz", zipSync({ "a.npy": text("x") }));
    await expect(importKerasArchive(filesInMemory(members), { name: "m" })).rejects.toThrow(/pickles/);
  });

  it.each([
    ["an HTML page", text("<!doctype html><p>404"), /HTML page.*by the address of the file/],
    ["a pointer", text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), /Git LFS.*git lfs pull/],
    ["a pickle", Uint8Array.of(0x80, 2, 0x7d, 0x71), /pickle.*torch\.onnx\.export/],
    ["nothing", new Uint8Array(0), /empty file.*again/],
    ["PyTorch's zip", zipSync({ "archive/data.pkl": text("x"), "archive/data/0": text("x") }), /PyTorch.*torch\.onnx/],
    ["NumPy's zip", zipSync({ "a.npy": text("x") }), /NumPy/],
  ])("say what a file is that is none: %s", async (_, bytes, words) => {
    await expect(imported("m.h5", { "m.h5": bytes })).rejects.toThrow(words);
  });
});

describe("parseJson", () => {
  it("reads what Python writes, and leaves texts as they are", () => {
    expect(parseJson(text('{"a": Infinity, "b": -Infinity, "c": [NaN, "NaN Infinity"]}'), "c")).toEqual({
      a: Infinity,
      b: -Infinity,
      c: [null, "NaN Infinity"],
    });
    expect(() => parseJson(text("{"), "c.json")).toThrow(/c\.json: the JSON document is damaged/);
    expect(() => parseJson(text("[".repeat(1e5)), "c.json")).toThrow(/nested too deeply/);
  });
});

const cases = resolve(import.meta.dirname, "../../../../shared/conformance/imports");
const isThere = (() => {
  try {
    return readdirSync(cases).length > 0;
  } catch {
    return false;
  }
})();

describe("Teachable Machine", () => {
  it.skipIf(!isThere)("gives its labels", async () => {
    const zip = new Uint8Array(readFileSync(resolve(cases, "real_teachable_machine/model.zip")));
    const model = await imported("model.zip", { "model.zip": zip });
    expect([model.format, model.savedBy]).toEqual(["Teachable Machine model", "TensorFlow.js 1.1.2"]);
    expect(model.labels).toEqual(["Class 1", "Class 2"]);
  });
});
