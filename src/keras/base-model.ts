/** @file A model made of a graph whose nodes are grouped into layers: a base, or any application. */

import type { PixelRecipe } from "../data/index.ts";
import {
  definitionsOf,
  type Graph,
  type LayeredGraph,
  type LayerScope,
  mapNode,
  type Node,
  type Value,
} from "../graph/index.ts";
import type { Base, Provenance, ValueRange } from "../model/index.ts";
import { inferShapes } from "../shapes/index.ts";
import { type Dimension, GraftError, type Shape, unreachable } from "../tensor/index.ts";
import type { Composition } from "./composition.ts";
import { Layer } from "./layer.ts";
import { Model, type ModelOptions, type Origin } from "./model.ts";
import { channelsFirst, channelsLast, type KerasShape, refused, showShape } from "./shape.ts";
import type { SummaryRow } from "./summary.ts";
import { Variable } from "./variable.ts";

/** A layer of a base: it holds weights and may be frozen; the graph that it is part of says what it computes. */
class ScopeLayer extends Layer {
  readonly #shape: KerasShape | undefined;

  constructor(scope: LayerScope, variables: readonly Variable[]) {
    super(scope.className, { name: scope.name });
    this.#shape = scope.outputShape;
    this.hold(variables);
  }

  override outputShape(): KerasShape {
    return this.#shape ?? [null];
  }

  override append(): Value {
    throw new GraftError("usage", "a layer of a base works in its base only", { path: [`layer "${this.name}"`] });
  }
}

export interface BaseModelOptions extends ModelOptions {
  /** The values it takes, where the base does not say. */
  readonly range?: ValueRange;
  /** Where its weights came from, where the base does not say. */
  readonly provenance?: Provenance;
  /** What the summary calls it. Default: `Functional`. */
  readonly className?: string;
}

/** A graph in layers that may say how its axes lie, what its pictures are and where it came from. */
type LayeredBase = LayeredGraph & Partial<Pick<Base, "name" | "layout" | "recipe" | "range" | "provenance">>;

/** A base as a model: a layer for `sequential`, with layers of its own. */
export class BaseModel extends Model {
  readonly #graph: Graph;
  readonly #scopes: readonly LayerScope[];
  readonly #layers: readonly ScopeLayer[];
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #isChannelsLast: boolean;
  readonly #recipe: PixelRecipe | undefined;
  /** The values it takes, where that is known. */
  readonly range: ValueRange | undefined;
  /** Where it came from, where that is known. */
  readonly provenance: Provenance | undefined;

  constructor(base: LayeredBase, { range, provenance, className = "Functional", ...options }: BaseModelOptions = {}) {
    super(className, { ...options, name: options.name ?? base.name ?? base.graph.name });
    this.#graph = inferShapes(base.graph);
    this.#scopes = base.layers;
    this.#isChannelsLast = base.layout === "channels_last";
    this.#recipe = base.recipe;
    this.provenance = provenance ?? base.provenance;
    this.range = range ?? base.range;
    const tensors = new Map([...this.#graph.initializers].map(([{ name }, tensor]) => [name, tensor] as const));
    const variables = new Map<string, Variable>();
    this.#layers = base.layers.map((scope) => {
      const held = scope.weights.map(({ name, isTrainable }) => {
        const tensor = tensors.get(name);
        if (tensor === undefined || tensor.dtype === "string") throw notAnInitializer(scope.name, name);
        const variable = variables.get(name) ?? new Variable(name, tensor, !isTrainable);
        variables.set(name, variable);
        return variable;
      });
      return new ScopeLayer(scope, held);
    });
    this.#variables = variables;
    this.hold([]);
    if (options.trainable === false) this.trainable = false;
  }

  override get layers(): readonly Layer[] {
    return this.#layers;
  }

  override get inputShape(): KerasShape {
    const [batch = null, ...sizes] = (this.#input.shape ?? []).map(known);
    const [channels = null, ...spatial] = sizes;
    return this.#isChannelsLast || sizes.length < 2 ? [batch, ...sizes] : [null, ...spatial, channels];
  }

  override get origin(): Origin | undefined {
    return this.provenance && { name: this.name, provenance: this.provenance };
  }

  override get recipe(): PixelRecipe {
    return this.#recipe ?? super.recipe;
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    const own = this.inputShape;
    if (own.length !== inputShape.length || !own.every((size, axis) => fits(size, inputShape[axis] ?? null))) {
      throw refused(this, "the base takes another shape", showShape(own), showShape(inputShape));
    }
    const [batch = null, ...sizes] = inputShape.map((size, axis) => size ?? own[axis] ?? null);
    const shape = [batch, ...sizes.slice(-1), ...sizes.slice(0, -1)];
    const output = this.#outputOf(this.#typed(this.#isChannelsLast || sizes.length < 2 ? [batch, ...sizes] : shape));
    const [, channels = null, ...spatial] = (output.shape ?? []).map(known);
    return spatial.length < 2 || this.#givesChannelsLast(output)
      ? [null, channels, ...spatial]
      : [null, ...spatial, channels];
  }

  override append(x: Value, composition: Composition): Value {
    const { builder } = composition;
    const input = this.#isChannelsLast ? channelsLast(builder, x) : x;
    const graph = this.#typed(input.shape ?? []);
    const copies = new Map<Value, Value>([[firstInput(graph), builder.castLike(input, this.#input)]]);
    const copy = (value: Value): Value => {
      const known = copies.get(value);
      if (known !== undefined) return known;
      const made = { ...value, name: builder.unused(value.name) };
      copies.set(value, made);
      return made;
    };
    for (const [value, tensor] of graph.initializers) {
      const variable = this.#variables.get(value.name);
      if (variable === undefined) builder.adoptConstant(copy(value), tensor);
      else copies.set(value, composition.weight(variable));
    }
    const owners = this.#owners();
    for (const node of graph.nodes) {
      const [output] = node.outputs;
      // Nodes are named after what they compute: two bases may have nodes of one name.
      builder.adopt({ ...mapNode(node, copy), name: output === undefined ? node.name : copy(output).name });
      if (output !== undefined && this.#differsInTraining(node, graph, owners.get(output.name))) {
        composition.behavesAsInTraining(copy(output));
      }
    }
    const output = this.#outputOf(graph);
    const given = builder.castLike(copy(output), x);
    return this.#givesChannelsLast(output) ? channelsFirst(builder, given) : given;
  }

  override get summaryRows(): readonly SummaryRow[] {
    return this.#scopes.map((scope, index) => ({
      layer: this.#layers[index] ?? unreachable("a scope without a layer"),
      outputShape: scope.outputShape,
      inputs: scope.inputs,
      nested: [],
    }));
  }

  override get isChain(): boolean {
    return this.#scopes.every(({ inputs }, index) => {
      const [first, ...others] = inputs;
      return index === 0 || (others.length === 0 && first === this.#scopes[index - 1]?.name);
    });
  }

  get #input(): Value {
    return firstInput(this.#graph);
  }

  /** The graph as it is for an input of that shape. */
  #typed(shape: Shape): Graph {
    return inferShapes(this.#graph, { inputs: { [this.#input.name]: shape } });
  }

  #outputOf(graph: Graph): Value {
    return graph.outputs[0] ?? unreachable("a base without an output");
  }

  /** Whether its map comes with the channels last: only where its input does, too. */
  #givesChannelsLast({ shape }: Value): boolean {
    return this.#isChannelsLast && shape?.length === 4;
  }

  /** The layer that each value belongs to, by name. */
  #owners(): ReadonlyMap<string, Layer> {
    return new Map(
      this.#scopes.flatMap(({ values }, index) => {
        const layer = this.#layers[index];
        return layer === undefined ? [] : values.map((name) => [name, layer] as const);
      }),
    );
  }

  /** Dropout always does; batch norm where its layer is trainable, its file trains it, and its statistics can move. */
  #differsInTraining(node: Node, graph: Graph, owner: Layer | undefined): boolean {
    if (node.kind === "foreign") return false;
    if (node.operator === "Dropout") return definitionsOf(node).length === 1;
    if (node.operator !== "BatchNormalization" || node.attributes.trainingMode) return false;
    const held = node.inputs.slice(1, 3).flatMap((each) => this.#variables.get(each?.name ?? "") ?? []);
    if (held.length > 0 && held.every(({ isStatistic }) => isStatistic)) return false;
    const statistics = node.inputs.slice(3);
    return owner?.trainable === true && statistics.every((each) => each !== undefined && graph.initializers.has(each));
  }
}

function firstInput(graph: Graph): Value {
  const [input, ...others] = graph.inputs;
  if (input !== undefined && others.length === 0) return input;
  throw new GraftError("usage", "a base has one input", {
    path: [`graph "${graph.name}"`],
    actual: graph.inputs.map(({ name }) => name).join(", ") || "none",
  });
}

function known(size: Dimension): number | null {
  return typeof size === "number" ? size : null;
}

function fits(own: number | null, given: number | null): boolean {
  return own === null || given === null || own === given;
}

function notAnInitializer(layer: string, name: string): GraftError {
  return new GraftError("model-invalid", "a layer names a weight that the graph does not hold", {
    path: [`layer "${layer}"`, `weight "${name}"`],
  });
}
