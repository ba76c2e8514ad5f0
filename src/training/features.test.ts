import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { augmented, type Dataset, memoryDataset, type PixelRecipe, randomFlip, subset } from "../data/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError, randomNumbers } from "../tensor/index.ts";
import { pocketBuilder, randomTensor } from "../testing/index.ts";
import { extractFeatures, type FeatureOptions } from "./features.ts";
import { featureStore } from "./features-node.ts";

const runtime: Runtime = await nodeRuntime({ threads: 1 });
const recipe: PixelRecipe = { height: 6, width: 5, method: "bilinear", aspect: "stretch" };

function convolution(seed: number): Graph {
  const b = newBuilder();
  const image = b.input("image", "uint8", ["N", null, null, 3]);
  const x = b.transpose(b.cast(image, "float32"), [0, 3, 1, 2]);
  const kernel = b.constant(randomTensor(randomNumbers(seed), "float32", [4, 3, 3, 3]), "kernel");
  return b.graph([b.apply("Relu", [b.apply("Conv", [x, kernel])], {}, "features")]);
}

const graph = convolution(1);
let data: Dataset;
let folder: string;
beforeAll(async () => {
  const random = randomNumbers(5);
  const pictures = Array.from({ length: 71 }, (_, index) => ({
    width: 7,
    height: 6,
    data: Uint8Array.from({ length: 126 }, () => 256 * random()),
    label: index % 2,
  }));
  data = await memoryDataset(pictures, ["a", "b"]);
  folder = await mkdtemp(join(tmpdir(), "graft features "));
});
afterAll(() => rm(folder, { recursive: true }));

/** Every record, and how many were computed. */
async function extract(options: Partial<FeatureOptions> = {}) {
  const table = await extractFeatures({ graph, data, recipe, runtime, ...options });
  const rows = await table.read(Array.from({ length: table.count }, (_, index) => index));
  await table.close();
  return { rows, computed: table.computed, shape: table.shape };
}

const isSame = (one: Float32Array, other: Float32Array) =>
  Buffer.compare(
    Buffer.from(one.buffer, one.byteOffset, one.byteLength),
    Buffer.from(other.buffer, other.byteOffset, other.byteLength),
  ) === 0;
const width = 4 * 4 * 3;
const rowOf = (rows: Float32Array, index: number) => rows.slice(index * width, (index + 1) * width);
const segmentsIn = async (path: string) =>
  (await readdir(path, { recursive: true }))
    .filter((name) => name.endsWith(".segment"))
    .map((name) => join(path, name));

describe("features", () => {
  it("of a picture do not depend on its company, on its place or on the number of pictures", async () => {
    const { rows, shape } = await extract();
    expect(shape).toEqual([4, 4, 3]);
    expect(rows.some((value) => value > 0)).toBe(true);
    for (const indices of [[3], [70, 3, 1], Array.from({ length: 40 }, (_, index) => 70 - index)]) {
      const few = await extract({ data: subset(data, indices) });
      for (const [row, index] of indices.entries()) {
        expect(isSame(rowOf(few.rows, row), rowOf(rows, index)), `picture ${index}`).toBe(true);
      }
    }
  });

  it("are computed once for equal pictures, and for each way of looking at one", async () => {
    const augmentation = [randomFlip({ mode: "horizontal" })];
    const views = [
      { index: 2 },
      { index: 2 },
      ...Array.from({ length: 12 }, (_, seed) => ({ index: 2, augmentation, seed })),
      { index: 5 },
    ];
    const { rows, computed } = await extract({ views });
    expect(computed).toBe(14);
    expect(isSame(rowOf(rows, 0), rowOf(rows, 1))).toBe(true);
    const flipped = Array.from({ length: 12 }, (_, seed) => isSame(rowOf(rows, 0), rowOf(rows, 2 + seed)));
    // Half of the seeds turn the picture round.
    expect([...new Set(flipped)].sort()).toEqual([false, true]);
    // A dataset's own augmentation is not for features.
    expect(isSame((await extract({ data: augmented(data, augmentation) })).rows, (await extract()).rows)).toBe(true);
  });

  it("are refused where they fit nowhere, and where the graph gives none", async () => {
    await expect(extract({ memory: 100 })).rejects.toThrow(/do not fit into memory/);
    const b = newBuilder();
    const whole = b.graph([b.cast(b.input("image", "uint8", ["N", 6, 5, 3]), "int32")]);
    await expect(extract({ graph: whole })).rejects.toThrow(GraftError);
    await expect(extract({ views: [{ index: 71 }] })).rejects.toThrow(/no such example/);
    await expect(extract({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

describe("features on disk", () => {
  const inFolder = (name: string) => featureStore(join(folder, name));

  it("are found again, also by part and by other names, and told apart by all that computed them", async () => {
    const plain = await extract();
    expect((await extract({ store: inFolder("found"), data: subset(data, [1, 2, 3]) })).computed).toBe(3);
    const more = await extract({ store: inFolder("found") });
    expect(more.computed).toBe(68);
    expect(isSame(more.rows, plain.rows)).toBe(true);
    const renamed = { ...data, names: data.names.map(() => "other"), labels: data.labels.map(() => 0) };
    for (const memory of [2 ** 30, 0]) {
      const again = await extract({ store: inFolder("found"), data: renamed, memory });
      expect(again.computed).toBe(0);
      expect(isSame(again.rows, plain.rows)).toBe(true);
    }
    const others: Partial<FeatureOptions>[] = [
      { graph: convolution(2) },
      { recipe: { ...recipe, method: "antialias" } },
      { recipe: { ...recipe, centralFraction: 0.9 } },
      { runtime: { ...runtime, version: "another" } },
    ];
    for (const other of others) expect((await extract({ store: inFolder("found"), ...other })).computed).toBe(71);
  });

  it("are computed again where a segment is damaged, wherever that is", async () => {
    const plain = await extract();
    const size = async (path: string) => (await readFile(path)).length;
    const store = inFolder("damaged");
    await extract({ store });
    const [segment = ""] = await segmentsIn(join(folder, "damaged"));
    const whole = await readFile(segment);
    for (const at of [0, 9, 14, 40, 300, 71 * 36, 71 * 36 + 40, whole.length - 1]) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      await writeFile(segment, damaged);
      const { rows, computed } = await extract({ store });
      expect(computed, `byte ${at}`).toBeGreaterThan(0);
      expect(isSame(rows, plain.rows), `byte ${at}`).toBe(true);
      // Another process's repair would hide the next damage.
      for (const other of await segmentsIn(join(folder, "damaged"))) if (other !== segment) await rm(other);
    }
    await writeFile(segment, whole);
    await truncate(segment, (await size(segment)) - 4);
    expect((await extract({ store })).computed).toBe(71);
  });

  it("are whole when several write at once", async () => {
    const plain = await extract();
    const results = await Promise.all([1, 2, 3].map(() => extract({ store: inFolder("shared"), memory: 0 })));
    for (const { rows } of results) expect(isSame(rows, plain.rows)).toBe(true);
    expect(await segmentsIn(join(folder, "shared"))).toHaveLength(3);
    expect((await readdir(join(folder, "shared"), { recursive: true })).some((name) => name.endsWith(".tmp"))).toBe(
      false,
    );
  });

  it("stay in memory, with a warning, where the folder cannot be used", async () => {
    const plain = await extract();
    await writeFile(join(folder, "a file"), "");
    for (const memory of [2 ** 30, 0]) {
      const warnings: string[] = [];
      const store = featureStore(join(folder, "a file", "below"), { onWarning: (text) => warnings.push(text) });
      expect(isSame((await extract({ store, memory })).rows, plain.rows)).toBe(true);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/a file where a folder was expected; they stay in memory/);
    }
    const small = featureStore(join(folder, "a file", "below"), { memory: 1000 });
    await expect(extract({ store: small })).rejects.toThrow(/neither the disk nor memory/);
  });

  it("go when there are too many, those unused longest first, and nothing that is not ours", async () => {
    const path = join(folder, "limited");
    const old = (seed: number) => extract({ store: featureStore(path), graph: convolution(seed) });
    await old(3);
    const [first = ""] = await readdir(path);
    await old(4);
    const [second = ""] = (await readdir(path)).filter((name) => name !== first);
    await mkdir(join(path, "photos"));
    await writeFile(join(path, "photos", "cat.jpg"), "x".repeat(1000));
    await utimes(join(path, first), new Date(), new Date(Date.now() - 1e8));
    await utimes(join(path, second), new Date(), new Date(Date.now() - 2e8));
    await extract({ store: featureStore(path, { limit: 20_000 }), graph: convolution(5) });
    const left = await readdir(path);
    expect(left).not.toContain(second);
    expect(left).toEqual(expect.arrayContaining([first, "photos"]));
    await extract({ store: featureStore(path, { limit: 0 }), graph: convolution(6) });
    // What was used within the hour stays: somebody may be reading it.
    expect(await readdir(path)).toHaveLength(3);
    expect(await readFile(join(path, "photos", "cat.jpg"), "utf8")).toHaveLength(1000);
  });
});

describe("features of the base that comes along", () => {
  it("are the same in any company, and for one and two threads", async () => {
    const { build, features } = pocketBuilder();
    const options = { graph: build.graph([features]), recipe: { ...recipe, height: 128, width: 128 } };
    const two = await nodeRuntime({ threads: 2, spinning: false });
    const [one, other, alone] = [
      await extract({ ...options, data: subset(data, [0, 1, 2, 3, 4]) }),
      await extract({ ...options, data: subset(data, [0, 1, 2, 3, 4]), runtime: two }),
      await extract({ ...options, data: subset(data, [4]) }),
    ];
    expect(isSame(one.rows, other.rows)).toBe(true);
    expect(isSame(one.rows.slice(-alone.rows.length), alone.rows)).toBe(true);
    expect(one.rows.every(Number.isFinite) && one.rows.some((value) => value !== one.rows[0])).toBe(true);
  });
});
