import { describe, expect, it } from "vitest";
import { memoryDataset, type PhotoFolder } from "../data/index.ts";
import { type Base, type ValueRange, valueRanges } from "../model/index.ts";
import { loadBase } from "../model/load-base-node.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { checkFit } from "./check-fit.ts";
import { classFindings, pictureFindings, rangeFindings } from "./findings.ts";
import { inspectModel } from "./inspect-node.ts";
import { deadLeaves } from "./leaves.ts";
import { compareRanges } from "./statistics.ts";

const side = 96;
const pocket: Base = await loadBase("pocket", { imageSize: side });
const runtime = await nodeRuntime({ threads: 1 });
const pixels = { data: deadLeaves(8, side, side), count: 8 };
const named = (name: string): ValueRange => {
  const found = valueRanges.find((range) => range.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

/** Drawn pictures under these classes in turn. */
async function photos(
  classNames: readonly string[],
  count = 16,
): Promise<Pick<PhotoFolder, "train" | "classNames" | "skipped" | "pictures">> {
  const drawn = deadLeaves(count, side, side);
  const size = side * side * 3;
  const pictures = Array.from({ length: count }, (_, index) => ({
    width: side,
    height: side,
    data: drawn.subarray(index * size, (index + 1) * size),
    label: index % classNames.length,
  }));
  return { classNames, train: await memoryDataset(pictures, classNames), skipped: [], pictures: undefined };
}

describe("the range that batch norms tell", () => {
  it("is the one that the base was trained on, by far", async () => {
    const found = await compareRanges(pocket, pixels, runtime);
    expect(found?.trials[0]?.range.name).toBe("[-1, 1]");
    expect(found?.margin).toBeGreaterThan(3);
    expect(found?.trials.at(-1)?.range.name).toBe("[0, 255]");
  });

  it("is taken where nobody said one", async () => {
    const { range: _, ...unknown } = pocket;
    const { base, findings } = await checkFit({ ...unknown, range: undefined }, await photos(["a", "b"]), runtime);
    expect(base.range).toEqual(named("[-1, 1]"));
    expect(findings.find(({ about }) => about === "range")).toMatchObject({ severity: "fix" });
  });

  it("contradicts a wrong one that a person gave, and leaves the choice", async () => {
    const wrong = { ...pocket, range: named("[0, 255]") };
    const { base, findings } = await checkFit(wrong, await photos(["a", "b"]), runtime, { isRangeAsked: true });
    expect(base.range).toEqual(named("[0, 255]"));
    const finding = findings.find(({ about }) => about === "range");
    expect(finding?.severity).toBe("choice");
    expect(finding?.action).toContain('--range "[-1, 1]"');
  });

  it("says nothing against the right one", async () => {
    const found = await compareRanges(pocket, pixels, runtime);
    expect(rangeFindings(named("[-1, 1]"), found)).toEqual([]);
  });

  it("is left to training where there is no batch norm", () => {
    expect(rangeFindings(undefined, undefined)).toMatchObject([{ severity: "choice", about: "range" }]);
  });
});

describe("photos that do not fit by themselves", () => {
  const recipe = { height: 224, width: 224, method: "bilinear", aspect: "stretch" } as const;
  const colours = { rgb: 8, grey: 1, transparent: 1, cmyk: 0 };

  it("are resized, and their colours brought to RGB", () => {
    const pictures = {
      count: 10,
      smallest: [640, 480],
      median: [640, 480],
      largest: [800, 600],
      elongated: 0,
      colours,
    } as const;
    const findings = pictureFindings({ recipe }, pictures);
    expect(findings.map(({ severity, about }) => [severity, about])).toEqual([
      ["fix", "size"],
      ["fix", "channels"],
    ]);
    expect(findings[1]?.what).toContain("1 grey, 1 with transparency");
  });

  it("are called small where enlarging adds nothing", () => {
    const pictures = {
      count: 10,
      smallest: [32, 32],
      median: [32, 32],
      largest: [32, 32],
      elongated: 0,
      colours,
    } as const;
    expect(pictureFindings({ recipe }, pictures).some(({ severity }) => severity === "choice")).toBe(true);
  });

  it("stop everything where there is one class only", async () => {
    expect(classFindings({ classNames: ["a"], counts: [9], skipped: 0, pictures: undefined })).toMatchObject([
      { severity: "stop" },
    ]);
    await expect(checkFit(pocket, await photos(["a"]), runtime)).rejects.toMatchObject({ code: "bad-data" });
  });

  it("are told apart by how many there are of each class", () => {
    const findings = classFindings({ classNames: ["a", "b"], counts: [100, 3], skipped: 2, pictures: undefined });
    expect(findings.map(({ severity, about }) => [severity, about])).toEqual([
      ["choice", "classes"],
      ["choice", "classes"],
      ["fix", "photos"],
    ]);
  });
});

describe("the report on a model", () => {
  it("says what goes in, what comes out, and how deep it can be tuned", async () => {
    const report = await inspectModel("pocket", { base: { imageSize: side } });
    expect(report.picture).toMatchObject({ height: side, width: side, channels: 3 });
    expect(report.range).toMatchObject({ isMeasured: true, name: "[-1, 1]" });
    expect(report.fineTuning?.reached).toBe(report.fineTuning?.trainable);
    expect(report.millisecondsPerPicture).toBeGreaterThan(0);
    expect(report.fits).toBe(true);
  }, 60_000);

  it("runs nothing where it is told so", async () => {
    const report = await inspectModel("pocket", { run: false });
    expect(report.millisecondsPerPicture).toBeNull();
    expect(report.range?.trials).toEqual([]);
  }, 60_000);
});
