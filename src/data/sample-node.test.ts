import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { drawSamplePicture, sampleKinds } from "./sample.ts";
import { drawSample } from "./sample-node.ts";

describe("drawSamplePicture", () => {
  it("draws the same picture for the same seed, and another for every other kind and seed", () => {
    const drawn = sampleKinds.flatMap((kind) => [1, 2, 3].map((seed) => drawSamplePicture(kind, seed, 48)));
    expect(new Set(drawn.map(({ data }) => data.join()))).toHaveLength(9);
    expect(Buffer.compare(drawSamplePicture("sailboat", 2, 48).data, drawn[4]?.data ?? new Uint8Array())).toBe(0);
  });

  it("draws something to see whatever the seed", () => {
    for (let seed = 0; seed < 90; seed++) {
      const { data, width, height } = drawSamplePicture(sampleKinds[seed % 3] ?? "windmill", seed, 32);
      expect([width, height, data.length]).toEqual([32, 32, 32 * 32 * 3]);
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
      expect([seed, mean > 15 && mean < 240 && deviation > 6]).toEqual([seed, true]);
      expect([seed, data.filter((value) => value === 0).length < data.length / 4]).toEqual([seed, true]);
    }
  });

  it("draws the same scene at another size", () => {
    const [small, large] = [drawSamplePicture("lighthouse", 5, 32), drawSamplePicture("lighthouse", 5, 64)];
    const halved = small.data.map((_, index) => {
      const [row, column, channel] = [Math.floor(index / 96), Math.floor(index / 3) % 32, index % 3];
      const at = (y: number, x: number) => large.data[((2 * row + y) * 64 + 2 * column + x) * 3 + channel] ?? 0;
      return (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
    });
    const difference = small.data.reduce((sum, value, index) => sum + Math.abs(value - (halved[index] ?? 0)), 0);
    expect(difference / small.data.length).toBeLessThan(15);
  });
});

describe("drawSample", () => {
  let parent = "";
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "graft sample '😀' "));
  });
  afterEach(async () => {
    await rm(parent, { recursive: true });
  });

  const filesIn = async (folder: string) =>
    (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;

  it("writes a folder a class, each with pictures that decode", async () => {
    const folder = join(parent, "__proto__");
    expect(await drawSample(folder, { perClass: 2 })).toEqual({ folder, classNames: [...sampleKinds], pictures: 6 });
    expect((await readdir(folder)).sort()).toEqual(["lighthouse", "sailboat", "windmill"]);
    expect((await readdir(join(folder, "sailboat"))).sort()).toEqual(["sailboat-001.jpg", "sailboat-002.jpg"]);
    const { format, width, height } = await sharp(join(folder, "windmill", "windmill-002.jpg")).metadata();
    expect({ format, width, height }).toEqual({ format: "jpeg", width: 192, height: 192 });
  });

  it("draws the same files again, however many, and others for another seed", async () => {
    const [few, more, other] = ["few", "more", "other"].map((name) => join(parent, name));
    await drawSample(few ?? "", { perClass: 1, seed: 3 });
    await drawSample(more ?? "", { perClass: 2, seed: 3 });
    await drawSample(other ?? "", { perClass: 1, seed: 4 });
    const first = (folder = "") => readFile(join(folder, "lighthouse", "lighthouse-001.jpg"));
    expect(Buffer.compare(await first(few), await first(more))).toBe(0);
    expect(Buffer.compare(await first(few), await first(other))).not.toBe(0);
    await drawSample(few ?? "", { perClass: 2, seed: 3 });
    expect(await filesIn(few ?? "")).toBe(6);
  });

  it("leaves a folder with other things alone, hidden files aside", async () => {
    await writeFile(join(parent, ".DS_Store"), "");
    await writeFile(join(parent, "letter.txt"), "dear");
    await expect(drawSample(parent, { perClass: 1 })).rejects.toThrow(
      expect.objectContaining({ code: "usage", path: [parent], actual: "letter.txt" }),
    );
    expect((await readdir(parent)).sort()).toEqual([".DS_Store", "letter.txt"]);
    await rm(join(parent, "letter.txt"));
    await drawSample(parent, { perClass: 1 });
    expect(await filesIn(parent)).toBe(4);
  });

  it("refuses a file's name for the folder, and numbers that are none", async () => {
    await writeFile(join(parent, "file"), "");
    await expect(drawSample(join(parent, "file"))).rejects.toThrow(
      expect.objectContaining({ code: "usage", actual: "a file where a folder was expected" }),
    );
    await expect(drawSample(join(parent, "new"), { perClass: 0 })).rejects.toThrow(
      expect.objectContaining({ code: "usage", path: ["perClass"] }),
    );
    await expect(drawSample(join(parent, "new"), { seed: 0.5 })).rejects.toThrow(
      expect.objectContaining({ code: "usage", path: ["seed"] }),
    );
    expect(await readdir(parent)).toEqual(["file"]);
  });
});
