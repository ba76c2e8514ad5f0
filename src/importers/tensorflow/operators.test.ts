import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { verify } from "../../graph/index.ts";
import { type NumericTensor, numbersOf, storageOf, type Tensor } from "../../tensor/index.ts";
import { runGraph } from "../../testing/index.ts";
import type { FrozenGraph, TfAttribute, TfFunction, TfNode, TfPort, TfShape, TfType } from "./graph-def.ts";
import { lowerTensorFlow } from "./lower.ts";

/** As tests/fixtures/tensorflow-operators/make_cases.py writes them. */
interface WrittenTensor {
  readonly dtype: Exclude<Tensor["dtype"], "string">;
  readonly shape: readonly number[];
  readonly data: string;
}
type WrittenAttribute =
  | { readonly kind: "bytes"; readonly text: string }
  | { readonly kind: "tensor"; readonly value: WrittenTensor }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "list"; readonly values: readonly WrittenAttribute[] }
  | { readonly kind: "int" | "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "type"; readonly value: TfType }
  | { readonly kind: "shape"; readonly value: TfShape | null };
type WrittenNode = readonly [string, string, readonly string[], Readonly<Record<string, WrittenAttribute>>];
interface WrittenFunction extends Omit<TfFunction, "nodes"> {
  readonly nodes: readonly WrittenNode[];
}
interface Case {
  readonly name: string;
  readonly tolerance: number;
  readonly nodes: readonly WrittenNode[];
  readonly inputs: readonly TfPort[];
  readonly outputs: readonly TfPort[];
  readonly variables: readonly string[];
  readonly functions: readonly WrittenFunction[];
  readonly runs: readonly { readonly inputs: readonly WrittenTensor[]; readonly outputs: readonly WrittenTensor[] }[];
}

const fixture = new URL("../../../tests/fixtures/tensorflow-operators/cases.json.gz", import.meta.url);
const cases = JSON.parse(gunzipSync(readFileSync(fixture)).toString()) as readonly Case[];

function tensorOf({ dtype, shape, data }: WrittenTensor): NumericTensor {
  const bytes = new Uint8Array(Buffer.from(data, "base64"));
  const storage = storageOf(dtype);
  const elements = new storage(bytes.buffer, 0, bytes.length / storage.BYTES_PER_ELEMENT);
  return { dtype, shape, data: elements };
}

function attributeOf(written: WrittenAttribute): TfAttribute {
  if (written.kind === "bytes") return { kind: "bytes", value: new TextEncoder().encode(written.text) };
  if (written.kind === "tensor") return { kind: "tensor", value: tensorOf(written.value) };
  if (written.kind === "function") return { kind: "function", name: written.name, attributes: new Map() };
  if (written.kind === "list") return { kind: "list", values: written.values.map(attributeOf) };
  if (written.kind === "shape") return { kind: "shape", value: written.value ?? undefined };
  return written as TfAttribute;
}

function nodeOf([name, op, inputs, attributes]: WrittenNode): TfNode {
  const entries = Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)] as const);
  return { name, op, inputs, attributes: new Map(entries) };
}

function frozenOf(written: Case): FrozenGraph {
  const nodes = written.nodes.map(nodeOf);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const variables = written.variables.map((name) => {
    const value = byName.get(name)?.attributes.get("value");
    if (value?.kind !== "tensor") throw new Error(`${name} is no constant`);
    return [name, { name: `variables/${name}`, tensor: value.value, isTrainable: true }] as const;
  });
  return {
    name: written.name,
    nodes,
    inputs: written.inputs,
    outputs: written.outputs,
    variables: new Map(variables),
    functions: new Map(written.functions.map((each) => [each.name, { ...each, nodes: each.nodes.map(nodeOf) }])),
    remarks: [],
  };
}

/** The largest difference, where both are numbers; infinite where only one is. */
function deviationOf(got: Tensor, wanted: Tensor): number {
  const [a, b] = [numbersOf(got), numbersOf(wanted)];
  return a.reduce((worst, value, index) => {
    const other = b[index] ?? Number.NaN;
    if (Object.is(value, other) || value === other) return worst;
    const difference = Math.abs(value - other);
    return Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }, 0);
}

describe("operators of TensorFlow compute what TensorFlow computes", () => {
  it.each(cases.map((each) => [each.name, each] as const))("%s", async (_, each) => {
    const { graph } = lowerTensorFlow(frozenOf(each), { name: each.name });
    verify(graph);
    expect(graph.inputs.map(({ name }) => name)).toEqual(each.inputs.map(({ name }) => name));
    expect(graph.outputs.map(({ name }) => name)).toEqual(each.outputs.map(({ name }) => name));
    for (const run of each.runs) {
      const feeds = Object.fromEntries(run.inputs.map((input, index) => [each.inputs[index]?.name, tensorOf(input)]));
      const results = await runGraph(graph, feeds);
      for (const [index, output] of run.outputs.entries()) {
        const wanted = tensorOf(output);
        const got = results.get(each.outputs[index]?.name ?? "");
        expect(got, `output ${index}`).toMatchObject({ dtype: wanted.dtype, shape: wanted.shape });
        expect(got && deviationOf(got, wanted), `output ${index}`).toBeLessThanOrEqual(each.tolerance);
      }
    }
  });
});
