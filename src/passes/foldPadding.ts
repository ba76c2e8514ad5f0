/** @file Folding padding with zeros into the convolution that reads it. */
import { definitionsOf, type Graph, type Node, type OperatorNode, producersOf, type Value } from "../graph/index.ts";
import { numbersOf } from "../tensor/index.ts";
import { removeDeadNodes } from "./prune.ts";

/**
 * A convolution of a map padded with zeros becomes one that pads for itself, as Keras's ZeroPadding2D before a strided
 * convolution does: fewer copies of the map, and forms by shape (`depthwiseForm`) apply.
 */
export function foldPadding(graph: Graph): Graph {
  const producers = producersOf(graph);
  const nodes = graph.nodes.map((node) => {
    if (node.kind !== "operator" || node.operator !== "Conv" || node.attributes.autoPad !== "NOTSET") return node;
    const [x, ...rest] = node.inputs;
    const pad = x && producers.get(x);
    const padded = pad && zerosAround(pad, graph.initializers);
    if (padded === undefined) return node;
    const own = node.attributes.pads ?? padded.pads.map(() => 0);
    const pads = padded.pads.map((size, index) => size + (own[index] ?? 0));
    const folded: OperatorNode<"Conv"> = {
      ...node,
      inputs: [padded.x, ...rest],
      attributes: { ...node.attributes, pads },
    };
    return folded;
  });
  return removeDeadNodes({ ...graph, nodes });
}

/** What is padded and by how much, spatially: all begins, then all ends. */
function zerosAround(
  node: Node,
  constants: Graph["initializers"],
): { readonly x: Value; readonly pads: readonly number[] } | undefined {
  if (node.kind !== "operator" || node.operator !== "Pad" || node.attributes.mode !== "constant") return undefined;
  const [x, sizes, fill, axes] = node.inputs;
  const pads = sizes && constants.get(sizes);
  const value = fill && constants.get(fill);
  const isZero = fill === undefined || (value !== undefined && numbersOf(value).every((number) => number === 0));
  if (x === undefined || pads === undefined || !isZero || axes !== undefined || definitionsOf(node).length !== 1)
    return undefined;
  const numbers = numbersOf(pads);
  const rank = numbers.length / 2;
  const [begins, ends] = [numbers.slice(0, rank), numbers.slice(rank)];
  const isSpatial = [begins, ends].every(([batch, channels]) => batch === 0 && channels === 0);
  if (!isSpatial || numbers.some((size) => size < 0)) return undefined;
  return { x, pads: [...begins.slice(2), ...ends.slice(2)] };
}
