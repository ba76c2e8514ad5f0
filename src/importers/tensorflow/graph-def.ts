/** @file TensorFlow's graphs as both readers give them: nodes with attributes, functions, variables, and what is called. */
import type { DType, Tensor } from "../../tensor/index.ts";

/** A size that is not known is `null`; the whole is `undefined` where not even the rank is known. */
export type TfShape = readonly (number | null)[] | undefined;

/** TensorFlow's types, where they are values: `resource` and `variant` stand for handles. */
export type TfType = DType | "resource" | "variant";

/** An attribute of a node (AttrValue in attr_value.proto). */
export type TfAttribute =
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "type"; readonly value: TfType }
  | { readonly kind: "shape"; readonly value: TfShape }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "function"; readonly name: string; readonly attributes: ReadonlyMap<string, TfAttribute> }
  | { readonly kind: "list"; readonly values: readonly TfAttribute[] };

/** A node (NodeDef). */
export interface TfNode {
  readonly name: string;
  /** TensorFlow's operator: `Conv2D`, `FusedBatchNormV3`, `_FusedMatMul`. */
  readonly op: string;
  /** `node` or `node:1` for an output by its number; control inputs (`^node`) are left out. */
  readonly inputs: readonly string[];
  readonly attributes: ReadonlyMap<string, TfAttribute>;
}

/** A function that If and While call: its own inputs and outputs, calls within it inlined. */
export interface TfFunction {
  readonly name: string;
  readonly inputs: readonly TfPort[];
  readonly nodes: readonly TfNode[];
  /** References as in `TfNode.inputs`. */
  readonly outputs: readonly string[];
}

export interface TfPort {
  /** What a person calls it: the argument's or the signature's name. */
  readonly name: string;
  readonly dtype: TfType;
  readonly shape: TfShape;
  /** Inputs: the name of the node (a Placeholder or an argument) that stands for it. Outputs: a reference. */
  readonly ref: string;
}

/** A variable's value, at the node that reads it. */
export interface TfVariable {
  /** The variable's own name: `Conv1/kernel`, without `:0`. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly isTrainable: boolean;
}

/**
 * What can be lowered: one graph, in which calls of functions are inlined, reads of variables have their values, and only
 * what the outputs need is left. Names of nodes are unique. The order of nodes is any.
 */
export interface FrozenGraph {
  readonly name: string;
  readonly nodes: readonly TfNode[];
  readonly inputs: readonly TfPort[];
  readonly outputs: readonly TfPort[];
  /** By the name of the node that gives the value: inlined `ReadVariableOp`, `VariableV2`, or a `Const` of a tfjs manifest. */
  readonly variables: ReadonlyMap<string, TfVariable>;
  /** By name: the branches and bodies of the If and While nodes that are left. */
  readonly functions: ReadonlyMap<string, TfFunction>;
  /** What a person should know, a sentence each. */
  readonly remarks: readonly string[];
}
