/** @file A whole model from a hub or a file as one layer: TensorFlow Hub's KerasLayer. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { BaseModel, type BaseModelOptions } from "./base-model.ts";
import type { Composition } from "./composition.ts";
import { automaticName } from "./names.ts";
import { type KerasShape, showShape } from "./shape.ts";

/** A value that an argument of a module may have. */
export type ArgumentValue = boolean | number | string | null;

export interface HubLayerOptions extends BaseModelOptions {
  /** The shape of what it gives, without the batch. Default: the module's; what is given must fit it. */
  readonly outputShape?: readonly (number | null)[] | undefined;
  /** Arguments of the module's function. Only `training: false` is known: batch norm and dropout stay as in inference. */
  readonly arguments?: Readonly<Record<string, ArgumentValue>> | undefined;
}

/**
 * A module as a layer. As TensorFlow Hub's, what it trains is what the module lists, and while it is trainable its batch
 * norms and dropouts behave as in training, unless it is called with `training: false` or was given that argument.
 */
export class HubLayer extends BaseModel {
  readonly #isInference: boolean;

  /** Throws GraftError `usage` where the module gives another shape, or has no such argument. */
  constructor(module: ConstructorParameters<typeof BaseModel>[0], options: HubLayerOptions = {}) {
    const { outputShape, arguments: given = {}, name = automaticName("KerasLayer"), ...others } = options;
    const isInference = isInferenceAsked(name, given);
    const layers = module.layers.map((scope) => {
      if (scope.trainable !== false) return scope;
      return { ...scope, weights: scope.weights.map((weight) => ({ ...weight, isTrainable: false })) };
    });
    super({ ...module, layers }, { ...others, name, className: "KerasLayer" });
    this.#isInference = isInference;
    if (outputShape !== undefined) this.#checkOutput([null, ...outputShape]);
  }

  override append(x: Value, composition: Composition): Value {
    const append = () => super.append(x, composition);
    return this.#isInference ? composition.inInference(append) : append();
  }

  #checkOutput(expected: KerasShape): void {
    const actual = this.outputShape(this.inputShape);
    const fits = (size: number | null, axis: number) => size === null || (actual[axis] ?? size) === size;
    if (actual.length === expected.length && expected.every(fits)) return;
    throw new GraftError("usage", "the module gives another shape than outputShape says", {
      path: [`layer "${this.name}"`],
      expected: showShape(expected),
      actual: showShape(actual),
    });
  }
}

function isInferenceAsked(layer: string, given: Readonly<Record<string, ArgumentValue>>): boolean {
  const [unknown] = Object.entries(given).filter(([name, value]) => name !== "training" || value !== false);
  if (unknown === undefined) return Object.hasOwn(given, "training");
  const [name, value] = unknown;
  throw new GraftError("usage", "the module cannot be called with this argument", {
    path: [`layer "${layer}"`, `arguments.${name}`],
    expected: "training: false, or no arguments",
    actual: `${name}: ${String(value)}`,
    hint:
      name === "training"
        ? "set trainable instead: fit calls the module as in training where it is trainable"
        : "a module is read for inference, with its arguments at their defaults; signature chooses another function",
  });
}
