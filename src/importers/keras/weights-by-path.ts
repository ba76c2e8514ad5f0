/** @file Weights of Keras 3's files, found as Keras does: by the way through the model's objects, numbered by class. */
import type { WeightSource, WeightSpec } from "../../layers/index.ts";
import { areEqualShapes, GraftError, showShape } from "../../tensor/index.ts";
import { snakeCase } from "./config.ts";
import { grouped, type LayerPart, type ModelPart, sharedPaths } from "./model-parts.ts";
import type { StoredWeight, WeightsByPath } from "./stores.ts";

/** What Keras calls the class of a layer's object: models made of a graph are Functional ones. */
function objectClass({ className, model }: LayerPart): string {
  return model !== undefined && className !== "Sequential" ? "Functional" : className;
}

/**
 * The folders of the layers of a model, by the layers' names: `conv2d_1` is the second Conv2D. Operations of Keras 3 are no
 * layers. `present` are the folders that the file has there: TensorFlow 2.12 left numbers out, and Keras 2 does not count
 * layers that were stored before, with another model (`shared`, by name).
 */
export function foldersOf(
  model: ModelPart,
  present: ReadonlySet<string> = new Set(),
  shared: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const isOlder = (part: LayerPart) =>
    part.kind === "operation" && /^(TFOpLambda|SlicingOpLambda|TensorFlowOpLayer)$/.test(part.className);
  const layers = model.layers.filter((part) => part.kind !== "operation" || isOlder(part));
  const known = numbersPresent(present);
  const folders = new Map<string, string>();
  for (const [base, all] of grouped(layers, (part) => snakeCase(objectClass(part)))) {
    const numbers = known.get(base) ?? [];
    const own = all.filter(({ name }) => !shared.has(name));
    const areSharedUncounted = numbers.length === own.length && (numbers.at(-1) ?? 0) < own.length;
    const counted = areSharedUncounted ? own : all;
    const isGapped = numbers.length === counted.length;
    for (const [count, { name }] of counted.entries()) {
      const number = isGapped ? (numbers[count] ?? count) : count;
      folders.set(name, number === 0 ? base : `${base}_${number}`);
    }
  }
  return folders;
}

/** The numbers of the folders there are, by class and in order. */
function numbersPresent(folders: ReadonlySet<string>): ReadonlyMap<string, readonly number[]> {
  const known = new Map<string, number[]>();
  for (const folder of folders) {
    const [, base = folder, number = "0"] = /^(.*)_(\d+)$/.exec(folder) ?? [];
    const numbers = known.get(base) ?? [];
    numbers.push(Number(number));
    known.set(base, numbers);
  }
  for (const numbers of known.values()) numbers.sort((a, b) => a - b);
  return known;
}

/** The attribute in which files keep a model's layers. */
export function containerIn({ holders }: WeightsByPath): string {
  const isOlder = [...holders.keys()].some((key) => key.startsWith("_layer_checkpoint_dependencies/"));
  return isOlder ? "_layer_checkpoint_dependencies" : "layers";
}

/** The ways to all layers of a model, by their paths in the network: `base/conv1` lies at `layers/functional/layers/conv2d`. */
export function waysTo(model: ModelPart, stored: WeightsByPath): ReadonlyMap<string, string> {
  const container = containerIn(stored);
  const children = childrenOf(stored.holders.keys());
  const shared = sharedPaths(model);
  const ways = new Map<string, string>();
  const visit = (part: ModelPart, prefix: string, way: string): void => {
    const folder = way === "" ? container : `${way}/${container}`;
    const names = part.layers.filter(({ name }) => shared.has(`${prefix}${name}`)).map(({ name }) => name);
    const folders = foldersOf(part, children.get(folder), new Set(names));
    for (const layer of part.layers) {
      const own = `${folder}/${folders.get(layer.name) ?? ""}`;
      if (layer.model === undefined) ways.set(`${prefix}${layer.name}`, own);
      else visit(layer.model, `${prefix}${layer.name}/`, own);
    }
  };
  visit(model, "", "");
  return ways;
}

/** The names in each folder. */
function childrenOf(keys: Iterable<string>): ReadonlyMap<string, ReadonlySet<string>> {
  const children = new Map<string, Set<string>>();
  for (const key of keys) {
    const parts = key.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join("/");
      const names = children.get(folder) ?? new Set<string>();
      names.add(parts[depth] ?? "");
      children.set(folder, names);
    }
  }
  return children;
}

/** Gives weights by their ways, and knows which were asked for. */
export class PathWeights {
  readonly #stored: WeightsByPath;
  readonly #ways: ReadonlyMap<string, string>;
  readonly #byName: ReadonlyMap<string, string>;
  /** How many weights were asked for, by folder and layer: a layer that stands in several models has one folder. */
  readonly #asked = new Map<string, Map<string, number>>();

  constructor(model: ModelPart, stored: WeightsByPath) {
    this.#stored = stored;
    this.#ways = waysTo(model, stored);
    this.#byName = foldersByName(stored.layerNames);
  }

  readonly source: WeightSource = (spec) => {
    const key = this.#holder(spec);
    const counts = this.#asked.get(key) ?? new Map<string, number>();
    const index = Math.max(counts.get(spec.layer) ?? 0, spec.after ?? 0);
    this.#asked.set(key, counts.set(spec.layer, index + 1));
    const weight = this.#stored.holders.get(key)?.[index];
    if (weight === undefined) throw missingWeight(spec, `${key}/vars/${index}`);
    return readChecked(spec, weight);
  };

  /** Names of weights that no layer asked for. */
  unused(): readonly string[] {
    return [...this.#stored.holders].flatMap(([key, weights]) => {
      const isOptimizer = key === "optimizer" || key.startsWith("optimizer/");
      const isSeed = /(^|\/)_?(seed_generator|random_generator|_?generator)$/.test(key);
      const rest = isOptimizer || isSeed ? [] : weights.slice(Math.max(0, ...(this.#asked.get(key)?.values() ?? [])));
      return rest.map(({ name }) => name);
    });
  }

  /** Where the weight's object lies; what some versions keep under a private name is found as well. */
  #holder({ layer, holder }: WeightSpec): string {
    const way = this.#ways.get(layer) ?? layer;
    const exact = [way, ...holder].join("/");
    if (this.#stored.holders.has(exact)) return exact;
    const names = [...holder];
    for (const [index, name] of names.entries()) {
      const other = [
        ...names.slice(0, index),
        name.startsWith("_") ? name.slice(1) : `_${name}`,
        ...names.slice(index + 1),
      ];
      const candidate = [way, ...other].join("/");
      if (this.#stored.holders.has(candidate)) return candidate;
    }
    const named = this.#byName.get(layer.split("/").at(-1) ?? layer);
    const elsewhere = named === undefined ? exact : [named, ...holder].join("/");
    return this.#stored.holders.has(elsewhere) ? elsewhere : exact;
  }
}

/** Folders by the layer's name, where the file says it and no two have one name: layers shared between models lie in one place. */
function foldersByName(names: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  const doubled = new Set<string>();
  for (const [key, name] of names) {
    if (folders.has(name)) doubled.add(name);
    folders.set(name, key);
  }
  for (const name of doubled) folders.delete(name);
  return folders;
}

export function missingWeight({ layer, weight, shape }: WeightSpec, place: string): GraftError {
  return new GraftError("model-invalid", "the file lacks a weight", {
    path: [`layer "${layer}"`, weight],
    expected: `${showShape(shape)} at ${place}`,
    actual: "nothing",
  });
}

/** Reads a weight whose shape must be the layer's. */
export function readChecked({ layer, weight, shape }: WeightSpec, stored: StoredWeight): Float32Array {
  const isScalar = (each: readonly number[]) => each.every((size) => size === 1) && each.length <= 1;
  if (!areEqualShapes(stored.shape, shape) && !(isScalar(stored.shape) && isScalar(shape))) {
    throw new GraftError("model-invalid", "a stored weight does not fit the layer", {
      path: [`layer "${layer}"`, weight],
      expected: showShape(shape),
      actual: `${showShape(stored.shape)} in ${stored.name}`,
    });
  }
  return stored.read();
}
