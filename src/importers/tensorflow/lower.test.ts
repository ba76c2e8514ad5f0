import { describe, expect, it } from "vitest";
import { gradientReach } from "../../gradient/index.ts";
import { printGraph } from "../../graph/index.ts";
import { float32, GraftError, type Tensor, tensorOf } from "../../tensor/index.ts";
import type { FrozenGraph, TfAttribute, TfNode, TfPort, TfShape, TfVariable } from "./graph-def.ts";
import { lowerTensorFlow } from "./lower.ts";

type Attributes = Readonly<Record<string, TfAttribute>>;
const bytes = (text: string): TfAttribute => ({ kind: "bytes", value: new TextEncoder().encode(text) });
const ints = (...values: readonly number[]): TfAttribute => ({
  kind: "list",
  values: values.map((value) => ({ kind: "int", value })),
});
const node = (name: string, op: string, inputs: readonly string[] = [], attributes: Attributes = {}): TfNode => ({
  name,
  op,
  inputs,
  attributes: new Map(Object.entries(attributes)),
});
const constant = (name: string, value: Tensor) => node(name, "Const", [], { value: { kind: "tensor", value } });
const port = (name: string, shape: TfShape, ref = name): TfPort => ({ name, dtype: "float32", shape, ref });
const variable = (name: string, shape: readonly number[], isTrainable = true): TfVariable => {
  const count = shape.reduce((product, size) => product * size, 1);
  return {
    name,
    tensor: float32(
      shape,
      Float32Array.from({ length: count }, (_, index) => index),
    ),
    isTrainable,
  };
};

function frozen(parts: Partial<FrozenGraph>): FrozenGraph {
  return {
    name: "model",
    nodes: [],
    inputs: [],
    outputs: [],
    variables: new Map(),
    functions: new Map(),
    remarks: [],
    ...parts,
  };
}

/** input → Conv2D → BiasAdd → FusedBatchNormV3 → Relu → Mean → MatMul, as Keras writes it. */
function classifier(trainable: boolean): FrozenGraph {
  const window = { strides: ints(1, 2, 2, 1), padding: bytes("SAME") };
  const norm = { is_training: { kind: "bool", value: false }, epsilon: { kind: "float", value: 0.001 } } as const;
  const read = (name: string) => `m/${name}/read`;
  const statistics = ["bn/moving_mean", "bn/moving_variance"];
  const own: readonly TfVariable[] = [
    variable("conv/kernel", [3, 3, 3, 4], trainable),
    variable("conv/bias", [4], trainable),
    variable("bn/gamma", [4], trainable),
    variable("bn/beta", [4], trainable),
    ...statistics.map((name) => variable(name, [4], false)),
    variable("head/kernel", [4, 2]),
  ];
  const batchNorm = ["bn/gamma", "bn/beta", ...statistics].map(read);
  return frozen({
    nodes: [
      node("m/conv/Conv2D", "Conv2D", ["image", read("conv/kernel")], window),
      node("m/conv/BiasAdd", "BiasAdd", ["m/conv/Conv2D", read("conv/bias")]),
      node("m/bn/FusedBatchNormV3", "FusedBatchNormV3", ["m/conv/BiasAdd", ...batchNorm], norm),
      node("m/relu/Relu", "Relu", ["m/bn/FusedBatchNormV3"]),
      constant("m/pool/axes", tensorOf("int32", [2], [1, 2])),
      node("m/pool/Mean", "Mean", ["m/relu/Relu", "m/pool/axes"]),
      node("m/head/MatMul", "MatMul", ["m/pool/Mean", read("head/kernel")]),
    ],
    inputs: [port("image", [null, 9, 8, 3])],
    outputs: [port("scores", [null, 2], "m/head/MatMul")],
    variables: new Map(own.map((each) => [read(each.name), each])),
  });
}

describe("a graph of TensorFlow", () => {
  it("has its channels first inside, its weights under their names, and padding at the end", () => {
    const { graph } = lowerTensorFlow(classifier(true), { name: "classifier" });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph model(image: float32[N, 9, 8, 3]) -> scores
        conv/kernel: float32[4, 3, 3, 3] = <108 elements>
        conv/bias: float32[4] = [0, 1, 2, 3]
        bn/gamma: float32[4] = [0, 1, 2, 3]
        bn/beta: float32[4] = [0, 1, 2, 3]
        bn/moving_mean: float32[4] = [0, 1, 2, 3]
        bn/moving_variance: float32[4] = [0, 1, 2, 3]
        head/kernel: float32[4, 2] = [0, 1, 2, 3, 4, 5, 6, 7]
        Transpose: float32[N, 3, 9, 8] = Transpose(image) {perm: [0, 3, 1, 2]}
        m/conv/BiasAdd: float32[N, 4, 5, 4] = Conv(Transpose, conv/kernel, conv/bias) {dilations: [1, 1], kernelShape: [3, 3], pads: [1, 0, 1, 1], strides: [2, 2]}
        m/bn/FusedBatchNormV3: float32[N, 4, 5, 4] = BatchNormalization(m/conv/BiasAdd, bn/gamma, bn/beta, bn/moving_mean, bn/moving_variance) {epsilon: 0.001}
        m/relu/Relu: float32[N, 4, 5, 4] = Relu(m/bn/FusedBatchNormV3)
        m/pool/Mean/pool: float32[N, 4, 1, 1] = GlobalAveragePool(m/relu/Relu)
        m/pool/Mean: float32[N, 4] = Flatten(m/pool/Mean/pool)
        scores: float32[N, 2] = MatMul(m/pool/Mean, head/kernel)"
    `);
  });

  it("comes in layers by its scopes, whose weights say what is trained", () => {
    const { layers } = lowerTensorFlow(classifier(true), { name: "classifier" });
    const shown = layers.map(
      ({ name, className, inputs, outputShape, weights }) =>
        `${name} ${className} (${inputs}) [${outputShape}] ${weights.map((each) => `${each.name}${each.isTrainable ? "" : "*"}`)}`,
    );
    expect(shown).toMatchInlineSnapshot(`
      [
        "image InputLayer () [,9,8,3] ",
        "conv Conv2D (image) [,5,4,4] conv/kernel,conv/bias",
        "bn BatchNormalization (conv) [,5,4,4] bn/gamma,bn/beta,bn/moving_mean*,bn/moving_variance*",
        "relu ReLU (bn) [,5,4,4] ",
        "pool GlobalAveragePooling2D (relu) [,4] ",
        "head Dense (pool) [,2] head/kernel",
      ]
    `);
    expect(layers.every((layer) => layer.trainable !== false)).toBe(true);
  });

  it("has frozen layers where no variable of a layer is trained", () => {
    const { layers } = lowerTensorFlow(classifier(false), { name: "classifier" });
    const flags = layers.filter(({ weights }) => weights.length > 0).map(({ name, trainable }) => [name, trainable]);
    expect(flags).toEqual([
      ["conv", false],
      ["bn", false],
      ["head", undefined],
    ]);
    const norm = layers.find(({ name }) => name === "bn");
    expect(norm?.weights.map(({ isTrainable }) => isTrainable)).toEqual([true, true, false, false]);
  });

  it("can be trained down to its first convolution", () => {
    const { graph } = lowerTensorFlow(classifier(true), { name: "classifier" });
    const [scores] = graph.outputs;
    const { reached, barriers } = gradientReach(
      graph,
      scores ?? graph.inputs[0] ?? { name: "", dtype: undefined, shape: undefined },
    );
    expect(barriers).toEqual([]);
    expect([...reached].map(({ name }) => name)).toContain("conv/kernel");
  });

  it("keeps a variable that is read twice as one", () => {
    const kernel = variable("kernel", [2, 2]);
    const { graph } = lowerTensorFlow(
      frozen({
        nodes: [node("a", "MatMul", ["x", "read"]), node("b", "MatMul", ["a", "read_1"])],
        inputs: [port("x", [null, 2])],
        outputs: [port("y", [null, 2], "b")],
        variables: new Map([
          ["read", kernel],
          ["read_1", kernel],
        ]),
      }),
      { name: "twice" },
    );
    expect([...graph.initializers.keys()].map(({ name }) => name)).toEqual(["kernel"]);
  });

  it("gives inputs and constants that it passes on as outputs of their own", () => {
    const { graph } = lowerTensorFlow(
      frozen({
        nodes: [constant("c", tensorOf("float32", [2], [1, 2]))],
        inputs: [port("x", [null, 2])],
        outputs: [port("same", [null, 2], "x"), port("again", [null, 2], "x"), port("fixed", [2], "c")],
      }),
      { name: "passed" },
    );
    expect(graph.outputs.map(({ name }) => name)).toEqual(["same", "again", "fixed"]);
    expect(graph.nodes.map(({ operator }) => operator)).toEqual(["Identity", "Identity", "Identity"]);
  });
});

describe("what cannot be lowered", () => {
  const refusal = (parts: Partial<FrozenGraph>): GraftError => {
    try {
      lowerTensorFlow(frozen(parts), { name: "file.pb" });
    } catch (error) {
      if (error instanceof GraftError) return error;
      throw error;
    }
    throw new Error("it was lowered");
  };

  it("is named, every operator with its nodes, those of functions included", () => {
    const error = refusal({
      nodes: [
        node("split/words", "StringSplitV2", ["x"]),
        node("look", "LookupTableFindV2", ["split/words"]),
        node("again", "LookupTableFindV2", ["look"]),
        node("dead", "NeverHeardOf", ["x"]),
      ],
      inputs: [port("x", [null])],
      outputs: [port("y", [null], "again")],
      functions: new Map([
        [
          "body",
          {
            name: "body",
            inputs: [port("i", [])],
            nodes: [node("f/hash", "StringToHashBucketFast", ["i"])],
            outputs: [],
          },
        ],
      ]),
    });
    expect(error.code).toBe("model-refused");
    expect(error.message).toMatch(/^file\.pb: /);
    for (const named of ["StringSplitV2 (at split/words)", "LookupTableFindV2 (at look, again)", "f/hash"]) {
      expect(error.message).toContain(named);
    }
    expect(error.message).not.toContain("NeverHeardOf");
  });

  it("is named at every node, not at the first only", () => {
    const pool = { ksize: ints(1, 2, 2, 2), strides: ints(1, 2, 2, 1), padding: bytes("VALID") };
    const error = refusal({
      nodes: [
        node("over_channels", "MaxPool", ["x"], pool),
        node("mirrored", "Conv2D", ["x", "kernel"], { strides: ints(1, 1, 1, 1), padding: bytes("MIRROR") }),
        node("sum", "AddV2", ["over_channels", "mirrored"]),
        constant("kernel", tensorOf("float32", [1, 1, 2, 2], [1, 2, 3, 4])),
      ],
      inputs: [port("x", [null, 4, 4, 2])],
      outputs: [port("y", [null, 2, 2, 2], "sum")],
    });
    expect(error.message).toContain('node "over_channels" (MaxPool)');
    expect(error.message).toContain('node "mirrored" (Conv2D)');
    expect(error.message).not.toContain('"sum"');
  });

  it("is invalid where nodes are missing, need each other or do not have the output", () => {
    const outputs = [port("y", [null], "a")];
    const inputs = [port("x", [null])];
    expect(refusal({ nodes: [node("a", "Relu", ["b"])], inputs, outputs }).message).toContain("a node is missing");
    const ring = [node("a", "Relu", ["b"]), node("b", "Relu", ["a"])];
    expect(refusal({ nodes: ring, inputs, outputs }).message).toContain("need each other");
    const beyond = [node("r", "Relu", ["x"]), node("a", "Relu", ["r:3"])];
    expect(refusal({ nodes: beyond, inputs, outputs }).message).toContain("does not have the output");
    const kernel = constant("k", tensorOf("float32", [1, 1, 3, 1], [1, 2, 3]));
    const convolution = node("a", "Conv2D", ["x", "k"], { strides: ints(1, 1, 1, 1), padding: bytes("VALID") });
    const misfit = refusal({ nodes: [convolution, kernel], inputs: [port("x", [1, 2, 2, 2])], outputs });
    expect(misfit).toMatchObject({ code: "model-invalid", reason: "the kernel does not fit the channels" });
  });
});
