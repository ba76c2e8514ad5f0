/** @file From TensorFlow's graph to ONNX's: what both readers of this folder end in. */
import { Builder, type LayeredGraph, type Node, Oriented, separatePads, type Value } from "../../graph/index.ts";
import { Inference } from "../../shapes/index.ts";
import { type Dimension, GraftError, type Shape } from "../../tensor/index.ts";
import type { ImportOptions } from "../imported.ts";
import type { FrozenGraph, TfFunction, TfNode, TfPort, TfShape } from "./graph-def.ts";
import { type LoweredNode, layersOf } from "./lower-layers.ts";
import { inOrder, lowerNodes, parseReference, type Shared } from "./lower-nodes.ts";
import { withPatterns } from "./lower-patterns.ts";
import { tidied } from "./lower-tidy.ts";
import { elementType, orientedOf, type Slot } from "./operators/call.ts";
import { computable, weightSlot } from "./operators/source.ts";
import { operatorTable } from "./operators/table.ts";
import { Weight } from "./operators/weight.ts";

/** Nodes of functions that are lowered in all, each round of an unrolled loop for itself. */
const mostFunctionNodes = 500_000;

/**
 * The graph that computes what the frozen one does. Its inputs and outputs are called as the ports are, and are laid out
 * as in TensorFlow; inside, maps have their channels first. Weights are initializers named after their variables.
 *
 * @throws GraftError `model-refused`, naming every operator that is not supported and every node that is not for another
 *   reason; `model-invalid` where nodes and their attributes contradict each other
 */
export function lowerTensorFlow(
  frozen: FrozenGraph,
  options: ImportOptions,
): LayeredGraph & { readonly remarks: readonly string[] } {
  try {
    return lowered(frozen);
  } catch (error) {
    throw error instanceof GraftError ? error.at(options.name) : error;
  }
}

function lowered(given: FrozenGraph): LayeredGraph & { readonly remarks: readonly string[] } {
  const frozen = { ...given, nodes: withPatterns(given) };
  const inference = new Inference();
  const build = new Builder(inference);
  const bound = new Map<string, Slot>();
  const inputs = boundInputs(build, frozen.inputs);
  const names = new Set(frozen.inputs.map((port) => port.name));
  // What the graph gives is called as the ports are, whatever nodes are called.
  build.reserve(frozen.outputs.map((port) => port.name).filter((name) => !names.has(name)));
  const weights: Weight[] = [];
  const byVariable = new Map<string, Weight>();
  const variables = new Map<string, Slot>();
  for (const [reader, variable] of frozen.variables) {
    const known = byVariable.get(variable.name);
    const isSame = known !== undefined && known.tensor === computable(variable.tensor);
    const weight = isSame
      ? known
      : new Weight(build, build.unused(variable.name), computable(variable.tensor), variable);
    if (!isSame) weights.push(weight);
    byVariable.set(variable.name, weight);
    variables.set(reader, weightSlot(weight));
  }
  for (const [name, slot] of [...variables, ...inputs]) bound.set(name, slot);
  const references = frozen.outputs.map((port) => port.ref);
  refuseUnknown(frozen, references, bound);
  const shared: Shared = {
    frozen,
    outermost: build,
    inference,
    problems: [],
    remarks: new Set(frozen.remarks),
    variables,
    budget: { left: mostFunctionNodes },
  };
  const steps: LoweredNode[] = [];
  const maps = new Set<Value>();
  const slots = lowerNodes({
    shared,
    nodes: frozen.nodes,
    outputs: references,
    bound,
    build,
    depth: 0,
    onLowered: (node, first, end, given) => {
      steps.push({ node, first, end });
      for (const slot of given) if (slot.kind === "tensor" && slot.data.isFirst) maps.add(slot.data.native);
    },
  });
  if (shared.problems.length > 0) throw together(shared.problems);
  const origins = new Map<Node, TfNode>();
  const all = build.nodes;
  for (const { node, first, end } of steps) for (const each of all.slice(first, end)) origins.set(each, node);
  const values = slots.map((slot, index) => outputValue(build, slot, frozen.outputs[index]));
  const graph = tidied(build, values, frozen, origins);
  return {
    graph: separatePads(graph),
    layers: layersOf(graph, { origins, maps }, weights),
    remarks: [...shared.remarks],
  };
}

function outputValue(build: Builder, slot: Slot | undefined, port: TfPort | undefined): Value {
  if (slot === undefined || port === undefined) {
    throw new GraftError("model-invalid", "the graph does not give the output", { path: [port?.name ?? ""] });
  }
  try {
    return orientedOf({ build }, slot).last();
  } catch (error) {
    throw error instanceof GraftError ? error.at(`output "${port.name}"`) : error;
  }
}

/** The graph's inputs, by the name of the node that stands for each. Sizes that are open get names. */
function boundInputs(build: Builder, ports: readonly TfPort[]): ReadonlyMap<string, Slot> {
  const taken = new Set<string>();
  return new Map(
    ports.map((port): readonly [string, Slot] => {
      const value = build.input(port.name, elementType(port.dtype), openShape(port.shape, taken));
      return [parseReference(port.ref)[0], { kind: "tensor", data: Oriented.last(build, value) }];
    }),
  );
}

/** The batch is `N` in all inputs; other open sizes are the same size only within one. */
function openShape(shape: TfShape, taken: Set<string>): Shape | undefined {
  return shape?.map((size, axis): Dimension => {
    if (size !== null) return size;
    if (axis === 0) return "N";
    const own = shape.length === 4 && axis < 3 ? (axis === 1 ? "H" : "W") : `d${axis}`;
    let name = own;
    for (let count = 2; taken.has(name); count++) name = `${own}_${count}`;
    taken.add(name);
    return name;
  });
}

/** All nodes that may run, those of functions included, with where they are. */
function* reachable(frozen: FrozenGraph, references: readonly string[], bound: ReadonlyMap<string, Slot>) {
  yield* inOrder(frozen.nodes, references, bound);
  const seen = new Set<TfFunction>();
  const waiting = [...frozen.functions.values()];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    yield* next.nodes.filter((node) => !isArgument(next, node));
  }
}

function isArgument(called: TfFunction, node: TfNode): boolean {
  return called.inputs.some((port) => parseReference(port.ref)[0] === node.name);
}

/** Named nodes of one operator, beyond which the rest is counted. */
const mostNamed = 3;

/** Names every operator that the table does not have, and where it stands. */
function refuseUnknown(frozen: FrozenGraph, references: readonly string[], bound: ReadonlyMap<string, Slot>): void {
  const unknown = new Map<string, string[]>();
  for (const node of reachable(frozen, references, bound)) {
    if (operatorTable.has(node.op)) continue;
    unknown.set(node.op, [...(unknown.get(node.op) ?? []), node.name]);
  }
  if (unknown.size === 0) return;
  const list = [...unknown].map(([op, names]) => {
    const rest = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : "";
    return `${op} (at ${names.slice(0, mostNamed).join(", ")}${rest})`;
  });
  const plural = unknown.size > 1;
  throw new GraftError("model-refused", plural ? "operators are not supported" : "an operator is not supported", {
    actual: list.join("; "),
    hint: "save the model without these, or cut it where it still computes with supported ones",
  });
}

function together(problems: readonly GraftError[]): GraftError {
  const [first, ...others] = problems;
  if (first === undefined || others.length === 0) return first ?? new GraftError("model-refused", "");
  const list = [...new Set(problems.map(({ message }) => message))];
  return new GraftError("model-refused", `${list.length} nodes cannot be converted: ${list.join(" | ")}`);
}
