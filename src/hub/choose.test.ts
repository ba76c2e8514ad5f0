import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseModel, hasModel } from "./choose.ts";
import { isFileName, isSlug, kaggleFrameworkNamed, plainText } from "./names.ts";
import { shardsOf } from "./shards.ts";

/** What repositories hold, what of it is asked for, and what is chosen. */
const repositories: readonly (readonly [string, readonly string[], string | undefined, string, readonly string[]])[] = [
  [
    "an export for transformers.js",
    ["config.json", "model.safetensors", "onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_q4.onnx"],
    undefined,
    "onnx/model.onnx",
    ["onnx/model.onnx"],
  ],
  [
    "weights outside",
    [
      "onnx/model.onnx",
      "onnx/model.onnx_data",
      "onnx/model.onnx_data_1",
      "onnx/model_fp16.onnx",
      "onnx/model_fp16.onnx_data",
    ],
    undefined,
    "onnx/model.onnx",
    ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1"],
  ],
  [
    "weights outside, as PyTorch names them",
    ["net.onnx", "net.onnx.data"],
    undefined,
    "net.onnx",
    ["net.onnx", "net.onnx.data"],
  ],
  ["one at any place", ["a/b/resnet50.onnx", "README.md"], undefined, "a/b/resnet50.onnx", ["a/b/resnet50.onnx"]],
  ["ONNX before Keras", ["model.keras", "model.onnx", "saved_model.pb"], undefined, "model.onnx", ["model.onnx"]],
  ["Keras before a SavedModel", ["m.keras", "saved_model.pb"], undefined, "m.keras", ["m.keras"]],
  [
    "a Keras file laid open",
    ["config.json", "metadata.json", "model.weights.h5"],
    undefined,
    "",
    ["config.json", "model.weights.h5"],
  ],
  ["a whole HDF5 file beside weights", ["tf_model.h5", "cats.h5", "x.weights.h5"], undefined, "cats.h5", ["cats.h5"]],
  [
    "a SavedModel in a folder",
    ["x/saved_model.pb", "x/variables/variables.index", "x/assets/vocab.txt", "x/notes.txt", "y/z.txt"],
    undefined,
    "x/",
    ["x/saved_model.pb", "x/variables/variables.index", "x/assets/vocab.txt"],
  ],
  ["the outer one of two SavedModels", ["saved_model.pb", "x/saved_model.pb"], undefined, "", ["saved_model.pb"]],
  [
    "an architecture with its weights",
    ["model.json", "m.weights.h5"],
    undefined,
    "model.json",
    ["model.json", "m.weights.h5"],
  ],
  ["a zip", ["converted_tfjs.zip"], undefined, "converted_tfjs.zip", ["converted_tfjs.zip"]],
  ["what was asked for", ["a.onnx", "b.onnx"], "b.onnx", "b.onnx", ["b.onnx"]],
  [
    "a reduced one that was asked for",
    ["model_q4.onnx", "model.onnx"],
    "model_q4.onnx",
    "model_q4.onnx",
    ["model_q4.onnx"],
  ],
  ["a folder that was asked for", ["a/model.onnx", "b/model.onnx"], "b", "b/model.onnx", ["b/model.onnx"]],
  [
    "by the file inside",
    ["x/saved_model.pb", "x/variables/v"],
    "x/saved_model.pb",
    "x/",
    ["x/saved_model.pb", "x/variables/v"],
  ],
];

describe("chooseModel", () => {
  it.each(repositories)("takes %s", (_, names, asked, name, needed) => {
    expect(chooseModel(names, asked)).toMatchObject({ name, needed });
    expect(hasModel(names)).toBe(true);
  });

  it.each([
    [["model.safetensors", "config.json"], undefined, "model-refused", "model.safetensors"],
    [["model.safetensors"], "model.safetensors", "model-refused", "model.safetensors"],
    [["tf_model.h5", "pytorch_model.bin"], undefined, "model-refused", "tf_model.h5, pytorch_model.bin"],
    [["encoder.onnx", "decoder.onnx"], undefined, "model-refused", "encoder.onnx, decoder.onnx"],
    [["model_q4.onnx"], undefined, "model-refused", "model_q4.onnx"],
    [["model.onnx"], "other.onnx", "usage", "model.onnx"],
    [[], undefined, "model-refused", "nothing else"],
  ])("names what is there: %j, asked for %s", (names, asked, code, actual) => {
    expect(() => chooseModel(names, asked)).toThrow(expect.objectContaining({ code, actual }));
  });
});

describe("names from hubs", () => {
  it("stay inside the folder that they are put into", () => {
    const pieces = fc.constantFrom("..", ".", "/", "\\", "a", "c:", "%2e%2e", "\0", "\u202e", " ", "b.onnx", "//", "~");
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 6 }), (parts) => {
        const name = parts.join("");
        if (!isFileName(name)) return;
        const base = new URL("file:///root/folder/");
        const reached = new URL(name.split("/").map(encodeURIComponent).join("/"), base);
        expect(reached.pathname.startsWith(base.pathname)).toBe(true);
        expect(name).not.toMatch(/[\\\0\u202e]|^\/|:/);
      }),
    );
  });

  it.each(["..", "a..b", "", "a/b", "-x", ".x", "a b", "é"])("%j is no part of a handle", (name) => {
    expect(isSlug(name)).toBe(false);
  });

  it.each([
    ["tensorFlow2", "tensorFlow2"],
    ["TensorFlow2", "tensorFlow2"],
    ["MODEL_FRAMEWORK_TENSOR_FLOW_2", "tensorFlow2"],
    ["MODEL_FRAMEWORK_TF_JS", "tfJs"],
    ["constructor", undefined],
  ])("the framework %s is %s", (name, found) => {
    expect(kaggleFrameworkNamed(name)?.name).toBe(found);
  });

  it("are shown without what a terminal acts on", () => {
    expect(plainText("a\u001b[2Jb\r\nc\u202ed")).toBe("a [2Jb c d");
    expect(plainText("x".repeat(1000))).toHaveLength(200);
    expect(plainText({})).toBe("");
  });
});

describe("shardsOf", () => {
  const manifest = (...paths: unknown[]) => JSON.stringify({ weightsManifest: [{ paths }] });

  it("lists the weights in order, each once, and none for an architecture alone", () => {
    expect(shardsOf(manifest("b.bin", "./a.bin", "b.bin", "more/c.bin"))).toEqual(["b.bin", "a.bin", "more/c.bin"]);
    expect(shardsOf('{"modelTopology":{}}')).toEqual([]);
    expect(shardsOf('{"weightsManifest":[{},null,{"paths":{}}]}')).toEqual([]);
    expect(shardsOf('{"__proto__":{"weightsManifest":[{"paths":["x"]}]}}')).toEqual([]);
  });

  it.each(["../x", "/etc/passwd", "https://example.org/x", "a/../../x", "C:\\x", "x?y", "%2e%2e/x", 7, null])(
    "refuses %j, which lies elsewhere",
    (path) => {
      expect(() => shardsOf(manifest(path))).toThrow(expect.objectContaining({ code: "model-refused" }));
    },
  );

  it("refuses what is no JSON, and names without end", () => {
    expect(() => shardsOf("<html>")).toThrow(expect.objectContaining({ code: "model-invalid" }));
    const many = manifest(...Array.from({ length: 10_001 }, (_, at) => `${at}`));
    expect(() => shardsOf(many)).toThrow(expect.objectContaining({ code: "model-refused" }));
  });
});
