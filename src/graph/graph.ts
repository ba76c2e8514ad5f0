/** @file Values, nodes and graphs: immutable, in single-assignment form, nodes in an order that can be run. */
import type { DType, Shape, Tensor } from "../tensor/index.ts";
import type { Operator, OperatorAttributes } from "./operators.ts";

/** What is known of a value before it is computed. */
export interface ValueType {
  /** `undefined` when unknown, and for values that are not tensors. */
  readonly dtype: DType | undefined;
  /** `undefined` when not even the rank is known. */
  readonly shape: Shape | undefined;
}

/** Something a node computes or a graph receives. Its identity is the object; its name is unique within a model. */
export interface Value extends ValueType {
  readonly name: string;
  /** The encoded type of a sequence, map or optional, which only the codec reads. */
  readonly opaqueType?: Uint8Array;
}

/** What the codec must carry through unchanged and no pass reads: documentation, metadata, unknown fields. */
export type Extras = object;

/** An operator of the vocabulary, applied. Omitted optional inputs and outputs are `undefined`. */
export interface OperatorNode<K extends Operator = Operator> {
  readonly kind: "operator";
  readonly operator: K;
  /** May be empty; errors then name the node by its first output. */
  readonly name: string;
  readonly attributes: OperatorAttributes[K];
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly extras?: Extras;
}

export interface ForeignAttribute {
  readonly name: string;
  /** Graphs the attribute holds, readable like any other. */
  readonly graphs: readonly Graph[];
  /** The codec's own form of everything else. */
  readonly encoded: object;
}

/** An operator we do not know. It runs, frozen; only a gradient path through it is an error. */
export interface ForeignNode {
  readonly kind: "foreign";
  /** `""` is ONNX's own domain. */
  readonly domain: string;
  readonly operator: string;
  readonly name: string;
  readonly attributes: readonly ForeignAttribute[];
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly extras?: Extras;
}

/** One member an operator, so that a node narrows by its `operator`. */
export type Node = { [K in Operator]: OperatorNode<K> }[Operator] | ForeignNode;

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Constants by the value that stands for them. */
  readonly initializers: ReadonlyMap<Value, Tensor>;
  /** Every node after those whose outputs it uses. */
  readonly nodes: readonly Node[];
  readonly extras?: Extras;
}

/** How messages name a node: its own name, else its first output's. */
export function describeNode(node: Node): string {
  const label = node.name || (node.outputs.find((output) => output !== undefined)?.name ?? "");
  return `${node.operator} "${label}"`;
}
