import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { float32, type NumericTensor } from "../tensor/index.ts";
import { runGraph } from "../testing/index.ts";
import { loadApplication } from "./application-node.ts";
import { writeArtifact } from "./artifact.ts";
import { artifactSchema, baseMetadata } from "./artifactMetadata.ts";
import type { Base } from "./base.ts";
import { fineTuningPoints } from "./base-points.ts";
import { classifierGraph, headlessGraph } from "./classifierGraph.ts";
import { defaultBase, loadBase } from "./load-base-node.ts";

const root = resolve(import.meta.dirname, "../..");
const shared = resolve(root, "../shared");
const fixtures = join(root, "tests/fixtures/bases");
const official = join(shared, "models/keras_applications");
const noTop = join(official, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5");
const withTop = join(official, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
const hasWeights = existsSync(noTop) && existsSync(withTop);

let folder: string;
let pocket: Base;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bases 'é "));
  vi.stubEnv("KERAS_HOME", join(folder, "keras"));
  pocket = await loadBase("pocket");
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Puts an official file where Keras keeps it, for as long as `run` takes. */
async function withKerasFile<T>(path: string, run: () => Promise<T>): Promise<T> {
  const models = join(folder, "keras", "models");
  mkdirSync(models, { recursive: true });
  symlinkSync(path, join(models, basename(path)));
  try {
    return await run();
  } finally {
    rmSync(models, { recursive: true });
  }
}

describe("loadBase", () => {
  it("gives the base that comes along, with what to know of it", () => {
    expect(pocket).toMatchObject({
      name: "pocket",
      layout: "channels_first",
      recipe: { height: 128, width: 128, method: "bilinear", aspect: "stretch" },
      range: { name: "[-1, 1]" },
      features: 1280,
      provenance: { source: "pocket.onnx", license: expect.stringContaining("Apache-2.0") },
    });
    expect(pocket.remarks.join(" ")).toMatch(/0\.830 where MobileNetV2 is on 0\.977.*--base MobileNetV2/);
    expect(pocket.layers[0]).toMatchObject({ name: "Conv1", weights: [{ name: "Conv1/kernel", isTrainable: true }] });
    const statistics = pocket.layers.flatMap(({ weights }) => weights.filter((weight) => !weight.isTrainable));
    expect(statistics.every(({ name }) => /moving_(mean|variance)$/.test(name))).toBe(true);
    const count = pocket.layers.flatMap(({ weights }) => weights).length;
    expect(count).toBe(pocket.graph.initializers.size - 2);
  });

  it("knows pocket by its content under another name, and resizes it", async () => {
    const copy = join(folder, "some model.bin");
    copyFileSync(join(root, "models/pocket.onnx"), copy);
    const base = await loadBase(copy, { imageSize: 96 });
    expect(base).toMatchObject({ name: "pocket", recipe: { height: 96, width: 96 }, range: { name: "[-1, 1]" } });
    expect(base.provenance).toEqual(pocket.provenance);
  });

  it("cuts where it is asked to, and lets the range be given", async () => {
    const range = { name: "mine", channels: "bgr", scale: [1, 1, 1], offset: [0, 0, 0] } as const;
    const base = await loadBase("pocket", { cut: "block_13_expand/relu6", range });
    expect(base).toMatchObject({ features: 288, range });
    expect(base.layers.at(-1)?.name).toBe("block_13_expand_relu");
    await expect(loadBase("pocket", { cut: "block_99" })).rejects.toMatchObject({ code: "usage" });
  });

  it("takes a classifier made here as a base: pixels 0-255 in, its features out", async () => {
    const head = { kernel: new Float32Array(1280 * 2).fill(0.01), bias: new Float32Array(2) };
    const bytes = writeArtifact(classifierGraph(pocket, head), {
      schema: artifactSchema,
      task: "image-classification",
      classes: ["a", "b"],
      pixels: pocket.recipe,
      range: pocket.range ?? null,
      temperature: 1,
      notSureBelow: 0,
      base: baseMetadata(pocket.name, pocket.provenance),
      data: { digest: "0".repeat(64), counts: {} },
      settings: {},
      versions: { graftwork: "0", runtime: "0" },
      figures: null,
      frozenDigest: null,
      golden: [],
    });
    const path = join(folder, "classifier.onnx");
    writeFileSync(path, bytes);
    const base = await loadBase(path);
    expect(base).toMatchObject({
      name: "pocket",
      layout: "channels_last",
      range: { name: "[0, 255]" },
      features: 1280,
    });
    const image = {
      dtype: "uint8",
      shape: [1, 128, 128, 3],
      data: new Uint8Array(49152).map((_, at) => at % 251),
    } as const;
    const [before] = (await runGraph(headlessGraph(pocket), { image })).values();
    const [after] = (await runGraph(headlessGraph(base), { image })).values();
    expectNear(after, Array.from((before as NumericTensor).data, Number), 1e-5);
  });

  it("says what a handle is that is no base", async () => {
    await expect(loadBase("mobilnetv2")).rejects.toMatchObject({ code: "usage", hint: "did you mean MobileNetV2?" });
    await expect(loadBase("https://example.com/m.onnx", { offline: true })).rejects.toMatchObject({
      code: "not-cached",
    });
    await expect(loadBase("tfhub:google/mobilenet")).rejects.toMatchObject({ code: "usage" });
    const empty = join(folder, "empty");
    mkdirSync(empty);
    await expect(loadBase(empty)).rejects.toMatchObject({ code: "model-invalid", reason: "there is no model in it" });
    await expect(loadBase("MobileNetV2?alpha=0.6")).rejects.toMatchObject({ code: "usage", actual: "0.6" });
    await expect(loadBase("MobileNetV2?width=2")).rejects.toMatchObject({ code: "usage" });
    const html = join(folder, "weights.h5");
    writeFileSync(html, "<!DOCTYPE html><html>");
    await expect(loadBase(html)).rejects.toMatchObject({
      code: "model-invalid",
      reason: expect.stringContaining("this is an HTML page"),
    });
    await expect(loadBase(join(fixtures, "whole_model.h5"))).rejects.toMatchObject({
      code: "model-invalid",
      reason: "the model's config is none of Keras's",
    });
    await expect(loadBase(join(fixtures, "plain.h5"))).rejects.toMatchObject({
      code: "model-refused",
      actual: '3 layers, the first "Conv1/kernel:0" [3, 3, 3, 2]',
    });
  });

  it("downloads nothing when offline, and says where Keras's file belongs", async () => {
    await expect(loadBase("mobilenetv2", { offline: true })).rejects.toMatchObject({
      code: "not-cached",
      hint: expect.stringContaining(join(folder, "keras", "models")),
    });
    expect(await defaultBase()).toBe("pocket");
  });

  describe.skipIf(!hasWeights)("with Keras's weights of ../shared", () => {
    it("recognises a weights file, and computes TensorFlow's features of photos", async () => {
      const { photos, cases } = JSON.parse(readFileSync(join(fixtures, "mobilenetv2_features.json"), "utf8"));
      for (const { size, every10th } of cases) {
        const base = await loadBase(noTop, { imageSize: size });
        expect(base).toMatchObject({ name: "MobileNetV2", features: 1280, range: { name: "[-1, 1]" } });
        const pictures = await Promise.all(photos.map((photo: string) => nearestPixels(photo, size)));
        for (const [index, picture] of pictures.entries()) {
          const [features] = (await runGraph(base.graph, { input_layer: picture })).values();
          const sampled = Array.from((features as NumericTensor).data, Number).filter((_, at) => at % 10 === 0);
          expectNear(float32([sampled.length], Float32Array.from(sampled)), every10th[index], 1e-4);
        }
      }
    });

    it("leaves the classifier of a file with the top out, and gives the same features", async () => {
      const [one, other] = [await loadBase(noTop), await loadBase(withTop)];
      expect(other.remarks).toEqual(["The file's classifier of 1000 classes was left out."]);
      const bytes = [one, other].map(({ graph }) => writeModel(onnxModelOf(graph)));
      expect(Buffer.compare(bytes[0] ?? Buffer.of(), bytes[1] ?? Buffer.of(1))).toBe(0);
    });

    it("takes weights of another size from Keras's folder before it would download any", async () => {
      await withKerasFile(withTop, async () => {
        expect(await defaultBase()).toBe("MobileNetV2");
        const base = await loadBase("MobileNetV2", { imageSize: 160, offline: true });
        expect(base).toMatchObject({
          recipe: { height: 160 },
          provenance: { source: basename(withTop), license: "Apache-2.0" },
        });
      });
    });

    it("cuts at a layer's name", async () => {
      const base = await loadBase(noTop, { cut: "block_13_expand_relu" });
      expect(base).toMatchObject({ features: 576 });
      expect(base.graph.outputs[0]?.shape).toEqual(["N", 576, 14, 14]);
      expect(base.layers.at(-1)?.name).toBe("block_13_expand_relu");
      expect(base.layers).toHaveLength(119);
    });

    it("finds the blocks of the paper as fine-tuning points", async () => {
      const ends = fineTuningPoints(await loadBase(noTop)).filter(({ isBlockEnd }) => isBlockEnd);
      const names = ends.map(({ value }) => value);
      for (const block of [2, 4, 5, 7, 8, 9, 11, 12, 14, 15]) expect(names).toContain(`block_${block}_add`);
      for (const block of [1, 3, 6, 10, 13, 16]) expect(names).toContain(`block_${block}_project_BN`);
      expect(ends.at(-1)).toMatchObject({
        value: "block_16_project_BN",
        trainable: ["Conv_1/kernel", "Conv_1_bn/gamma", "Conv_1_bn/beta"],
      });
    });
  });
});

describe("loadApplication", () => {
  it("draws weights from a seed, and refuses what Keras refuses", async () => {
    const options = { weights: null, includeTop: false, inputShape: [32, 32, 3], alpha: 0.35 } as const;
    const [one, same, other] = await Promise.all(
      [0, 0, 1].map((seed) => loadApplication("MobileNetV2", { ...options, seed })),
    );
    const bytes = [one, same, other].map((model) => Buffer.from(writeModel(onnxModelOf(model?.graph ?? pocket.graph))));
    expect(bytes[0]?.equals(bytes[1] ?? Buffer.of())).toBe(true);
    expect(bytes[0]?.equals(bytes[2] ?? Buffer.of())).toBe(false);
    const refused = [
      { alpha: 0.6 },
      { classes: 5 },
      { inputShape: [100, 100, 3] as const },
      { inputShape: [20, 20, 3] as const, weights: null },
    ];
    for (const each of refused)
      await expect(loadApplication("MobileNetV2", each)).rejects.toMatchObject({ code: "usage" });
    await expect(loadApplication("ResNet9000")).rejects.toMatchObject({
      code: "usage",
      expected: expect.stringContaining("MobileNetV2"),
    });
  });

  it.skipIf(!hasWeights)("reads a weights file that fits, and names the layer where one does not", async () => {
    const model = await loadApplication("MobileNetV2", { weights: noTop, includeTop: false, inputShape: [96, 96, 3] });
    expect(model.layers).toHaveLength(154);
    expect(model.provenance).toMatchObject({ source: basename(noTop), license: undefined });
    await expect(
      loadApplication("MobileNetV2", { weights: noTop, includeTop: false, alpha: 0.5 }),
    ).rejects.toMatchObject({
      code: "model-invalid",
      path: [noTop, 'layer "Conv1"', "kernel"],
    });
  });
});

/** The photo at a size by its nearest pixels, as make_weights.py takes them, in [-1, 1] as `[1, 3, size, size]`. */
async function nearestPixels(photo: string, size: number): Promise<NumericTensor> {
  const file = join(shared, "data/cats_and_dogs/validation", photo);
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  const pixels = new Float32Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const row = Math.floor(((y + 0.5) * info.height) / size);
      const column = Math.floor(((x + 0.5) * info.width) / size);
      for (let channel = 0; channel < 3; channel++) {
        const value = data[(row * info.width + column) * info.channels + channel] ?? 0;
        pixels[(channel * size + y) * size + x] = value / 127.5 - 1;
      }
    }
  }
  return float32([1, 3, size, size], pixels);
}

function expectNear(tensor: unknown, expected: readonly number[], tolerance: number): void {
  const values = Array.from((tensor as NumericTensor).data, Number);
  expect(values).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, index) => Math.abs(value - (values[index] ?? Number.NaN))));
  expect(worst).toBeLessThanOrEqual(tolerance * largest);
}
