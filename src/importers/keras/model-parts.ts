/** @file A Keras model as parts: layers, their calls, models within models; the same for every form of config. */
import type { Json } from "../../layers/index.ts";
import type { JsonRecord } from "./config.ts";

/** An output of a call of a layer, within one model. */
export interface Reference {
  readonly layer: string;
  /** Which call, from 0. */
  readonly call: number;
  /** Which of its outputs, from 0. */
  readonly output: number;
}

/** What a call is given. */
export type Argument =
  | { readonly kind: "reference"; readonly reference: Reference }
  | { readonly kind: "list"; readonly items: readonly Argument[] }
  | { readonly kind: "entries"; readonly entries: ReadonlyMap<string, Argument> }
  | { readonly kind: "constant"; readonly value: Json };

/** A call of a layer (a node, in Keras's words). */
export interface LayerCallPart {
  readonly positional: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
}

/** What a part is. */
export type PartKind = "input" | "layer" | "operation" | "model";

export interface LayerPart {
  readonly kind: PartKind;
  readonly className: string;
  /** Unique in its model. */
  readonly name: string;
  readonly config: JsonRecord;
  /** What the file calls a layer that stands in several models, where it says so. */
  readonly sharedId: number | undefined;
  /** Its own flag; what is around it may freeze it as well. */
  readonly trainable: boolean;
  readonly calls: readonly LayerCallPart[];
  /** What is inside, where it is a model. */
  readonly model: ModelPart | undefined;
  /** Why it cannot be taken, if it is not one of Keras's own. */
  readonly foreign: string | undefined;
}

/** An input or output of a model; `key` where the model takes or gives them by names. */
export interface Port {
  readonly key: string | undefined;
  readonly reference: Reference;
}

export interface ModelPart {
  readonly className: string;
  readonly name: string;
  readonly trainable: boolean;
  readonly layers: readonly LayerPart[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** A layer with the models around it. */
export interface PlacedPart {
  readonly part: LayerPart;
  /** The names on the way, joined by `/`: what its layer is called in the network. */
  readonly path: string;
  /** The models around it from the outside in, the whole one not counted. */
  readonly around: readonly LayerPart[];
}

/** Every layer that is no model, in the order of the layers of each model. */
export function placedParts(model: ModelPart, prefix = "", around: readonly LayerPart[] = []): PlacedPart[] {
  return model.layers.flatMap((part) => {
    const path = `${prefix}${part.name}`;
    if (part.model !== undefined) return placedParts(part.model, `${path}/`, [...around, part]);
    return [{ part, path, around }];
  });
}

/**
 * The first path of every layer that stands in several models, by its other paths: they have one name, class and config, and
 * the later ones say that they are shared.
 */
export function sharedPaths(model: ModelPart): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  const shared = new Map<string, string>();
  for (const { part, path, around } of placedParts(model)) {
    const key = JSON.stringify([part.className, part.name, part.config], withoutNumbers);
    const earlier = first.get(key);
    if (earlier === undefined && around.length > 0) first.set(key, path);
    if (earlier !== undefined && part.sharedId !== undefined) shared.set(path, earlier);
  }
  return shared;
}

/** Initializers are numbered as well, each time anew. */
function withoutNumbers(key: string, value: unknown): unknown {
  return key === "shared_object_id" ? undefined : value;
}

/** Values by a key, in their order. */
export function grouped<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
