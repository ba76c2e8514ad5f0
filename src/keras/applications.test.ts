import { describe, expect, it } from "vitest";
import { applications } from "./applications-node.ts";

describe("applications", () => {
  it("has a function for each of keras.applications, under names in this language's manner", () => {
    const names = Object.keys(applications).filter((name) => !["preprocessInput", "decodePredictions"].includes(name));
    expect(names).toHaveLength(40);
    for (const name of ["mobileNetV2", "vgg16", "nasNetLarge", "resNet50V2", "efficientNetV2B0", "convNeXtXLarge"]) {
      expect(names).toContain(name);
    }
    for (const name of ["xception", "inceptionV3", "inceptionResNetV2", "denseNet201", "mobileNetV3Small"]) {
      expect(names).toContain(name);
    }
  });

  it("makes a model with Keras's layers and shapes, that knows what it takes", async () => {
    const model = await applications.denseNet121({ weights: null, includeTop: false, inputShape: [64, 64, 3] });
    expect(model.layers).toHaveLength(427);
    expect(model.outputShape([null, 64, 64, 3])).toEqual([null, 2, 2, 1024]);
    expect(model.range?.name).toBe("ImageNet mean and deviation");
  });

  it("knows that MobileNetV3 takes bytes, and other values where its scaling is left out", async () => {
    const options = { weights: null, includeTop: false, inputShape: [32, 32, 3] } as const;
    expect((await applications.mobileNetV3Small(options)).range?.name).toBe("[0, 255]");
    const bare = await applications.mobileNetV3Small({ ...options, includePreprocessing: false });
    expect(bare.range?.name).toBe("[-1, 1]");
  });

  it("refuses an option that the family does not have, when compiled and when run", async () => {
    // @ts-expect-error ResNet50 has no alpha.
    await expect(applications.resNet50({ weights: null, alpha: 0.5 })).rejects.toMatchObject({ code: "usage" });
  });

  it("preprocesses pixels as the named model's own function does", () => {
    expect([...applications.preprocessInput([255, 0, 0], "ResNet50V2")]).toEqual([1, -1, -1]);
    expect([...applications.preprocessInput([255, 0, 0], "EfficientNetB0")]).toEqual([255, 0, 0]);
    expect(applications.preprocessInput([255, 0, 0], "VGG19")[2]).toBeCloseTo(255 - 123.68, 4);
  });
});
