/** @file Dilated convolutions as TensorFlow wrote them once: on blocks of the map that went to the batch. */
import { numbersOf, stridesOf } from "../../tensor/index.ts";
import type { TfAttribute, TfNode } from "./graph-def.ts";
import { type Producers, sums } from "./lower-producers.ts";

/** A number, to which an element that is not known may be added. */
interface Sum {
  readonly known: number;
  readonly unknown: string | undefined;
}

/** How far an element's origin is followed. */
const deepest = 64;

/**
 * A convolution between SpaceToBatchND and BatchToSpaceND: one with gaps in its windows, as long as what is cut off at the
 * end has been padded at the start. How much that is may depend on the size of the map; their difference does not.
 */
export function blockedConvolution(graph: Producers, node: TfNode): readonly TfNode[] | undefined {
  if (node.op !== "BatchToSpaceND") return undefined;
  // In one dimension an axis of 1 is added for the convolution alone.
  const squeeze = graph.of(node.inputs[0], "Squeeze");
  const convolution = graph.of(squeeze?.inputs[0] ?? node.inputs[0], "Conv2D", "DepthwiseConv2dNative");
  const expand = squeeze && graph.of(convolution?.inputs[0], "ExpandDims");
  const blocks = graph.of(expand?.inputs[0] ?? convolution?.inputs[0], "SpaceToBatchND");
  if (convolution === undefined || blocks === undefined || (squeeze === undefined) !== (expand === undefined)) {
    return undefined;
  }
  const [block, same] = [graph.integers(blocks.inputs[1]), graph.integers(node.inputs[1])];
  if (block?.length !== (expand === undefined ? 2 : 1) || !block.every((side, axis) => side === same?.[axis])) {
    return undefined;
  }
  const left = block.flatMap((_, axis) =>
    [0, 1].map((end) => difference(graph, [axis, end], blocks.inputs[2], node.inputs[2])),
  );
  const pads = left.flatMap((pad) => (pad === undefined || pad < 0 ? [] : [pad]));
  if (pads.length < left.length || !isUnmoved(convolution)) return undefined;
  const [added, one] = expand === undefined ? [[], []] : [[0, 0], [1]];
  const attributes = new Map(convolution.attributes);
  attributes.set("padding", { kind: "bytes", value: new TextEncoder().encode("EXPLICIT") });
  attributes.set("explicit_paddings", integers([0, 0, ...added, ...pads, 0, 0]));
  attributes.set("dilations", integers([1, ...one, ...block, 1]));
  const [x = ""] = blocks.inputs;
  const own = { op: convolution.op, attributes };
  if (expand === undefined || squeeze === undefined) {
    return [{ ...own, name: node.name, inputs: [x, ...convolution.inputs.slice(1)] }];
  }
  const [wide, result] = [`${node.name}/expanded`, `${node.name}/convolved`];
  return [
    { ...expand, name: wide, inputs: [x, ...expand.inputs.slice(1)] },
    { ...own, name: result, inputs: [wide, ...convolution.inputs.slice(1)] },
    { ...squeeze, name: node.name, inputs: [result] },
  ];
}

/** a − b of the elements at a place, where what is unknown of them cancels. */
function difference(
  graph: Producers,
  place: readonly number[],
  a: string | undefined,
  b: string | undefined,
): number | undefined {
  const [from, taken] = [elementAt(graph, a, place, 0), elementAt(graph, b, place, 0)];
  return from !== undefined && taken !== undefined && from.unknown === taken.unknown
    ? from.known - taken.known
    : undefined;
}

/** The element of a small array of whole numbers at a place, followed through Pack, StridedSlice and sums. */
function elementAt(
  graph: Producers,
  reference: string | undefined,
  place: readonly number[],
  depth: number,
): Sum | undefined {
  const tensor = graph.constant(reference);
  if (tensor !== undefined) {
    const strides = stridesOf(tensor.shape);
    const index = place
      .slice(place.length - tensor.shape.length)
      .reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0);
    const known = tensor.dtype === "string" ? undefined : numbersOf(tensor)[index];
    return known === undefined ? undefined : { known, unknown: undefined };
  }
  const source = graph.source(reference);
  const node = graph.of(reference, "Pack", "StridedSlice", ...sums);
  if (source === undefined || depth > deepest) return undefined;
  if (node?.op === "Pack") return elementAt(graph, node.inputs[place[0] ?? 0], place.slice(1), depth + 1);
  if (node?.op === "StridedSlice") {
    const inner = sourcePlace(graph, node, place);
    if (inner !== undefined) return elementAt(graph, node.inputs[0], inner, depth + 1);
  } else if (node !== undefined) {
    const [a, b] = node.inputs.map((input) => elementAt(graph, input, place, depth + 1));
    if (a !== undefined && b !== undefined && (a.unknown === undefined || b.unknown === undefined)) {
      return { known: a.known + b.known, unknown: a.unknown ?? b.unknown };
    }
  }
  return { known: 0, unknown: `${source}[${place}]` };
}

/** Where an element of a StridedSlice without new axes lies in what is sliced. */
function sourcePlace(graph: Producers, node: TfNode, place: readonly number[]): readonly number[] | undefined {
  const [begins, strides] = [graph.integers(node.inputs[1]), graph.integers(node.inputs[3])];
  const mask = (name: string) => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "int" ? attribute.value : 0;
  };
  if (begins === undefined || mask("ellipsis_mask") !== 0 || mask("new_axis_mask") !== 0) return undefined;
  const rest = [...place];
  const own = begins.map((begin, entry) => {
    const isWhole = Math.floor(mask("begin_mask") / 2 ** entry) % 2 === 1;
    const isShrunk = Math.floor(mask("shrink_axis_mask") / 2 ** entry) % 2 === 1;
    return isShrunk ? begin : (isWhole ? 0 : begin) + (rest.shift() ?? 0) * (strides?.[entry] ?? 1);
  });
  return own.some((at) => at < 0) ? undefined : [...own, ...rest];
}

function integers(values: readonly number[]): TfAttribute {
  return { kind: "list", values: values.map((value) => ({ kind: "int", value })) };
}

/** Strides and dilations of 1, no padding, channels last. */
function isUnmoved({ attributes }: TfNode): boolean {
  const text = (name: string) => {
    const attribute = attributes.get(name);
    return attribute?.kind === "bytes" ? new TextDecoder().decode(attribute.value) : undefined;
  };
  const ones = (name: string) => {
    const attribute = attributes.get(name);
    if (attribute?.kind !== "list") return true;
    return attribute.values.every((each) => each.kind === "int" && each.value === 1);
  };
  return (
    ones("strides") && ones("dilations") && text("padding") === "VALID" && (text("data_format") ?? "NHWC") === "NHWC"
  );
}
