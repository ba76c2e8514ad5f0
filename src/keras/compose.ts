/** @file From a model to one graph that takes pixels. */
import type { Graph } from "../graph/index.ts";
import { inferShapes } from "../shapes/index.ts";
import { type Loss, upToLogits } from "../training/index.ts";
import { Composition } from "./composition.ts";
import type { Layer } from "./layer.ts";
import { channelsFirst, channelsLast, type KerasShape } from "./shape.ts";
import type { Variable } from "./variable.ts";

/** A model as a graph in inference form. */
export interface ComposedModel {
  /** Input `image`, `[N, height, width, channels]`; one output, channels last. */
  readonly graph: Graph;
  /** The initializer of each variable. */
  readonly names: ReadonlyMap<Variable, string>;
  /** The dropouts and batch norms that behave as in training while the model is trained, by their first outputs. */
  readonly trainingNodes: ReadonlySet<string>;
}

/** Composes the graph, with the variables as they are now. */
export function composeModel(
  model: Layer & { readonly inputShape: KerasShape },
  dtype: "uint8" | "float32",
): ComposedModel {
  const composition = new Composition();
  const { builder } = composition;
  const sizes = model.inputShape.slice(1).map((size, axis) => size ?? `size${axis}`);
  const input = builder.input("image", dtype, ["N", ...sizes]);
  const output = model.append(channelsFirst(builder, builder.cast(input, "float32")), composition);
  const graph = inferShapes(builder.graph([channelsLast(builder, output)], model.name));
  return { graph, names: composition.names, trainingNodes: composition.trainingNodes };
}

/** What the loss is taken of: cross-entropies look through a last Softmax or Sigmoid. */
export function upToLoss(graph: Graph, loss: Loss): Graph {
  return loss.labels === "indices" || loss.classifies === true ? upToLogits(graph) : graph;
}

/** How many numbers the graph says of each example; `undefined` where that is open. */
export function widthOf(graph: Graph): number | undefined {
  const width = graph.outputs[0]?.shape?.at(-1);
  return typeof width === "number" ? width : undefined;
}
