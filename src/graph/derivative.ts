/** @file A derivative given along with a value, instead of being derived node by node. */
import type { Builder } from "./build.ts";
import type { Value } from "./graph.ts";

/**
 * The derivative of a value by values it was computed from, where a form chosen by shape is faster than what the chain
 * rule makes of the nodes between them (in JAX: `custom_vjp`).
 */
export interface GivenDerivative {
  /** What the value depends on; no other path leads from it to anything that may be trained. */
  readonly by: readonly Value[];
  /** The gradients of `by`, in order, from that of the value; only those that `wants` asks for are used. */
  gradients(build: Builder, dy: Value, wants: (index: number) => boolean): readonly (Value | undefined)[];
}

/** Given derivatives by the value that they are of. */
export type GivenDerivatives = ReadonlyMap<Value, GivenDerivative>;
