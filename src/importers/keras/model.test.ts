import { describe, expect, it } from "vitest";
import { countParameters, Oriented } from "../../graph/index.ts";
import type { Json, LayerDefinition } from "../../layers/index.ts";
import { GraftError, numbersOf, tensorOf } from "../../tensor/index.ts";
import { runGraph } from "../../testing/index.ts";
import type { ImportedModel, ImportOptions } from "../imported.ts";
import { filesInMemory } from "../model-files.ts";
import { kerasModel } from "./model.ts";
import type { KerasWeights, StoredLayer, StoredWeight } from "./stores.ts";

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
  it("in sizes are seen before anything is allocated", async () => {
    const config = functional([input(), layer("Dense", "fc", "x", { units: 2 ** 31 - 1 })], "fc");
    const other = stored({ name: "renamed", weights: [weight("kernel:0", [4, 3]), weight("bias:0", [3])] });
    const error = await refusal(config, other);
    expect(error.code).toBe("model-invalid");
    expect(error.message).toMatch(/layer "fc".*kernel/);
  });

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
