/** @file Applications by handle and by their weights. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  buildApplication,
  type FamilyOptions,
  familyNamed,
  randomWeights,
  weightSpecsOf,
} from "../applications/index.ts";
import type { KerasWeightFile, StoredLayer } from "../importers/index.ts";
import type { WeightSpec } from "../layers/index.ts";
import { elementCount } from "../tensor/index.ts";
import { applicationBase, loadApplication, openApplication } from "./application-node.ts";
import { applicationWithWeights, recognizeApplication } from "./base-application.ts";
import { fineTuningPoints } from "./base-points.ts";
import { decodePredictions, imageNetClasses, publishedWeights } from "./keras-folder-node.ts";

/** A file of weights as Keras would write it, with names made of ours by `rename`; every element is its position. */
function stored(name: string, options: FamilyOptions, rename = (layer: string) => layer): KerasWeightFile {
  const specs = weightSpecsOf((weights) => buildApplication(familyNamed(name), options, weights));
  const layers: StoredLayer[] = [];
  let last: { readonly layer: string; readonly weights: StoredLayer["weights"][number][] } | undefined;
  specs.forEach((spec: WeightSpec, index) => {
    const layer = spec.layer.split("/")[0] ?? "";
    if (last?.layer !== layer) {
      last = { layer, weights: [] };
      layers.push({ name: rename(layer), weights: last.weights }, { name: `${rename(layer)}_after`, weights: [] });
    }
    last.weights.push({
      name: `${layer}/${spec.weight}:0`,
      shape: spec.shape,
      read: () => new Float32Array(elementCount(spec.shape)).fill(index),
    });
  });
  return { kind: "layers", isWholeModel: false, layers };
}

describe("recognizeApplication", () => {
  const small = { inputShape: [64, 64, 3], includeTop: false } as const;

  it.each<[string, FamilyOptions]>([
    ["MobileNet", { alpha: 0.25 }],
    ["MobileNet", { alpha: 0.35 }],
    ["MobileNetV3Small", { minimalistic: true }],
    ["MobileNetV3Large", { alpha: 0.75 }],
    ["ResNet50V2", {}],
    ["EfficientNetB1", {}],
    ["ConvNeXtTiny", {}],
    ["NASNetMobile", {}],
  ])("knows %s with %o by its weights, whatever its layers are called", (name, variant) => {
    const { inputShape: _, ...own } = variant;
    const file = stored(name, { ...small, ...variant }, (layer) => `other/${layer}`);
    expect(recognizeApplication(file)).toEqual({
      family: familyNamed(name),
      options: { ...own, includeTop: false },
    });
  });

  it.each(["MobileNet", "MobileNetV3Small", "DenseNet121"])("knows how many classes the top of %s has", (name) => {
    expect(recognizeApplication(stored(name, { classes: 7 })).options).toEqual({ includeTop: true, classes: 7 });
  });

  it("refuses weights that lack the last, have one more, or one of another shape", () => {
    const file = stored("MobileNetV2", { ...small, alpha: 0.35 });
    const { layers } = file;
    const last = layers.findLastIndex(({ weights }) => weights.length > 0);
    const extra: StoredLayer = { name: "more", weights: layers[last]?.weights ?? [] };
    const other = layers.map((layer, index) =>
      index === last ? { ...layer, weights: layer.weights.map((weight) => ({ ...weight, shape: [1279] })) } : layer,
    );
    for (const changed of [layers.slice(0, last), [...layers, extra], other]) {
      expect(() => recognizeApplication({ ...file, layers: changed })).toThrow(
        expect.objectContaining({ code: "model-refused" }),
      );
    }
  });

  it("builds EfficientNet as for the published weights where the file has their statistics", () => {
    const file = stored("EfficientNetB0", small);
    const index = file.layers.findIndex(({ weights }) => weights.length > 0);
    const [mean, variance, count] = file.layers[index]?.weights ?? [];
    if (mean === undefined || variance === undefined || count === undefined) throw new Error("no statistics");
    const deviations = { ...variance, read: () => Float32Array.of(0.229, 0.224, 0.225) };
    const layers = file.layers.with(index, { name: "normalization", weights: [mean, deviations, count] });
    expect(recognizeApplication(file).options.weights).toBeUndefined();
    expect(recognizeApplication({ ...file, layers }).options.weights).toBe("imagenet");
  });
});

describe("applicationWithWeights", () => {
  const options = { inputShape: [32, 32, 3], includeTop: false, alpha: 0.25 } as const;
  const valuesOf = (file: ReturnType<typeof stored>) => {
    const { graph } = applicationWithWeights(familyNamed("MobileNet"), options, file);
    return new Map([...graph.initializers].map(([{ name }, { data }]) => [name, data[0]]));
  };

  it("matches layers by name where all are there, in whatever order, and by order otherwise", () => {
    const file = stored("MobileNet", options);
    const byOrder = valuesOf(stored("MobileNet", options, (layer) => `old_${layer}`));
    expect(byOrder.get("conv_pw_13_bn/moving_variance")).toBe(134);
    expect(valuesOf({ ...file, layers: file.layers.toReversed() })).toEqual(byOrder);
    expect(valuesOf(file)).toEqual(byOrder);
  });

  it("names the layer whose weights do not fit", () => {
    const file = stored("MobileNet", { ...options, inputShape: [32, 32, 1] });
    expect(() => valuesOf(file)).toThrow(
      expect.objectContaining({ code: "model-invalid", path: ['layer "conv1"', "kernel"] }),
    );
  });
});

describe("Keras's folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "graft-applications-"));
  const models = join(folder, "models");

  beforeAll(() => {
    mkdirSync(models);
    vi.stubEnv("KERAS_HOME", folder);
    vi.stubEnv("GRAFT_OFFLINE", "1");
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it("is where published weights are looked for, and where the message says they belong", async () => {
    await expect(loadApplication("vgg19")).rejects.toMatchObject({
      code: "not-cached",
      hint: expect.stringContaining(join(models, "vgg19_weights_tf_dim_ordering_tf_kernels.h5")),
    });
    await expect(applicationBase("keras:EfficientNetB3")).rejects.toMatchObject({
      path: ["efficientnetb3_notop.h5"],
    });
  });

  it("lends weights that are not the published ones only with a word about it", async () => {
    const file = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5";
    writeFileSync(join(models, file), "not it");
    await expect(loadApplication("ResNet50", { includeTop: false })).rejects.toMatchObject({ code: "model-invalid" });
    const [resNet, mobileNet] = [familyNamed("ResNet50"), familyNamed("MobileNet")];
    expect((await publishedWeights(resNet, { includeTop: false })).remarks).toEqual([
      `${file} in Keras's folder is not the file that Keras publishes: its digest is another.`,
    ]);
    // Of MobileNet Keras states no digests.
    writeFileSync(join(models, "mobilenet_5_0_224_tf.h5"), "not it");
    const options = { alpha: 0.5, includeTop: false, inputShape: [160, 160, 3] } as const;
    expect(await publishedWeights(mobileNet, options)).toEqual({
      path: join(models, "mobilenet_5_0_224_tf.h5"),
      remarks: ["Its weights are those for 224 pixels: those for 160 are not on this machine."],
    });
    await expect(publishedWeights(mobileNet, { alpha: 0.25 })).rejects.toMatchObject({ code: "not-cached" });
  });

  it("holds the names of ImageNet's classes", async () => {
    await expect(imageNetClasses()).rejects.toMatchObject({ code: "not-cached" });
    const classes = Array.from({ length: 1000 }, (_, index) => [index, [`n${index}`, `thing ${index}`]] as const);
    writeFileSync(join(models, "imagenet_class_index.json"), JSON.stringify(Object.fromEntries(classes)));
    const predictions = new Float32Array(1000);
    predictions[207] = 0.9;
    const [row] = await decodePredictions(predictions, { top: 1 });
    expect(row).toEqual([{ id: "n207", name: "thing 207", score: Math.fround(0.9) }]);
  });
});

describe("openApplication", () => {
  it("gives the model that a handle means, channels last as Keras has it", async () => {
    const handle = "keras:MobileNet?alpha=0.25&weights=none&include_top=false&input_shape=65x97x3&pooling=max";
    const { graph, layers, format, range, license } = await openApplication(handle);
    expect(graph.inputs[0]?.shape).toEqual(["N", 65, 97, 3]);
    expect(graph.outputs[0]?.shape).toEqual(["N", 256]);
    expect(layers.at(-1)?.name).toBe("global_max_pooling2d");
    expect({ format, range: range?.range.name, license }).toEqual({
      format: "keras.applications.MobileNet",
      range: "[-1, 1]",
      license: "Apache-2.0",
    });
  });
});

describe("fine-tuning points", () => {
  it.each([
    ["VGG16", "block3_pool"],
    ["MobileNet", "conv_dw_6_relu"],
    ["DenseNet121", "conv4_block24_concat"],
    ["EfficientNetB0", "block6a_project_bn"],
  ])("of %s begin with its pictures and lie between its blocks, at %s for one", (name, block) => {
    const options = { includeTop: false, pooling: "avg", inputShape: [96, 96, 3] } as const;
    const base = buildApplication(familyNamed(name), options, randomWeights());
    const points = fineTuningPoints(base);
    const trainable = base.layers.flatMap(({ weights }) => weights.filter(({ isTrainable }) => isTrainable));
    expect(points[0]?.trainable).toHaveLength(trainable.length);
    expect(points.filter(({ isBlockEnd }) => isBlockEnd).map(({ value }) => value)).toContain(block);
    // None lies between a convolution and its activation, where weights behind it would count as those after it.
    expect(points.some(({ value }) => value.endsWith("/convolution"))).toBe(false);
  });
});
