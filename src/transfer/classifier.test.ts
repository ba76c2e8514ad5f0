import { describe, expect, it } from "vitest";
import type { Dataset, PhotoList } from "../data/index.ts";
import { type Graph, verify } from "../graph/index.ts";
import { type ArtifactMetadata, readArtifact, withProbabilities, withWeights, writeArtifact } from "../model/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError } from "../tensor/index.ts";
import { openClassifier, type PhotoAnswer, packClassifier } from "./classifier.ts";

const classNames = ["dark", "__proto__"];

/** Says "dark" of pictures whose mean is below 128, and how much: logits are ∓(mean − 128) / 16. */
function brightness(): Graph {
  const build = newBuilder();
  const image = build.input("image", "uint8", ["N", 2, 2, 3]);
  const mean = build.reduceMean(build.reshape(build.cast(image, "float32"), [-1, 12]), [1]);
  const kernel = build.constant(float32([1, 2], new Float32Array([-1 / 16, 1 / 16])), "kernel");
  const bias = build.constant(float32([2], new Float32Array([8, -8])), "bias");
  return withProbabilities(verify(build.graph([build.apply("Gemm", [mean, kernel, bias], {}, "logits")])), 2);
}

const about: Omit<ArtifactMetadata, "schema" | "task" | "golden"> = {
  classes: classNames,
  pixels: { height: 2, width: 2, method: "bilinear", aspect: "stretch" },
  range: null,
  temperature: 2,
  notSureBelow: 0.9,
  base: { name: "none", source: "none", digest: "", license: null },
  data: { digest: "", counts: {} },
  settings: {},
  versions: { graftwork: "0", runtime: "0" },
  figures: null,
  frozenDigest: null,
};

const packed = async () => await packClassifier(brightness(), about, await nodeRuntime({ threads: 1 }));
const opened = async (bytes?: Uint8Array) =>
  await openClassifier(bytes ?? (await packed()), await nodeRuntime({ threads: 1 }), { path: "c.onnx" });

/** One grey picture. */
const grey = (value: number) => new Uint8Array(12).fill(value);

/** Photos of these greys; `undefined` is one that does not decode. `asked` receives what is read, batch by batch. */
function photosOf(values: readonly (number | undefined)[], asked: number[][] = []): PhotoList {
  return {
    files: values.map((_, index) => `${index}.png`),
    read: async (indices) => {
      asked.push([...indices]);
      return indices.map((index) => {
        const value = values[index];
        return value === undefined ? new GraftError("bad-data", "torn", { path: [`${index}.png`] }) : grey(value);
      });
    },
    close: async () => undefined,
  };
}

function datasetOf(values: readonly number[], labels: readonly number[], names = classNames): Dataset {
  return {
    classNames: names,
    labels,
    digests: values.map(String),
    names: values.map((value) => `grey ${value}`),
    read: async (views) => {
      const pixels = new Uint8Array(views.length * 12);
      for (const [place, { index }] of views.entries()) pixels.set(grey(values[index] ?? 0), place * 12);
      return pixels;
    },
  };
}

async function all(answers: AsyncIterable<PhotoAnswer>): Promise<PhotoAnswer[]> {
  const list: PhotoAnswer[] = [];
  for await (const answer of answers) list.push(answer);
  return list;
}

describe("packClassifier", () => {
  it("gives the same bytes again, golden samples included", async () => {
    const [one, two] = [await packed(), await packed()];
    expect(Buffer.compare(one, two)).toBe(0);
    const { metadata } = readArtifact(one);
    expect(metadata.golden).toHaveLength(3);
    expect(new Set(metadata.golden.map(({ pixels }) => pixels)).size).toBe(3);
    expect(JSON.stringify(metadata).length).toBeLessThan(300_000);
  });
});

describe("openClassifier", () => {
  it("finds no deviation in what was just saved", async () => {
    const classifier = await opened();
    expect(classifier.deviation).toBeLessThan(1e-6);
    expect(classifier.remarks).toEqual([]);
    await classifier.close();
  });

  it("says of a model that answers a little otherwise by how much, and refuses one that answers quite otherwise", async () => {
    const { model, metadata } = readArtifact(await packed());
    const changed = (bias: number) => {
      const weights = new Map([["bias", float32([2], new Float32Array([bias, -8]))]]);
      return writeArtifact(withWeights(model.graph, weights), metadata);
    };
    const classifier = await opened(changed(8.01));
    expect(classifier.deviation).toBeGreaterThan(1e-3);
    expect(classifier.remarks.join()).toMatch(/deviate by 0\.0\d+ from/);
    await classifier.close();
    await expect(opened(changed(9))).rejects.toThrow(/c\.onnx: golden samples: .*does not answer as it did/);
    await expect(opened(changed(Number.NaN))).rejects.toThrow(/found NaN/);
  });

  it("says so where there is nothing to replay", async () => {
    const { model, metadata } = readArtifact(await packed());
    const classifier = await opened(writeArtifact(model.graph, { ...metadata, golden: [] }));
    expect(classifier.deviation).toBeUndefined();
    expect(classifier.remarks.join()).toMatch(/no golden samples/);
    await classifier.close();
  });
});

describe("a classifier", () => {
  it("answers each photo in order, and those that do not decode with their errors", async () => {
    const classifier = await opened();
    const answers = await all(
      classifier.predictEach(photosOf([0, undefined, 255, 130, undefined, 100]), { batchSize: 2 }),
    );
    expect(answers.map(({ file }) => file)).toEqual(["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"]);
    expect(answers.map((answer) => ("error" in answer ? answer.error.reason : answer.label))).toEqual([
      "dark",
      "torn",
      "__proto__",
      "__proto__",
      "torn",
      "dark",
    ]);
    const [sure, , , unsure] = answers;
    expect(sure).toMatchObject({ isSure: true });
    expect(unsure).toMatchObject({ isSure: false });
    // The temperature halves the difference of the logits, 2 · (130 − 128) / 16.
    expect(unsure).toMatchObject({ probability: expect.closeTo(1 / (1 + Math.exp(-0.125)), 5) });
    await classifier.close();
  });

  it("reads the next batch while one is worked on, and tells how far it is", async () => {
    const classifier = await opened();
    const [asked, told]: [number[][], number[][]] = [[], []];
    const answers = classifier.predictEach(photosOf([1, 2, 3, 4, 5], asked), {
      batchSize: 2,
      onProgress: (done, total) => told.push([done, total]),
    });
    await answers.next();
    expect(asked).toEqual([
      [0, 1],
      [2, 3],
    ]);
    await all(answers);
    expect(asked).toEqual([[0, 1], [2, 3], [4]]);
    expect(told).toEqual([
      [2, 5],
      [4, 5],
      [5, 5],
    ]);
    await classifier.close();
  });

  it("says nothing of nothing, and stops when told to", async () => {
    const classifier = await opened();
    expect(await all(classifier.predictEach(photosOf([])))).toEqual([]);
    expect(await all(classifier.predictEach(photosOf([undefined])))).toHaveLength(1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(all(classifier.predictEach(photosOf([1]), { signal }))).rejects.toThrow("enough");
    await expect(all(classifier.predictEach(photosOf([1]), { batchSize: 0 }))).rejects.toThrow(/batch size/);
    await classifier.close();
  });

  it("is evaluated at its temperature and threshold, whatever the size of the batches", async () => {
    const classifier = await opened();
    const dataset = datasetOf([0, 120, 136, 250, 130], [0, 0, 1, 1, 0]);
    const [whole, parts] = [await classifier.evaluate(dataset), await classifier.evaluate(dataset, { batchSize: 2 })];
    expect(whole).toMatchObject({ n: 5, accuracy: 0.8, calibration: { temperature: 2 } });
    expect(whole.confusion).toEqual([
      [2, 1],
      [0, 2],
    ]);
    expect(whole.notSure.threshold).toBe(0.9);
    expect(parts).toEqual(whole);
    expect(whole.topMistakes.map(({ name }) => name)).toEqual(["grey 130"]);
    await classifier.close();
  });

  it("refuses a dataset of other classes, and pixels that are no whole picture", async () => {
    const classifier = await opened();
    await expect(classifier.evaluate(datasetOf([1], [0], ["dark", "light"]))).rejects.toThrow(/other classes/);
    await expect(classifier.scores(new Uint8Array(13))).rejects.toThrow(/a multiple of 12 bytes, found 13 bytes/);
    await classifier.close();
  });
});
