/** @file What a gradient rule is: from the gradients of an operator's outputs to those of its inputs. */
import type { Application, Builder, Node, Operator, OperatorAttributes, Value } from "../graph/index.ts";
import { GraftError, unreachable } from "../tensor/index.ts";

/**
 * One step of the walk, as a rule sees it. Throughout the room `x` stands for inputs, `y` for outputs, and `dv` for the
 * gradient of the walked output with respect to `v`, which has `v`'s shape and element type.
 */
export interface Step<K extends Operator = Operator> {
  readonly attributes: OperatorAttributes[K];
  /** The inputs; omitted ones are `undefined`. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  /** The gradients of the outputs; `undefined` where no path from the walked output arrives. */
  readonly outputGradients: readonly (Value | undefined)[];
  /** The first input, which every differentiable operator has. */
  readonly x: Value;
  /** The first output. */
  readonly y: Value;
  /** The gradient of the first output; zeros where only other outputs have one. */
  readonly dy: Value;
  readonly build: Builder;
  /** Whether the gradient of the input at `index` is wanted. Rules need not ask: what they give beyond is dropped. */
  wants(index: number): boolean;
  /** Gradients through nodes that the rule itself has just appended, for rules that differentiate a decomposition. */
  differentiate(
    nodes: readonly Node[],
    seeds: ReadonlyMap<Value, Value>,
    wanted: readonly Value[],
  ): ReadonlyMap<Value, Value>;
}

/** A gradient, or how to build it when it is wanted; `undefined` where it is zero or the input has none. */
export type Gradient = Value | undefined | (() => Value | undefined);

/** The gradients of a node's inputs, in order. */
export type Derivative<K extends Operator> = (step: Step<K>) => readonly Gradient[];

export interface Differentiable<K extends Operator> {
  readonly differentiable: true;
  /** Whether inputs were broadcast, so that the walk must sum their gradients back to their shapes. */
  readonly broadcasts: boolean;
  readonly derivative: Derivative<K>;
}

/** An operator whose derivative does not exist or is not given. The reason ends up in messages. */
export interface NotDifferentiable {
  readonly differentiable: false;
  readonly reason: string;
}

export type GradientRule<K extends Operator> = Differentiable<K> | NotDifferentiable;

/** One rule for each operator of a family. */
export type GradientRules<Family> = { readonly [K in keyof Family & Operator]: GradientRule<K> };

export function notDifferentiable(reason: string): NotDifferentiable {
  return { differentiable: false, reason };
}

/** A rule that gives each gradient in its input's own shape. */
export function by<K extends Operator>(derivative: Derivative<K>): Differentiable<K> {
  return { differentiable: true, broadcasts: false, derivative };
}

/** A rule of an operator that broadcasts: it gives gradients in the output's shape, and the walk sums them back. */
export function broadcasting<K extends Operator>(derivative: Derivative<K>): Differentiable<K> {
  return { differentiable: true, broadcasts: true, derivative };
}

/** dx = dy · f′(x), for y = f(x) element by element. */
export function local<K extends Operator>(derivative: (step: Step<K>) => Value): Differentiable<K> {
  return by((step) => [() => step.build.mul(step.dy, derivative(step))]);
}

/** dx = 0: constant between jumps. */
export const zero: Differentiable<Operator> = by(() => []);

/** The gradient of the same function written in operators that have rules of their own. */
export function byDecomposition<K extends Operator>(
  decompose: (application: Application<K>, build: Builder) => readonly (Value | undefined)[],
): Differentiable<K> {
  return by((step) => {
    const start = step.build.nodes.length;
    // Without an operator the application could not be decomposed; a step of K carries K's attributes.
    const outputs = decompose(step as unknown as Application<K>, step.build);
    const seeds = new Map<Value, Value>();
    outputs.forEach((output, index) => {
      const gradient = step.outputGradients[index];
      if (output !== undefined && gradient !== undefined) seeds.set(output, gradient);
    });
    const wanted = step.inputs.filter((input, index) => input !== undefined && step.wants(index));
    const gradients = step.differentiate(step.build.nodes.slice(start), seeds, wanted as readonly Value[]);
    // An input used twice by one node has one gradient, which is given once.
    const given = new Set<Value>();
    return step.inputs.map((input) => {
      if (input === undefined || given.has(input)) return undefined;
      given.add(input);
      return gradients.get(input);
    });
  });
}

/** The input at `index`. Throws where an operator lacks an input that it requires. */
export function inputAt(step: Pick<Step, "inputs">, index: number): Value {
  return step.inputs[index] ?? unreachable(`input ${index} is missing`);
}

/** The rank of a value, which a rule needs to name axes. Throws where it is unknown. */
export function rankOf(value: Value): number {
  if (value.shape !== undefined) return value.shape.length;
  throw new GraftError("not-differentiable", "the rank must be known to derive", { path: [`value "${value.name}"`] });
}

/** 1 where the condition holds, else 0, in the element type of `like`. */
export function indicator(build: Builder, condition: Value, like: Value): Value {
  return build.castLike(condition, like);
}
