/** @file What a model file holds: a graph, and what is said about it. */
import type { Extras, Graph } from "../graph/index.ts";
import { oldestWritten } from "./needs.ts";

/** The operator set in whose form every graph is held; operators that came later are in their first form. */
export const canonicalOpset = 21;
/** The oldest and the newest operator set that is read: the newest is what ONNX Runtime 1.30 loads. */
export const oldestOpset = 7;
export const newestOpset = 26;
/** The newest file format that ONNX Runtime 1.30 loads. */
export const newestIrVersion = 13;

export interface OnnxModel {
  readonly graph: Graph;
  /** The file format it was read in; written in a newer one where the graph asks for it. */
  readonly irVersion: number;
  /** Operator set versions by domain. Under ONNX's own, `""`, the model was read; it is written in a newer one at need. */
  readonly opsetImports: ReadonlyMap<string, number>;
  readonly producerName: string;
  readonly producerVersion: string;
  /** A reversed domain name, such as `com.example.team`. */
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: string;
  /** Free text by key: `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What the file held beyond this and is not written again, a phrase each. */
  readonly leftOut: readonly string[];
  readonly extras?: Extras;
}

/** A model around a graph that was built or changed here. `about` replaces any field. */
export function onnxModelOf(graph: Graph, about: Partial<Omit<OnnxModel, "graph">> = {}): OnnxModel {
  return {
    irVersion: oldestWritten.irVersion,
    opsetImports: new Map([["", oldestWritten.opset]]),
    producerName: "graftwork",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    docString: "",
    metadata: new Map(),
    leftOut: [],
    ...about,
    graph,
  };
}
