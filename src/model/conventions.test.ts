import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newBuilder } from "../shapes/index.ts";
import type { Shape } from "../tensor/index.ts";
import { conventionsOf, type ModelDocuments } from "./conventions.ts";
import { documentsBeside } from "./conventions-node.ts";

const none: ModelDocuments = { config: undefined, preprocessor: undefined };

function modelOf(input: string, shape: Shape, format = "TensorFlow SavedModel") {
  const b = newBuilder();
  return { graph: b.graph([b.apply("ReduceMean", [b.input(input, "float32", shape)], {}, "y")]), format };
}

const photos = modelOf("pixel_values", ["N", 3, 224, 224], "ONNX");

function preprocessed(preprocessor: object) {
  return conventionsOf(photos, { origin: "", documents: { ...none, preprocessor } });
}

describe("conventionsOf", () => {
  it("gives pictures of the hub [0, 1], and says nothing of other models", () => {
    const rangeOf = (model: ReturnType<typeof modelOf>, origin = "") =>
      conventionsOf(model, { origin, documents: none }).range?.range.name;
    expect(rangeOf(modelOf("inputs", ["N", 224, 224, 3]))).toBe("[0, 1]");
    expect(rangeOf(modelOf("x", ["N", 224, 224, 3]), "https://tfhub.dev/google/some/1")).toBe("[0, 1]");
    expect(rangeOf(modelOf("input_1", ["N", 224, 224, 3]))).toBeUndefined();
    expect(rangeOf(modelOf("inputs", ["N", 128]))).toBeUndefined();
    expect(rangeOf(modelOf("inputs", ["N", 224, 224, 3], "ONNX"))).toBeUndefined();
    expect(rangeOf(modelOf("x", ["N", 224, 224, 3], "Teachable Machine model"))).toBe("[-1, 1]");
  });

  it("reads the range of an image processor of Hugging Face", () => {
    const half = [0.5, 0.5, 0.5];
    expect(preprocessed({ image_mean: half, image_std: half }).range?.range.name).toBe("[-1, 1]");
    const imageNet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
    expect(preprocessed(imageNet).range?.range.name).toBe("ImageNet mean and deviation");
    expect(preprocessed({ do_normalize: false }).range?.range.name).toBe("[0, 1]");
    expect(preprocessed({ do_normalize: false, do_rescale: false }).range?.range.name).toBe("[0, 255]");
    const own = preprocessed({ ...imageNet, do_flip_channel_order: true, rescale_factor: 0.5 }).range?.range;
    expect(own?.channels).toBe("bgr");
    expect(own?.scale[0]).toBeCloseTo(0.5 / 0.229, 9);
    expect(preprocessed({ image_mean: [1, 2], image_std: half }).range).toBeUndefined();
    expect(preprocessed({ image_mean: half, image_std: [0, 1, 1] }).range).toBeUndefined();
  });

  it("reads how pictures are resized", () => {
    const crop = { do_center_crop: true, crop_size: { height: 224, width: 224 }, size: { shortest_edge: 256 } };
    expect(preprocessed(crop).recipe).toEqual({ method: "antialias", aspect: "crop", centralFraction: 0.875 });
    const whole = { do_resize: true, size: { height: 224, width: 224 } };
    expect(preprocessed(whole).recipe).toEqual({ method: "antialias", aspect: "stretch" });
    expect(preprocessed({}).recipe).toBeUndefined();
  });

  it("takes the names of classes where there is one for each output", () => {
    const model = modelOf("x", ["N", 3, 8, 2], "ONNX");
    const b = newBuilder();
    const two = { ...model, graph: b.graph([b.apply("Relu", [b.input("x", "float32", ["N", 2])], {}, "y")]) };
    const labels = (id2label: object) =>
      conventionsOf(two, { origin: "", documents: { ...none, config: { id2label } } }).labels;
    expect(labels({ 1: "dog", 0: "cat" })).toEqual(["cat", "dog"]);
    expect(labels({ 0: "cat", 1: "dog", 2: "cow" })).toBeUndefined();
    expect(labels({ 0: "LABEL_0", 1: "LABEL_1" })).toBeUndefined();
  });
});

describe("documentsBeside", () => {
  it("looks in the folder of a model, above a folder called onnx, and past what is no JSON", async () => {
    const folder = mkdtempSync(join(tmpdir(), "conventions-"));
    try {
      mkdirSync(join(folder, "onnx"));
      writeFileSync(join(folder, "config.json"), "{");
      writeFileSync(join(folder, "preprocessor_config.json"), '{"do_resize": true}');
      const expected = { config: undefined, preprocessor: { do_resize: true } };
      expect(await documentsBeside(join(folder, "onnx", "model.onnx"))).toEqual(expected);
      expect(await documentsBeside(join(folder, "model.onnx"))).toEqual(expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
