/** @file Reverse-mode differentiation: the chain rule, walked from seeded values back to wanted ones. */
import {
  type Builder,
  definitionsOf,
  describeNode,
  type GivenDerivatives,
  type Node,
  type Operator,
  type OperatorNode,
  usesOf,
  type Value,
} from "../graph/index.ts";
import { areCompatible, GraftError, unreachable } from "../tensor/index.ts";
import { blocked, mayBeFloating } from "./blocked.ts";
import { sumToShapeOf } from "./broadcast.ts";
import type { GradientRule, Step } from "./rule.ts";
import { gradientRules } from "./table.ts";

/**
 * Appends to `build` what computes Σ seedᵀ·∂v/∂w for each wanted value w over the seeded values v, and returns the
 * gradients by wanted value. Only paths from seeded to wanted values are walked. A wanted value that no path reaches has
 * no entry; one that is reached only through operators of zero derivative has a gradient of zeros.
 *
 * @param nodes the nodes between wanted and seeded values, in running order
 * @param seeds for each value to start from, its gradient, of the same shape and element type
 * @param given derivatives to take instead of walking through the nodes behind a value
 * @throws GraftError `not-differentiable` where an operator without a derivative lies on a path; it names the path
 */
export function backpropagate(
  build: Builder,
  nodes: readonly Node[],
  seeds: ReadonlyMap<Value, Value>,
  wanted: readonly Value[],
  given: GivenDerivatives = new Map(),
): ReadonlyMap<Value, Value> {
  const dependent = dependentsOf(nodes, wanted);
  const contributions = new Map<Value, Value[]>();
  for (const [value, seed] of seeds) if (dependent.has(value)) contributions.set(value, [seed]);

  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index] ?? unreachable("a hole in the nodes");
    if (!definitionsOf(node).some((output) => contributions.has(output))) continue;
    if (!usesOf(node).some((use) => dependent.has(use))) continue;
    const outputGradients = node.outputs.map((output) => output && accumulated(build, contributions, output));
    const gradients = located(
      node,
      () =>
        givenGradients(build, node, outputGradients, dependent, given) ??
        inputGradients(build, nodes, node, outputGradients, dependent),
    );
    for (const [input, gradient] of gradients) {
      const known = contributions.get(input);
      if (known) known.push(gradient);
      else contributions.set(input, [gradient]);
    }
  }

  const gradients = new Map<Value, Value>();
  const sources = sourcesOf(nodes, [...seeds.keys()]);
  for (const value of wanted) {
    const gradient = accumulated(build, contributions, value);
    if (gradient !== undefined) gradients.set(value, gradient);
    else if (sources.has(value)) gradients.set(value, build.zerosLike(value));
  }
  return gradients;
}

/** The values that depend on a wanted one through floating-point values: derivatives live nowhere else. */
function dependentsOf(nodes: readonly Node[], wanted: readonly Value[]): ReadonlySet<Value> {
  const dependent = new Set(wanted);
  for (const node of nodes) {
    if (!usesOf(node).some((use) => dependent.has(use))) continue;
    for (const output of definitionsOf(node)) if (mayBeFloating(output)) dependent.add(output);
  }
  return dependent;
}

/** The values that a seeded one depends on, in the same sense. */
function sourcesOf(nodes: readonly Node[], seeded: readonly Value[]): ReadonlySet<Value> {
  const sources = new Set(seeded);
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index];
    if (node === undefined || !definitionsOf(node).some((output) => sources.has(output))) continue;
    for (const use of usesOf(node)) if (mayBeFloating(use)) sources.add(use);
  }
  return sources;
}

/** The sum of the gradients that have arrived at a value; from then on it is one. */
function accumulated(build: Builder, contributions: Map<Value, Value[]>, value: Value): Value | undefined {
  const parts = contributions.get(value);
  if (parts === undefined) return undefined;
  const sum = parts.reduce(build.add);
  contributions.set(value, [sum]);
  return sum;
}

/** The gradients of what a node's output depends on, where its derivative is given. */
function givenGradients(
  build: Builder,
  node: Node,
  [dy]: readonly (Value | undefined)[],
  dependent: ReadonlySet<Value>,
  given: GivenDerivatives,
): readonly (readonly [Value, Value])[] | undefined {
  const derivative = node.outputs[0] && given.get(node.outputs[0]);
  if (derivative === undefined || dy === undefined) return undefined;
  const wants = (index: number) => dependent.has(derivative.by[index] ?? unreachable("a gradient too many"));
  return derivative.gradients(build, dy, wants).flatMap((gradient, index) => {
    const value = derivative.by[index];
    return value !== undefined && gradient !== undefined && wants(index) ? [[value, gradient] as const] : [];
  });
}

/** Applies the rule of one node, and sees to it that every gradient has the shape of its input. */
function inputGradients(
  build: Builder,
  nodes: readonly Node[],
  node: Node,
  outputGradients: readonly (Value | undefined)[],
  dependent: ReadonlySet<Value>,
): readonly (readonly [Value, Value])[] {
  if (node.kind === "foreign") throw blocked(nodes, node, dependent, "the operator is unknown here");
  const rule = ruleOf(node);
  if (!rule.differentiable) throw blocked(nodes, node, dependent, rule.reason);
  const step = stepOf(build, node, outputGradients, dependent);
  const given = rule.derivative(step);
  if (given.slice(node.inputs.length).some((gradient) => gradient !== undefined)) {
    unreachable(`the rule of ${node.operator} gave ${given.length} gradients, expected at most ${node.inputs.length}`);
  }
  return given.flatMap((gradient, index) => {
    const input = node.inputs[index];
    if (input === undefined || !step.wants(index)) return [];
    const built = typeof gradient === "function" ? gradient() : gradient;
    if (built === undefined) return [];
    const summed = rule.broadcasts ? sumToShapeOf(build, built, input) : built;
    if (!areCompatible(summed.shape ?? [], input.shape ?? summed.shape ?? [])) {
      unreachable(`the rule of ${node.operator} gave [${summed.shape}] for an input of [${input.shape}]`);
    }
    return [[input, summed] as const];
  });
}

function ruleOf<K extends Operator>(node: OperatorNode<K>): GradientRule<K> {
  return gradientRules[node.operator];
}

function stepOf<K extends Operator>(
  build: Builder,
  node: OperatorNode<K>,
  outputGradients: readonly (Value | undefined)[],
  dependent: ReadonlySet<Value>,
): Step<K> {
  const first = (values: readonly (Value | undefined)[]) => values[0] ?? unreachable(`${node.operator} lacks a value`);
  return {
    ...node,
    outputGradients,
    build,
    get x() {
      return first(node.inputs);
    },
    get y() {
      return first(node.outputs);
    },
    get dy() {
      return outputGradients[0] ?? build.zerosLike(first(node.outputs));
    },
    wants(index) {
      const input = node.inputs[index];
      return input !== undefined && dependent.has(input) && mayBeFloating(input);
    },
    differentiate: (inner, seeds, wanted) => backpropagate(build, inner, seeds, wanted),
  };
}

function located<T>(node: Node, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof GraftError ? error.at(describeNode(node)) : error;
  }
}
