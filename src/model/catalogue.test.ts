import { describe, expect, it } from "vitest";
import { families } from "../applications/index.ts";
import { parseHandle } from "../hub/index.ts";
import { catalogue, searchCatalogue } from "./catalogue.ts";

describe("the built-in catalogue", () => {
  it("has every model of keras.applications, and handles that can be typed", () => {
    for (const { name } of families) {
      expect(catalogue.find(({ handle }) => handle === `keras:${name}`)).toMatchObject({ source: "keras" });
    }
    for (const { handle, source } of catalogue) expect(parseHandle(handle).kind).toBe(source);
  });

  it("names architectures without their variants", () => {
    const architectures = new Set(
      catalogue.filter(({ source }) => source === "keras").map((entry) => entry.architecture),
    );
    expect([...architectures].sort()).toEqual([
      "ConvNeXt",
      "DenseNet",
      "EfficientNet",
      "EfficientNetV2",
      "InceptionResNetV2",
      "InceptionV3",
      "MobileNet",
      "MobileNetV2",
      "MobileNetV3",
      "NASNet",
      "ResNet",
      "ResNetV2",
      "VGG",
      "Xception",
    ]);
  });

  it("puts what is all about a word before what also knows it", () => {
    const [first, second] = searchCatalogue({ words: ["birds"], task: "image" });
    expect(first?.dataset).toBe("Google AIY birds");
    expect(second?.about).toContain("birds");
  });

  it("finds by task, architecture, data set and source, all at once", () => {
    const found = searchCatalogue({
      words: [],
      task: "image",
      architecture: "efficientnet v2",
      dataset: "21k",
      source: "tfhub",
    });
    expect(found.map(({ handle }) => handle)).toEqual([
      "https://tfhub.dev/google/imagenet/efficientnet_v2_imagenet21k_b0/feature_vector/2",
    ]);
    expect(searchCatalogue({ words: ["speech"], task: "audio" }).length).toBeGreaterThan(0);
    expect(searchCatalogue({ words: ["mobilenet", "quantum"] })).toEqual([]);
  });
});
