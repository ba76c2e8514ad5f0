import { describe, expect, it } from "vitest";
import { withoutFusedPrelu } from "./fused-prelu.ts";
import type { FrozenGraph, TfAttribute, TfNode } from "./graph-def.ts";

const node = (name: string, op: string, inputs: readonly string[], fused: readonly string[] = []): TfNode => {
  const values = fused.map((text): TfAttribute => ({ kind: "bytes", value: new TextEncoder().encode(text) }));
  return { name, op, inputs, attributes: new Map(fused.length > 0 ? [["fused_ops", { kind: "list", values }]] : []) };
};

function graphOf(...nodes: readonly TfNode[]): FrozenGraph {
  const port = (name: string) => ({ name, dtype: "float32", shape: undefined, ref: name }) as const;
  const [last = ""] = nodes.slice(-1).map(({ name }) => name);
  return {
    name: "g",
    nodes,
    inputs: [port("x")],
    outputs: [port(last)],
    variables: new Map(),
    functions: new Map(),
    remarks: [],
  };
}

const product = node("dense", "_FusedMatMul", ["x", "w", "b", "alpha"], ["BiasAdd", "Prelu"]);

describe("PReLU that TensorFlow.js's converter fused into what others read", () => {
  it("stands apart again: the last of two inputs is PReLU's, all else is from before it", () => {
    const graph = graphOf(
      product,
      node("relu", "Relu", ["dense"]),
      node("out", "ConcatV2", ["dense", "relu", "dense", "axis"]),
    );
    const { nodes, remarks } = withoutFusedPrelu(graph);
    expect(nodes.map(({ name, op, inputs }) => `${name} ${op}(${inputs.join(" ")})`)).toEqual([
      "dense _FusedMatMul(x w b)",
      "dense/Prelu Prelu(dense alpha)",
      "relu Relu(dense)",
      "out ConcatV2(dense relu dense/Prelu axis)",
    ]);
    expect(nodes[0]?.attributes.get("fused_ops")).toMatchObject({ values: [{ kind: "bytes" }] });
    expect(remarks).toHaveLength(1);
  });

  it("stays fused where several read it, and where it is squared", () => {
    for (const reader of [node("out", "ConcatV2", ["dense", "relu", "axis"]), node("out", "Mul", ["dense", "dense"])]) {
      const graph = graphOf(product, node("relu", "Relu", ["dense"]), reader);
      expect(withoutFusedPrelu(graph)).toBe(graph);
    }
  });
});
