import { describe, expect, it } from "vitest";
import type { WeightSpec } from "../../layers/index.ts";
import { kerasObject, snakeCase } from "./config.ts";
import { modelPart } from "./functional.ts";
import type { ModelPart } from "./model-parts.ts";
import type { StoredWeight, WeightsByPath } from "./stores.ts";
import { PathWeights, waysTo } from "./weights-by-path.ts";

function weight(name: string, shape: readonly number[], value: number): StoredWeight {
  return { name, shape, read: () => new Float32Array(shape.reduce((size, each) => size * each, 1)).fill(value) };
}

function stored(folders: readonly string[], names: readonly (readonly [string, string])[] = []): WeightsByPath {
  const holders = new Map(folders.map((folder, index) => [folder, [weight(`${folder}/vars/0`, [2], index)]]));
  return { kind: "paths", holders, layerNames: new Map(names) };
}

function sequential(...layers: readonly (readonly [className: string, name: string])[]): ModelPart {
  const config = {
    name: "model",
    layers: layers.map(([class_name, name], index) => ({
      class_name,
      config: { name, trainable: true, ...(index === 0 ? { batch_input_shape: [null, 2] } : {}) },
    })),
  };
  const object = kerasObject({ class_name: "Sequential", config });
  if (object === undefined) throw new Error("no object");
  return modelPart(object, 3);
}

function spec(layer: string, holder: readonly string[] = []): WeightSpec {
  return { layer, weight: "kernel", shape: [2], holder, isTrainable: true };
}

describe("weights by their ways", () => {
  it("lie after those that a wrapper took from its layer", () => {
    const folder = "layers/spectral_normalization";
    const taken = weight(`${folder}/vars/0`, [4, 2], 1);
    const own = weight(`${folder}/vars/1`, [1, 2], 2);
    const holders = new Map([
      [`${folder}/layer`, [weight(`${folder}/layer/vars/0`, [4, 2], 1)]],
      [folder, [taken, own]],
    ]);
    const model = sequential(["SpectralNormalization", "normal"]);
    const weights = new PathWeights(model, { kind: "paths", holders, layerNames: new Map() });
    weights.source({ ...spec("normal", ["layer"]), shape: [4, 2] });
    expect([...weights.source({ ...spec("normal"), weight: "vector_u", shape: [1, 2], after: 1 })]).toEqual([2, 2]);
    expect(weights.unused()).toEqual([]);
  });

  it("lie in folders that are called after classes as Keras writes them", () => {
    const names = [
      "Conv2D",
      "ReLU",
      "PReLU",
      "BatchNormalization",
      "GlobalAveragePooling2D",
      "TFOpLambda",
      "LSTM",
      "InputLayer",
    ];
    expect(names.map(snakeCase)).toEqual([
      "conv2d",
      "re_lu",
      "p_re_lu",
      "batch_normalization",
      "global_average_pooling2d",
      "tf_op_lambda",
      "lstm",
      "input_layer",
    ]);
  });

  it("are numbered by class, in the order of the layers", () => {
    const model = sequential(["Dense", "a"], ["ReLU", "b"], ["Dense", "c"], ["Dense", "d"]);
    const ways = waysTo(model, stored(["layers/dense", "layers/re_lu", "layers/dense_1", "layers/dense_2"]));
    expect([ways.get("a"), ways.get("c"), ways.get("d")]).toEqual(["layers/dense", "layers/dense_1", "layers/dense_2"]);
  });

  it("are found where TensorFlow 2.12 left numbers out and called the folder otherwise", () => {
    const model = sequential(["Dense", "a"], ["Dense", "b"], ["Dense", "c"]);
    const folder = "_layer_checkpoint_dependencies";
    const ways = waysTo(model, stored([`${folder}/dense`, `${folder}/dense_2`, `${folder}/dense_4`]));
    expect([...ways.values()].slice(1)).toEqual([`${folder}/dense`, `${folder}/dense_2`, `${folder}/dense_4`]);
  });

  it("are found under an attribute that is private in some versions, and by the layer's name", () => {
    const model = sequential(["MultiHeadAttention", "a"]);
    const older = new PathWeights(model, stored(["layers/multi_head_attention/_query_dense"]));
    expect(older.source(spec("a", ["query_dense"]))[0]).toBe(0);
    const elsewhere = new PathWeights(model, stored(["layers/other", "layers/strange"], [["layers/strange", "a"]]));
    expect(elsewhere.source(spec("a"))[0]).toBe(1);
    expect(elsewhere.unused()).toEqual(["layers/other/vars/0"]);
  });

  it("end with an error that names layer, shape and place", () => {
    const model = sequential(["Dense", "a"]);
    const weights = new PathWeights(model, stored(["layers/dense"]));
    expect(() => weights.source({ ...spec("a"), shape: [3] })).toThrow(
      /layer "a".*kernel.*expected \[3\].*found \[2\]/,
    );
    expect(() => weights.source(spec("a"))).toThrow(/layer "a".*lacks.*layers\/dense\/vars\/1/);
  });

  it("of optimizers and of dice are not missed", () => {
    const weights = new PathWeights(
      sequential(["Dense", "a"]),
      stored(["optimizer", "layers/dropout/seed_generator", "layers/dense"]),
    );
    weights.source(spec("a"));
    expect(weights.unused()).toEqual([]);
  });
});
