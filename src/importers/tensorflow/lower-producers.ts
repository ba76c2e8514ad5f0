/** @file Which node gives what in a frozen graph, and the elements of constants and variables: what patterns are found by. */
import { numbersOf, type Tensor } from "../../tensor/index.ts";
import type { FrozenGraph, TfNode } from "./graph-def.ts";
import { parseReference } from "./lower-nodes.ts";

export const sums: readonly string[] = ["Add", "AddV2"];

const passing: ReadonlySet<string> = new Set(["Identity", "ReadVariableOp"]);

export class Producers {
  readonly #byName: ReadonlyMap<string, TfNode>;
  readonly #frozen: FrozenGraph;

  constructor(frozen: FrozenGraph) {
    this.#frozen = frozen;
    this.#byName = new Map(frozen.nodes.map((node) => [node.name, node]));
  }

  /** The node that gives a reference as its first output, through nodes that pass it on, where it is of that operator. */
  of(reference: string | undefined, ...operators: readonly string[]): TfNode | undefined {
    const node = this.#byName.get(this.source(reference) ?? "");
    return node !== undefined && operators.includes(node.op) ? node : undefined;
  }

  /** The name of the node that a reference comes from, when nodes that pass it on are left out. */
  source(reference: string | undefined): string | undefined {
    let current = reference;
    for (let steps = 0; steps <= this.#byName.size && current !== undefined; steps++) {
      const [name, output] = parseReference(current);
      const node = this.#byName.get(name);
      if (output !== 0) return undefined;
      if (node === undefined || this.#frozen.variables.has(name) || !passing.has(node.op)) return name;
      current = node.inputs[0];
    }
    return undefined;
  }

  /** The elements of a variable or a constant; also of one that is reshaped to `[1, …, 1, n]`. */
  tensor(reference: string | undefined): Tensor | undefined {
    const reshape = this.of(reference, "Reshape");
    if (reshape !== undefined) {
      const target = this.integers(reshape.inputs[1]) ?? [];
      const isVector = target.slice(0, -1).every((size) => size === 1) && target.at(-1) !== 1;
      return isVector && target.length > 0 ? this.constant(reshape.inputs[0]) : undefined;
    }
    return this.constant(reference);
  }

  /** The elements of a variable or a constant, as it is. */
  constant(reference: string | undefined): Tensor | undefined {
    const name = this.source(reference) ?? "";
    const variable = this.#frozen.variables.get(name);
    const value = this.#byName.get(name)?.attributes.get("value");
    return variable?.tensor ?? (value?.kind === "tensor" ? value.value : undefined);
  }

  /** The whole numbers of a constant. */
  integers(reference: string | undefined): readonly number[] | undefined {
    const tensor = this.constant(reference);
    return tensor?.dtype === "int32" || tensor?.dtype === "int64" ? numbersOf(tensor) : undefined;
  }
}
