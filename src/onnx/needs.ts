/** @file Which version of ONNX's operator set, and of the file format, a graph needs to be written in. */
import { allNodes, type Graph, type Node, subgraphsOf } from "../graph/index.ts";
import type { DType } from "../tensor/index.ts";

/**
 * The oldest versions that are written. Between 18 and the canonical 21 few forms changed, and ONNX Runtime has faster
 * kernels and more fusions for the older ones (AveragePool 19 rounds differently and leaves its fast pool), so a
 * graph asks for no more than it needs.
 */
export const oldestWritten: Needs = { opset: 18, irVersion: 8 };

export interface Needs {
  readonly opset: number;
  readonly irVersion: number;
}

/** Operators whose canonical form is newer. */
const operatorForms: ReadonlyMap<string, number> = new Map([
  ["AffineGrid", 20],
  ["CumProd", 26],
  ["DFT", 20],
  ["Gelu", 20],
  ["GridSample", 20],
  ["GroupNormalization", 21],
  ["RMSNormalization", 23],
  ["Swish", 24],
]);

/** Element types that are newer: the operator set and the file format that brought them to the operators we write. */
const elementTypes: ReadonlyMap<DType, Needs> = new Map<DType, Needs>([
  ["float8e4m3fn", { opset: 19, irVersion: 9 }],
  ["float8e4m3fnuz", { opset: 19, irVersion: 9 }],
  ["float8e5m2", { opset: 19, irVersion: 9 }],
  ["float8e5m2fnuz", { opset: 19, irVersion: 9 }],
  ["uint4", { opset: 21, irVersion: 10 }],
  ["int4", { opset: 21, irVersion: 10 }],
  ["bfloat16", { opset: 22, irVersion: 10 }],
  ["float4e2m1", { opset: 23, irVersion: 11 }],
  ["float8e8m0", { opset: 24, irVersion: 12 }],
  ["uint2", { opset: 25, irVersion: 13 }],
  ["int2", { opset: 25, irVersion: 13 }],
]);

/** The lowest versions that have everything the graph and the graphs inside it use. */
export function needsOf(graph: Graph): Needs {
  let { opset, irVersion } = oldestWritten;
  const needType = (dtype: DType | undefined) => {
    const needs = dtype && elementTypes.get(dtype);
    if (needs === undefined) return;
    opset = Math.max(opset, needs.opset);
    irVersion = Math.max(irVersion, needs.irVersion);
  };
  for (const { inputs, initializers } of allGraphs(graph)) {
    for (const { dtype } of [...inputs, ...initializers.values()]) needType(dtype);
  }
  for (const node of allNodes(graph)) {
    opset = Math.max(opset, formOf(node));
    for (const output of node.outputs) needType(output?.dtype);
  }
  return { opset, irVersion };
}

/** The operator set that brought a node's form: its operator, or what its attributes say. */
function formOf(node: Node): number {
  const operator = operatorForms.get(node.operator) ?? 0;
  if (node.kind === "foreign") return operator;
  switch (node.operator) {
    case "AveragePool":
      return node.attributes.dilations === undefined ? 0 : 19;
    case "Cast":
    case "CastLike":
      return node.attributes.saturate ? 0 : 19;
    case "Equal":
      return node.inputs[0]?.dtype === "string" ? 19 : 0;
    case "Pad":
      return node.attributes.mode === "wrap" ? 19 : 0;
    case "ReduceMax":
    case "ReduceMin":
      return node.inputs[0]?.dtype === "bool" ? 20 : 0;
    case "Resize":
      return node.attributes.coordinateTransformationMode === "half_pixel_symmetric" ? 19 : 0;
    default:
      return operator;
  }
}

/** The graph and every graph inside it. */
export function* allGraphs(graph: Graph): Generator<Graph> {
  yield graph;
  for (const node of allNodes(graph)) yield* subgraphsOf(node);
}
