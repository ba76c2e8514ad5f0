/** @file Graphs as text: stable, readable, made for snapshots and for messages. */
import { isReadable, numbersOf, showShape, type Tensor } from "../tensor/index.ts";
import type { Graph, Node, Value, ValueType } from "./graph.ts";
import { schemaOf } from "./operators.ts";
import { subgraphsOf } from "./visit.ts";

/** `float32[N, 3]`, `?[…]` where nothing is known. */
export function showType(type: ValueType): string {
  return `${type.dtype ?? "?"}${showShape(type.shape)}`;
}

/**
 * The graph, a line a value:
 * ```
 * graph main(x: float32[N, 4]) -> y
 *   w: float32[4, 2] = <8 elements>
 *   y: float32[N, 2] = MatMul(x, w)
 * ```
 * Attributes appear where they differ from ONNX's defaults; constants of up to eight elements are written out.
 */
export function printGraph(graph: Graph, indent = ""): string {
  const inputs = graph.inputs.map((value) => `${value.name}: ${showType(value)}`).join(", ");
  const lines = [`${indent}graph ${graph.name}(${inputs}) -> ${graph.outputs.map((value) => value.name).join(", ")}`];
  const inner = `${indent}  `;
  for (const [value, tensor] of graph.initializers) {
    lines.push(`${inner}${value.name}: ${showType(value)} = ${printTensor(tensor)}`);
  }
  for (const node of graph.nodes) {
    lines.push(`${inner}${printNode(node)}`);
    for (const subgraph of subgraphsOf(node)) lines.push(printGraph(subgraph, `${inner}  `));
  }
  return lines.join("\n");
}

/** One node: its outputs with their types, its operator, inputs and attributes. Subgraphs are left out. */
export function printNode(node: Node): string {
  const names = (values: readonly (Value | undefined)[]) => values.map((value) => value?.name ?? "_").join(", ");
  const outputs = node.outputs.map((value) => (value ? `${value.name}: ${showType(value)}` : "_")).join(", ");
  const operator = node.kind === "foreign" && node.domain !== "" ? `${node.domain}::${node.operator}` : node.operator;
  return `${outputs} = ${operator}(${names(node.inputs)})${printAttributes(node)}`;
}

function printAttributes(node: Node): string {
  const written =
    node.kind === "foreign"
      ? node.attributes.map(({ name }) => name)
      : Object.entries(node.attributes as Record<string, unknown>).flatMap(([key, value]) => {
          const schema = (schemaOf(node.operator).attributes as Record<string, { kind: string; fallback: unknown }>)[
            key
          ];
          if (schema === undefined || schema.kind === "graph" || value === undefined) return [];
          const text = showAttribute(schema.kind, value);
          return text === showAttribute(schema.kind, schema.fallback) ? [] : [`${key}: ${text}`];
        });
  return written.length === 0 ? "" : ` {${written.join(", ")}}`;
}

function showAttribute(kind: string, value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  if (kind === "tensor" && value !== undefined) return printTensor(value as Tensor);
  return String(value);
}

function printTensor(tensor: Tensor): string {
  if (!isReadable(tensor.dtype) || tensor.data.length > 8) return `<${tensor.data.length} elements>`;
  const numbers = numbersOf(tensor).map((number) =>
    Object.is(number, -0) ? "-0" : String(Number(number.toPrecision(7))),
  );
  return tensor.shape.length === 0 ? numbers.join("") : `[${numbers.join(", ")}]`;
}
