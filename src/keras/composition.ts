/** @file From layers to one graph: what is gathered while layers append themselves. */
import type { Builder, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import type { Variable } from "./variable.ts";

/** A graph in the making, and which of its values belong to which variables. */
export class Composition {
  readonly builder: Builder = newBuilder();
  /** The first outputs of the dropouts and batch norms that behave as in training while the model is trained. */
  readonly trainingNodes: Set<string> = new Set();
  readonly #values = new Map<Variable, Value>();
  #isInference = false;

  /** The names of the initializers, by variable. */
  get names(): ReadonlyMap<Variable, string> {
    return new Map([...this.#values].map(([variable, { name }]) => [variable, name] as const));
  }

  /** The initializer of a variable. A variable that several layers share is one. */
  weight(variable: Variable): Value {
    const known = this.#values.get(variable);
    if (known !== undefined) return known;
    const { dtype, shape } = variable.value;
    // Not `builder.constant`, which would share equal ones: each is trained by itself.
    const value = { name: this.builder.unused(variable.path), dtype, shape };
    this.builder.adoptConstant(value, variable.value);
    this.#values.set(variable, value);
    return value;
  }

  /** Notes a dropout or batch norm that behaves as in training, unless it lies in a layer called with `training: false`. */
  behavesAsInTraining(value: Value): void {
    if (!this.#isInference) this.trainingNodes.add(value.name);
  }

  /** What a layer called with `training: false` appends. */
  inInference(append: () => Value): Value {
    const before = this.#isInference;
    this.#isInference = true;
    const value = append();
    this.#isInference = before;
    return value;
  }
}
