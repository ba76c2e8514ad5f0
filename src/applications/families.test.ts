import { describe, expect, it } from "vitest";
import type { WeightSpec } from "../layers/index.ts";
import { elementCount } from "../tensor/index.ts";
import { buildApplication, type FamilyOptions, families, familyNamed, familyNames } from "./index.ts";

/** Builds with zeros: what was asked for, and the layers. */
function built(name: string, options: FamilyOptions) {
  const specs: WeightSpec[] = [];
  const { layers } = buildApplication(familyNamed(name), options, (spec) => {
    specs.push(spec);
    return new Float32Array(elementCount(spec.shape));
  });
  return { specs, names: layers.map((layer) => layer.name), layers };
}

describe("families", () => {
  it("has every function of keras.applications once", () => {
    expect(families.map(({ name }) => name).toSorted()).toEqual(familyNames.toSorted());
  });

  it.each(families.filter(({ parameters }) => parameters < 16e6))(
    "states the parameters that $name has",
    ({ name, parameters }) => {
      const { specs } = built(name, {});
      expect(specs.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(parameters);
    },
  );

  it("states digests as Keras publishes them, MD5 or SHA-256, no file twice", () => {
    const files = families.flatMap(({ published }) => published);
    for (const { digest } of files) {
      if (digest === undefined) continue;
      expect(digest.hex).toMatch(digest.algorithm === "md5" ? /^[0-9a-f]{32}$/ : /^[0-9a-f]{64}$/);
    }
    const digests = files.flatMap(({ digest }) => (digest === undefined ? [] : [digest.hex]));
    expect(new Set(digests).size).toBe(digests.length);
    expect(new Set(files.map(({ address }) => address)).size).toBe(files.length);
  });

  it("scales EfficientNet's pixels once more for the published weights alone", () => {
    const options = { includeTop: false, inputShape: [32, 32, 3] } as const;
    expect(built("EfficientNetB0", options).names).not.toContain("rescaling_1");
    expect(built("EfficientNetB0", { ...options, weights: "imagenet" }).names).toContain("rescaling_1");
  });

  it("leaves the layers that scale pixels away on request", () => {
    const options = { includeTop: false, inputShape: [32, 32, 3], includePreprocessing: false } as const;
    expect(built("EfficientNetV2B0", options).names).not.toContain("normalization");
    expect(built("ConvNeXtTiny", options).names.some((name) => name.includes("prestem"))).toBe(false);
    expect(() => built("EfficientNetB0", options)).toThrow("EfficientNetB0 has no option includePreprocessing");
  });

  it("calls ConvNeXt's layers after the model, and gives its sums to the blocks that they end", () => {
    const { names, layers } = built("ConvNeXtTiny", { includeTop: false, inputShape: [32, 32, 3], name: "mine" });
    expect(names.slice(0, 4)).toEqual([
      "input_layer",
      "mine_prestem_normalization",
      "mine_stem/mine_stem_conv",
      "mine_stem/mine_stem_layernorm",
    ]);
    expect(names).not.toContain("add");
    const end = layers.find(({ name }) => name === "mine_stage_0_block_0_identity");
    expect(end?.inputs).toEqual(["mine_stage_0_block_0_layer_scale", "mine_stem/mine_stem_layernorm"]);
    const next = layers.find(({ name }) => name === "mine_stage_0_block_1_depthwise_conv");
    expect(next?.inputs).toEqual(["mine_stage_0_block_0_identity"]);
  });

  it.each([
    ["Xception", [70, 90, 3], "pictures are at least 71×71"],
    ["InceptionV3", [74, 75, 3], "pictures are at least 75×75"],
    ["InceptionResNetV2", [90, 74, 3], "pictures are at least 75×75"],
    ["NASNetMobile", [31, 32, 3], "pictures are at least 32×32"],
    ["NASNetLarge", [null, null, 3], "every size of inputShape is a number"],
    ["EfficientNetB7", [32, 16, 3], "pictures are at least 32×32"],
    ["ConvNeXtTiny", [8, 8, 3], "pictures are at least 32×32"],
  ] as const)("refuses pictures for %s that Keras refuses: %o", (name, inputShape, message) => {
    expect(() => built(name, { inputShape, includeTop: false })).toThrow(message);
  });

  it("takes the size of the published weights where NASNet is given none", () => {
    const { layers } = built("NASNetMobile", { includeTop: false });
    expect(layers.find(({ name }) => name === "input_layer")?.outputShape).toEqual([null, 224, 224, 3]);
  });
});
