/** @file Parameters of a graph in layers, counted as Keras counts them. */
import { elementCount } from "../tensor/index.ts";
import type { LayeredGraph } from "./layers.ts";

/** Numbers of parameters. */
interface ParameterCounts {
  readonly trainable: number;
  /** Those of frozen layers, and what gradients never change: moving statistics. */
  readonly nonTrainable: number;
}

/** Counts the elements of all weights of layers, each once; a frozen layer's are not trainable. */
export function countParameters({ graph, layers }: LayeredGraph): ParameterCounts {
  const sizes = new Map([...graph.initializers].map(([{ name }, { shape }]) => [name, elementCount(shape)]));
  const seen = new Set<string>();
  let trainable = 0;
  let nonTrainable = 0;
  for (const layer of layers) {
    for (const { name, isTrainable } of layer.weights) {
      if (seen.has(name)) continue;
      seen.add(name);
      const size = sizes.get(name) ?? 0;
      if (isTrainable && layer.trainable !== false) trainable += size;
      else nonTrainable += size;
    }
  }
  return { trainable, nonTrainable };
}
