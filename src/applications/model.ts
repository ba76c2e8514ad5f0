/** @file A model of keras.applications while it is built: Keras's automatic names, its order of layers, its common ends. */
import type { LayeredGraph, LayerScope } from "../graph/index.ts";
import { type Json, type LayerOutput, Network, type WeightSource } from "../layers/index.ts";

/** What becomes of the last map. */
export interface TopOptions {
  /** Whether the classifier is part of it. Default: true. */
  readonly includeTop?: boolean | undefined;
  /** Without the top. Default: null, the map itself. */
  readonly pooling?: "avg" | "max" | null | undefined;
  /** With the top. Default: 1,000. */
  readonly classes?: number | undefined;
  /** With the top: null gives logits. Default: "softmax". */
  readonly classifierActivation?: "softmax" | null | undefined;
}

/** How a family calls the layers after its last map; `undefined` for automatic names. */
export interface TopNames {
  /** The average pool before the classifier. */
  readonly pool?: string;
  readonly averagePool?: string;
  readonly maxPool?: string;
  /** Dropout between pool and classifier; rate 0 for none. */
  readonly dropout?: { readonly name: string; readonly rate: number };
}

/** A network of layers `[N, H, W, C]` as Keras has them; in the graph the channels come first. */
export class ApplicationModel {
  readonly #network: Network;
  readonly #counts = new Map<string, number>();

  constructor(weights: WeightSource) {
    this.#network = new Network({ weights, layout: "channels_first" });
  }

  input([height, width, channels]: readonly [number | null, number | null, number]): LayerOutput {
    return this.#network.input("input_layer", [null, height, width, channels]);
  }

  /** Calls a layer; without a name it gets the one that Keras gives in the first model of a process: `conv2d_3`. */
  layer(
    className: string,
    name: string | undefined,
    config: { readonly [key: string]: Json },
    ...inputs: readonly LayerOutput[]
  ): LayerOutput {
    return this.#network.layer(className, name ?? this.#automaticName(className), config, ...inputs);
  }

  /** The classifier `predictions`, or the pool that is asked for. */
  top(
    x: LayerOutput,
    { includeTop = true, pooling = null, classes = 1000, classifierActivation = "softmax" }: TopOptions,
    { pool, averagePool, maxPool, dropout }: TopNames = {},
  ): LayerOutput {
    if (!includeTop) return this.pooled(x, pooling, { averagePool, maxPool });
    let features = this.layer("GlobalAveragePooling2D", pool, {}, x);
    if (dropout !== undefined && dropout.rate > 0) {
      features = this.layer("Dropout", dropout.name, { rate: dropout.rate }, features);
    }
    return this.layer("Dense", "predictions", { units: classes, activation: classifierActivation }, features);
  }

  /** The last map's averages or maxima, or the map itself. */
  pooled(
    x: LayerOutput,
    pooling: "avg" | "max" | null,
    names: { readonly averagePool?: string | undefined; readonly maxPool?: string | undefined } = {},
  ): LayerOutput {
    if (pooling === "avg") return this.layer("GlobalAveragePooling2D", names.averagePool, {}, x);
    return pooling === "max" ? this.layer("GlobalMaxPooling2D", names.maxPool, {}, x) : x;
  }

  /** The finished model, its layers in Keras's order. */
  graph(output: LayerOutput, name: string): LayeredGraph {
    return inKerasOrder(this.#network.graph([output], name));
  }

  #automaticName(className: string): string {
    const count = this.#counts.get(className) ?? 0;
    this.#counts.set(className, count + 1);
    const base = snakeCase(className);
    return count === 0 ? base : `${base}_${count}`;
  }
}

/** Keras's `correct_pad`: the padding before a convolution of stride 2; an even or an open side gets less at its begin. */
export function paddingBeforeStride({ data }: LayerOutput, kernelSize: number): readonly (readonly [number, number])[] {
  const [, height, width] = data.shape ?? [];
  const half = Math.floor(kernelSize / 2);
  const begin = (size: unknown) =>
    typeof height === "number" && typeof size === "number" ? half - 1 + (size % 2) : half - 1;
  return [
    [begin(height), half],
    [begin(width), half],
  ];
}

/**
 * Lists a model's layers as Keras does, which is how its weight files list them: by how many layers lie between them and
 * the output, and where that is equal, by when a walk from the output first comes to them (`map_graph` in
 * keras/src/ops/function.py).
 */
function inKerasOrder({ graph, layers }: LayeredGraph): LayeredGraph {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const depths = new Map<string, number>();
  for (const { name, inputs } of [...layers].reverse()) {
    const depth = depths.get(name) ?? 0;
    depths.set(name, depth);
    for (const input of inputs) depths.set(input, Math.max(depth + 1, depths.get(input) ?? 0));
  }
  const walk = new Map<string, number>();
  const waiting = layers.slice(-1).map(({ name }) => name);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (walk.has(name)) continue;
    walk.set(name, walk.size);
    waiting.push(...(byName.get(name)?.inputs ?? []).toReversed());
  }
  const rank = ({ name }: LayerScope, of: ReadonlyMap<string, number>) => of.get(name) ?? 0;
  const sorted = layers.toSorted((a, b) => rank(b, depths) - rank(a, depths) || rank(a, walk) - rank(b, walk));
  return { graph, layers: sorted };
}

/** As Keras turns a class into a name: `max_pooling2d`, `re_lu`. */
function snakeCase(className: string): string {
  return className
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
