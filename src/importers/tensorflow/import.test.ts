import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GraftError, type Tensor } from "../../tensor/index.ts";
import { expectClose, readNpz, runGraph } from "../../testing/index.ts";
import type { ImportedModel } from "../imported.ts";
import { filesInMemory, type ModelFiles } from "../model-files.ts";
import { zipFiles } from "../zip.ts";
import { importFrozenGraph, importSavedModel, isFrozenGraph } from "./index.ts";

/** Made and computed by TensorFlow: tests/conformance/make_savedmodel_cases.py. */
const folder = new URL("../../../tests/fixtures/tensorflow/", import.meta.url);

function modelFiles(name: string): ModelFiles {
  return zipFiles(readFileSync(new URL(`${name}.zip`, folder)));
}

function arraysOf(name: string, prefix: string): Tensor[] {
  const arrays = readNpz(fileURLToPath(new URL(`${name}.npz`, folder)));
  return [...arrays.keys()]
    .filter((key) => key.startsWith(prefix))
    .sort()
    .map((key) => arrays.get(key) ?? expect.fail(key));
}

async function expectAsTensorFlow(name: string, model: ImportedModel, tolerance = 1e-5): Promise<void> {
  const { graph } = model;
  const inputs = arraysOf(name, "in:");
  expect(graph.inputs).toHaveLength(inputs.length);
  const results = await runGraph(
    graph,
    new Map(graph.inputs.map((input, index) => [input.name, inputs[index] ?? expect.fail("an input too many")])),
  );
  const outputs = arraysOf(name, "out:");
  expect(graph.outputs).toHaveLength(outputs.length);
  for (const [index, output] of graph.outputs.entries()) {
    expectClose(results.get(output.name), outputs[index] ?? expect.fail("an output too many"), tolerance, output.name);
  }
}

function trainable(model: ImportedModel): string[] {
  const trained = model.layers.filter((layer) => layer.trainable !== false);
  const weights = trained.flatMap((layer) => layer.weights.filter(({ isTrainable }) => isTrainable));
  return weights.map(({ name }) => name).sort();
}

async function failureOf(work: Promise<unknown>): Promise<GraftError> {
  const error = await work.then(
    () => expect.fail("nothing was thrown"),
    (cause: unknown) => cause,
  );
  return error instanceof GraftError ? error : expect.fail(String(error));
}

describe("a SavedModel computes what TensorFlow computes", () => {
  it.each([
    ["module_nested_functions", "functions within functions, outputs in a dictionary"],
    ["module_nested_arguments", "arguments in dictionaries and lists"],
    ["module_cond_while", "a condition and a loop that read variables"],
    ["module_training_argument", "the trace for inference, of several"],
    ["module_training_tensor", "a training flag that is a tensor"],
    ["module_several_signatures", "the usual signature, of several"],
    ["module_half_variables", "variables of half, bfloat16, double and int64"],
    ["keras2_gru_open_time", "recurrent layers over any number of steps, of which the last is kept"],
    ["keras3_dict_outputs", "a Keras 3 export with dictionaries"],
    ["keras3_frozen", "a Keras 3 export whose random layers stay random"],
    ["tf1_partitioned", "TensorFlow 1 variables in parts, in a module without tags"],
    ["tf1_learning_phase", "TensorFlow 1 conditions on the learning phase"],
    ["tf1_cond_and_loop", "TensorFlow 1 conditions and loops on data"],
    ["tf1_renamed_saver", "TensorFlow 1 variables that are saved under other names"],
  ])("%s: %s", async (name) => {
    await expectAsTensorFlow(name, await importSavedModel(modelFiles(name), { name }));
  });

  it("layer normalization in half precision, as Keras 2 writes it", async () => {
    const name = "keras2_mixed_layer_norm";
    await expectAsTensorFlow(name, await importSavedModel(modelFiles(name), { name }), 1e-3);
  });

  it("a frozen graph", async () => {
    const files = modelFiles("frozen_graph");
    const bytes = await files.read("frozen_graph.pb");
    expect(isFrozenGraph(bytes)).toBe(true);
    expect(isFrozenGraph(await modelFiles("tf1_partitioned").read("saved_model.pb"))).toBe(false);
    await expectAsTensorFlow("frozen_graph", await importFrozenGraph(bytes, { name: "frozen_graph" }));
  });
});

describe("what the file says", () => {
  it("gives names and order to inputs and outputs", async () => {
    const { graph } = await importSavedModel(modelFiles("module_nested_functions"), { name: "m" });
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(["alpha", "index", "zeta"]);
    const nested = await importSavedModel(modelFiles("module_nested_arguments"), { name: "m" });
    expect(nested.graph.inputs.map(({ name }) => name)).toEqual(["inputs_extra_0", "inputs_image"]);
    expect(nested.graph.outputs.map(({ name }) => name)).toEqual(["output_0", "output_1", "output_2"]);
  });

  it("decides which weights are trained, also where two have one name", async () => {
    const model = await importSavedModel(modelFiles("module_nested_functions"), { name: "m" });
    expect(trainable(model)).toEqual(["b", "w"]);
    expect(model.layers.flatMap(({ weights }) => weights.map(({ name }) => name)).sort()).toEqual(["b", "b_1", "w"]);
    expect(model.savedBy).toBe("TensorFlow 2.21.0");
  });

  it("chooses a signature that is asked for", async () => {
    const files = modelFiles("module_several_signatures");
    const { graph } = await importSavedModel(files, { name: "m", callable: "other" });
    expect(graph.inputs).toHaveLength(1);
    const missing = await failureOf(importSavedModel(files, { name: "m", callable: "nothing" }));
    expect(missing.code).toBe("model-refused");
    expect(missing.message).toContain("serving_default");
  });

  it("says that random layers do nothing, and leaves out their seeds", async () => {
    const { remarks, graph } = await importSavedModel(modelFiles("keras3_frozen"), { name: "m" });
    expect(remarks.join()).toContain("random_flip");
    expect([...graph.initializers.keys()].some(({ name }) => name.includes("seed"))).toBe(false);
  });
});

describe("what is refused", () => {
  it("names look-up tables and what reads them", async () => {
    const error = await failureOf(importSavedModel(modelFiles("refuse_table"), { name: "m" }));
    expect(error.code).toBe("model-refused");
    expect(error.message).toMatch(/HashTableV2.*LookupTableFindV2/s);
  });

  it("says which file of the variables is not there", async () => {
    const whole = modelFiles("module_half_variables");
    const without = async (missing: string): Promise<ModelFiles> => {
      const names = whole.names.filter((name) => name !== missing);
      return filesInMemory(
        new Map(await Promise.all(names.map(async (name) => [name, await whole.read(name)] as const))),
      );
    };
    for (const missing of ["variables/variables.index", "variables/variables.data-00000-of-00001"]) {
      const error = await failureOf(importSavedModel(await without(missing), { name: "m" }));
      expect(error.code).toBe("model-invalid");
      expect(error.message).toContain(missing);
    }
  });
});
