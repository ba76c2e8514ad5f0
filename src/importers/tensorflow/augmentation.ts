/** @file Keras 3's random layers, which an export keeps working as if it were training: at inference they do nothing. */

import type { FrozenGraph, TfNode, TfShape } from "./graph-def.ts";
import { withoutDead } from "./loops.ts";

/** What Keras 3 draws with; its seeds are variables. */
const drawing = /^StatelessRandom(Uniform|Normal|UniformInt|UniformFullInt)V2$|^StatelessTruncatedNormalV2$/;

const mostRandomNodes = 200;

/**
 * Takes out the layers that draw random numbers from a stored seed and give what they take, changed at random: flips,
 * rotations, zooms and the like. A layer is what stands below one scope of names, takes one value and gives one of the
 * same shape. What does not look so stays as it is. Graphs without random numbers are given back themselves.
 */
export function withoutAugmentation(frozen: FrozenGraph): FrozenGraph {
  let current = frozen;
  const dropped: string[] = [];
  for (let round = 0; round < mostRandomNodes; round++) {
    const found = findLayer(current);
    if (found === undefined) break;
    dropped.push(found.scope);
    current = bypassed(current, found);
  }
  if (dropped.length === 0) return frozen;
  const names = dropped.reverse().map((scope) => scope.slice(scope.lastIndexOf("/") + 1));
  const remark = `Random layers do nothing here, as at inference in Keras: ${names.join(", ")}.`;
  return { ...withoutDead(current), remarks: [...frozen.remarks, remark] };
}

interface RandomLayer {
  readonly scope: string;
  /** What it takes, and the reference to what it gives. */
  readonly taken: string;
  readonly given: string;
}

function findLayer(frozen: FrozenGraph): RandomLayer | undefined {
  const byName = new Map(frozen.nodes.map((node) => [node.name, node]));
  for (const node of frozen.nodes) {
    if (!drawing.test(node.op) || !isSeeded(node, byName)) continue;
    // `layer/stateless_random_uniform/StatelessRandomUniformV2`: the layer's scope is two parts up, or further.
    const parts = node.name.split("/");
    for (let length = parts.length - 2; length > 0; length--) {
      const layer = layerOfScope(frozen, byName, parts.slice(0, length).join("/"));
      if (layer !== undefined) return layer;
    }
  }
  return undefined;
}

/** Whether the numbers depend on a variable: a layer's seed. */
function isSeeded(node: TfNode, byName: ReadonlyMap<string, TfNode>): boolean {
  const seen = new Set<string>();
  const waiting = [...node.inputs];
  for (let next = waiting.pop(); next !== undefined && seen.size < mostRandomNodes; next = waiting.pop()) {
    const name = nodeOf(next);
    if (seen.has(name)) continue;
    seen.add(name);
    const above = byName.get(name);
    if (above?.op === "ReadVariableOp") return true;
    waiting.push(...(above?.inputs ?? []));
  }
  return false;
}

function layerOfScope(
  frozen: FrozenGraph,
  byName: ReadonlyMap<string, TfNode>,
  scope: string,
): RandomLayer | undefined {
  const isInside = (name: string): boolean => name.startsWith(`${scope}/`);
  const taken = new Set<string>();
  const given = new Set<string>();
  for (const node of frozen.nodes) {
    for (const input of node.inputs) {
      const source = nodeOf(input);
      if (isInside(node.name)) {
        if (!isInside(source) && !isConstant(byName.get(source))) taken.add(input);
      } else if (isInside(source)) given.add(input);
    }
  }
  for (const { ref } of frozen.outputs) if (isInside(nodeOf(ref))) given.add(ref);
  const [input] = taken;
  const [output] = given;
  if (input === undefined || output === undefined || taken.size > 1 || given.size > 1) return undefined;
  const before = shapeOf(frozen, byName, input);
  const after = shapeOf(frozen, byName, output);
  return isSameShape(before, after) ? { scope, taken: input, given: output } : undefined;
}

function isConstant(node: TfNode | undefined): boolean {
  return node?.op === "Const" || node?.op === "ReadVariableOp";
}

/** The shape that was stored when the function was traced. */
function shapeOf(frozen: FrozenGraph, byName: ReadonlyMap<string, TfNode>, reference: string): TfShape {
  const port = frozen.inputs.find(({ ref }) => ref === reference);
  if (port !== undefined) return port.shape;
  const shapes = byName.get(nodeOf(reference))?.attributes.get("_output_shapes");
  const shape = shapes?.kind === "list" ? shapes.values[Number(/:(\d+)$/.exec(reference)?.[1] ?? 0)] : undefined;
  return shape?.kind === "shape" ? shape.value : undefined;
}

/** Equal as far as is known; a known size never stands for an open one, which a random crop makes of it. */
function isSameShape(a: TfShape, b: TfShape): boolean {
  if (a === undefined || b === undefined) return true;
  return a.length === b.length && a.every((size, axis) => size === b[axis] || size === null || b[axis] === null);
}

function bypassed(frozen: FrozenGraph, { scope, taken, given }: RandomLayer): FrozenGraph {
  const redirect = (reference: string): string => (reference === given ? taken : reference);
  return {
    ...frozen,
    nodes: frozen.nodes
      .filter(({ name }) => !name.startsWith(`${scope}/`))
      .map((node) => (node.inputs.includes(given) ? { ...node, inputs: node.inputs.map(redirect) } : node)),
    outputs: frozen.outputs.map((port) => ({ ...port, ref: redirect(port.ref) })),
  };
}

function nodeOf(reference: string): string {
  return reference.replace(/:\d+$/, "");
}
