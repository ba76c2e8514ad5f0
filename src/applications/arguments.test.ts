import { describe, expect, it } from "vitest";
import {
  applicationFromQuery,
  buildApplication,
  decodePredictions,
  type FamilyOptions,
  familyNamed,
  parseClassIndex,
  preprocessInput,
  publishedFor,
  queryOf,
  randomWeights,
} from "./index.ts";

function fromQuery(name: string, query: string): FamilyOptions {
  return applicationFromQuery(familyNamed(name), new URLSearchParams(query));
}

function namesOf(name: string, options: FamilyOptions): readonly string[] {
  return buildApplication(familyNamed(name), options, randomWeights()).layers.map((layer) => layer.name);
}

describe("options of a handle", () => {
  it("are read under Keras's names and under ours, as what they are", () => {
    const query =
      "input_shape=96x64x3&includeTop=false&pooling=max&alpha=0.5&minimalistic=True&dropout_rate=0&include_preprocessing=0";
    const options = fromQuery("MobileNetV3Small", query);
    expect(options).toEqual({
      inputShape: [96, 64, 3],
      includeTop: false,
      pooling: "max",
      alpha: 0.5,
      minimalistic: true,
      dropoutRate: 0,
      includePreprocessing: false,
    });
    expect(fromQuery("MobileNetV3Small", queryOf(options))).toEqual(options);
    expect(fromQuery("VGG16", "weights=none&pooling=None&classifier_activation=none&classes=7")).toEqual({
      weights: null,
      pooling: null,
      classifierActivation: null,
      classes: 7,
    });
  });

  it.each([
    ["160,120", [160, 120, 3]],
    ["(160, 120, 1)", [160, 120, 1]],
    ["none x none x 3", [null, null, 3]],
  ])("take the shape %s", (text, inputShape) => {
    expect(fromQuery("ResNet50", new URLSearchParams({ input_shape: text }).toString())).toEqual({ inputShape });
  });

  it.each([
    ["ResNet50", "alpha=0.5", '"alpha" is no option of ResNet50'],
    ["MobileNet", "minimalistic=true", '"minimalistic" is no option of MobileNet'],
    ["ResNet50", "__proto__=1", '"__proto__" is no option of ResNet50'],
    ["ResNet50", "classes=many", "classes does not take that value"],
    ["ResNet50", "classes=", "classes does not take that value"],
    ["ResNet50", "pooling=min", "pooling does not take that value"],
    ["ResNet50", "include_top=maybe", "include_top does not take that value"],
    ["ResNet50", "input_shape=32", "input_shape does not take that value"],
    ["ResNet50", "input_shape=32x32x3x3", "input_shape does not take that value"],
    ["ResNet50", "weights=/etc/passwd", "weights does not take that value"],
    ["ResNet50", "classes=3&classes=4", "classes is given twice"],
  ])("of %s are not %s", (name, query, message) => {
    expect(() => fromQuery(name, query)).toThrow(message);
    expect(() => fromQuery(name, query)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("arguments", () => {
  it.each<[string, FamilyOptions, string]>([
    ["VGG16", { inputShape: [31, 64, 3] }, "pictures are at least 32×32"],
    ["VGG16", { inputShape: [null, 64, 3] }, "with the top, every size of inputShape is a number"],
    ["DenseNet121", { inputShape: [64.5, 64, 3] }, "pictures are at least 32×32"],
    ["DenseNet121", { inputShape: [64, 64, 0] }, "inputShape is [height, width, channels]"],
    ["ResNet50", { classes: 0 }, "classes is a positive whole number"],
    ["ResNet50", { alpha: 1 }, "ResNet50 has no option alpha"],
    ["ResNet50", { weights: "imagenet", classes: 5 }, "with published weights the top has 1000 classes"],
    ["ResNet50", { weights: "imagenet", inputShape: [96, 96, 3] }, "published weights take pictures of 224×224"],
    ["ResNet50", { weights: "imagenet", includeTop: false, inputShape: [96, 96, 1] }, "pictures of 3 channels"],
    ["ResNet50", { weights: "imagenet", classifierActivation: "sigmoid" }, 'classifierActivation is "softmax" or null'],
    ["MobileNet", { alpha: 0 }, "alpha is a positive number"],
    ["MobileNet", { alpha: Number.POSITIVE_INFINITY }, "alpha is a positive number"],
    ["MobileNet", { depthMultiplier: 1.5 }, "depthMultiplier is a positive whole number"],
    ["MobileNet", { dropout: 1 }, "a dropout is a number from 0 to below 1"],
    ["MobileNetV3Large", { inputShape: [224, 16, 3] }, "pictures are at least 32×32"],
  ])("of %s are not %o", (name, options, message) => {
    expect(() => namesOf(name, options)).toThrow(message);
  });

  it("shape the graph as Keras's do", () => {
    const small = { inputShape: [32, 32, 3], includeTop: false } as const;
    expect(namesOf("MobileNetV3Small", { ...small, includePreprocessing: false })).not.toContain("rescaling");
    expect(namesOf("MobileNetV3Small", { ...small, minimalistic: true })).not.toContain("activation");
    expect(namesOf("MobileNetV3Small", { inputShape: [null, null, 3], dropoutRate: 0 })).not.toContain("dropout");
    expect(namesOf("MobileNet", { ...small, pooling: "max" }).at(-1)).toBe("global_max_pooling2d");
    expect(namesOf("DenseNet121", { ...small, pooling: "max" }).at(-1)).toBe("max_pool");
  });

  it("lead to the weights that are published for them", () => {
    const file = (name: string, options: FamilyOptions) => publishedFor(familyNamed(name), options).file;
    const square = (side: number) => ({ includeTop: false, inputShape: [side, side, 3] }) as const;
    expect(file("MobileNet", { alpha: 0.75, inputShape: [160, 160, 3] })).toBe("mobilenet_7_5_160_tf.h5");
    expect(file("MobileNet", square(100))).toBe("mobilenet_1_0_224_tf_no_top.h5");
    expect(file("MobileNetV3Large", { minimalistic: true })).toBe(
      "weights_mobilenet_v3_large_minimalistic_224_1.0_float.h5",
    );
    expect(file("ResNet101V2", square(65))).toBe("resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5");
    expect(() => file("MobileNetV3Large", { minimalistic: true, alpha: 0.75 })).toThrow(
      "weights are published for alpha 1",
    );
    expect(() => file("MobileNet", { alpha: 0.6 })).toThrow("weights are published for alpha 0.25, 0.5, 0.75, 1");
    expect(() => file("MobileNet", { depthMultiplier: 2 })).toThrow("weights are published for depthMultiplier 1");
  });
});

describe("preprocessInput", () => {
  const pixels = [0, 1, 2, 255, 128, 64, 17, 99, 200.5];

  // Of keras.applications.imagenet_utils.preprocess_input, Keras 3.15, in float32.
  it.each([
    ["tf", [-1, -0.9921568632125854, -0.9843137264251709, 1, 0.003921627998352051, -0.498039186000824]],
    ["torch", [-2.1179039478302, -2.018207311630249, -1.7695860862731934, 2.248908281326294, 0.20518219470977783]],
    ["caffe", [-101.93900299072266, -115.77899932861328, -123.68000030517578, -39.939002990722656, 11.22100067138672]],
    ["raw", pixels],
  ] as const)("gives Keras's numbers in the mode %s", (mode, expected) => {
    const values = preprocessInput(pixels, mode);
    expected.forEach((value, index) => {
      expect(Math.abs((values[index] ?? Number.NaN) - value)).toBeLessThanOrEqual(3e-7 * Math.max(1, Math.abs(value)));
    });
    expect(values).toHaveLength(pixels.length);
  });

  it("leaves what it was given as it is, and refuses pixels without three channels", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    preprocessInput(bytes, "caffe");
    expect([...bytes]).toEqual([1, 2, 3]);
    expect(() => preprocessInput([1, 2], "torch")).toThrow("three channels");
  });
});

describe("decodePredictions", () => {
  const entries = Array.from({ length: 1000 }, (_, index) => [index, [`n${index}`, `thing ${index}`]] as const);
  const classes = parseClassIndex(JSON.stringify(Object.fromEntries(entries)));

  it("names the likeliest classes of each row, the likeliest first", () => {
    const predictions = new Float32Array(2000);
    predictions.set([0.1, 0.5, 0.2], 7);
    predictions[1000 + 999] = 1;
    const [first, second] = decodePredictions(predictions, classes, 2);
    expect(first).toEqual([
      { id: "n8", name: "thing 8", score: 0.5 },
      { id: "n9", name: "thing 9", score: Math.fround(0.2) },
    ]);
    expect(second?.[0]).toEqual({ id: "n999", name: "thing 999", score: 1 });
  });

  it("refuses what is no row of 1,000 numbers, and a file that names other classes", () => {
    expect(() => decodePredictions(new Float32Array(999), classes)).toThrow("rows of 1,000 numbers");
    expect(() => decodePredictions([], classes)).toThrow("rows of 1,000 numbers");
    expect(() => decodePredictions(new Float32Array(1000), classes, 0)).toThrow("top is a positive whole number");
    for (const text of ["[", "null", "{}", '{"0": ["n1"]}', '{"0": "tench"}']) {
      expect(() => parseClassIndex(text)).toThrow(expect.objectContaining({ code: "model-invalid" }));
    }
  });
});
