/** @file Type inference: what the shape rules need to know, gathered node by node. */
import {
  type Application,
  Builder,
  describeNode,
  type Graph,
  type Node,
  type Operator,
  type Typing,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import { type Dimension, GraftError, type Tensor } from "../tensor/index.ts";
import { elementsAfter, elementsOfTensor } from "./elements.ts";
import type { Known } from "./rule.ts";
import { outputTypes } from "./table.ts";

/** Knows constants and the results of shape arithmetic, and types one application at a time. */
export class Inference implements Typing, Known {
  readonly #constants = new Map<Value, Tensor>();
  readonly #elements = new Map<Value, readonly Dimension[]>();

  declare(value: Value, tensor: Tensor): void {
    this.#constants.set(value, tensor);
  }

  constantOf(value: Value | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.#constants.get(value);
  }

  elementsOf(value: Value | undefined): readonly Dimension[] | undefined {
    if (value === undefined) return undefined;
    const known = this.#elements.get(value);
    if (known !== undefined) return known;
    const tensor = this.#constants.get(value);
    return tensor === undefined ? undefined : elementsOfTensor(tensor);
  }

  infer<K extends Operator>(application: Application<K>): readonly ValueType[] {
    try {
      return outputTypes(application, this);
    } catch (error) {
      throw error instanceof GraftError ? error.at(describeApplication(application)) : error;
    }
  }

  observe(node: Node): void {
    if (node.kind === "foreign") return;
    const elements = elementsAfter(node, this);
    const [output] = node.outputs;
    if (output !== undefined && elements !== undefined) this.#elements.set(output, elements);
  }
}

/** A builder that types what it appends; with `from`, it goes on from that graph. */
export function newBuilder(from?: Graph): Builder {
  return new Builder(new Inference(), from);
}

function describeApplication(application: Application & { readonly name?: string }): string {
  const named = application as Partial<Node>;
  return named.kind === undefined ? application.operator : describeNode(application as unknown as Node);
}
