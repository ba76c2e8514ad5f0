import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { float32, type NumericTensor, tensorOf } from "../tensor/index.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint, resumeFrom } from "./checkpoint.ts";
import { checkpointFile } from "./checkpoint-node.ts";

const checkpoint = (epoch: number): Checkpoint => ({
  problem: "a problem",
  values: { epoch, best: Number.NaN, none: null, list: [1, -Infinity, { deep: "ja" }], number: { number: "7" } },
  tensors: new Map<string, NumericTensor>([
    ["a weight", float32([3], Float32Array.of(1, Number.NaN, 3))],
    ["__proto__", tensorOf("int64", [], [5])],
    ["half", tensorOf("float16", [1, 3], [1, 2, 0.5])],
    ["nothing", float32([0, 4], new Float32Array(0))],
  ]),
});

describe("a checkpoint", () => {
  it("comes back from its bytes, wherever they lie in memory", async () => {
    const bytes = await encodeCheckpoint(checkpoint(4));
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    for (const each of [bytes, moved.subarray(3)]) {
      const decoded = await decodeCheckpoint(each);
      expect(decoded).toEqual(checkpoint(4));
    }
  });

  it("keeps values of any kind, under any key", async () => {
    const values = fc.dictionary(fc.string(), fc.oneof(fc.double(), fc.string(), fc.boolean(), fc.array(fc.double())));
    await fc.assert(
      fc.asyncProperty(values, async (some) => {
        // JSON knows no negative zero.
        const expected = JSON.stringify(some, (_, value) => (typeof value === "number" ? String(value + 0) : value));
        const bytes = await encodeCheckpoint({ problem: "", values: some, tensors: new Map() });
        const found = (await decodeCheckpoint(bytes))?.values;
        expect(JSON.stringify(found, (_, value) => (typeof value === "number" ? String(value + 0) : value))).toBe(
          expected,
        );
      }),
      { numRuns: 50 },
    );
  });

  it("is none where a bit is wrong or a byte is missing", async () => {
    const bytes = await encodeCheckpoint(checkpoint(4));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        expect(await decodeCheckpoint(damaged)).toBeUndefined();
        expect(await decodeCheckpoint(bytes.subarray(0, at))).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it("is gone on with by its own training only", async () => {
    const bytes = await encodeCheckpoint(checkpoint(4));
    const store = { load: async () => bytes, save: async () => undefined };
    expect((await resumeFrom(store, "a problem"))?.values["epoch"]).toBe(4);
    await expect(resumeFrom(store, "another")).rejects.toThrow(/of another training/);
    expect(await resumeFrom({ ...store, load: async () => undefined }, "a problem")).toBeUndefined();
    expect(await resumeFrom({ ...store, load: async () => bytes.subarray(1) }, "a problem")).toBeUndefined();
  });
});

describe("a checkpoint file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graft checkpoint "));
  afterAll(() => rm(folder, { recursive: true }));
  const epochIn = async (path: string) => {
    const bytes = await checkpointFile(path).load();
    return bytes && (await decodeCheckpoint(bytes))?.values["epoch"];
  };

  it("holds the last checkpoint, and the one before while the last is damaged", async () => {
    const path = join(folder, "checkpoints", "fit");
    expect(await epochIn(path)).toBeUndefined();
    const store = checkpointFile(path);
    for (const epoch of [1, 2, 3]) {
      await store.save(await encodeCheckpoint(checkpoint(epoch)));
      expect(await epochIn(path)).toBe(epoch);
    }
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 100));
    expect(await epochIn(path)).toBe(2);
    // The damaged one does not take the place of the one before.
    await checkpointFile(path).save(await encodeCheckpoint(checkpoint(4)));
    expect(await epochIn(path)).toBe(4);
    await rm(path);
    expect(await epochIn(path)).toBe(2);
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["fit.previous"]);
  });

  it("says why it cannot be written", async () => {
    await writeFile(join(folder, "a file"), "");
    const store = checkpointFile(join(folder, "a file", "fit"));
    await expect(store.save(await encodeCheckpoint(checkpoint(1)))).rejects.toThrow(/cannot be written/);
  });
});
