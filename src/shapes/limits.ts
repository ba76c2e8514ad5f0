/** @file What a model would ask of the machine, before it is run: sizes of values, and loops that do not end. */
import {
  allNodes,
  definitionsOf,
  describeNode,
  type Graph,
  type Node,
  type OperatorNode,
  showType,
  type Value,
} from "../graph/index.ts";
import { byteLength, GraftError } from "../tensor/index.ts";
import { type InferOptions, inferWithElements } from "./infer.ts";
import type { Known } from "./rule.ts";

/** How much a single value may take, and how often a loop that cannot stop early may run. */
export interface AllocationLimits {
  readonly maximumBytes: number;
  /** 10⁸ unless given. */
  readonly maximumIterations?: number;
}

/**
 * Throws when running the graph would certainly exceed the limits: "out-of-resources" for a value, with its node, size
 * and the limit; "model-refused" for a loop. Sizes that are not known count as one, so that what passes may still turn
 * out large. Returns the graph with its shapes inferred, which this has to do anyway.
 */
export function checkAllocations(graph: Graph, limits: AllocationLimits, options: InferOptions = {}): Graph {
  const { graph: typed, known } = inferWithElements(graph, options);
  for (const value of [...typed.inputs, ...typed.initializers.keys()]) {
    checkSize(value, `value "${value.name}"`, limits.maximumBytes);
  }
  for (const node of allNodes(typed)) {
    for (const value of definitionsOf(node)) checkSize(value, describeNode(node), limits.maximumBytes);
    if (isLoop(node)) checkLoop(node, known, limits.maximumIterations ?? 1e8);
  }
  return typed;
}

function checkSize(value: Value, where: string, maximumBytes: number): void {
  if (value.shape === undefined) return;
  const sizes = value.shape.filter((size) => typeof size === "number");
  // A product beyond 2^53 is not exact, but no less too large.
  const count = sizes.includes(0) ? 0 : sizes.reduce((product, size) => product * size, 1);
  const bytes = byteLength(value.dtype ?? "uint8", count);
  if (bytes <= maximumBytes && count <= Number.MAX_SAFE_INTEGER) return;
  throw new GraftError("out-of-resources", "a value is too large", {
    path: [where],
    expected: `at most ${maximumBytes} bytes`,
    actual: `${bytes} bytes or more for ${showType(value)}`,
  });
}

function isLoop(node: Node): node is OperatorNode<"Loop"> & Node {
  return node.kind === "operator" && node.operator === "Loop";
}

/** A loop whose condition stays true runs until its trip count, which then must be there and within reason. */
function checkLoop(node: OperatorNode<"Loop"> & Node, known: Known, maximumIterations: number): void {
  const [trips, start] = node.inputs;
  const neverRuns = known.elementsOf(start)?.[0] === 0;
  if (neverRuns || known.elementsOf(node.attributes.body.outputs[0])?.[0] !== 1) return;
  const count = trips === undefined ? Number.POSITIVE_INFINITY : known.elementsOf(trips)?.[0];
  if (typeof count !== "number" || count <= maximumIterations) return;
  throw new GraftError("model-refused", "the loop's condition never becomes false", {
    path: [describeNode(node)],
    expected: `at most ${maximumIterations} iterations`,
    actual: trips === undefined ? "no trip count" : `a trip count of ${count}`,
  });
}
