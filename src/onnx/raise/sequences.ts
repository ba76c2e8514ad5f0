/** @file Sequences of tensors whose elements are known one by one: reading an element becomes an operator on tensors. */
import type { Value } from "../../graph/index.ts";
import { numbersOf, type Tensor, tensorOf } from "../../tensor/index.ts";
import type { RawNode } from "../rawNode.ts";
import type { Step } from "./step.ts";

/** The nodes that made the sequences seen so far. */
export type Sequences = Map<Value, RawNode>;

/**
 * Exporters write `split` and `stack` through sequences, through which no derivative goes. Where it is known how a
 * sequence was made, SequenceAt is a Slice of what was split or one of the tensors that were put together, and
 * ConcatFromSequence is a Concat. Everything else stays as it is.
 */
export function readThroughSequence(step: Step): void {
  const { node, place } = step;
  const [output] = node.outputs;
  if (output !== undefined && (node.operator === "SplitToSequence" || node.operator === "SequenceConstruct")) {
    place.sequences.set(output, { ...node, inputs: [...node.inputs] });
    return;
  }
  const source = node.inputs[0] && place.sequences.get(node.inputs[0]);
  if (source === undefined) return;
  if (node.operator === "SequenceAt") readElement(step, source);
  if (node.operator === "ConcatFromSequence" && source.operator === "SequenceConstruct") joinElements(step, source);
}

function readElement(step: Step, source: RawNode): void {
  const position = scalarOf(step.place.constantOf(step.node.inputs[1]));
  if (position === undefined) return;
  if (source.operator === "SequenceConstruct") {
    const element = source.inputs.at(position);
    if (element !== undefined) become(step, "Identity", [element]);
    return;
  }
  const [whole, splitInput] = source.inputs;
  const axis = source.attributes.get("axis")?.proto.i ?? 0n;
  if (splitInput === undefined && source.attributes.get("keepdims")?.proto.i === 0n) {
    become(step, "Gather", [whole, step.constant(tensorOf("int64", [], [position]), "position")]);
    step.set("axis", "int", Number(axis));
    return;
  }
  const bounds = boundsOf(position, step.place.constantOf(splitInput), splitInput === undefined);
  if (bounds === undefined) return;
  const [first, last] = bounds;
  become(step, "Slice", [whole, step.ints([first], "starts"), step.ints([last], "ends"), step.ints([axis], "axes")]);
}

const end = 2n ** 63n - 1n;

/** Where the element at a position begins and ends: pieces of one, of one size, or of sizes of their own. */
function boundsOf(position: number, split: Tensor | undefined, ofOne: boolean): readonly [bigint, bigint] | undefined {
  const at = BigInt(position);
  if (ofOne) return [at, position === -1 ? end : at + 1n];
  if (split === undefined) return undefined;
  const sizes = numbersOf(split);
  if (split.shape.length === 0) {
    const size = BigInt(sizes[0] ?? 0);
    return position < 0 ? undefined : [at * size, (at + 1n) * size];
  }
  const index = position < 0 ? position + sizes.length : position;
  const size = sizes[index];
  if (size === undefined) return undefined;
  const start = sizes.slice(0, index).reduce((sum, each) => sum + each, 0);
  return [BigInt(start), BigInt(start + size)];
}

function joinElements(step: Step, source: RawNode): void {
  const axis = step.node.attributes.get("axis")?.proto.i ?? 0n;
  const isNew = step.take("new_axis")?.i === 1n;
  const axes = isNew ? step.ints([axis], "axes") : undefined;
  const elements = source.inputs.map((element, index) =>
    axes === undefined ? element : step.before("Unsqueeze", [element, axes], `element_${index}`),
  );
  step.node.operator = "Concat";
  step.node.inputs = elements;
}

/** The node writes the same output, by another operator without attributes. */
function become({ node }: Step, operator: string, inputs: readonly (Value | undefined)[]): void {
  node.operator = operator;
  node.inputs = [...inputs];
  node.attributes.clear();
}

function scalarOf(tensor: Tensor | undefined): number | undefined {
  return tensor?.data.length === 1 ? numbersOf(tensor)[0] : undefined;
}
