/** @file Loops as TensorFlow 1 has them (Enter, Merge, Switch, NextIteration, Exit) become While nodes with functions. */
import { GraftError } from "../../tensor/index.ts";
import type { FrozenGraph, TfAttribute, TfFunction, TfNode, TfPort, TfType } from "./graph-def.ts";
import { listed } from "./graph-source.ts";

const enters: ReadonlySet<string> = new Set(["Enter", "RefEnter"]);
const merges: ReadonlySet<string> = new Set(["Merge", "RefMerge"]);
const exits: ReadonlySet<string> = new Set(["Exit", "RefExit"]);

const mostLoops = 2000;

/** TensorFlow 1's control flow, where neither constants decide it nor it makes up a condition or a loop. */
const looseControlFlow: ReadonlySet<string> = new Set([
  "Switch",
  "RefSwitch",
  "Merge",
  "RefMerge",
  "Enter",
  "RefEnter",
  "Exit",
  "RefExit",
  "NextIteration",
  "LoopCond",
]);

/**
 * The same graph with a StatelessWhile for every loop. Exits have two inputs here: the Merge of the variable that leaves,
 * and the LoopCond. Loops within loops come first, so that they are nodes of the outer's body.
 *
 * @throws GraftError `model-invalid` where a loop lacks a part, `model-refused` for what of this control flow is left
 */
export function withLoops(frozen: FrozenGraph): FrozenGraph {
  let current = frozen;
  for (let round = 0; current.nodes.some(({ op }) => exits.has(op)); round++) {
    if (round >= mostLoops) throw new GraftError("model-refused", "the graph has too many loops");
    current = withOneLoop(current);
  }
  refuseLoose(current.nodes);
  return current;
}

function refuseLoose(nodes: readonly TfNode[]): void {
  const loose = nodes.filter(({ op }) => looseControlFlow.has(op)).map(({ name, op }) => `${name} (${op})`);
  if (loose.length === 0) return;
  throw new GraftError("model-refused", "conditions of TensorFlow 1 that data decide are not supported in this form", {
    actual: listed(loose),
    hint: "save the model with TensorFlow 2, or with tf.compat.v1.enable_control_flow_v2()",
  });
}

/** A loop: its variables by their Merges, what it only reads by its Enters, and all nodes inside. */
interface Loop {
  readonly condition: TfNode;
  readonly merges: readonly TfNode[];
  readonly constants: readonly TfNode[];
  readonly inside: ReadonlySet<TfNode>;
}

type Nodes = ReadonlyMap<string, TfNode>;

function withOneLoop(frozen: FrozenGraph): FrozenGraph {
  const nodes: Nodes = new Map(frozen.nodes.map((node) => [node.name, node]));
  const seen = new Set<string>();
  for (const exit of frozen.nodes) {
    if (!exits.has(exit.op) || seen.has(exit.inputs[1] ?? "")) continue;
    seen.add(exit.inputs[1] ?? "");
    const loop = loopOf(nodes, exit);
    // What holds another loop waits until that has become a node.
    if (![...loop.inside].some(({ op }) => exits.has(op))) return replaced(frozen, nodes, loop);
  }
  throw new GraftError("model-invalid", "loops lie within each other", { path: [[...seen][0] ?? ""] });
}

function loopOf(nodes: Nodes, exit: TfNode): Loop {
  const merge = nodeAt(nodes, exit.inputs[0]);
  const condition = nodeAt(nodes, exit.inputs[1]);
  const frame = frameOf(nodeAt(nodes, merge.inputs[0]));
  if (frame === undefined || condition.op !== "LoopCond") throw broken(exit.name);
  const found = new Set<TfNode>();
  const variables: TfNode[] = [];
  const constants: TfNode[] = [];
  // Variables that leave the loop need not read each other.
  const leaving = [...nodes.values()].filter(({ op, inputs }) => exits.has(op) && inputs[1] === exit.inputs[1]);
  const waiting: TfNode[] = [condition, ...leaving.map(({ inputs }) => nodeAt(nodes, inputs[0]))];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    if (enters.has(next.op) && frameOf(next) === frame) {
      constants.push(next);
      continue;
    }
    const [first, second] = next.inputs;
    const isVariable = merges.has(next.op) && frameOf(nodes.get(nodeName(first ?? ""))) === frame;
    if (isVariable) variables.push(next);
    // A variable goes on through what it becomes; where it begins lies outside.
    for (const input of isVariable ? [second] : next.inputs) waiting.push(nodeAt(nodes, input));
  }
  const beginnings = new Set(variables.map(({ inputs }) => nodeName(inputs[0] ?? "")));
  return {
    condition,
    merges: variables,
    constants: constants.filter(({ name }) => !beginnings.has(name)),
    inside: found,
  };
}

function replaced(frozen: FrozenGraph, nodes: Nodes, loop: Loop): FrozenGraph {
  const { condition, merges: variables, constants, inside } = loop;
  const name = `${condition.name}/while`;
  const starts = [...variables.map((merge) => nodeAt(nodes, merge.inputs[0])), ...constants];
  const places = new Map([...variables, ...constants].map((node, index) => [node.name, index]));
  const types = starts.map(typeOf);
  const functionOf = (part: string, results: readonly string[]): TfFunction => {
    const ports = starts.map((start, index): TfPort => {
      const ref = `${name}/${part}/${index}`;
      return { name: start.name, dtype: types[index] ?? "variant", shape: undefined, ref };
    });
    const inner = (reference: string): string => ports[places.get(nodeName(reference)) ?? -1]?.ref ?? reference;
    const body = [...inside].filter((node) => !places.has(node.name) && !frozen.variables.has(node.name));
    return {
      name: `${name}/${part}`,
      inputs: ports,
      nodes: reached(body, results).map((node) => ({ ...node, inputs: node.inputs.map(inner) })),
      outputs: results.map(inner),
    };
  };
  const results = variables.map((merge) => {
    const next = nodeAt(nodes, merge.inputs[1]);
    if (next.op !== "NextIteration" && next.op !== "RefNextIteration") throw broken(merge.name);
    return next.inputs[0] ?? "";
  });
  const cond = functionOf("cond", [condition.inputs[0] ?? ""]);
  const body = functionOf("body", [...results, ...constants.map((constant) => constant.name)]);
  const attributes = new Map<string, TfAttribute>([
    ["T", { kind: "list", values: types.map((value) => ({ kind: "type", value })) }],
    ["cond", { kind: "function", name: cond.name, attributes: new Map() }],
    ["body", { kind: "function", name: body.name, attributes: new Map() }],
  ]);
  const inputs = starts.map((start) => start.inputs[0] ?? "");
  const loopNode: TfNode = { name, op: "StatelessWhile", inputs, attributes };
  const left = new Map<string, string>();
  for (const node of frozen.nodes) {
    const place =
      exits.has(node.op) && node.inputs[1] === condition.name ? places.get(nodeName(node.inputs[0] ?? "")) : undefined;
    if (place !== undefined) left.set(node.name, place === 0 ? name : `${name}:${place}`);
  }
  const outer = (reference: string): string => left.get(reference) ?? reference;
  return withoutDead({
    ...frozen,
    nodes: [...frozen.nodes.filter((node) => !left.has(node.name)), loopNode].map((node) => ({
      ...node,
      inputs: node.inputs.map(outer),
    })),
    outputs: frozen.outputs.map((port) => ({ ...port, ref: outer(port.ref) })),
    functions: new Map([...frozen.functions, [cond.name, cond], [body.name, body]]),
  });
}

/** Those of the nodes that the references need. */
function reached(nodes: readonly TfNode[], references: readonly string[]): TfNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const found = new Set<TfNode>();
  const waiting = [...references];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const node = byName.get(nodeName(next));
    if (node === undefined || found.has(node)) continue;
    found.add(node);
    waiting.push(...node.inputs);
  }
  return [...found];
}

function typeOf(enter: TfNode): TfType {
  const type = enter.attributes.get("T");
  return type?.kind === "type" ? type.value : "variant";
}

/** The loop that a value is taken into, by its frame's name. */
function frameOf(node: TfNode | undefined): string | undefined {
  if (node === undefined || !enters.has(node.op)) return undefined;
  const frame = node.attributes.get("frame_name");
  return frame?.kind === "bytes" ? new TextDecoder().decode(frame.value) : "";
}

function nodeAt(nodes: Nodes, reference: string | undefined): TfNode {
  const node = nodes.get(nodeName(reference ?? ""));
  // Inputs of the graph are no nodes; within a loop they come through an Enter.
  if (node === undefined) throw broken(reference ?? "");
  return node;
}

function nodeName(reference: string): string {
  return reference.replace(/:\d+$/, "");
}

function broken(place: string): GraftError {
  return new GraftError("model-invalid", "a loop lacks a part", { path: [place] });
}

/** What the outputs need, looking into the functions for the variables that they read. */
export function withoutDead(frozen: FrozenGraph): FrozenGraph {
  const nodes = new Map(frozen.nodes.map((node) => [node.name, node]));
  const kept = new Set<string>();
  const waiting = [
    ...frozen.outputs.map(({ ref }) => ref),
    ...[...frozen.functions.values()].flatMap((called) => {
      const own = new Set(called.nodes.map(({ name }) => name));
      const taken = [...called.nodes.flatMap(({ inputs }) => inputs), ...called.outputs];
      return taken.filter((reference) => !own.has(nodeName(reference)));
    }),
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const name = nodeName(next);
    if (kept.has(name)) continue;
    kept.add(name);
    waiting.push(...(nodes.get(name)?.inputs ?? []));
  }
  const inFunctions = new Set([...frozen.functions.values()].flatMap((called) => called.nodes.map(({ name }) => name)));
  return {
    ...frozen,
    nodes: frozen.nodes.filter(({ name }) => kept.has(name)),
    variables: new Map([...frozen.variables].filter(([name]) => kept.has(name) || inFunctions.has(name))),
  };
}
