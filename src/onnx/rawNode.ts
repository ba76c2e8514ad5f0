/** @file A node between its message and the graph: names resolved, attributes not yet read. */
import type { Extras, Node, Value } from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Scope } from "./names.ts";
import type { AttributeProto } from "./proto/onnx_pb.ts";

/** Where nodes and constants go: one a graph. */
export interface Sink {
  readonly nodes: Node[];
  readonly initializers: Map<Value, Tensor>;
}

/** Where nodes are read: a graph, or the body of a function while it is inlined. */
export interface Frame {
  readonly scope: Scope;
  readonly sink: Sink;
  /** Operator set versions by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  /** What `ref_attr_name` refers to; `undefined` outside functions. */
  readonly parameters: ReadonlyMap<string, HeldAttribute> | undefined;
  /** The functions being inlined, from the outside in. */
  readonly calls: readonly string[];
  /** How many graphs lie around. */
  readonly depth: number;
}

/** An attribute and where it was written: a graph in it sees the values of that place. Made-up ones hold no graph. */
export interface HeldAttribute {
  readonly proto: AttributeProto;
  readonly frame: Frame | undefined;
}

/** A node in the form of `version`, and while it is raised, of newer ones. */
export interface RawNode {
  readonly domain: string;
  operator: string;
  readonly name: string;
  readonly attributes: Map<string, HeldAttribute>;
  inputs: (Value | undefined)[];
  outputs: (Value | undefined)[];
  readonly version: number;
  readonly extras: Extras | undefined;
}
