import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateClassifier } from "../evaluate.ts";
import { type ReportData, reportSchema } from "../report-data.ts";
import { renderReport } from "./report.ts";

/** The smallest JPEG that its beginning tells: enough to be shown as one. */
const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16);

/** A report with every part, and `text` in every place that a stranger's words can reach. */
function whole(classes: number, text: (what: string) => string): ReportData {
  const classNames = Array.from({ length: classes }, (_, index) => text(`class ${index}`));
  const labels = Array.from({ length: classes * 6 }, (_, example) => example % classes);
  const logits = new Float32Array(labels.length * classes);
  for (const [example, label] of labels.entries()) {
    logits[example * classes + (example % 5 === 0 ? (label + 1) % classes : label)] = 2 + (example % 7) / 4;
  }
  const names = labels.map((_, example) => text(`photo ${example}.jpg`));
  const evaluation = evaluateClassifier({ logits, labels, classNames, names, temperature: 1.4, threshold: 0.3 });
  const pictures = { name: text("a.jpg"), label: text("cats"), probability: 0.9, labelProbability: 0.05 };
  const n = evaluation.n;
  return {
    schema: reportSchema,
    name: text("photos"),
    classNames,
    final: { evaluation, judgedBy: "test" },
    remarks: [text("a remark")],
    photos: {
      layout: text("a folder a class"),
      parts: [{ name: "train", counts: classNames.map(() => 6) }],
      skipped: [{ file: text("broken.jpg"), reason: text("it ends too early") }],
      digest: text("digest"),
    },
    tried: [
      { name: text("frozen"), description: text("head"), n, accuracy: 0.8, accuracyInterval: [0.7, 0.9], isKept: true },
    ],
    decision: {
      reason: text("why"),
      answers: {
        n,
        onlyA: 1,
        onlyB: 7,
        difference: 0.1,
        interval: [0.01, 0.2],
        alternative: "two-sided",
        pValue: 0.07,
        better: "neither",
      },
      losses: {
        n,
        difference: -0.02,
        interval: [-0.05, 0.01],
        alternative: "b-is-better",
        pValue: 0.4,
        better: "neither",
      },
    },
    curves: {
      stages: [
        { name: text("head"), epochs: [{ loss: 1, accuracy: 0.5, valLoss: 1.1, valAccuracy: 0.4 }, { loss: 0.5 }] },
        { name: text("tuning"), epochs: [{ loss: Number.NaN, valLoss: 0.3, valAccuracy: 0.9 }], kept: 0 },
      ],
      start: { name: text("frozen base"), valLoss: 0.4 },
    },
    calibration: {
      temperature: { temperature: 1.4, n: 30, logLossBefore: 0.5, logLossAfter: 0.4 },
      threshold: { ...evaluation.notSure, target: 0.95, basis: "estimated" },
    },
    mistakes: [
      { ...pictures, predicted: text("dogs"), thumbnail: jpeg },
      { ...pictures, predicted: text("dogs") },
    ],
    doubtful: [{ ...pictures, suggested: text("dogs"), thumbnail: text("no base64") }],
    base: {
      name: text("base"),
      source: text("base.h5"),
      digest: text("digest"),
      license: text("licence"),
      features: 1280,
      remarks: [text("a limit")],
    },
    frozen: { tensors: 3, trained: text("the head"), before: text("before"), after: text("before") },
    timings: [
      { stage: text("features"), seconds: 3 },
      { stage: text("head"), seconds: 0.2 },
    ],
    peakMemoryBytes: 6e8,
    repeat: { command: text("graft train"), seed: 0, versions: [{ name: text("graftwork"), version: text("1") }] },
    artifact: {
      file: text("model.onnx"),
      bytes: 9e6,
      digest: text("digest"),
      pixels: { height: 224, width: 224, method: "bilinear", aspect: "pad" },
    },
  };
}

const minimal: ReportData = {
  schema: reportSchema,
  name: "photos",
  classNames: ["cats", "dogs"],
  final: undefined,
  photos: { parts: [{ name: "train", counts: [3, 2] }], skipped: [] },
  base: { name: "pocket" },
};

/** The page's tags in order. No `>` stands within one: attributes are escaped. */
function tagsOf(page: string): string[] {
  const withoutStyle = page.replace(/<style>[\s\S]*?<\/style>/, "");
  return [...withoutStyle.matchAll(/<(\/?[a-zA-Z][a-zA-Z0-9]*)((?:\s+[\w:-]+="[^"<>]*")*)\s*(\/?)>|</g)].map(
    (match) => {
      if (match[1] === undefined) {
        const around = withoutStyle.slice(match.index, match.index + 40);
        if (around.startsWith("<!doctype html>")) return "!doctype";
        throw new Error(`a < that begins no tag: ${around}`);
      }
      return `${match[1]}${match[3] ?? ""}`;
    },
  );
}

const standalone = new Set(["!doctype", "meta", "img", "br"]);

function expectBalanced(tags: readonly string[]): void {
  const open: string[] = [];
  for (const tag of tags) {
    if (standalone.has(tag) || tag.endsWith("/")) continue;
    if (!tag.startsWith("/")) open.push(tag);
    else expect(open.pop()).toBe(tag.slice(1));
  }
  expect(open).toEqual([]);
}

const sectionsOf = (page: string) => [...page.matchAll(/<section id="([^"]+)">/g)].map((match) => match[1]);

describe("the report", () => {
  it.each([2, 3, 10, 13, 100, 170])("is well formed with %i classes, and no number in it is none", (classes) => {
    const page = renderReport(whole(classes, (what) => what));
    expectBalanced(tagsOf(page));
    expect(page.replace(/<style>[\s\S]*?<\/style>/, "")).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(page.length).toBeLessThan(1_500_000);
  });

  it("asks nothing of a network and runs nothing", () => {
    const page = renderReport(whole(10, (what) => what));
    expect(page.includes("default-src &#39;none&#39;; img-src data:;")).toBe(true);
    expect(page.match(/<(script|link|iframe|object|embed|base|form)\b/i)).toBeNull();
    expect(page.match(/https?:|url\(|@import|\bon\w+="/i)).toBeNull();
    for (const [, address] of page.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(address).toMatch(/^(#|data:image\/jpeg;base64,)/);
  });

  it("has the same tags whatever stands in its names", () => {
    const plain = (classes: number) => tagsOf(renderReport(whole(classes, () => "a name")));
    const [small, large] = [plain(3), plain(13)];
    const words = fc.oneof(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.constantFrom(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title></style><b>",
        "--><!--",
        "&lt;b&gt;",
        "__proto__",
        "\ud83d",
        "\u202egpj.exe",
        "\u0000\u001b[31m",
        "قطط",
        "🐕‍🦺".repeat(50),
      ),
    );
    fc.assert(
      fc.property(words, (word) => {
        expect(tagsOf(renderReport(whole(3, () => word)))).toEqual(small);
        expect(tagsOf(renderReport(whole(13, () => word)))).toEqual(large);
      }),
      { numRuns: 40 },
    );
  });

  it("shows names as they are, but for what would steer the page", () => {
    const page = renderReport(whole(2, (what) => (what === "class 0" ? '<b>&"cats" \u202eexe' : what)));
    expect(page).toContain("<bdi>&lt;b&gt;&amp;&quot;cats&quot; \ufffdexe</bdi>");
  });

  it("leaves out what it is not told, and says why there is no figure", () => {
    const page = renderReport(minimal);
    expect(sectionsOf(page)).toEqual(["photos", "base"]);
    expect(page).toContain("nothing is known of how good it is");
    expectBalanced(tagsOf(page));
    expect(sectionsOf(renderReport(whole(3, (what) => what)))).toEqual([
      "tried",
      "curves",
      "classes",
      "confusion",
      "calibration",
      "mistakes",
      "doubtful",
      "photos",
      "base",
      "cost",
      "use",
      "repeat",
    ]);
  });

  it("says in words how good the classifier is and what that was measured on", () => {
    const labels = Array.from({ length: 1000 }, (_, index) => index % 2);
    const logits = Float32Array.from(
      labels.flatMap((label, index) => (index < 17 ? [label, 1 - label] : [1 - label, label])),
    );
    const evaluation = evaluateClassifier({ logits, labels, classNames: ["cats", "dogs"] });
    const of = (judgedBy: "test" | "validation" | "cross-validation") =>
      renderReport({ ...minimal, final: { evaluation, judgedBy } }).replaceAll("\u00a0", " ");
    expect(of("test")).toContain("<h1>Right on 983 of 1,000 held-back photos</h1>");
    expect(of("test")).toContain("<strong>98.3 %</strong> <span>95 % interval 97.3–98.9 %</span>");
    expect(of("test")).toMatch(/class="band" x="97.\d\d" y="0" width="1.6\d"/);
    expect(of("validation")).toContain("decisions were made by them");
    expect(of("cross-validation")).toContain("too few photos to hold any back");
  });

  it("says where probabilities were tuned on the photos they are judged by", () => {
    const data = whole(3, (what) => what);
    const { final } = data;
    if (final === undefined) throw new Error("a whole report has a figure");
    const warning = "chosen by these same photos";
    expect(renderReport(data).includes(warning)).toBe(false);
    expect(renderReport({ ...data, final: { ...final, judgedBy: "cross-validation" } }).includes(warning)).toBe(true);
  });

  it("says what was decided, or that nothing was", () => {
    const { tried, decision } = whole(2, (what) => what);
    expect(renderReport({ ...minimal, tried, decision })).toContain("<p>The frozen was kept: why.</p>");
    const reason = "it was not asked for";
    expect(renderReport({ ...minimal, decision: { reason } })).toContain(
      "<p>Fine-tuning was not tried: it was not asked for.</p>",
    );
  });

  it("sounds the alarm where what was frozen has changed", () => {
    const { frozen = { tensors: 0, before: "", after: "" } } = whole(2, (what) => what);
    const same = renderReport({ ...minimal, frozen });
    const changed = renderReport({ ...minimal, frozen: { ...frozen, after: "other" } });
    expect(same).toContain("the same as before training, bit for bit");
    expect(changed).toContain("not what they were before training");
    expect(changed).not.toContain("bit for bit");
  });

  it("draws each epoch that was measured, and marks where stages begin and which epoch was kept", () => {
    const page = renderReport(whole(2, (what) => what));
    const curves = page.slice(page.indexOf('id="curves"'), page.indexOf('id="classes"'));
    expect([...curves.matchAll(/class="stage"/g)].length).toBe(4);
    expect(curves).toContain("epoch 1, train: 1.000");
    expect(curves).toContain("epoch 3, validation: 0.300");
    expect(curves).not.toContain("epoch 3, train");
    expect(curves).toContain("kept: epoch 3");
    expect(curves).toContain("frozen base: 0.400");
  });

  it("says why there are no curves, and a remark once", () => {
    const page = renderReport({
      ...minimal,
      curves: "The head is <solved>.",
      remarks: ["a limit"],
      base: { name: "pocket", remarks: ["a limit", "another"] },
    });
    expect(sectionsOf(page)).toEqual(["curves", "photos", "base"]);
    expect(page).toContain("<p>The head is &lt;solved&gt;.</p>");
    expect(page.split("a limit").length).toBe(2);
    expect(page).toContain("<li>another</li>");
  });

  it("shows only pictures that are pictures", () => {
    const page = renderReport(whole(2, (what) => what));
    expect(page).toContain(`<img src="data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}"`);
    expect([...page.matchAll(/<img /g)].length).toBe(1);
    expect([...page.matchAll(/class="no-picture"/g)].length).toBe(2);
  });

  it("gives the shell, Node and Python a file's name as one word", () => {
    const artifact = {
      file: `it's "mine".onnx`,
      pixels: { height: 8, width: 8, method: "antialias", aspect: "stretch" },
    } as const;
    const page = renderReport({ ...minimal, artifact })
      .replaceAll("&#39;", "'")
      .replaceAll("&quot;", '"');
    expect(page).toContain(`graft predict 'it'\\''s "mine".onnx' new-photos/`);
    expect(page).toContain('loadModel("it\'s \\"mine\\".onnx")');
    expect(page).toContain('InferenceSession("it\'s \\"mine\\".onnx")');
  });
});
