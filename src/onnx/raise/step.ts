/** @file What a step from an older form of an operator to a newer one works with. */
import type { Value, ValueType } from "../../graph/index.ts";
import { type DType, GraftError, type NumericTensor, type Tensor, tensorOf } from "../../tensor/index.ts";
import { writeAttribute } from "../attributes.ts";
import { integers } from "../constants.ts";
import type { AttributeProto } from "../proto/onnx_pb.ts";
import type { HeldAttribute, RawNode } from "../rawNode.ts";
import type { Sequences } from "./sequences.ts";

/** Where a node is raised: what is known of its values, and where helpers go. */
export interface Place {
  constantOf(value: Value | undefined): Tensor | undefined;
  readonly sequences: Sequences;
  dtypeOf(value: Value | undefined): DType | undefined;
  rankOf(value: Value | undefined): number | undefined;
  isUsed(value: Value | undefined): boolean;
  constant(tensor: Tensor, name: string): Value;
  /** A new value, not yet defined by any node. */
  fresh(name: string, type?: ValueType): Value;
  /** Appends a node in its canonical form. */
  emit(node: RawNode): void;
}

/** The node in work, and how to put others before and after it. */
export class Step {
  readonly node: RawNode;
  readonly place: Place;
  readonly after: RawNode[] = [];

  constructor(node: RawNode, place: Place) {
    this.node = node;
    this.place = place;
  }

  /** Takes an attribute away and returns it. */
  take(name: string): AttributeProto | undefined {
    const held = this.node.attributes.get(name);
    this.node.attributes.delete(name);
    return held?.proto;
  }

  set(name: string, kind: "int" | "string" | "ints" | "float", value: unknown): void {
    this.node.attributes.set(name, hold(name, kind, value));
  }

  /** A constant named after the node's first output. */
  constant(tensor: Tensor, suffix: string): Value {
    return this.place.constant(tensor, `${this.label}_${suffix}`);
  }

  ints(values: readonly bigint[], suffix: string): Value {
    return this.constant(integers([values.length], values), suffix);
  }

  /** A number in the element type of `like`, by a cast at run time where that is not known. */
  scalarLike(number: number, like: Value | undefined, suffix: string): Value {
    const dtype = this.place.dtypeOf(like);
    if (dtype !== undefined && dtype !== "string") return this.constant(scalar(dtype, number), suffix);
    return this.before("CastLike", [this.constant(scalar("float32", number), suffix), like], suffix);
  }

  /** Puts a node with one output before this one. */
  before(
    operator: string,
    inputs: readonly (Value | undefined)[],
    suffix: string,
    attributes: readonly (readonly [name: string, kind: "int" | "string" | "ints" | "float", value: unknown])[] = [],
  ): Value {
    const output = this.place.fresh(`${this.label}_${suffix}`);
    this.place.emit(helper(this.node, operator, inputs, output, attributes));
    return output;
  }

  /** Lets a node after this one define output `index`; returns the value this node defines instead. */
  insertAfter(
    index: number,
    operator: string,
    inputs: (inner: Value) => readonly (Value | undefined)[],
    attributes: readonly (readonly [name: string, kind: "int" | "string" | "ints" | "float", value: unknown])[] = [],
  ): void {
    const output = this.node.outputs[index];
    if (output === undefined) return;
    const inner = this.place.fresh(`${output.name}_inner`);
    this.node.outputs = this.node.outputs.with(index, inner);
    this.after.push(helper(this.node, operator, inputs(inner), output, attributes));
  }

  get label(): string {
    return this.node.outputs.find((output) => output !== undefined)?.name ?? this.node.name;
  }

  /** What no newer form can say. */
  refuse(what: string): GraftError {
    return new GraftError("model-refused", `${this.node.operator} of operator set ${this.node.version} ${what}`, {
      hint: "export the model again with operator set 13 or newer",
    });
  }
}

export type Raiser = (step: Step) => void;
/** By operator: the versions that changed its form, oldest first, each with the step into it. */
export type Steps = Readonly<Record<string, readonly (readonly [since: number, raise: Raiser])[]>>;

function scalar(dtype: NumericTensor["dtype"], number: number): Tensor {
  return tensorOf(dtype, [], [number]);
}

function hold(name: string, kind: "int" | "string" | "ints" | "float", value: unknown): HeldAttribute {
  return { proto: writeAttribute(name, kind, value), frame: undefined };
}

function helper(
  near: RawNode,
  operator: string,
  inputs: readonly (Value | undefined)[],
  output: Value,
  attributes: readonly (readonly [name: string, kind: "int" | "string" | "ints" | "float", value: unknown])[],
): RawNode {
  return {
    domain: "",
    operator,
    name: "",
    attributes: new Map(attributes.map(([name, kind, value]) => [name, hold(name, kind, value)])),
    inputs: [...inputs],
    outputs: [output],
    version: near.version,
    extras: undefined,
  };
}
