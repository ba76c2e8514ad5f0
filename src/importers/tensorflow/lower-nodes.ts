/** @file The nodes of one graph or function, in the order in which they can be computed, each handed to its operator. */
import { Builder, Oriented } from "../../graph/index.ts";
import type { Inference } from "../../shapes/index.ts";
import { type DType, GraftError } from "../../tensor/index.ts";
import type { FrozenGraph, TfFunction, TfNode } from "./graph-def.ts";
import { Call, type Context, type Result, type Slot, slotsOf } from "./operators/call.ts";
import { partByPart } from "./operators/complex.ts";
import { operatorTable } from "./operators/table.ts";

/** Functions that call functions, beyond this depth, are refused. */
const deepestCall = 24;

/** What is shared by all graphs of a model. */
export interface Shared {
  readonly frozen: FrozenGraph;
  readonly outermost: Builder;
  readonly inference: Inference;
  /** What could not be lowered, at every node where it came up first. */
  readonly problems: GraftError[];
  readonly remarks: Set<string>;
  /** By the name of the node that reads it. */
  readonly variables: ReadonlyMap<string, Slot>;
  /** How many nodes of functions may still be lowered, so that no nesting of loops takes for ever. */
  readonly budget: { left: number };
}

/** What stands for nodes that need not be lowered. */
export interface Bound {
  has(name: string): boolean;
  get(name: string): Slot | undefined;
}

/** Where a reference points: `node` or `node:1`. */
export function parseReference(reference: string): readonly [node: string, output: number] {
  const [, name = reference, output = "0"] = /^(.*?)(?::(\d+))?$/s.exec(reference) ?? [];
  return [name, Number(output)];
}

/** A graph's nodes by name. Throws GraftError `model-invalid` where two have one name. */
function nodesByName(nodes: readonly TfNode[]): ReadonlyMap<string, TfNode> {
  const byName = new Map<string, TfNode>();
  for (const node of nodes) {
    if (byName.has(node.name)) throw new GraftError("model-invalid", "two nodes have one name", { path: [node.name] });
    byName.set(node.name, node);
  }
  return byName;
}

/**
 * The nodes that the outputs need, inputs before their readers. `bound` are names that have their values already.
 *
 * @throws GraftError `model-invalid` for a node that is missing and for nodes that need each other
 */
export function inOrder(
  nodes: readonly TfNode[],
  outputs: readonly string[],
  bound: { has(name: string): boolean },
): readonly TfNode[] {
  const byName = nodesByName(nodes);
  const ordered: TfNode[] = [];
  const states = new Map<string, "open" | "done">();
  for (const output of outputs) {
    const stack = [parseReference(output)[0]];
    for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
      const state = states.get(name);
      if (state === "done" || bound.has(name)) {
        stack.pop();
        continue;
      }
      const node = byName.get(name);
      if (node === undefined) throw new GraftError("model-invalid", "a node is missing", { path: [name] });
      if (state === "open") {
        states.set(name, "done");
        ordered.push(node);
        stack.pop();
        continue;
      }
      states.set(name, "open");
      for (let index = node.inputs.length - 1; index >= 0; index--) {
        const [input] = parseReference(node.inputs[index] ?? "");
        if (bound.has(input) || states.get(input) === "done") continue;
        if (states.get(input) === "open")
          throw new GraftError("model-invalid", "nodes need each other", { path: [name] });
        stack.push(input);
      }
    }
  }
  return ordered;
}

/** Thrown where a function gives nothing because of a problem that has been noted. */
class Noted extends Error {}

interface Run {
  readonly shared: Shared;
  readonly nodes: readonly TfNode[];
  readonly outputs: readonly string[];
  /** What stands for the inputs and the variables, by the node's name. */
  readonly bound: Bound;
  readonly build: Builder;
  readonly depth: number;
  /** Told of every node with the numbers of the first node that it appended, and of the first that it did not. */
  readonly onLowered?: (node: TfNode, first: number, end: number, slots: readonly Slot[]) => void;
}

/** Lowers nodes and gives what the outputs refer to; `undefined` for one that a noted problem stands in the way of. */
export function lowerNodes(run: Run): readonly (Slot | undefined)[] {
  const { shared, build, bound } = run;
  const ordered = inOrder(run.nodes, run.outputs, bound);
  const results = new Map<string, readonly Slot[]>();
  const slotOf = (reference: string | undefined): Slot | undefined => {
    if (reference === undefined) return undefined;
    const [name, output] = parseReference(reference);
    return output === 0 && bound.has(name) ? bound.get(name) : results.get(name)?.[output];
  };
  const readers = countReaders(ordered, run.outputs);
  const context: Context = {
    build,
    outermost: shared.outermost,
    inference: shared.inference,
    functions: shared.frozen.functions,
    remark: (sentence) => shared.remarks.add(sentence),
    isOnlyReader: (node, index) => readers.get(parseReference(node.inputs[index] ?? "")[0]) === 1,
    run: (called, inputs, inner) => runFunction(run, called, inputs, inner),
    inside: () => new InnerBuilder(shared.inference, shared.outermost),
    producerOf: (reference) => (reference === undefined ? undefined : byName.get(parseReference(reference)[0])),
    slotOf,
  };
  const byName = new Map(ordered.map((node) => [node.name, node]));
  for (const node of ordered) {
    const inputs = node.inputs.map(slotOf);
    const given = inputs.filter((slot) => slot !== undefined);
    // What comes from a node with a problem is no problem of its own.
    if (given.length < inputs.length && dependsOnProblem(node, results, bound)) continue;
    const first = build.nodes.length;
    const slots = lowerNode(shared, node, given, context);
    if (slots === undefined) continue;
    results.set(
      node.name,
      slots.map((slot) => settled(build, slot, first)),
    );
    run.onLowered?.(node, first, build.nodes.length, slots);
  }
  return run.outputs.map(slotOf);
}

function dependsOnProblem(node: TfNode, results: ReadonlyMap<string, readonly Slot[]>, bound: Bound): boolean {
  const missing = node.inputs.find((reference) => {
    const [name, output] = parseReference(reference);
    return results.has(name) && results.get(name)?.[output] === undefined && !bound.has(name);
  });
  if (missing === undefined) return true;
  throw new GraftError("model-invalid", "a node does not have the output that is asked for", {
    path: [`node "${node.name}"`],
    actual: missing,
  });
}

function countReaders(nodes: readonly TfNode[], outputs: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const reference of [...nodes.flatMap((node) => node.inputs), ...outputs]) {
    const [name] = parseReference(reference);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** What a node gives; `undefined` with a problem noted. */
function lowerNode(
  shared: Shared,
  node: TfNode,
  inputs: readonly Slot[],
  context: Context,
): readonly Slot[] | undefined {
  const place = `node "${node.name}" (${node.op})`;
  const lower = operatorTable.get(node.op);
  if (lower === undefined) throw new GraftError("model-refused", "the operator is not supported", { path: [place] });
  try {
    const isComplex = inputs.some(({ kind }) => kind === "complex") && partByPart.has(node.op);
    if (isComplex) return complexSlots(node, inputs, context, lower);
    const call = new Call(node, inputs, context);
    return slotsOf(call, lower(call));
  } catch (error) {
    if (error instanceof Noted) return undefined;
    if (!(error instanceof GraftError)) throw error;
    const located = error.path[0]?.startsWith("node ") ? error : error.at(place);
    if (error.code !== "model-refused") throw located;
    shared.problems.push(located);
    return undefined;
  }
}

/** An operator done to the real and to the imaginary parts. */
function complexSlots(
  node: TfNode,
  inputs: readonly Slot[],
  context: Context,
  lower: (call: Call) => Result,
): readonly Slot[] {
  const [reals, imaginaries] = (["real", "imaginary"] as const).map((part) => {
    const parts = inputs.map(
      (slot): Slot => (slot.kind === "complex" ? (slotsOf(new Call(node, [], context), slot[part])[0] ?? slot) : slot),
    );
    const call = new Call(node, parts, context);
    return slotsOf(call, lower(call));
  });
  return (reals ?? []).map((real, index): Slot => {
    const imaginary = imaginaries?.[index];
    if (real.kind !== "tensor" || imaginary?.kind !== "tensor") return real;
    return { kind: "complex", real: real.data.last(), imaginary: imaginary.data.last() };
  });
}

/** What stands for a function's inputs, and for the variables that it reads by names that none of its nodes has. */
function boundIn(shared: Shared, called: TfFunction, inputs: readonly Slot[]): Bound {
  const own = new Map(called.inputs.map((port, index) => [parseReference(port.ref)[0], inputs[index]] as const));
  const nodes = new Set(called.nodes.map((node) => node.name));
  const get = (name: string) => own.get(name) ?? (nodes.has(name) ? undefined : shared.variables.get(name));
  return { get, has: (name) => get(name) !== undefined };
}

const countable: ReadonlySet<DType | undefined> = new Set<DType | undefined>(["int32", "int64", "bool"]);

/** Whole numbers that are known stand in the graph as such, and what computed them is dead. */
function settled(build: Builder, slot: Slot, first: number): Slot {
  if (slot.kind !== "tensor" || slot.data.isFirst || !countable.has(slot.data.dtype)) return slot;
  const value = slot.data.native;
  const isNew = build.nodes.length > first && build.nodes.slice(first).some((node) => node.outputs.includes(value));
  const known = isNew ? build.constantOf(value) : undefined;
  return known === undefined ? slot : { kind: "tensor", data: Oriented.last(build, build.constant(known)) };
}

/** What a function gives. Throws where it is called too deep, or where a problem stands in the way. */
function runFunction(run: Run, called: TfFunction, inputs: readonly Slot[], build: Builder): readonly Slot[] {
  if (run.depth >= deepestCall) {
    throw new GraftError("model-refused", "functions call each other too deep", { path: [called.name] });
  }
  run.shared.budget.left -= called.nodes.length + 1;
  if (run.shared.budget.left < 0) {
    throw new GraftError("model-refused", "the loops of the model are too many or too long", { path: [called.name] });
  }
  const slots = lowerNodes({
    shared: run.shared,
    nodes: called.nodes,
    outputs: called.outputs,
    bound: boundIn(run.shared, called, inputs),
    build,
    depth: run.depth + 1,
  });
  const given = slots.filter((slot) => slot !== undefined);
  if (given.length < slots.length) throw new Noted();
  return given;
}

/** Builds a graph inside another. Its names are drawn with the outermost graph's, so that no two are the same. */
class InnerBuilder extends Builder {
  readonly #outermost: Builder;

  constructor(inference: Inference, outermost: Builder) {
    super(inference);
    this.#outermost = outermost;
  }

  override unused(name: string): string {
    return this.#outermost.unused(name);
  }
}
