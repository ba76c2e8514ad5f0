/** @file Weights of legacy .h5 files and of TensorFlow.js, found as Keras does: layer by layer, by names, else in order. */
import type { WeightSource, WeightSpec } from "../../layers/index.ts";
import { areEqualShapes, GraftError } from "../../tensor/index.ts";
import { grouped, type ModelPart, type PlacedPart, placedParts } from "./model-parts.ts";
import type { StoredLayer, StoredWeight, WeightsByLayer } from "./stores.ts";
import { keras2Weights } from "./weights-by-keras1.ts";
import { missingWeight, readChecked } from "./weights-by-path.ts";

/** What is thrown where names do not lead to a layer's weights: then the order does. */
export class UnmatchedNames extends Error {}

/** A weight with its name's parts. */
interface Candidate {
  readonly weight: StoredWeight;
  /** The weight's own name: `kernel` of `dense/kernel:0`. */
  readonly last: string;
  /** What stands before it. */
  readonly before: readonly string[];
  isTaken: boolean;
}

function candidateOf(weight: StoredWeight): Candidate {
  const parts = weight.name.replace(/:\d+$/, "").split("/");
  return { weight, last: parts.at(-1) ?? "", before: parts.slice(0, -1), isTaken: false };
}

/** Gives weights by the layers' names, and knows which were asked for. */
export class NamedWeights {
  /** The weights of each layer that is no model, by its path, in the file's order. */
  readonly #pools = new Map<string, Candidate[]>();
  readonly #all: readonly Candidate[];
  /** Weights whose names lead to no layer of the model: those of layers within wrappers, or names without a layer. */
  readonly #loose: Candidate[] = [];

  /** @throws UnmatchedNames where the weights within a nested model cannot be told apart by their names */
  constructor(model: ModelPart, stored: WeightsByLayer, version: 1 | 2 | 3) {
    const places = placedParts(model);
    const groups = new Map(stored.layers.map((layer) => [layer.name, layer]));
    const all: Candidate[] = [];
    const byTop = grouped(places, ({ part, around }) => (around[0] ?? part).name);
    for (const [top, within] of byTop) {
      const group = groups.get(top);
      groups.delete(top);
      if (group === undefined) continue;
      const [only] = within;
      const isNested = within.length > 1 || (only?.around.length ?? 0) > 0;
      const weights = isNested || only === undefined ? group.weights : keras2Weights(only.part, group.weights, version);
      const candidates = weights.map(candidateOf);
      all.push(...candidates);
      if (!isNested && only !== undefined) this.#pools.set(only.path, candidates);
      else this.#distribute(within, candidates);
    }
    // TensorFlow.js names weights after the innermost layers, whatever is around them.
    const rest = [...groups.values()].flatMap(({ weights }: StoredLayer) => weights.map(candidateOf));
    all.push(...rest);
    const open = places.filter(({ path }) => !this.#pools.has(path));
    this.#distribute(open, rest);
    this.#all = all;
  }

  readonly source: WeightSource = (spec) => {
    const pool = this.#pools.get(spec.layer);
    const chosen = pool === undefined ? this.#chooseLoose(spec) : choose(pool, spec);
    if (chosen === undefined && pool === undefined) throw new UnmatchedNames(spec.layer);
    if (chosen === undefined) throw missingWeight(spec, "the end of the layer's list");
    chosen.isTaken = true;
    return readChecked(spec, chosen.weight);
  };

  /** A loose weight of the wanted name and shape, whose way, if it has one, has to do with the wanted one. */
  #chooseLoose(spec: WeightSpec): Candidate | undefined {
    const wanted = [...spec.layer.split("/"), ...spec.weight.split("/")];
    const fitting = this.#loose.filter(
      ({ weight, last, before }) =>
        last === wanted.at(-1) &&
        areEqualShapes(weight.shape, spec.shape) &&
        (before.length === 0 || before.some((part) => wanted.includes(part))),
    );
    return choose(fitting, spec);
  }

  unused(): readonly string[] {
    // A layer that stands in several models is stored in each.
    const taken = new Set(this.#all.filter(({ isTaken }) => isTaken).map(({ weight }) => weight.name));
    return this.#all.map(({ weight }) => weight.name).filter((name) => !taken.has(name));
  }

  /** Each weight goes to the layer whose name its own name has, the longest and innermost where several fit. */
  #distribute(places: readonly PlacedPart[], candidates: readonly Candidate[]): void {
    const byName = grouped(places, ({ part }) => part.name);
    for (const candidate of candidates) {
      const place = placeFor(candidate, byName);
      if (place === undefined) {
        this.#loose.push(candidate);
        continue;
      }
      const pool = this.#pools.get(place.path);
      if (pool === undefined) this.#pools.set(place.path, [candidate]);
      else pool.push(candidate);
    }
  }
}

/** The layer that a weight's name leads to. Names of layers may have `/` in them. */
function placeFor({ before }: Candidate, byName: ReadonlyMap<string, readonly PlacedPart[]>): PlacedPart | undefined {
  const deepest = Math.min(before.length, 12);
  for (let length = deepest; length > 0; length--) {
    for (let start = before.length - length; start >= 0; start--) {
      const found = byName.get(before.slice(start, start + length).join("/")) ?? [];
      const fitting =
        found.length < 2 ? found : found.filter(({ around }) => around.every(({ name }) => before.includes(name)));
      if (fitting.length === 1) return fitting[0];
      if (found.length > 1) throw new UnmatchedNames(before.join("/"));
    }
  }
  return undefined;
}

/** The next weight of that name; of several, the one whose way is most like the wanted one; else the next at all. */
function choose(pool: readonly Candidate[], { weight }: WeightSpec): Candidate | undefined {
  const open = pool.filter(({ isTaken }) => !isTaken);
  const wanted = weight.split("/");
  const same = open.filter(({ last }) => last === wanted.at(-1));
  const likeness = ({ before }: Candidate) => wanted.slice(0, -1).filter((part) => before.includes(part)).length;
  const most = Math.max(...same.map(likeness));
  return same.find((each) => likeness(each) === most) ?? open[0];
}

/** Gives weights in the file's order; `wanted` are all that the layers ask for, in the order of `places`. */
export class OrderedWeights {
  readonly #chosen = new Map<string, StoredWeight>();
  readonly #unused: readonly string[];

  /** @throws GraftError `model-invalid` where the file has other numbers of layers or weights than the model */
  constructor(model: ModelPart, stored: WeightsByLayer, wanted: readonly WeightSpec[], version: 1 | 2 | 3) {
    const places = new Map(placedParts(model).map((place) => [place.path, place]));
    const byLayer = grouped(wanted, ({ layer }) => layer);
    const groups = model.layers.flatMap((part) => {
      const { trainable, fixed } = ordered(part.name, part, byLayer);
      const specs = [...trainable, ...fixed];
      return specs.length === 0 ? [] : [{ part, specs }];
    });
    const filled = stored.layers.filter(({ weights }) => weights.length > 0);
    if (groups.length > filled.length) {
      throw new GraftError("model-invalid", "the file's weights do not fit the model", {
        expected: `${groups.length} layers with weights`,
        actual: `${filled.length}`,
      });
    }
    for (const [index, { part, specs }] of groups.entries()) {
      const group = filled[index];
      const place = places.get(part.name);
      const weights =
        place === undefined ? (group?.weights ?? []) : keras2Weights(place.part, group?.weights ?? [], version);
      for (const [position, spec] of specs.entries()) {
        const weight = weights[position];
        if (weight === undefined) throw missingWeight(spec, `${group?.name}, place ${position}`);
        this.#chosen.set(keyOf(spec), weight);
      }
    }
    const taken = new Set([...this.#chosen.values()].map(({ name }) => name));
    this.#unused = filled.flatMap(({ weights }) => weights.map(({ name }) => name)).filter((name) => !taken.has(name));
  }

  readonly source: WeightSource = (spec) => {
    const weight = this.#chosen.get(keyOf(spec));
    if (weight === undefined) throw missingWeight(spec, "its place in the order");
    return readChecked(spec, weight);
  };

  unused(): readonly string[] {
    return this.#unused;
  }
}

function keyOf({ layer, weight, holder }: WeightSpec): string {
  return JSON.stringify([layer, holder, weight]);
}

/** The weights of a layer as Keras lists them: trainable ones, then the others; all are the others where it is frozen. */
function ordered(
  path: string,
  part: ModelPart["layers"][number],
  byLayer: ReadonlyMap<string, readonly WeightSpec[]>,
): { trainable: readonly WeightSpec[]; fixed: readonly WeightSpec[] } {
  if (part.model === undefined) {
    const own = byLayer.get(path) ?? [];
    if (!part.trainable) return { trainable: [], fixed: own };
    return {
      trainable: own.filter(({ isTrainable }) => isTrainable),
      fixed: own.filter(({ isTrainable }) => !isTrainable),
    };
  }
  const inner = part.model.layers.map((each) => ordered(`${path}/${each.name}`, each, byLayer));
  const trainable = inner.flatMap((each) => each.trainable);
  const fixed = inner.flatMap((each) => each.fixed);
  return part.trainable ? { trainable, fixed } : { trainable: [], fixed: [...trainable, ...fixed] };
}
