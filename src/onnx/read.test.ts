import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { onnxFixture, onnxFixtures } from "../../tests/fixtures/onnx/fixtures.ts";
import { printGraph } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { ModelProtoSchema, NodeProtoSchema } from "./proto/onnx_pb.ts";
import { type ReadOptions, readModel } from "./read.ts";
import { writeModel } from "./write.ts";

function printed(name: string): string {
  return printGraph(readModel(onnxFixture("models", name), { path: name }).graph);
}

function errorOf(bytes: Uint8Array, options: ReadOptions = { path: "some.onnx" }): GraftError {
  try {
    readModel(bytes, options);
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("the model was read");
}

const encoder = new TextEncoder();

describe("reading a model", () => {
  it("turns constants into initializers and keeps what the file says of its values", () => {
    expect(printed("constants")).toMatchInlineSnapshot(`
      "graph g(x: float32[2]) -> y, i, j, k, t, u
        a: float32[2] = [0.5, 0.25]
        i: int64[] = -9223372000000000000
        j: int64[2] = [1, 2]
        k: float32[] = 0.1
        t: string[2] = <2 elements>
        u: string[] = <1 elements>
        y: float32[2] = Add(x, a)"
    `);
  });

  it("takes initializers for constants that old files repeat as inputs", () => {
    const { graph } = readModel(onnxFixture("models", "network_11"));
    expect(readModel(onnxFixture("models", "network_11")).irVersion).toBe(3);
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  });

  it("keeps inputs with defaults as inputs where files may have them", () => {
    const { graph } = readModel(onnxFixture("models", "default_input"));
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
    expect([...graph.initializers.keys()].map(({ name }) => name)).toEqual(["w"]);
  });

  it("lets branches use values of the graphs around them, and names everything apart", () => {
    expect(printed("if_captures")).toMatchInlineSnapshot(`
      "graph g(x: float32[3], c: bool[]) -> y
        w: float32[3] = [1, 2, 3]
        a: ?[…] = Add(x, w)
        y: float32[3] = If(c)
          graph t() -> z
            b: ?[…] = Mul(a, w)
            z: float32[3] = Relu(b)
          graph e() -> z_1
            k: float32[3] = [0.5, 0.25, 2]
            b_1: ?[…] = Sub(a, k)
            z_1: float32[3] = If(c)
              graph tt() -> z1
                z1: float32[3] = Neg(b_1)
              graph te() -> z2
                z2: float32[3] = Add(b_1, x)"
    `);
  });

  it("inlines functions with the attributes of each call and the defaults of the rest", () => {
    expect(printed("functions")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 3]) -> y, z
        outer/c: float32[] = 0.7
        outer/c_1: float32[] = 0.7
        outer/a: ?[…] = LeakyRelu(x) {alpha: 0.30000001192092896}
        inner/a: ?[…] = Elu(outer/a) {alpha: 0.699999988079071}
        outer/b: ?[…] = Clip(inner/a)
        y: float32[2, 3] = Add(outer/b, outer/c)
        outer/a_1: ?[…] = LeakyRelu(x)
        inner/a_1: ?[…] = Elu(outer/a_1) {alpha: 0.699999988079071}
        outer/b_1: ?[…] = Clip(inner/a_1)
        z: float32[2, 3] = Add(outer/b_1, outer/c_1)"
    `);
  });

  it("inlines a function whose branches use its parameters", () => {
    expect(printed("function_with_branch")).toMatchInlineSnapshot(`
      "graph g(x: float32[2], c: bool[]) -> y
        y: float32[2] = If(c)
          graph t() -> z
            s: float32[] = 2
            z: ?[…] = Mul(x, s)
          graph e() -> z_1
            z_1: ?[…] = Neg(x)"
    `);
  });

  it("puts nodes into an order that can be run", () => {
    expect(printed("unordered")).toMatchInlineSnapshot(`
      "graph g(x: float32[2]) -> y
        a: ?[…] = Relu(x)
        b: ?[…] = Neg(a)
        y: float32[2] = Exp(b)"
    `);
  });

  it("keeps operators it does not know, with the versions of their domains", () => {
    const model = readModel(onnxFixture("models", "foreign"));
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4]) -> y, z
        b: float32[4] = [1, 2, 3, 4]
        a: ?[…] = com.microsoft::QuickGelu(x) {alpha}
        y: float32[2, 4] = Relu(a)
        z: float32[2, 4] = com.microsoft::BiasGelu(x, b)"
    `);
    expect([...model.opsetImports]).toEqual([
      ["", 17],
      ["com.microsoft", 1],
    ]);
  });

  it("looks at aligned weights in place", () => {
    const bytes = onnxFixture("models", "dtype_uint8_raw");
    const [tensor] = [...readModel(bytes).graph.initializers.values()];
    expect(tensor?.data).toHaveProperty("buffer", bytes.buffer);
  });

  it("reads every digit of 64-bit integers", () => {
    const [tensor] = [...readModel(onnxFixture("models", "dtype_int64_typed")).graph.initializers.values()];
    expect(tensor?.data).toEqual(BigInt64Array.of(1n, -2n, 2n ** 62n + 1n));
  });

  it("writes elements of typed fields as raw bytes, and reads the same again", () => {
    for (const type of ["int64", "float", "double", "uint32", "complex64", "bool", "float16"]) {
      const [tensor] = [...readModel(onnxFixture("models", `dtype_${type}_typed`)).graph.initializers.values()];
      const written = writeModel(readModel(onnxFixture("models", `dtype_${type}_typed`)));
      const [again] = [...readModel(written).graph.initializers.values()];
      expect(again, type).toEqual(tensor);
    }
  });
});

describe("what a file says beyond its graph", () => {
  it("survives being read and written", () => {
    const model = readModel(onnxFixture("models", "annotated"));
    const again = readModel(writeModel(model));
    for (const { producerVersion, domain, modelVersion, docString, metadata } of [model, again]) {
      expect({ producerVersion, domain, modelVersion, docString, metadata: [...metadata] }).toEqual({
        producerVersion: "1",
        domain: "com.example",
        modelVersion: 3,
        docString: "about",
        metadata: [
          ["author", "Zoë"],
          ["note", "kept"],
        ],
      });
    }
    const text = new TextDecoder("latin1").decode(writeModel(model));
    const said = ["a graph", "an input", "a weight", "a node", "an attribute", "IMAGE", "DATA_BATCH", "SCALE_TENSOR"];
    for (const each of said) expect(text).toContain(each);
  });

  it("survives where no version of ONNX knows it", () => {
    const bytes = onnxFixture("models", "unknown_fields");
    const count = (file: Uint8Array) => new TextDecoder("latin1").decode(file).split("hello").length - 1;
    expect(count(bytes)).toBe(3);
    expect(count(writeModel(readModel(bytes)))).toBe(3);
  });
});

describe("refusing a model", () => {
  const reasons: readonly (readonly [name: string, message: RegExp])[] = [
    ["opset_6", /operator set 6; expected 7 to 26/],
    ["opset_27", /operator set 27; expected 7 to 26/],
    ["ir_14", /newer than this library; expected IR version 13 at most, found 14/],
    ["cycle", /in a circle; found .*Add "a" → Relu "b"/],
    ["defined_twice", /"y" is defined twice/],
    ["undefined", /Add "y": input 1: the value "nothing" is used and never defined/],
    ["wrong_attribute", /LeakyRelu "y": attribute "alpha" has the wrong type; expected float, found STRING/],
    ["scan_8", /Scan of operator set 8 has no newer form/],
    ["spatial_0", /statistics per element/],
    ["recursion", /calls itself; found f::one → f::two → f::one/],
    ["doubling_functions", /too many nodes once its functions are inlined/],
    ["nested_graphs", /too many graphs within graphs/],
    ["overflowing_weight", /initializer "w": the tensor's size overflows/],
    ["huge_weight", /do not fill the tensor's shape; expected 4398046511104 bytes/],
    ["negative_weight", /impossible size/],
    ["unknown_type", /element type is not known; found data type 99/],
    ["external", /keeps data in another file.*found "\.env"/],
    ["sparse_bomb", /out of proportion/],
  ];

  it("knows a reason for every model that must be refused", () => {
    expect(reasons.map(([name]) => name).sort()).toEqual([...onnxFixtures("refused").keys()].sort());
  });

  it.each(reasons)("%s: says why, and which file", (name, message) => {
    const error = errorOf(onnxFixture("refused", name), { path: `${name}.onnx` });
    expect(error.message).toMatch(message);
    expect(error.path[0]).toBe(`${name}.onnx`);
    expect(error.code).toMatch(/^model-/);
  });

  it.each([
    ["an empty file", new Uint8Array(0)],
    ["an HTML page", encoder.encode("\n<!DOCTYPE html><html>404</html>")],
    ["a zip archive", encoder.encode("PK\u0003\u0004rest")],
    ["an HDF5 file", Uint8Array.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])],
    ["a TensorFlow Lite model", encoder.encode("\u0018\u0000\u0000\u0000TFL3")],
    ["a Git LFS pointer", encoder.encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")],
    ["a Python pickle", Uint8Array.from([0x80, 2, 0x8a, 0x0a])],
    ["a safetensors file", encoder.encode('\u0010\0\0\0\0\0\0\0{"w":{}}')],
    ["a JSON document", encoder.encode('{ "modelTopology": {} }')],
  ])("%s is called what it is", (what, bytes) => {
    expect(errorOf(bytes).message).toContain(`some.onnx: this is ${what}`);
  });

  it("says where a damaged file breaks", () => {
    const bytes = onnxFixture("models", "network_18");
    expect(errorOf(bytes.subarray(0, 200)).message).toMatchInlineSnapshot(
      `"some.onnx: byte 5, in ModelProto: the bytes are no ONNX model: a field reaches beyond its end; found 1668 bytes of 195; the file is damaged, cut short, or of another kind"`,
    );
  });

  it("refuses a chain of a million nodes by its count, at once", () => {
    const node = toBinary(NodeProtoSchema, create(NodeProtoSchema, { input: ["a"], output: ["a"], opType: "Relu" }));
    const field = [0x0a, node.length, ...node];
    const graph = new Uint8Array(field.length * 1_000_000);
    for (let at = 0; at < graph.length; at += field.length) graph.set(field, at);
    const head = toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 18n }] }),
    );
    const start = [...head, 0x3a, ...varint(graph.length)];
    const bytes = new Uint8Array(start.length + graph.length);
    bytes.set(start);
    bytes.set(graph, start.length);
    const started = performance.now();
    expect(errorOf(bytes).message).toBe("some.onnx: the model has too many nodes; expected at most 250000");
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("refuses a file that is nothing but empty messages", () => {
    const empty = new Uint8Array(200_000);
    for (let at = 0; at < empty.length; at += 2) empty[at] = 0x2a;
    const bytes = Uint8Array.from([0x08, 8, 0x3a, ...varint(empty.length), ...empty]);
    expect(errorOf(bytes).message).toContain("too many fields for its size; expected at most 70001");
  });

  it("reads a chain of twenty thousand nodes, forwards and backwards", () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) =>
      create(NodeProtoSchema, { input: [index === 0 ? "x" : `v${index}`], output: [`v${index + 1}`], opType: "Relu" }),
    );
    const type = { value: { case: "tensorType", value: { elemType: 1, shape: {} } } } as const;
    const bytesOf = (node: typeof nodes) =>
      toBinary(
        ModelProtoSchema,
        create(ModelProtoSchema, {
          irVersion: 8n,
          opsetImport: [{ version: 18n }],
          graph: { node, input: [{ name: "x", type }], output: [{ name: "v20000", type }] },
        }),
      );
    const forwards = writeModel(readModel(bytesOf(nodes)));
    const backwards = writeModel(readModel(bytesOf(nodes.toReversed())));
    expect(Buffer.compare(backwards, forwards)).toBe(0);
  });
});

function varint(number: number): number[] {
  const bytes: number[] = [];
  let rest = number;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
