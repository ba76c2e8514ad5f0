/** @file From a graph to the same graph with every value typed, the graphs inside it included. */
import {
  describeNode,
  type Graph,
  mapGraph,
  mapSubgraphs,
  type Node,
  subgraphsOf,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import { type Dimension, GraftError, type Shape } from "../tensor/index.ts";
import { type Body, bodyOf, either } from "./control.ts";
import { Inference } from "./inference.ts";
import { isSameType, mergeTypes } from "./merge.ts";
import type { Known } from "./rule.ts";
import { outputTypes } from "./table.ts";

/** What is known of a graph beyond itself. */
export interface InferOptions {
  /** Numbers to put in place of symbolic sizes, by name. */
  readonly dimensions?: Readonly<Record<string, number>>;
  /** Shapes to put in place of those of inputs, by name. What the graph declares of other values' shapes is then not used. */
  readonly inputs?: Readonly<Record<string, Shape>>;
  /** Whether a declared shape that contradicts the inferred one is an error; otherwise the inferred one wins. */
  readonly strict?: boolean;
}

/**
 * The graph with the type of every value inferred and merged with what is declared. Values and nodes that this does not
 * change stay the same objects. Takes time linear in the number of nodes.
 *
 * Throws "model-invalid", naming the node, where an operator's inputs do not fit it or a declared element type
 * contradicts the inferred one; "usage" for an input that the graph does not have.
 */
export function inferShapes(graph: Graph, options: InferOptions = {}): Graph {
  return inferWithElements(graph, options).graph;
}

/** The graph with symbolic sizes fixed, and all that follows from them. */
export function bindDimensions(graph: Graph, dimensions: Readonly<Record<string, number>>): Graph {
  return inferShapes(graph, { dimensions });
}

/** As `inferShapes`, with the elements that were found on the way. */
export function inferWithElements(
  graph: Graph,
  options: InferOptions = {},
): { readonly graph: Graph; readonly known: Known } {
  const shapes = options.inputs ?? {};
  for (const [name, size] of Object.entries(options.dimensions ?? {})) {
    if (Number.isSafeInteger(size) && size >= 0) continue;
    throw new GraftError("usage", `the size of "${name}" is no whole number`, { actual: String(size) });
  }
  const unknown = Object.keys(shapes).find((name) => !graph.inputs.some((input) => input.name === name));
  if (unknown !== undefined) {
    throw new GraftError("usage", `the graph has no input "${unknown}"`, {
      expected: `one of ${graph.inputs.map((input) => input.name).join(", ")}`,
    });
  }
  const inference = new GraphInference(options);
  const types = graph.inputs.map((input): ValueType => {
    const shape = Object.hasOwn(shapes, input.name) ? shapes[input.name] : input.shape;
    return { dtype: input.dtype, shape };
  });
  return { graph: inference.scope(graph, types, 0), known: inference.known };
}

/** Loops inside loops beyond this depth are not run through again for a better guess, which would multiply. */
const deepestGuess = 2;

class GraphInference {
  readonly known: Inference = new Inference();
  /** The typed value for each of the original graph; the same object where nothing is new. */
  readonly #typed = new Map<Value, Value>();
  readonly #dimensions: ReadonlyMap<string, number>;
  readonly #trustsShapes: boolean;
  readonly #isStrict: boolean;

  constructor({ dimensions = {}, inputs, strict = false }: InferOptions) {
    this.#dimensions = new Map(Object.entries(dimensions));
    this.#trustsShapes = inputs === undefined;
    this.#isStrict = strict;
  }

  /** The graph typed, as one with inputs of these types; what is declared of the outermost ones is part of them. */
  scope(graph: Graph, types: readonly ValueType[], depth: number, alwaysTrue?: number): Graph {
    const inputs = graph.inputs.map((input, index) => {
      const type = types[index] ?? unknownType;
      const typed = depth === 0 ? this.#retype(input, this.#bound(type)) : this.#define(input, type);
      if (index === alwaysTrue) this.known.remember(typed, { dtype: "bool", shape: [], values: [1] });
      return typed;
    });
    const isInput = new Set(graph.inputs);
    const initializers = new Map(
      [...graph.initializers].map(([value, tensor]) => {
        // A default that a run may override is no constant.
        if (isInput.has(value)) return [this.#current(value), tensor] as const;
        const typed = this.#retype(value, tensor);
        this.known.declare(typed, tensor);
        return [typed, tensor] as const;
      }),
    );
    const nodes = graph.nodes.map((node) => this.#node(node, depth));
    const outputs = graph.outputs.map((value) => this.#current(value));
    return { ...graph, inputs, initializers, nodes, outputs };
  }

  #node(original: Node, depth: number): Node {
    const where = describeNode(original);
    try {
      const inputs = original.inputs.map((value) => value && this.#current(value));
      const reading = inputs.every((value, index) => value === original.inputs[index])
        ? original
        : { ...original, inputs };
      const node = subgraphsOf(reading).length === 0 ? reading : this.#bodies(reading, depth);
      const types = node.kind === "foreign" ? [] : outputTypes(node, this.known);
      const outputs = original.outputs.map((value, index) => value && this.#define(value, types[index] ?? unknownType));
      const typed = outputs.every((value, index) => value === node.outputs[index]) ? node : { ...node, outputs };
      this.known.observe(typed);
      return typed;
    } catch (error) {
      throw error instanceof GraftError ? error.at(where) : error;
    }
  }

  /**
   * The node with the graphs it holds typed. What a loop carries round is first taken to keep its shape; then without the
   * sizes that turned out to change; then without a shape, which always holds.
   */
  #bodies(node: Node, depth: number): Node {
    const { inputs, carried, alwaysTrue, neverRuns } = bodyOf(node, this.known);
    let position = 0;
    return mapSubgraphs(node, (graph) => {
      if (position++ === neverRuns) return mapGraph(graph, (value) => this.#current(value));
      let types = depth < deepestGuess ? inputs : withoutShapes(inputs, carried);
      for (let attempt = 1; ; attempt++) {
        const body = this.scope(graph, types, depth + 1, alwaysTrue);
        const after = afterAnIteration(types, carried, body.outputs);
        if (after.every((type, index) => isSameType(type, types[index] ?? unknownType))) return body;
        types = attempt === 1 ? after : withoutShapes(types, carried);
      }
    });
  }

  #current(value: Value): Value {
    return this.#typed.get(value) ?? value;
  }

  /** The value with what follows from the node before it and what is declared. */
  #define(value: Value, inferred: ValueType): Value {
    const declared = this.#bound(this.#trustsShapes ? value : { dtype: value.dtype, shape: undefined });
    try {
      return this.#retype(value, mergeTypes(declared, inferred, this.#isStrict));
    } catch (error) {
      throw error instanceof GraftError ? error.at(`value "${value.name}"`) : error;
    }
  }

  #retype(value: Value, { dtype, shape }: ValueType): Value {
    const typed = isSameType(value, { dtype, shape }) ? value : { ...value, dtype, shape };
    this.#typed.set(value, typed);
    return typed;
  }

  /** The type with the sizes that have been given numbers. */
  #bound({ dtype, shape }: ValueType): ValueType {
    const bind = (size: Dimension) => (typeof size === "string" ? (this.#dimensions.get(size) ?? size) : size);
    return { dtype, shape: this.#dimensions.size === 0 ? shape : shape?.map(bind) };
  }
}

const unknownType: ValueType = { dtype: undefined, shape: undefined };

/** What is left of the types of a body's inputs when its outputs come round. */
function afterAnIteration(
  types: readonly ValueType[],
  carried: Body["carried"],
  outputs: readonly Value[],
): readonly ValueType[] {
  const after = [...types];
  for (const [input, output] of carried) {
    const before = types[input] ?? unknownType;
    after[input] = { dtype: before.dtype, shape: either(before, outputs[output]).shape };
  }
  return after;
}

function withoutShapes(types: readonly ValueType[], carried: Body["carried"]): readonly ValueType[] {
  const changing = new Set(carried.map(([input]) => input));
  return types.map((type, index) => (changing.has(index) ? { dtype: type.dtype, shape: undefined } : type));
}
