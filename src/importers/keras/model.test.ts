import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { Oriented, verify } from "../../graph/index.ts";
import type { Json, LayerDefinition } from "../../layers/index.ts";
import { GraftError, numbersOf, type Tensor, tensorOf } from "../../tensor/index.ts";
import { readNpz, runGraph } from "../../testing/index.ts";
import { folderFiles } from "../folder-node.ts";
import { importModel } from "../import.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import { filesInMemory, type ModelFiles } from "../model-files.ts";
import { countParameters } from "../parameters.ts";
import { zipFiles } from "../zip.ts";
import { kerasModel } from "./model.ts";
import type { KerasWeights, StoredLayer, StoredWeight } from "./stores.ts";

const fixtures = resolve(import.meta.dirname, "../../../tests/fixtures/importers/keras-models");
const shared = resolve(import.meta.dirname, "../../../../shared/conformance/imports");

/** case.json, as make_import_cases.py writes it. */
interface Case {
  readonly file: string;
  readonly tolerance: number;
  readonly trainable_parameters?: number;
  readonly non_trainable_parameters?: number;
  readonly labels?: readonly string[];
}

/** An input in the type that the graph takes; numbers are given as Python saved them. */
function inputFor(tensor: Tensor, dtype: Tensor["dtype"] | undefined): Tensor {
  if (dtype === undefined || dtype === "string" || tensor.dtype === dtype) return tensor;
  return tensorOf(dtype, tensor.shape, numbersOf(tensor));
}

/** The largest difference from what TensorFlow computed, in parts of the larger numbers. */
async function deviationFrom(model: ImportedModel, arrays: ReadonlyMap<string, Tensor>): Promise<number> {
  verify(model.graph);
  const feeds = model.graph.inputs.map(({ name, dtype }, index) => {
    const tensor = arrays.get(`in:${index}`);
    if (tensor === undefined) throw new Error(`the case has no input ${index}`);
    return [name, inputFor(tensor, dtype)] as const;
  });
  const results = await runGraph(model.graph, new Map(feeds));
  let worst = 0;
  for (const [index, { name }] of model.graph.outputs.entries()) {
    const expected = arrays.get(`out:${index}`);
    const actual = results.get(name);
    if (expected === undefined || actual === undefined) throw new Error(`there is no output ${index}`);
    expect(actual.shape).toEqual([...expected.shape]);
    const numbers = numbersOf(actual);
    for (const [position, value] of numbersOf(expected).entries()) {
      const distance = Math.abs(value - (numbers[position] ?? Number.NaN)) / Math.max(1, Math.abs(value));
      worst = Math.max(worst, distance);
    }
  }
  expect(arrays.has(`out:${model.graph.outputs.length}`)).toBe(false);
  return worst;
}

function expectCounts(model: ImportedModel, { trainable_parameters, non_trainable_parameters }: Case): void {
  if (trainable_parameters === undefined) return;
  expect(countParameters(model)).toEqual({ trainable: trainable_parameters, nonTrainable: non_trainable_parameters });
}

async function fixture(name: string): Promise<{ files: ModelFiles; one: Case; arrays: Map<string, Tensor> }> {
  const files = zipFiles(new Uint8Array(readFileSync(resolve(fixtures, name))));
  const { arrays, ...one } = JSON.parse(new TextDecoder().decode(await files.read("case.json")));
  const tensors = Object.entries<{ dtype: never; shape: number[]; data: number[] }>(arrays).map(
    ([key, { dtype, shape, data }]) => [key, tensorOf(dtype, shape, data)] as const,
  );
  return { files, one, arrays: new Map(tensors) };
}

describe("Keras models of every age and form", () => {
  it.each(readdirSync(fixtures))("computes what TensorFlow computes: %s", async (name) => {
    const { files, one, arrays } = await fixture(name);
    const model = await importModel({ files, entry: one.file }, { name });
    expect(await deviationFrom(model, arrays)).toBeLessThanOrEqual(one.tolerance);
    expectCounts(model, one);
    expect(model.remarks.filter((each) => each.includes("does not use"))).toEqual([]);
  });

  const cases = existsSync(shared)
    ? readdirSync(shared).filter((name) => /^(keras[23]_(h5|keras|config)|tfjs_layers|real_(vww|teach))/.test(name))
    : [];
  it.skipIf(cases.length === 0).each(cases)("computes what TensorFlow computes: shared/%s", async (name) => {
    const folder = resolve(shared, name);
    const one: Case = JSON.parse(readFileSync(resolve(folder, "case.json"), "utf8"));
    const path = resolve(folder, one.file);
    const isFolder = statSync(path).isDirectory();
    const files = await folderFiles(isFolder ? path : folder);
    const model = await importModel(isFolder ? { files } : { files, entry: one.file }, { name });
    expect(await deviationFrom(model, readNpz(resolve(folder, "case.npz")))).toBeLessThanOrEqual(one.tolerance);
    expectCounts(model, one);
    expect(model.labels).toEqual(one.labels);
  });
});

describe("texts", () => {
  it.each([
    ["keras3_keras_string_lookup.zip", "StringLookup", ["red", "green", "blue"], [null, 2]],
    ["keras3_keras_text_vectorization.zip", "TextVectorization", ["the", "cat", "a"], [null, 6]],
  ] as const)("are a step before the graph, which takes their numbers: %s", async (name, kind, words, shape) => {
    const { files, one } = await fixture(name);
    const model = await importModel({ files, entry: one.file }, { name });
    const [step] = model.textSteps;
    expect(step?.kind).toBe(kind);
    expect(step?.vocabulary).toEqual(expect.arrayContaining([...words]));
    expect(step?.vocabulary).not.toContain("[UNK]");
    const [input] = model.graph.inputs;
    expect(input?.name).toBe(step?.input);
    expect(input?.dtype).toBe("int64");
    expect(input?.shape?.slice(1)).toEqual(shape.slice(1));
  });
});

// Configs by hand.

const noWeights: KerasWeights = { kind: "layers", layers: [] };

function input(name = "x", shape: readonly (number | null)[] = [null, 4]): Json {
  return {
    class_name: "InputLayer",
    name,
    config: { name, batch_input_shape: shape, dtype: "float32" },
    inbound_nodes: [],
  };
}

function layer(
  className: string,
  name: string,
  from: string,
  config: { [key: string]: Json } = {},
): { [key: string]: Json } {
  return {
    class_name: className,
    name,
    config: { name, trainable: true, ...config },
    inbound_nodes: [[[from, 0, 0, {}]]],
  };
}

function functional(layers: readonly Json[], output: string): Json {
  const config = { name: "model", layers, input_layers: [["x", 0, 0]], output_layers: [[output, 0, 0]] };
  return { class_name: "Functional", config };
}

async function imported(
  config: Json,
  weights: KerasWeights = noWeights,
  options: Partial<ImportOptions> = {},
): Promise<ImportedModel> {
  const source = { config, kerasVersion: "2.15.0", weights, assets: undefined, format: "Keras 2 model (.h5)" };
  return await kerasModel(source, { name: "model.h5", ...options });
}

async function refusal(config: Json, weights?: KerasWeights): Promise<GraftError> {
  const error: unknown = await imported(config, weights).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(GraftError);
  return error as GraftError;
}

function weight(name: string, shape: readonly number[], value = 1): StoredWeight {
  return { name, shape, read: () => new Float32Array(shape.reduce((size, each) => size * each, 1)).fill(value) };
}

function stored(...layers: readonly StoredLayer[]): KerasWeights {
  return { kind: "layers", layers };
}

describe("what is not taken", () => {
  it("is named all at once, each with class and layer", async () => {
    const layers = [
      input(),
      layer("Lambda", "doubling", "x", { function: ["code", null, null] }),
      { ...layer("Odd", "strange", "doubling"), module: null, registered_name: "mine>Odd" },
      layer("TFOpLambda", "tf.sets.size", "strange", { function: "sets.size" }),
      layer("NoSuchLayer", "unheard", "tf.sets.size"),
      layer("TimeDistributed", "wrapped", "unheard", { layer: { class_name: "Mine", config: { name: "inside" } } }),
    ];
    const error = await refusal(functional(layers, "wrapped"));
    expect(error.code).toBe("model-refused");
    for (const word of [
      "Lambda",
      "doubling",
      "mine>Odd",
      "strange",
      "tf.sets.size",
      "NoSuchLayer",
      "unheard",
      "Mine",
      "inside",
    ]) {
      expect(error.message).toContain(word);
    }
    expect(error.message).toContain("5 layers cannot be taken");
    expect(error.hint).toContain("customLayers");
  });

  it.each([
    ["os", "system"],
    ["builtins", "eval"],
    ["my_package.layers", "Dense"],
    ["kerasX", "Dense"],
  ])("is whatever comes from a module that is not Keras's: %s.%s", async (module, className) => {
    const error = await refusal(
      functional([input(), { ...layer(className, "evil", "x", { units: 2 }), module }], "evil"),
    );
    expect(error.code).toBe("model-refused");
    expect(error.message).toContain(`${module}.${className}`);
  });

  it("is a model without a graph in its config", async () => {
    const error = await refusal({
      module: "__main__",
      class_name: "MyModel",
      config: { units: 3 },
      registered_name: "MyModel",
    });
    expect(error.code).toBe("model-refused");
    expect(error.message).toContain("MyModel");
  });

  it("can be given by class, and a Lambda by its layer's name", async () => {
    const doubled: LayerDefinition = {
      lower: (inputs, { build }) => {
        const [flow] = inputs;
        if (flow === undefined) throw new Error("no input");
        return { data: Oriented.last(build, build.scale(flow.data.last(), 2)) };
      },
    };
    const layers = [
      input(),
      layer("Lambda", "doubling", "x"),
      { ...layer("Odd", "strange", "doubling"), module: "mine" },
    ];
    const customLayers = new Map([
      ["doubling", doubled],
      ["Odd", doubled],
    ]);
    const model = await imported(functional(layers, "strange"), noWeights, { customLayers });
    const x = tensorOf("float32", [1, 4], [1, 2, 3, 4]);
    const results = await runGraph(model.graph, new Map([["x", x]]));
    const [output] = [...results.values()];
    expect(output === undefined ? [] : numbersOf(output)).toEqual([4, 8, 12, 16]);
  });
});

describe("contradictions", () => {
  it("are told with layer, weight and both shapes", async () => {
    const config = functional([input(), layer("Dense", "fc", "x", { units: 3, activation: "linear" })], "fc");
    const error = await refusal(
      config,
      stored({ name: "fc", weights: [weight("fc/kernel:0", [5, 3]), weight("fc/bias:0", [3])] }),
    );
    expect(error.code).toBe("model-invalid");
    expect(error.message).toMatch(/layer "fc".*kernel.*expected \[4, 3\].*found \[5, 3\]/);
    const lacking = await refusal(config, stored({ name: "fc", weights: [weight("fc/kernel:0", [4, 3])] }));
    expect(lacking.message).toMatch(/layer "fc".*bias.*lacks/);
  });

  it("among layers end with an error: loops, calls and outputs that are not there, doubled names", async () => {
    const loop = functional([input(), layer("ReLU", "a", "b"), layer("ReLU", "b", "a")], "b");
    expect((await refusal(loop)).message).toContain("loop");
    expect((await refusal(functional([input(), layer("ReLU", "a", "nowhere")], "a"))).message).toContain("nowhere");
    expect((await refusal(functional([input(), layer("ReLU", "a", "x")], "b"))).message).toContain('"b"');
    expect(
      (await refusal(functional([input(), layer("ReLU", "a", "x"), layer("ReLU", "a", "x")], "a"))).message,
    ).toContain("one name");
    expect((await refusal({ class_name: "Functional", config: { layers: [] } })).code).toBe("model-invalid");
    expect((await refusal([1, 2])).code).toBe("model-invalid");
  });

  it("do not make models grow without bound", async () => {
    let inner: Json = functional([input(), layer("ReLU", "a", "x")], "a");
    for (let depth = 0; depth < 20; depth++) {
      const nested = {
        ...(inner as { [key: string]: Json }),
        name: "m",
        inbound_nodes: [[["x", 0, 0, {}]], [["m", 1, 0, {}]]],
      };
      const config = {
        name: "outer",
        layers: [input(), nested],
        input_layers: [["x", 0, 0]],
        output_layers: [["m", 2, 0]],
      };
      inner = { class_name: "Functional", config };
    }
    expect((await refusal(inner)).code).toBe("out-of-resources");
    let deep: Json = { class_name: "Sequential", config: [layer("ReLU", "a", "x", { batch_input_shape: [null, 4] })] };
    for (let depth = 0; depth < 100; depth++) deep = { class_name: "Sequential", config: [deep] };
    expect((await refusal(deep)).message).toContain("too deep");
  });

  it("keep names that JavaScript knows harmless", async () => {
    const names = ["__proto__", "constructor", "toString"];
    const layers = names.map((name, index) => layer("ReLU", name, names[index - 1] ?? "x"));
    const model = await imported(functional([input(), ...layers], "toString"));
    expect(model.layers.map(({ name }) => name)).toEqual(["x", ...names]);
    const odd = JSON.parse(
      '{"class_name": "__proto__", "name": "a", "config": {}, "inbound_nodes": [[["x", 0, 0, {}]]]}',
    );
    expect((await refusal(functional([input(), odd], "a"))).code).toBe("model-refused");
  });
});

describe("what a model carries", () => {
  it("is its layers' flags: what is around a layer freezes it", async () => {
    const base = {
      ...(functional([input("x"), layer("Dense", "fc", "x", { units: 3 })], "fc") as { [key: string]: Json }),
      name: "base",
      inbound_nodes: [[["x", 0, 0, {}]]],
    };
    const frozen = { ...base, config: { ...(base as { config?: object }).config, name: "base", trainable: false } };
    const config = {
      name: "outer",
      layers: [input(), frozen, layer("Dense", "head", "base", { units: 2 })],
      input_layers: [["x", 0, 0]],
      output_layers: [["head", 0, 0]],
    };
    const outer = JSON.parse(
      JSON.stringify({ class_name: "Functional", config }).replace('["base",0,0', '["base",1,0'),
    );
    const weights = stored(
      { name: "base", weights: [weight("fc/kernel:0", [4, 3]), weight("fc/bias:0", [3])] },
      { name: "head", weights: [weight("head/kernel:0", [3, 2]), weight("head/bias:0", [2])] },
    );
    const model = await imported(outer, weights);
    expect(model.layers.map(({ name, trainable }) => [name, trainable])).toEqual([
      ["x", undefined],
      ["base/fc", false],
      ["head", undefined],
    ]);
    expect(countParameters(model)).toEqual({ trainable: 8, nonTrainable: 15 });
  });

  it("is told what of the file is not used", async () => {
    const config = functional([input(), layer("Dense", "fc", "x", { units: 3, use_bias: false })], "fc");
    const weights = stored({ name: "fc", weights: [weight("fc/kernel:0", [4, 3]), weight("fc/bias:0", [3])] });
    expect((await imported(config, weights)).remarks).toEqual([
      "The file has weights that the model does not use: fc/bias:0.",
    ]);
  });

  it("keeps vocabularies that came along, and says where one is missing", async () => {
    const layers = [
      input("x", [null, 1]),
      layer("StringLookup", "words", "x", { num_oov_indices: 1, mask_token: null, oov_token: "[UNK]" }),
    ];
    const config = JSON.parse(
      JSON.stringify(functional(layers, "words")).replace('"dtype":"float32"', '"dtype":"string"'),
    );
    const holders = new Map([["layers/string_lookup", []]]);
    const source = {
      config,
      kerasVersion: "3.15.1",
      weights: { kind: "paths", holders, layerNames: new Map() },
      format: "",
    } as const;
    const bytes = new TextEncoder().encode("[UNK]\nred\ngreen\n");
    const assets = filesInMemory(new Map([["assets/layers/string_lookup/vocabulary.txt", bytes]]));
    const model = await kerasModel({ ...source, assets }, { name: "m" });
    expect(model.textSteps).toEqual([
      {
        input: "x",
        kind: "StringLookup",
        vocabulary: ["red", "green"],
        settings: { num_oov_indices: 1, mask_token: null, oov_token: "[UNK]" },
      },
    ]);
    await expect(kerasModel({ ...source, assets: undefined }, { name: "m" })).rejects.toThrow(/"words".*vocabulary/);
  });
});
