import { existsSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import fc from "fast-check";
import { gzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import type { Json } from "../layers/index.ts";
import { bytesOf, float32, GraftError, numbersOf, tensorOf } from "../tensor/index.ts";
import { parseJson } from "./json.ts";
import { filesInMemory } from "./model-files.ts";
import { tfjsWeights } from "./tfjs-weights.ts";

const numbers = float32([2, 3], Float32Array.from([1, -2, 3.5, 0.25, -1e-3, 6]));
const bytes = bytesOf(numbers);

function manifest(weights: Json, paths: readonly string[] = ["a.bin"]): Json {
  return { weightsManifest: [{ paths: [...paths], weights }] };
}

async function read(model: Json, files: { readonly [name: string]: Uint8Array }) {
  return await tfjsWeights(model, filesInMemory(new Map(Object.entries(files))), "model.json");
}

const entry = { name: "dense/kernel", shape: [2, 3], dtype: "float32" };

describe("tfjsWeights", () => {
  it("joins shards that end within a number, and unpacks what is not aligned", async () => {
    const flags = Uint8Array.of(1, 0, 1);
    const all = Uint8Array.of(...flags, ...bytes);
    const weights = await read(
      manifest([{ name: "flags", shape: [3], dtype: "bool" }, entry], ["a.bin?token=1", "./b.bin"]),
      { "a.bin": all.slice(0, 10), "b.bin": all.slice(10) },
    );
    expect([...weights.keys()]).toEqual(["flags", "dense/kernel"]);
    expect(weights.get("flags")).toEqual(tensorOf("bool", [3], [1, 0, 1]));
    expect(weights.get("dense/kernel")).toEqual(numbers);
  });

  it("inflates what is compressed without saying so", async () => {
    const weights = await read(manifest([entry]), { "a.bin": gzipSync(bytes) });
    expect(weights.get("dense/kernel")).toEqual(numbers);
  });

  it("reads old files with a group for each weight, and what a browser downloads", async () => {
    const groups = {
      weightsManifest: [
        { paths: ["a"], weights: [entry] },
        { paths: ["b"], weights: [{ ...entry, name: "b" }] },
      ],
    };
    expect([...(await read(groups, { a: bytes, b: bytes })).keys()]).toEqual(["dense/kernel", "b"]);
    const inMemory = await read({ weightSpecs: [entry] }, { "model.weights.bin": bytes });
    expect(inMemory.get("dense/kernel")).toEqual(numbers);
  });

  it("widens quantised weights to the numbers they stand for", async () => {
    const quantized = (dtype: string, quantization: Json) => [{ name: "w", shape: [3], dtype, quantization }];
    const w = async (dtype: string, quantization: Json, stored: Uint8Array) =>
      numbersOf((await read(manifest(quantized(dtype, quantization)), { "a.bin": stored })).get("w") ?? numbers);
    expect(await w("float32", { dtype: "uint8", scale: 0.5, min: -1 }, Uint8Array.of(0, 2, 255))).toEqual([
      -1, 0, 126.5,
    ]);
    const two = new Uint8Array(Uint16Array.of(0, 2, 65535).buffer);
    expect(await w("float32", { dtype: "uint16", scale: 0.5, min: -1 }, two)).toEqual([-1, 0, 32766.5]);
    expect(await w("int32", { dtype: "uint8", scale: 0.4, min: -1 }, Uint8Array.of(0, 3, 255))).toEqual([-1, 0, 101]);
    const half = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3555).buffer);
    expect(await w("float32", { dtype: "float16" }, half)).toEqual([1, -2, 0.333251953125]);
  });

  it("reads strings, complex numbers and scalars", async () => {
    const text = (value: string) => Uint8Array.of(value.length, 0, 0, 0, ...new TextEncoder().encode(value));
    const weights = await read(
      manifest([
        { name: "words", shape: [2], dtype: "string" },
        { name: "z", shape: [], dtype: "complex64" },
        { name: "i", shape: [], dtype: "int32" },
        { name: "none", shape: [0, 4], dtype: "float32" },
      ]),
      { "a.bin": Uint8Array.of(...text("cat"), ...text(""), ...bytes.slice(0, 8), 7, 0, 0, 0) },
    );
    expect(weights.get("words")?.data).toEqual([new TextEncoder().encode("cat"), new Uint8Array(0)]);
    expect(weights.get("z")).toEqual({ dtype: "complex64", shape: [], data: Float32Array.of(1, -2) });
    expect(weights.get("i")).toEqual({ dtype: "int32", shape: [], data: Int32Array.of(7) });
    expect(weights.get("none")?.data.length).toBe(0);
  });

  it.each(["../a.bin", "/etc/passwd", "https://example.org/a.bin", "a\\b.bin", "x/../../a.bin", "C:a.bin", ""])(
    "does not follow %j out of the folder",
    async (path) => {
      await expect(read(manifest([entry], [path]), { "a.bin": bytes })).rejects.toThrow(/outside its folder/);
    },
  );

  it("says what does not fit", async () => {
    await expect(read(manifest([entry]), {})).rejects.toThrow(/model.json: a.bin: a file of weights is missing/);
    await expect(read(manifest([entry]), { "a.bin": bytes.slice(1) })).rejects.toThrow(/dense\/kernel: .*cut off/);
    const longer = Uint8Array.of(...bytes, 0);
    await expect(read(manifest([entry]), { "a.bin": longer })).rejects.toThrow(/more than the listed weights/);
    await expect(read(manifest([entry, entry]), { "a.bin": new Uint8Array(48) })).rejects.toThrow(/twice/);
    await expect(read(manifest([{ ...entry, shape: [2 ** 30, 2 ** 30] }]), {})).rejects.toThrow(/larger than any file/);
    await expect(read(manifest([{ ...entry, shape: [-1] }]), {})).rejects.toThrow(/cannot be read/);
    await expect(read(manifest([{ ...entry, dtype: "float8" }]), { "a.bin": bytes })).rejects.toThrow(/float8/);
    await expect(read({ modelTopology: {} }, {})).rejects.toThrow(/no list of weights/);
  });

  it("answers any damage with an error of its own or with weights of the listed shapes", async () => {
    const good = { weightsManifest: [{ paths: ["a.bin"], weights: [entry, { ...entry, name: "b" }] }] };
    const text = JSON.stringify(good);
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), fc.nat(3), async (at, put, cut) => {
        try {
          const model = parseJson(
            new TextEncoder().encode(text.slice(0, at) + put + text.slice(at + cut)),
            "model.json",
          );
          const weights = await read(model, { "a.bin": new Uint8Array(48) });
          for (const { shape, data } of weights.values()) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(GraftError);
        }
      }),
      { numRuns: 300 },
    );
  });

  const cases = "../shared/conformance/imports";
  it.skipIf(!existsSync(cases))("reads the shards of converted models whole", async () => {
    for (const [path, count] of [
      ["tfjs_layers_text/model/model.json", 14],
      ["tfjs_graph_tutorial/model/model.json", undefined],
    ] as const) {
      const folder = `${cases}/${dirname(path)}`;
      const model = parseJson(readFileSync(`${cases}/${path}`), path);
      const shard = "group1-shard1of1.bin";
      const files = filesInMemory(new Map([[shard, new Uint8Array(readFileSync(`${folder}/${shard}`))]]));
      const weights = await tfjsWeights(model, files, basename(path));
      if (count !== undefined) expect(weights.size).toBe(count);
      expect(weights.size).toBeGreaterThan(3);
    }
  });
});
