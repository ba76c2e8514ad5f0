import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verify } from "../graph/index.ts";
import { onnxModelOf, readModel, writeModel } from "../onnx/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { readArtifact, writeArtifact } from "./artifact.ts";
import { type ArtifactMetadata, encodeBase64, parseMetadata } from "./artifactMetadata.ts";
import { withProbabilities } from "./classifierGraph.ts";

/** A classifier that says of a picture what its pixels sum to, for each class. */
function graphOf(classes: number) {
  const build = newBuilder();
  const image = build.input("image", "uint8", ["N", 1, 1, 3]);
  const pixels = build.reshape(build.cast(image, "float32"), [-1, 3]);
  const sum = build.reduceSum(pixels, [1]);
  const logits = build.apply("Concat", Array(classes).fill(sum), { axis: 1 }, "logits");
  return withProbabilities(verify(build.graph([logits])));
}

function metadataOf(classes: readonly string[], change: Partial<ArtifactMetadata> = {}): ArtifactMetadata {
  const zeros = classes.map(() => 0.5);
  return {
    schema: "graftwork/artifact/1",
    task: "image-classification",
    classes,
    pixels: { height: 1, width: 1, method: "antialias", aspect: "crop", centralFraction: 0.875 },
    range: { name: "[0, 255]", channels: "rgb", scale: [1, 1, 1], offset: [0, 0, 0] },
    temperature: 1.5,
    notSureBelow: 0.7,
    base: { name: "test", source: "test.onnx", digest: "ab", license: null },
    data: { digest: "cd", counts: { train: 3, test: 1 } },
    settings: { seed: 7, recipe: { "fine-tuned": [1, null, "x"] } },
    versions: { graftwork: "1.2.3", runtime: "test 1" },
    figures: { n: 10, accuracy: 0.9, accuracyInterval: [0.6, 0.98] },
    frozenDigest: "ef",
    golden: [{ height: 1, width: 1, pixels: encodeBase64(new Uint8Array(3)), logits: zeros, probabilities: zeros }],
    ...change,
  };
}

const hostile = ["__proto__", "constructor", "toString", "", " ", "a,b", '"quoted"', "😀", "\u202eleft", "0"];

describe("an artifact", () => {
  it("is read as it was written, and written again to the same bytes", () => {
    const metadata = metadataOf(["cat", "dog"]);
    const bytes = writeArtifact(graphOf(2), metadata);
    const { model, metadata: read } = readArtifact(bytes);
    expect(read).toEqual(metadata);
    expect(Buffer.compare(writeArtifact(model.graph, read), bytes)).toBe(0);
  });

  it("has the same bytes whatever the order of the metadata's fields", () => {
    const metadata = metadataOf(["cat", "dog"]);
    const turned = Object.fromEntries(Object.entries(metadata).reverse());
    // The same fields in another order.
    const bytes = writeArtifact(graphOf(2), turned as unknown as ArtifactMetadata);
    expect(Buffer.compare(bytes, writeArtifact(graphOf(2), metadata))).toBe(0);
  });

  it("keeps any text as a class, in order", () => {
    const { metadata, model } = readArtifact(writeArtifact(graphOf(hostile.length), metadataOf(hostile)));
    expect(metadata.classes).toEqual(hostile);
    expect(JSON.parse(model.metadata.get("classes") ?? "")).toEqual(hostile);
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 6 }), (classes) => {
        const read = readArtifact(writeArtifact(graphOf(classes.length), metadataOf(classes)));
        expect(read.metadata.classes).toEqual(classes);
      }),
      { numRuns: 20 },
    );
  });

  it("keeps settings and counts under any name", () => {
    const settings = JSON.parse('{"__proto__": {"constructor": 1}, "seed": 2}');
    const counts = JSON.parse('{"__proto__": 5}');
    const metadata = metadataOf(["a"], { settings, data: { digest: "", counts } });
    const read = readArtifact(writeArtifact(graphOf(1), metadata)).metadata;
    expect(JSON.stringify(read.settings)).toBe('{"__proto__":{"constructor":1},"seed":2}');
    expect(JSON.stringify(read.data.counts)).toBe('{"__proto__":5}');
  });

  it("is plain ONNX with its classes where other tools look", () => {
    const model = readModel(writeArtifact(graphOf(2), metadataOf(["cat", "dog"])));
    expect([...model.metadata.keys()]).toEqual(["graftwork", "task", "classes"]);
    expect(model.metadata.get("classes")).toBe('["cat","dog"]');
    expect(model.metadata.get("task")).toBe("image-classification");
  });

  it("is not made where the graph has other classes or another size than it says", () => {
    expect(() => writeArtifact(graphOf(3), metadataOf(["cat", "dog"]))).toThrow(
      /output "probabilities": .*expected float32 \[N, 2\], found float32 \[N, 3\]/,
    );
    const large = metadataOf(["a"], { pixels: { height: 2, width: 1, method: "bilinear", aspect: "pad" } });
    expect(() => writeArtifact(graphOf(1), large)).toThrow(/one input "image" of uint8 or float32 \[N, 2, 1, 3\]/);
  });
});

describe("readArtifact", () => {
  it("says of another ONNX file that it is no classifier of ours", () => {
    expect(() => readArtifact(writeModel(onnxModelOf(graphOf(2))), "other.onnx")).toThrow(
      /other\.onnx: this ONNX file is not a classifier of Graftwork/,
    );
  });

  it("says of another file what it is", () => {
    const page = new TextEncoder().encode("<!DOCTYPE html><html></html>");
    expect(() => readArtifact(page, "page.onnx")).toThrow(/page\.onnx: this is an HTML page, not ONNX/);
  });
});

describe("parseMetadata", () => {
  const whole = metadataOf(["cat", "dog"]);
  const parsed = (change: Readonly<Record<string, unknown>>) =>
    parseMetadata(JSON.stringify({ ...whole, ...change }), "model-invalid");

  it.each([
    ["metadata.schema", { schema: "graftwork/artifact/2" }, /expected "graftwork\/artifact\/1"/],
    ["metadata.task", { task: "music" }, /expected "image-classification", found "music"/],
    ["metadata.classes", { classes: "cat" }, /expected a list, found "cat"/],
    ["metadata.classes", { classes: [] }, /at least one name/],
    ["metadata.classes", { classes: ["a", "a"] }, /names that differ/],
    ["metadata.classes.1", { classes: ["a", 2] }, /expected text, found 2/],
    ["metadata.pixels.height", { pixels: { ...whole.pixels, height: 1.5 } }, /a whole number from 1/],
    ["metadata.pixels.height", { pixels: { ...whole.pixels, height: 1e9 } }, /to 16384/],
    ["metadata.pixels.method", { pixels: { ...whole.pixels, method: "lanczos" } }, /"bilinear" or "antialias"/],
    ["metadata.pixels.centralFraction", { pixels: { ...whole.pixels, centralFraction: 0 } }, /above 0 to 1/],
    ["metadata.range.scale", { range: { ...whole.range, scale: [1] } }, /3 numbers/],
    ["metadata.temperature", { temperature: null }, /a number above 0, found null/],
    ["metadata.notSureBelow", { notSureBelow: 2 }, /from 0 to 1/],
    ["metadata.base", { base: [] }, /an object, found \[\]/],
    ["metadata.data.counts.train", { data: { digest: "", counts: { train: -1 } } }, /from 0/],
    ["metadata.versions.runtime", { versions: { graftwork: "1" } }, /expected text, found nothing/],
    ["metadata.golden.0.pixels", { golden: [{ ...whole.golden[0], pixels: "AA==" }] }, /3 bytes in base64/],
    ["metadata.golden.0.pixels", { golden: [{ ...whole.golden[0], pixels: "%" }] }, /3 bytes in base64/],
    ["metadata.golden.0.logits", { golden: [{ ...whole.golden[0], logits: [1] }] }, /2 numbers/],
  ])("names the field that does not fit: %s", (path, change, message) => {
    expect(() => parsed(change)).toThrow(message);
    expect(() => parsed(change)).toThrow(expect.objectContaining({ code: "model-invalid", path: [path] }));
  });

  it("takes what says nothing where nothing may be said", () => {
    expect(parsed({ range: null, figures: null, frozenDigest: null, golden: [] })).toMatchObject({ figures: null });
  });

  it("refuses what is no JSON", () => {
    expect(() => parseMetadata("{", "model-invalid")).toThrow(/no JSON/);
  });
});
