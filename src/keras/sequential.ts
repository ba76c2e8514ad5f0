/** @file Models that are one layer after another. */
import type { PixelRecipe } from "../data/index.ts";
import type { Value } from "../graph/index.ts";
import { GraftError, randomNumbers } from "../tensor/index.ts";
import type { Composition } from "./composition.ts";
import { InputLayer } from "./core-layers.ts";
import { Layer, type LayerCall } from "./layer.ts";
import { Model, type ModelOptions } from "./model.ts";
import { type KerasShape, refused } from "./shape.ts";
import type { SummaryRow } from "./summary.ts";

export interface SequentialOptions extends ModelOptions {
  /** Draws the first values of the layers: the same seed gives the same. Default: 0. */
  readonly seed?: number;
}

/** One layer after another. */
export class Sequential extends Model {
  readonly #calls: readonly LayerCall[];
  readonly #input: KerasShape | undefined;

  constructor(layers: readonly (Layer | LayerCall)[], options: SequentialOptions = {}) {
    super("Sequential", options);
    const calls = layers.map((each): LayerCall => (each instanceof Layer ? { layer: each, training: true } : each));
    const [first] = calls;
    const isInput = first?.layer instanceof InputLayer;
    this.#calls = isInput ? calls.slice(1) : calls;
    if (this.#calls.some(({ layer }) => layer instanceof InputLayer)) {
      throw refused(this, "an input layer stands first", undefined, "one after other layers");
    }
    checkNames(this, this.layers);
    const opening = isInput ? first?.layer : this.layers[0];
    if (opening instanceof InputLayer) this.#input = opening.shape;
    else if (opening instanceof Model && opening.isBuilt) this.#input = opening.inputShape;
    if (this.#input !== undefined) this.build(this.#input, randomNumbers(options.seed ?? 0));
    if (options.trainable === false) this.trainable = false;
  }

  override get layers(): readonly Layer[] {
    return this.#calls.map(({ layer }) => layer);
  }

  override get inputShape(): KerasShape {
    if (this.#input !== undefined) return this.#input;
    throw new GraftError("usage", "the model does not know what goes in", {
      path: [`model "${this.name}"`],
      hint: "begin with layers.inputLayer({ shape: [height, width, 3] })",
    });
  }

  override get recipe(): PixelRecipe {
    const [, height, width] = this.inputShape;
    const own = this.layers.find((layer) => layer instanceof Model);
    const recipe = own instanceof Model && own.inputShape.length === 4 ? own.recipe : undefined;
    return recipe !== undefined && recipe.height === height && recipe.width === width ? recipe : super.recipe;
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    return this.layers.reduce((shape, layer) => layer.outputShape(shape), inputShape);
  }

  protected override createVariables(inputShape: KerasShape, random: () => number): readonly [] {
    let shape = inputShape;
    for (const layer of this.layers) {
      layer.build(shape, random);
      shape = layer.outputShape(shape);
    }
    return [];
  }

  override append(x: Value, composition: Composition): Value {
    return this.#calls.reduce((value, { layer, training }) => {
      const append = () => layer.append(value, composition);
      return training ? append() : composition.inInference(append);
    }, x);
  }

  override get summaryRows(): readonly SummaryRow[] {
    let shape = this.#input;
    return this.layers.map((layer) => {
      shape = shape && layer.outputShape(shape);
      return { layer, outputShape: shape, inputs: [], nested: layer instanceof Model ? layer.summaryRows : [] };
    });
  }

  override get isChain(): boolean {
    return true;
  }
}

/** As Keras's `Sequential`: names within a model are unique, or its layers could not be told apart. */
function checkNames(model: Model, layers: readonly Layer[]): void {
  const seen = new Set<string>();
  for (const layer of layers) {
    if (seen.has(layer.name)) throw refused(model, "the layers of a model have different names", undefined, layer.name);
    seen.add(layer.name);
  }
}
