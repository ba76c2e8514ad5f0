/** @file A new head on a base: the model that transfer learning begins with. */
import type { LayeredGraph } from "../graph/index.ts";
import type { Base, ValueRange } from "../model/index.ts";
import { GraftError } from "../tensor/index.ts";
import { BaseModel } from "./base-model.ts";
import type { Layer, LayerCall } from "./layer.ts";
import { layers, sequential } from "./layers.ts";
import type { Sequential } from "./sequential.ts";

export interface HeadOptions {
  /** How many classes the head tells apart: so many logits come out. At least 1. */
  readonly classes: number;
  /** The share of features that is dropped while the head is trained, in [0, 1). Default: 0. */
  readonly dropout?: number;
  /** How many units a hidden layer has (ReLU). Default: none, a linear head. */
  readonly hidden?: number;
  /** The name of the last layer; its weights are `<name>/kernel` and `<name>/bias`. Default: `logits`. */
  readonly name?: string;
  /** Draws the first values of the head: the same seed gives the same. Default: 0. */
  readonly seed?: number;
  /** From RGB 0–255 to what the base takes. Default: what the base says. */
  readonly range?: ValueRange;
}

/**
 * A model from pixels to logits: the values of the base's range, the base (its batch norms keep to their moving
 * statistics), the mean over the map where it gives one, dropout, and a head of one or two dense layers. The base stays
 * as trainable as it is: `base.trainable = false` freezes it. A base that is not a model yet becomes one, the first
 * model among `layers`.
 *
 * @throws GraftError `usage` where nobody said which values the base takes
 */
export function attachHead(base: BaseModel | Base | LayeredGraph, options: HeadOptions): Sequential {
  const { classes, dropout = 0, hidden, name = "logits", seed = 0 } = options;
  const model = base instanceof BaseModel ? base : new BaseModel(base);
  const range = options.range ?? model.range;
  if (range === undefined) {
    throw new GraftError("usage", "nobody said which values the base takes", {
      path: [`base "${model.name}"`],
      hint: "give its range: { name, channels, scale, offset }, from RGB 0–255",
    });
  }
  const isMap = model.outputShape(model.inputShape).length === 4;
  // Names that do not depend on what else was built: the same call gives the same model.
  const items: (Layer | LayerCall)[] = [
    layers.inputLayer({ shape: model.inputShape.slice(1), name: "image" }),
    layers.rescaling({ ...range, name: "rescaling" }),
    model.call({ training: false }),
  ];
  if (isMap) items.push(layers.globalAveragePooling2d({ name: "pooling" }));
  if (dropout > 0) items.push(layers.dropout({ rate: dropout, name: "dropout" }));
  if (hidden !== undefined) items.push(layers.dense({ units: hidden, activation: "relu", name: "hidden" }));
  items.push(layers.dense({ units: classes, name }));
  return sequential(items, { name: `${model.name}_${name}`, seed });
}
