/** @file Models of configs as parts: Functional models and Sequential ones, nested in any way. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import {
  computeType,
  fieldOf,
  isModel,
  isOwn,
  isRecord,
  type JsonRecord,
  type KerasObject,
  kerasObject,
  nameIn,
  plainConfig,
  recordOf,
  snakeCase,
  textField,
} from "./config.ts";
import { fromKeras1 } from "./config-keras1.ts";
import { callPart, mapReferences, portsIn, referencesIn } from "./functional-arguments.ts";
import { impliedInput } from "./model-input.ts";
import type { LayerCallPart, LayerPart, ModelPart, PartKind, Port, Reference } from "./model-parts.ts";
import { isOperationObject } from "./operations-names.ts";

const deepest = 32;
const mostLayers = 20_000;

interface Reading {
  readonly version: 1 | 2 | 3;
  readonly depth: number;
}

/**
 * Reads a model.
 *
 * @throws GraftError `model-invalid` where the config contradicts itself; `model-refused` for models that have no config
 */
export function modelPart(object: KerasObject, version: 1 | 2 | 3, depth = 0): ModelPart {
  if (depth > deepest) throw new GraftError("model-invalid", "models lie too deep within models");
  if (!isModel(object)) {
    throw new GraftError("model-refused", `the model's class ${object.className} is not known`, {
      hint: "only Sequential and functional models say in the file what they compute; export others as a SavedModel or as .onnx",
    });
  }
  const reading = { version, depth };
  const model = object.className === "Sequential" ? sequential(object, reading) : functional(object, reading);
  const names = new Set(model.layers.map(({ name }) => name));
  if (names.size !== model.layers.length) {
    throw new GraftError("model-invalid", "two layers have one name", { path: [`model "${model.name}"`] });
  }
  return model;
}

function objectIn(value: Json): KerasObject {
  const object = kerasObject(value);
  if (object !== undefined) return object;
  throw new GraftError("model-invalid", "a layer cannot be read", { actual: JSON.stringify(value).slice(0, 80) });
}

function layerList(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value) && value.length <= mostLayers) return value;
  throw new GraftError("model-invalid", "the model's layers are no list", {
    expected: `at most ${mostLayers} layers`,
    actual: Array.isArray(value) ? `${value.length}` : "none",
  });
}

function functional(object: KerasObject, reading: Reading): ModelPart {
  const config = recordOf(object);
  const layers = layerList(fieldOf(config, "layers")).map((each) => {
    const layer = objectIn(each);
    const kind = kindOf(layer, reading);
    const nodes = fieldOf(layer.envelope, "inbound_nodes");
    const calls = (Array.isArray(nodes) ? nodes : []).map((node) => callPart(node, kind === "operation"));
    return layerPart(layer, kind, calls, reading);
  });
  const ports = (key: string): readonly Port[] => portsIn(fieldOf(config, key));
  const outputs = ports("output_layers");
  const numbered = renumbered(layers, outputs, reading);
  return {
    className: object.className,
    name: textField(config, "name") ?? textField(object.envelope, "name") ?? "model",
    trainable: fieldOf(config, "trainable") !== false,
    layers: numbered.layers,
    inputs: ports("input_layers"),
    outputs: numbered.outputs,
  };
}

/**
 * Calls of models are counted from 1 in older files, where a model's own making is its first call; in newer ones so are
 * only the outputs. Here all are counted from 0.
 */
function renumbered(
  layers: readonly LayerPart[],
  outputs: readonly Port[],
  { version }: Reading,
): {
  layers: readonly LayerPart[];
  outputs: readonly Port[];
} {
  const models = new Map(layers.flatMap((part) => (part.model === undefined ? [] : [[part.name, part] as const])));
  if (models.size === 0) return { layers, outputs };
  const within = layers.flatMap(({ calls }) =>
    calls.flatMap(({ positional, named }) => [...positional, ...named.values()].flatMap(referencesIn)),
  );
  const asOutputs = outputs.map(({ reference }) => reference);
  const first = version === 3 ? firstCalls(models, within, false) : firstCalls(models, [...within, ...asOutputs], true);
  const firstOutput = version === 3 ? firstCalls(models, asOutputs, true) : first;
  const shift = (from: ReadonlyMap<string, number>) => (reference: Reference) => ({
    ...reference,
    call: reference.call - (from.get(reference.layer) ?? 0),
  });
  const moved = ({ positional, named }: LayerCallPart): LayerCallPart => ({
    positional: positional.map((each) => mapReferences(each, shift(first))),
    named: new Map([...named].map(([key, each]) => [key, mapReferences(each, shift(first))])),
  });
  return {
    layers: layers.map((part) => ({ ...part, calls: part.calls.map(moved) })),
    outputs: outputs.map((port) => ({ ...port, reference: shift(firstOutput)(port.reference) })),
  };
}

/**
 * The number of each model's first call, as the references to it have it. Sequential models may be counted in either way,
 * also in one version: it is 1 where the references reach past the last call from 0.
 */
function firstCalls(
  models: ReadonlyMap<string, LayerPart>,
  references: readonly Reference[],
  isCertain: boolean,
): ReadonlyMap<string, number> {
  const least = new Map<string, number>();
  const most = new Map<string, number>();
  for (const { layer, call } of references) {
    least.set(layer, Math.min(call, least.get(layer) ?? call));
    most.set(layer, Math.max(call, most.get(layer) ?? call));
  }
  return new Map(
    [...models].map(([name, { calls, className }]) => {
      const reachesPast = (most.get(name) ?? 0) >= calls.length;
      const isFromOne = (least.get(name) ?? 0) >= 1 && (reachesPast || (isCertain && className !== "Sequential"));
      return [name, isFromOne ? 1 : 0];
    }),
  );
}

function kindOf(object: KerasObject, { version }: Reading): PartKind {
  if (isModel(object)) return "model";
  if (object.className === "InputLayer") return "input";
  return isOperationObject(object, version) ? "operation" : "layer";
}

function layerPart(
  object: KerasObject,
  kind: PartKind,
  calls: readonly LayerCallPart[],
  { version, depth }: Reading,
): LayerPart {
  const original = plainConfig(isRecord(object.config) ? object.config : {});
  const converted =
    version === 1 ? fromKeras1(object.className, original) : { className: object.className, config: original };
  const name = nameIn(object);
  if (name === undefined) throw new GraftError("model-invalid", "a layer has no name", { path: [object.className] });
  const sharedId = fieldOf(object.envelope, "shared_object_id");
  const type = computeType(fieldOf(original, "dtype"));
  return {
    kind,
    className: converted.className,
    name,
    config: type === undefined ? converted.config : { ...converted.config, dtype: type },
    sharedId: typeof sharedId === "number" ? sharedId : undefined,
    trainable: fieldOf(original, "trainable") !== false,
    calls,
    model: kind === "model" ? modelPart(object, version, depth + 1) : undefined,
    foreign: isOwn(object) ? undefined : foreignName(object),
  };
}

function foreignName({ registeredName, module, className }: KerasObject): string {
  return registeredName ?? (module === undefined ? className : `${module}.${className}`);
}

/** Every layer is called once, with what the one before gives; the input is a layer of the list, or said by the first. */
function sequential(object: KerasObject, reading: Reading): ModelPart {
  const config: JsonRecord = isRecord(object.config) ? object.config : { layers: object.config };
  const objects = layerList(fieldOf(config, "layers")).map((each, index) => named(objectIn(each), index));
  const name = textField(config, "name") ?? textField(object.envelope, "name") ?? "sequential";
  const [first] = objects;
  if (first === undefined)
    throw new GraftError("model-invalid", "the model has no layers", { path: [`model "${name}"`] });
  const own = first.className === "InputLayer" ? [] : [impliedInput(first, config, objects)];
  const layers: LayerPart[] = [...own];
  for (const each of objects) {
    const before = layers.at(-1);
    const calls = before === undefined ? [] : [callOn(before.name)];
    layers.push(layerPart(each, kindOf(each, reading), calls, reading));
  }
  const [input, output] = [layers[0], layers.at(-1)];
  if (input === undefined || output === undefined) throw new GraftError("model-invalid", "the model has no layers");
  return {
    className: "Sequential",
    name,
    trainable: fieldOf(config, "trainable") !== false,
    layers: layers.map((part, index) => (index > 0 && part.kind === "input" ? secondInput(part) : part)),
    inputs: [{ key: undefined, reference: { layer: input.name, call: 0, output: 0 } }],
    outputs: [{ key: undefined, reference: { layer: output.name, call: 0, output: 0 } }],
  };
}

/** Models in the Sequential models of old have no names: they are called after their place. */
function named(object: KerasObject, index: number): KerasObject {
  const hasName = nameIn(object) !== undefined;
  return hasName
    ? object
    : { ...object, envelope: { ...object.envelope, name: `${snakeCase(object.className)}_${index}` } };
}

function secondInput({ name }: LayerPart): never {
  throw new GraftError("model-invalid", "an input lies within a sequence of layers", { path: [`layer "${name}"`] });
}

function callOn(layer: string): LayerCallPart {
  const reference = { layer, call: 0, output: 0 };
  return { positional: [{ kind: "reference", reference }], named: new Map() };
}
