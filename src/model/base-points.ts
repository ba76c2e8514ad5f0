/** @file Where a base can be cut between what stays frozen and what is fine-tuned: the values that every path passes. */
import { consumersOf, definitionsOf, type LayeredGraph, type LayerScope, usesOf, type Value } from "../graph/index.ts";
import { elementCount, isStatic, type Shape } from "../tensor/index.ts";

/** A value through which every path from the pictures to the features goes. */
export interface FineTuningPoint {
  /** The value's name. The graph before it can be frozen and its results stored; what comes after can be trained. */
  readonly value: string;
  readonly shape: Shape | undefined;
  /** The layers after it, in the graph's order. */
  readonly layers: readonly LayerScope[];
  /** The names of the weights after it that gradients change. */
  readonly trainable: readonly string[];
  /**
   * Whether it ends a block: in MobileNetV2, ResNet and transformers those of the paper, elsewhere where paths part or
   * have met, or where a chain is narrowest.
   */
  readonly isBlockEnd: boolean;
}

/**
 * The points of a base in the order of the graph, from its input, after which everything can be trained, to its features,
 * after which nothing is left. Takes time linear in the size of the graph.
 */
export function fineTuningPoints({ graph, layers }: LayeredGraph): readonly FineTuningPoint[] {
  const lastUse = new Map<Value, number>();
  graph.nodes.forEach((node, index) => {
    for (const value of usesOf(node)) lastUse.set(value, index);
  });
  for (const output of graph.outputs) lastUse.set(output, graph.nodes.length);
  const input = graph.inputs.find((value) => !graph.initializers.has(value));
  if (input === undefined) return [];

  // A value is passed by every path where it alone, of all that depends on the input, is read later.
  const dependent = new Set<Value>([input]);
  const live = new Set<Value>([input]);
  const endsAt = new Map<number, Value[]>([[lastUse.get(input) ?? -1, [input]]]);
  const found: { readonly value: Value; readonly after: number }[] = [{ value: input, after: -1 }];
  graph.nodes.forEach((node, index) => {
    const reads = usesOf(node).some((value) => dependent.has(value));
    for (const value of endsAt.get(index) ?? []) live.delete(value);
    if (!reads) return;
    for (const value of definitionsOf(node)) {
      dependent.add(value);
      const end = lastUse.get(value);
      if (end === undefined) continue;
      live.add(value);
      endsAt.set(end, [...(endsAt.get(end) ?? []), value]);
    }
    const [only] = live;
    if (only !== undefined && live.size === 1 && found.at(-1)?.value !== only)
      found.push({ value: only, after: index });
  });
  return withLayers({ graph, layers }, found);
}

function withLayers(
  { graph, layers }: LayeredGraph,
  found: readonly { readonly value: Value; readonly after: number }[],
): readonly FineTuningPoint[] {
  const definedAt = new Map(
    graph.nodes.flatMap((node, index) => definitionsOf(node).map(({ name }) => [name, index] as const)),
  );
  const endOf = (layer: LayerScope) => Math.max(-1, ...layer.values.map((name) => definedAt.get(name) ?? -1));
  const ordered = layers.map((layer) => ({ layer, end: endOf(layer) })).sort((a, b) => a.end - b.end);
  const consumers = consumersOf(graph);
  const inside = insideLayers(graph, ordered);
  let first = 0;
  const between = found.filter(({ after }) => !inside.has(after));
  const points = between.map(({ value, after }) => {
    while ((ordered[first]?.end ?? Number.POSITIVE_INFINITY) <= after) first++;
    const remaining = ordered.slice(first).map(({ layer }) => layer);
    const trainable = remaining.flatMap(({ weights }) =>
      weights.filter((each) => each.isTrainable).map(({ name }) => name),
    );
    const forks = (consumers.get(value)?.length ?? 0) > 1;
    return { value: value.name, shape: value.shape, layers: remaining, trainable, forks };
  });
  const ends = blockEnds(points);
  return points.map(({ forks: _, ...point }, index) => ({ ...point, isBlockEnd: ends.has(index) }));
}

/** The positions of nodes after which a layer goes on whose weights were read already: between a convolution and its activation. */
function insideLayers(
  graph: LayeredGraph["graph"],
  layers: readonly { readonly layer: LayerScope; readonly end: number }[],
): ReadonlySet<number> {
  const readAt = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const { name } of usesOf(node)) if (!readAt.has(name)) readAt.set(name, index);
  });
  const inside = new Set<number>();
  for (const { layer, end } of layers) {
    const reads = layer.weights.map(({ name }) => readAt.get(name) ?? Number.POSITIVE_INFINITY);
    for (let index = Math.min(...reads); index < end; index++) inside.add(index);
  }
  return inside;
}

/**
 * Of the points that a layer with weights follows, in order: where paths part or have just met again, with weights between;
 * and in chains, the last of those that are smaller than their neighbours.
 */
function blockEnds(
  points: readonly (Pick<FineTuningPoint, "shape" | "trainable"> & { readonly forks: boolean })[],
): ReadonlySet<number> {
  const isStart = (index: number) =>
    (points[index]?.trainable.length ?? 0) > (points[index + 1]?.trainable.length ?? Number.POSITIVE_INFINITY);
  const starts = points.flatMap((_, index) => (isStart(index) ? [index] : []));
  const ends = new Set<number>();
  for (const start of starts) {
    if (points[start]?.forks !== true) continue;
    ends.add(start);
    const next = starts.find((index) => index > start);
    if (next !== undefined) ends.add(next);
  }
  const sizes = starts.map((start) => sizeOf(points[start]?.shape));
  for (let first = 0, last = 0; first < starts.length; first = last + 1) {
    for (last = first; sizes[last + 1] === sizes[first]; ) last++;
    const size = sizes[first] ?? 0;
    const end = starts[last];
    const isSmall =
      size < (sizes[first - 1] ?? Number.POSITIVE_INFINITY) && size < (sizes[last + 1] ?? Number.POSITIVE_INFINITY);
    if (isSmall && end !== undefined) ends.add(end);
  }
  return ends;
}

/** How many numbers it is a picture. */
function sizeOf(shape: Shape | undefined): number {
  const picture: Shape | undefined = shape?.slice(1);
  return isStatic(picture) ? elementCount(picture) : Number.POSITIVE_INFINITY;
}
