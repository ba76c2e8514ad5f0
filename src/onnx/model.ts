/** @file What a model file holds: a graph, and what is said about it. */
import type { Extras, Graph } from "../graph/index.ts";

/** ONNX's operator set in whose form every graph is held and written (newer only where an operator asks for it). */
export const canonicalOpset = 21;
/** The oldest and the newest operator set that is read: the newest is what ONNX Runtime 1.30 loads. */
export const oldestOpset = 7;
export const newestOpset = 26;
/** The file format that goes with the canonical operator set; the newest that ONNX Runtime 1.30 loads. */
export const canonicalIrVersion = 10;
export const newestIrVersion = 13;

export interface OnnxModel {
  readonly graph: Graph;
  /** The file's format when it was read; written as `canonicalIrVersion` at least. */
  readonly irVersion: number;
  /** Operator set versions by domain. ONNX's own, `""`, is the lowest that has what foreign nodes ask for. */
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
    irVersion: canonicalIrVersion,
    opsetImports: new Map([["", canonicalOpset]]),
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
