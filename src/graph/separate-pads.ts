/** @file Pads before pools, in a form that ONNX Runtime does not draw into the pool. */
import { int64Vector } from "../tensor/index.ts";
import type { Graph, Node, OperatorNode, Value } from "./graph.ts";
import { producersOf } from "./visit.ts";

/**
 * ONNX Runtime 1.30 moves a Pad into the MaxPool after it, whose own padding counts as −∞ where the Pad has zeros: below
 * zero the maxima are wrong (ResNet V2 pads before an activation). A Pad that names all axes means the same, and stays.
 */
export function separatePads(graph: Graph): Graph {
  const producers = producersOf(graph);
  const pads = new Set<Node>();
  for (const node of graph.nodes) {
    const producer = node.operator === "MaxPool" && node.inputs[0] && producers.get(node.inputs[0]);
    if (producer && isPad(producer) && producer.inputs[3] === undefined) pads.add(producer);
  }
  if (pads.size === 0) return graph;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node): Node => {
    const [x, amounts, constant] = node.inputs;
    const output = node.outputs[0];
    if (!pads.has(node) || !isPad(node) || x?.shape === undefined || output === undefined) return node;
    const tensor = int64Vector(x.shape.map((_, axis) => axis));
    const axes: Value = { name: `${output.name}/axes`, dtype: "int64", shape: tensor.shape };
    initializers.set(axes, tensor);
    return { ...node, inputs: [x, amounts, constant, axes] };
  });
  return { ...graph, nodes, initializers };
}

function isPad(node: Node): node is OperatorNode<"Pad"> {
  return node.kind === "operator" && node.operator === "Pad" && node.attributes.mode === "constant";
}
