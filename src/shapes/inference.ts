/** @file Type inference: what the shape rules need to know, gathered node by node. */
import {
  type Application,
  Builder,
  type Graph,
  type Node,
  type Operator,
  type Typing,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import { type Dimension, GraftError, isReadable, type Tensor, tensorOf } from "../tensor/index.ts";
import { arrayOfTensor, type KnownArray } from "./arrays.ts";
import { elementsAfter } from "./elements.ts";
import type { Known } from "./rule.ts";
import { outputTypes } from "./table.ts";

/** All elements held at a time; what comes after is not followed, so that no graph makes memory grow without bound. */
const mostElementsHeld = 2 ** 22;

/** Knows constants and the results of shape arithmetic, and types one application at a time. */
export class Inference implements Typing, Known {
  readonly #constants = new Map<Value, Tensor>();
  readonly #arrays = new Map<Value, KnownArray>();
  #elementsHeld = 0;

  declare(value: Value, tensor: Tensor): void {
    this.#constants.set(value, tensor);
  }

  constantOf(value: Value | undefined): Tensor | undefined {
    if (value === undefined) return undefined;
    const array = this.#arrays.get(value);
    return this.#constants.get(value) ?? (array && tensorOfArray(array));
  }

  arrayOf(value: Value | undefined): KnownArray | undefined {
    if (value === undefined) return undefined;
    const known = this.#arrays.get(value);
    if (known !== undefined) return known;
    const tensor = this.#constants.get(value);
    const array = tensor && arrayOfTensor(tensor);
    if (array !== undefined) this.remember(value, array);
    return array;
  }

  elementsOf(value: Value | undefined): readonly Dimension[] | undefined {
    return this.arrayOf(value)?.values;
  }

  infer<K extends Operator>(application: Application<K>): readonly ValueType[] {
    try {
      return outputTypes(application, this);
    } catch (error) {
      throw error instanceof GraftError ? error.at(application.operator) : error;
    }
  }

  observe(node: Node): void {
    const arrays = elementsAfter(node, this);
    for (const [index, output] of node.outputs.entries()) {
      if (output !== undefined) this.remember(output, arrays[index]);
    }
  }

  /** Takes in what a value's elements are, in place of what was known before. */
  remember(value: Value, array: KnownArray | undefined): void {
    this.#elementsHeld -= this.#arrays.get(value)?.values.length ?? 0;
    this.#arrays.delete(value);
    if (array === undefined || this.#elementsHeld + array.values.length > mostElementsHeld) return;
    this.#elementsHeld += array.values.length;
    this.#arrays.set(value, array);
  }
}

/** The constant that an array amounts to; `undefined` where an element is not known as a number. */
function tensorOfArray({ dtype, shape, values }: KnownArray): Tensor | undefined {
  if (!isReadable(dtype) || dtype === "string") return undefined;
  return values.every((value) => typeof value === "number") ? tensorOf(dtype, shape, values) : undefined;
}

/** A builder that types what it appends; with `from`, it goes on from that graph. */
export function newBuilder(from?: Graph): Builder {
  return new Builder(new Inference(), from);
}
