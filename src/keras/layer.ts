/** @file Layers as Keras has them: a name, variables, and whether they are trained. */
import type { Value } from "../graph/index.ts";
import type { Composition } from "./composition.ts";
import { automaticName } from "./names.ts";
import type { KerasShape } from "./shape.ts";
import type { Variable } from "./variable.ts";

export interface LayerOptions {
  /** Default: Keras's automatic name. */
  readonly name?: string;
  /** Default: true. */
  readonly trainable?: boolean;
}

/** A layer that is called in another way than it says by itself. */
export interface LayerCall {
  readonly layer: Layer;
  /** False: batch norm and dropout inside stay in inference mode, even while the model is trained. */
  readonly training: boolean;
}

/** What can stand in a `sequential` model. */
export abstract class Layer {
  readonly name: string;
  /** Keras's class: `Dense`, `GlobalAveragePooling2D`. */
  readonly className: string;
  #isTrainable: boolean;
  #variables: readonly Variable[] = [];
  #isBuilt = false;

  constructor(className: string, { name, trainable = true }: LayerOptions) {
    this.className = className;
    this.name = name ?? automaticName(className);
    this.#isTrainable = trainable;
  }

  /** Whether `fit` trains it. Setting it also sets it for every layer inside, as in Keras. */
  get trainable(): boolean {
    return this.#isTrainable;
  }

  set trainable(isTrainable: boolean) {
    this.#isTrainable = isTrainable;
    for (const variable of this.#variables) variable.trainable = isTrainable && !variable.isStatistic;
    for (const layer of this.sublayers) layer.trainable = isTrainable;
  }

  /** The layers inside: those of a model. */
  protected get sublayers(): readonly Layer[] {
    return [];
  }

  /** Every variable, its own and those of the layers inside, in Keras's order, each once. */
  get weights(): readonly Variable[] {
    return [...new Set([...this.#variables, ...this.sublayers.flatMap((layer) => layer.weights)])];
  }

  /** What `fit` changes by gradients. Empty where the layer is not trainable. */
  get trainableVariables(): readonly Variable[] {
    return this.#isTrainable ? this.weights.filter((variable) => variable.trainable) : [];
  }

  get nonTrainableVariables(): readonly Variable[] {
    return this.#isTrainable ? this.weights.filter((variable) => !variable.trainable) : this.weights;
  }

  /** Keras's other name for `trainableVariables`. */
  get trainableWeights(): readonly Variable[] {
    return this.trainableVariables;
  }

  /** Keras's other name for `nonTrainableVariables`. */
  get nonTrainableWeights(): readonly Variable[] {
    return this.nonTrainableVariables;
  }

  /** Whether its variables exist: from the moment that it knows what goes in. */
  get isBuilt(): boolean {
    return this.#isBuilt;
  }

  /** How many numbers its variables hold. */
  countParams(): number {
    return this.weights.reduce((sum, { size }) => sum + size, 0);
  }

  /** This layer with batch norm and dropout in inference mode whatever `trainable` says: `base.call({ training: false })`. */
  call({ training }: { readonly training: boolean }): LayerCall {
    return { layer: this, training };
  }

  /**
   * Makes the variables for this input, once. `random` gives numbers uniform in [0, 1).
   *
   * @throws GraftError `usage` where the layer cannot take it
   */
  build(inputShape: KerasShape, random: () => number): void {
    if (this.#isBuilt) return;
    this.hold(this.createVariables(inputShape, random));
  }

  /** The shape that comes out. Throws GraftError `usage` where the layer cannot take such an input. */
  abstract outputShape(inputShape: KerasShape): KerasShape;

  /**
   * Appends what the layer computes. Maps are `[N, C, H, W]` in the graph, whatever `KerasShape` says.
   * Only after `build`.
   */
  abstract append(x: Value, composition: Composition): Value;

  /** The layer's own variables, at their first values. */
  protected createVariables(_inputShape: KerasShape, _random: () => number): readonly Variable[] {
    return [];
  }

  /** Takes over its own variables: it is built now. */
  protected hold(variables: readonly Variable[]): void {
    this.#variables = variables;
    this.#isBuilt = true;
    for (const variable of variables) variable.trainable = this.#isTrainable && !variable.isStatistic;
  }
}
