/** @file The objects of a TensorFlow 2 SavedModel: what the root holds, what its functions take, where variables are stored. */
import { GraftError, showShape } from "../../tensor/index.ts";
import type { TensorBundle } from "./bundle.ts";
import { typeOfNumber } from "./data-types.ts";
import type { Variable } from "./scope.ts";
import { readStructured, type Structured } from "./structured-value.ts";
import { readShape } from "./tensor-proto.ts";
import { Message } from "./wire.ts";

/** The kinds of SavedObject that matter here, by their field (saved_object_graph.proto). */
const kinds: readonly (readonly [number, string])[] = [
  [4, "user object"],
  [5, "asset"],
  [6, "function"],
  [7, "variable"],
  [8, "concrete function"],
  [9, "constant"],
  [10, "resource"],
  [12, "captured tensor"],
];

/** An object: what it is, and the message that says more. */
export interface SavedObject {
  readonly kind: string;
  readonly content: Message | undefined;
  readonly children: ReadonlyMap<string, number>;
}

/** A traced function: what it is bound to, and what it takes and gives. */
export interface ConcreteFunction {
  readonly name: string;
  /** Objects whose values follow the caller's. */
  readonly boundInputs: readonly number[];
  /** A tuple of the arguments by place, and a dictionary of those by name. */
  readonly input: Structured;
  readonly output: Structured;
  /** The names of the arguments by place. */
  readonly argumentNames: readonly string[];
}

const valueAttribute = "VARIABLE_VALUE";
const objectGraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH";

/** The SavedObjectGraph. */
export class ObjectGraph {
  readonly objects: readonly SavedObject[];
  readonly #functions: ReadonlyMap<string, Message>;

  constructor(message: Message) {
    this.objects = message.messages(1, "SavedObject").map(readObject);
    this.#functions = message.map(2, "SavedConcreteFunction");
  }

  object(id: number | undefined): SavedObject | undefined {
    return id === undefined ? undefined : this.objects[id];
  }

  /** What the root holds under a name. */
  child(name: string): SavedObject | undefined {
    return this.object(this.objects[0]?.children.get(name));
  }

  /** The traces of a function, in the file's order; nothing where it is no function. */
  traces(object: SavedObject | undefined): ConcreteFunction[] {
    const { kind, content } = object ?? {};
    if (content === undefined) return [];
    if (kind === "function") {
      const names = argumentNames(content.message(2, "FunctionSpec"));
      return content.texts(1).map((name) => this.#trace(name, names));
    }
    return kind === "concrete function" ? [this.#trace(content.text(1), [])] : [];
  }

  #trace(name: string, names: readonly string[]): ConcreteFunction {
    const message = this.#functions.get(name);
    if (message === undefined)
      throw new GraftError("model-invalid", "a traced function is not there", { path: [name] });
    return {
      name,
      boundInputs: message.integers(2),
      input: readStructured(message.message(3, "StructuredValue")),
      output: readStructured(message.message(4, "StructuredValue")),
      argumentNames: names,
    };
  }

  /**
   * The variables by the numbers of their objects. Where values are stored is found by walking this graph and the
   * checkpoint's own, side by side, along children of the same name.
   */
  variables(bundle: TensorBundle): ReadonlyMap<number, Variable> {
    const keys = this.#checkpointKeys(bundle);
    const trained = this.#trained();
    const variables = new Map<number, Variable>();
    for (const [id, { kind, content }] of this.objects.entries()) {
      if (kind !== "variable" || content === undefined) continue;
      const key = keys.get(id);
      const name = content.text(6).replace(/:\d+$/, "") || key?.replace(/\/\.ATTRIBUTES.*$/, "") || `variable_${id}`;
      const isTrainable = trained?.has(id) ?? content.boolean(3);
      variables.set(id, { name, isTrainable, load: once(() => storedValue(bundle, key, content, name)) });
    }
    return variables;
  }

  /** The objects in the root's `trainable_variables`; `undefined` where the root has no such list. */
  #trained(): ReadonlySet<number> | undefined {
    const list = this.child("trainable_variables");
    return list && new Set(list.children.values());
  }

  #checkpointKeys(bundle: TensorBundle): ReadonlyMap<number, string> {
    const keys = new Map<number, string>();
    if (!bundle.has(objectGraphKey)) return keys;
    const stored = bundle.tensor(objectGraphKey);
    const [bytes] = stored.dtype === "string" ? stored.data : [];
    if (bytes === undefined) throw new GraftError("model-invalid", "the checkpoint's objects are not there");
    const trackables = Message.of(bytes, "TrackableObjectGraph").messages(1, "TrackableObject");
    const seen = new Set<number>();
    const waiting: [number, number][] = [[0, 0]];
    const children = new Map<number, ReadonlyMap<string, number>>();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, stored] = next;
      const object = this.objects[id];
      const trackable = trackables[stored];
      if (seen.has(id) || object === undefined || trackable === undefined) continue;
      seen.add(id);
      for (const attribute of trackable.messages(2, "SerializedTensor")) {
        if (attribute.text(1) === valueAttribute) keys.set(id, attribute.text(3));
      }
      const below = children.get(stored) ?? readChildren(trackable);
      children.set(stored, below);
      for (const [name, child] of object.children) {
        const partner = below.get(name);
        if (partner !== undefined) waiting.push([child, partner]);
      }
    }
    return keys;
  }
}

function storedValue(
  bundle: TensorBundle,
  key: string | undefined,
  content: Message,
  name: string,
): ReturnType<Variable["load"]> {
  if (key === undefined) {
    throw new GraftError("model-invalid", "the checkpoint has no value for a variable", { path: ["variables", name] });
  }
  const tensor = bundle.tensor(key);
  const dtype = typeOfNumber(content.integer(1));
  const shape = readShape(content.message(2, "TensorShapeProto"));
  const fits =
    shape === undefined ||
    (shape.length === tensor.shape.length && shape.every((size, axis) => size === null || size === tensor.shape[axis]));
  if (fits && dtype === tensor.dtype) return tensor;
  throw new GraftError("model-invalid", "a variable's value is of another type or shape than the variable", {
    path: ["variables", name],
    expected: `${dtype}${showShape(shape)}`,
    actual: `${tensor.dtype}${showShape(tensor.shape)}`,
  });
}

function readObject(message: Message): SavedObject {
  const [field, kind] = kinds.find(([number]) => message.has(number)) ?? [0, "unknown"];
  const content = message.message(field, kind);
  return { kind, content, children: readChildren(message) };
}

function readChildren(message: Message): ReadonlyMap<string, number> {
  return new Map(message.messages(1, "ObjectReference").map((child) => [child.text(2), child.integer(1)]));
}

/** From `inspect.FullArgSpec`: the names by place, without a method's own object. */
function argumentNames(spec: Message | undefined): string[] {
  const argspec = readStructured(spec?.message(1, "StructuredValue"));
  const args = argspec.kind === "entries" ? argspec.entries.find(([key]) => key === "args")?.[1] : undefined;
  const names = (args?.kind === "items" ? args.items : []).map((item) =>
    item.kind === "value" && typeof item.value === "string" ? item.value : "",
  );
  return spec?.boolean(2) === true ? names.slice(1) : names;
}

/** The same function, run once. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
