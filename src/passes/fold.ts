/** @file Computing ahead what does not depend on the graph's inputs, and leaving out what changes nothing. */
import {
  definitionsOf,
  type Graph,
  type Node,
  type Operator,
  type OperatorNode,
  subgraphsOf,
  type Value,
} from "../graph/index.ts";
import { Inference } from "../shapes/index.ts";
import {
  areEqualShapes,
  elementCount,
  isReadable,
  isStatic,
  numbersOf,
  type Tensor,
  tensorOf,
} from "../tensor/index.ts";
import { removeDeadNodes, replaceUses } from "./prune.ts";

export interface FoldOptions {
  /** Values to treat as unknown and to leave in place although they are constants or passed on: those to be trained. */
  readonly keep?: readonly Value[];
}

/**
 * Replaces small values whose elements are known — shape arithmetic above all — by constants, takes the branch of an If
 * whose condition is known, and removes what changes nothing (Identity, a Cast to the same type, a Reshape to the same
 * shape, Dropout at inference). Large constants are left to the runtime, which folds them when it loads the graph.
 *
 * The graph's values must carry inferred types (`inferShapes`).
 */
export function foldConstants(graph: Graph, { keep = [] }: FoldOptions = {}): Graph {
  const kept = new Set(keep);
  const computed = new Set(graph.nodes.flatMap(definitionsOf));
  // What is an output is never folded away.
  const guarded = { ...graph, outputs: [...graph.outputs, ...keep.filter((value) => computed.has(value))] };
  let folded = foldKnownValues(removeIdentities(guarded), kept);
  // A branch taken may make known what the next condition asks for; each round takes one If at least.
  for (let next = takeKnownBranches(folded); next !== folded; next = takeKnownBranches(folded)) {
    folded = foldKnownValues(removeIdentities(next), kept);
  }
  return { ...removeDeadNodes(folded), outputs: graph.outputs };
}

/** Values with known elements become constants. The graph's outputs stay computed: their names are its interface. */
function foldKnownValues(graph: Graph, kept: ReadonlySet<Value>): Graph {
  const inference = new Inference();
  const initializers = new Map(graph.initializers);
  for (const [value, tensor] of graph.initializers) if (!kept.has(value)) inference.declare(value, tensor);
  const outputs = new Set(graph.outputs);
  const nodes = graph.nodes.filter((node) => {
    inference.observe(node);
    const results = definitionsOf(node).map((value) => [value, knownTensor(value, inference)] as const);
    if (results.some(([value, tensor]) => tensor === undefined || outputs.has(value))) return true;
    for (const [value, tensor] of results) if (tensor !== undefined) initializers.set(value, tensor);
    return false;
  });
  return { ...graph, initializers, nodes };
}

function knownTensor(value: Value, inference: Inference): Tensor | undefined {
  const { dtype, shape } = value;
  if (dtype === undefined || dtype === "string" || !isReadable(dtype) || !isStatic(shape)) return undefined;
  const elements = inference.elementsOf(value);
  if (elements?.length !== elementCount(shape) || !elements.every((element) => typeof element === "number"))
    return undefined;
  return tensorOf(dtype, shape, elements);
}

/** Readers of a value that only passes another on read that other. */
export function removeIdentities(graph: Graph): Graph {
  const replacements = new Map<Value, Value>();
  const constantOf: ConstantOf = (value) => value && graph.initializers.get(value);
  for (const node of graph.nodes) {
    const [input] = node.inputs;
    const [output] = node.outputs;
    if (node.kind === "foreign" || input === undefined || output === undefined) continue;
    if (isIdentity(node, constantOf)) replacements.set(output, input);
  }
  return removeDeadNodes(replaceUses(graph, replacements));
}

type ConstantOf = (value: Value | undefined) => Tensor | undefined;
/** Whether a node's output is its first input, element for element. */
type PassesOn<K extends Operator> = (node: OperatorNode<K>, constantOf: ConstantOf) => boolean;

const sameType: PassesOn<Operator> = ({ inputs: [x], outputs: [y] }) => x?.dtype !== undefined && x.dtype === y?.dtype;
const sameShape: PassesOn<Operator> = ({ inputs: [x], outputs: [y] }) =>
  x?.shape !== undefined && y?.shape !== undefined && areEqualShapes(x.shape, y.shape);
const onlyInput: PassesOn<Operator> = ({ inputs }) => inputs.length === 1;

/** The operators that may change nothing. */
const passesOn: { readonly [K in Operator]?: PassesOn<K> } = {
  Cast: sameType,
  CastLike: sameType,
  Concat: onlyInput,
  Dropout: (node, constantOf) => node.outputs[1] === undefined && isOff(node, constantOf),
  Expand: sameShape,
  Flatten: sameShape,
  Identity: () => true,
  Max: onlyInput,
  Mean: onlyInput,
  Min: onlyInput,
  Reshape: sameShape,
  Sum: onlyInput,
  Tile: sameShape,
  Transpose: ({ attributes: { perm }, inputs: [x] }) =>
    perm?.every((axis, index) => axis === index) ?? (x?.shape?.length ?? 2) < 2,
};

function isIdentity<K extends Operator>(node: OperatorNode<K>, constantOf: ConstantOf): boolean {
  const asked: PassesOn<K> | undefined = passesOn[node.operator];
  return asked?.(node, constantOf) ?? false;
}

function isOff(dropout: OperatorNode<"Dropout">, constantOf: ConstantOf): boolean {
  const training = dropout.inputs[2];
  if (training === undefined) return true;
  const known = constantOf(training);
  return known !== undefined && numbersOf(known)[0] === 0;
}

/** An If whose condition is a constant becomes the branch that it takes. The same graph where there is none. */
function takeKnownBranches(graph: Graph): Graph {
  const isKnown = (node: Node) => node.operator === "If" && node.inputs[0] && graph.initializers.has(node.inputs[0]);
  if (!graph.nodes.some((node) => subgraphsOf(node).length > 0 && isKnown(node))) return graph;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (node.kind === "foreign" || node.operator !== "If") return [node];
    const [condition] = node.inputs;
    const known = condition && initializers.get(condition);
    if (known === undefined) return [node];
    const branch = numbersOf(known)[0] ? node.attributes.thenBranch : node.attributes.elseBranch;
    for (const [value, tensor] of branch.initializers) initializers.set(value, tensor);
    const passed = branch.outputs.flatMap((value, index): readonly Node[] => {
      const output = node.outputs[index];
      if (output === undefined) return [];
      // The branch's value keeps its name; the If's name is given to a copy, which identity removal takes away again.
      const copy = { operator: "Identity", attributes: {}, inputs: [value], outputs: [output] } as const;
      return [{ kind: "operator", name: output.name, ...copy }];
    });
    return [...branch.nodes, ...passed];
  });
  return { ...graph, initializers, nodes };
}
