import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraftError, numbersOf, tensorOf } from "../../tensor/index.ts";
import { runGraph } from "../../testing/index.ts";
import { filesInMemory, type ModelFiles } from "../model-files.ts";
import { freezeTfjsGraph } from "./frozen-file.ts";
import { importTfjsGraph } from "./index.ts";

const text = (value: string) => Buffer.from(value).toString("base64");

/** y = swap(relu(x · w)) + 1 and z = x · w, where `swap` is a function of the library that calls another. */
const model = {
  format: "graph-model",
  convertedBy: "TensorFlow.js Converter v4.22.0",
  modelTopology: {
    node: [
      {
        name: "x",
        op: "Placeholder",
        attr: { dtype: { type: "DT_FLOAT" }, shape: { shape: { dim: [{ size: "-1" }, { size: "2" }] } } },
      },
      {
        name: "w",
        op: "Const",
        attr: { dtype: { type: "DT_FLOAT" }, value: { tensor: { dtype: "DT_FLOAT", tensorShape: {} } } },
      },
      {
        name: "product",
        op: "_FusedMatMul",
        input: ["x", "w"],
        attr: { T: { type: 1 }, fused_ops: { list: { s: [text("Relu")] } } },
      },
      {
        name: "plain",
        op: "MatMul",
        input: ["x:0", "w", "^product"],
        attr: { transpose_a: { b: false }, T: { type: "DT_FLOAT" } },
      },
      { name: "swapped", op: "PartitionedCall", input: ["product"], attr: { f: { func: { name: "swap" } } } },
      { name: "one", op: "Const", attr: { dtype: { type: "DT_FLOAT" } } },
      { name: "sum", op: "AddV2", input: ["swapped", "one"], attr: {} },
    ],
    library: {
      function: [
        {
          signature: {
            name: "swap",
            inputArg: [{ name: "a", type: "DT_FLOAT" }],
            outputArg: [{ name: "r", type: "DT_FLOAT" }],
          },
          nodeDef: [
            {
              name: "axis",
              op: "Const",
              attr: {
                dtype: { type: "DT_INT32" },
                value: { tensor: { dtype: "DT_INT32", tensorShape: { dim: [{ size: "1" }] }, intVal: [1] } },
              },
            },
            { name: "turned", op: "ReverseV2", input: ["a", "axis:output:0"], attr: { Tidx: { type: "DT_INT32" } } },
            {
              name: "same",
              op: "PartitionedCall",
              input: ["turned:output:0"],
              attr: { f: { func: { name: "same" } } },
            },
          ],
          ret: { r: "same:output:0" },
        },
        {
          signature: { name: "same", inputArg: [{ name: "a", type: 1 }], outputArg: [{ name: "r", type: 1 }] },
          nodeDef: [],
          ret: { r: "a" },
        },
      ],
    },
  },
  signature: {
    inputs: { picture: { name: "x:0", dtype: "DT_FLOAT", tensorShape: { dim: [{ size: "-1" }, { size: "2" }] } } },
    outputs: { zed: { name: "plain:0", dtype: "DT_FLOAT" }, sum: { name: "sum:0", dtype: "DT_FLOAT" } },
  },
  weightsManifest: [
    {
      paths: ["group1-shard1of1.bin"],
      weights: [
        { name: "w", shape: [2, 2], dtype: "float32" },
        { name: "one", shape: [], dtype: "float32" },
      ],
    },
  ],
};
const weights = new Uint8Array(new Float32Array([1, -2, 3, 4, 1]).buffer);

function filesOf(json: string): ModelFiles {
  return filesInMemory(
    new Map([
      ["model.json", new TextEncoder().encode(json)],
      ["group1-shard1of1.bin", weights],
    ]),
  );
}

describe("a TensorFlow.js graph model", () => {
  it("keeps the signature's order, takes weights from the manifest, and calls functions of its library", async () => {
    const { graph, savedBy } = await importTfjsGraph(filesOf(JSON.stringify(model)), "model.json", { name: "m" });
    expect(graph.inputs.map(({ name }) => name)).toEqual(["picture"]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(["zed", "sum"]);
    const results = await runGraph(graph, new Map([["picture", tensorOf("float32", [1, 2], [1, 2])]]));
    // [1, 2] · [[1, -2], [3, 4]] = [7, 6]
    expect(numbersOf(results.get("zed") ?? expect.fail("no zed"))).toEqual([7, 6]);
    expect(numbersOf(results.get("sum") ?? expect.fail("no sum"))).toEqual([7, 8]);
    expect(savedBy).toBe("TensorFlow.js Converter v4.22.0");
  });

  it("needs a weight for every constant that is used", async () => {
    const lacking = {
      ...model,
      weightsManifest: [{ paths: ["group1-shard1of1.bin"], weights: [{ name: "w", shape: [5, 1], dtype: "float32" }] }],
    };
    await expect(freezeTfjsGraph(filesOf(JSON.stringify(lacking)), "model.json", "m")).rejects.toThrow(
      /one.*no weight/s,
    );
  });

  it("is refused where tables are filled before it runs, and where it reads what is not there", async () => {
    const tables = { ...model, modelInitializer: { node: [] } };
    await expect(freezeTfjsGraph(filesOf(JSON.stringify(tables)), "model.json", "m")).rejects.toThrow(/tables/);
    const broken = JSON.stringify(model).replace('"input":["swapped","one"]', '"input":["swapped","two"]');
    await expect(freezeTfjsGraph(filesOf(broken), "model.json", "m")).rejects.toThrow(/two/);
  });

  it("is refused where functions call themselves", async () => {
    const endless = JSON.stringify(model).replace('"f":{"func":{"name":"same"}}', '"f":{"func":{"name":"swap"}}');
    await expect(freezeTfjsGraph(filesOf(endless), "model.json", "m")).rejects.toThrow(/too deeply/);
  });

  it("gives the model or an error that says where, whatever bytes are changed", async () => {
    const json = JSON.stringify(model);
    const change = fc.array(fc.tuple(fc.nat(json.length - 1), fc.constantFrom(...'0129-:^",[]{}aDx_/')), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        const characters = [...json];
        for (const [place, character] of changes) characters[place] = character;
        try {
          await freezeTfjsGraph(filesOf(characters.join("")), "model.json", "m");
        } catch (cause) {
          if (!(cause instanceof GraftError)) throw cause;
        }
      }),
      { numRuns: 400, seed: 3 },
    );
  });
});
