/** @file A model's parts as a network: inputs, calls, weights, wrapped models. */
import type { LayeredGraph } from "../../graph/index.ts";
import {
  Config,
  type Flow,
  type Json,
  type LayerDefinition,
  type LayerOutput,
  Network,
  type WeightSource,
} from "../../layers/index.ts";
import { type DType, GraftError } from "../../tensor/index.ts";
import type { ImportOptions } from "../imported.ts";
import { computeType, fieldOf, isRecord, type JsonRecord } from "./config.ts";
import { modelPart } from "./functional.ts";
import { type LayerPart, type ModelPart, sharedPaths } from "./model-parts.ts";
import { customDefinitions, refuseUnknown } from "./model-refusals.ts";
import { type CallLayer, ModelRun } from "./model-run.ts";
import { operationConfig, operationDefinition, operationName } from "./operations.ts";
import type { KerasWeights } from "./stores.ts";
import { type KnownTextInput, numbersOf } from "./text-steps.ts";
import { containerIn, foldersOf } from "./weights-by-path.ts";

export interface NetworkSource {
  readonly model: ModelPart;
  readonly version: 1 | 2 | 3;
  readonly texts: readonly KnownTextInput[];
  /** What IntegerLookup layers know, by their names. */
  readonly vocabularies: ReadonlyMap<string, readonly Json[]>;
  readonly customLayers: ImportOptions["customLayers"];
  readonly stored: KerasWeights;
}

export interface BuiltNetwork {
  readonly layered: LayeredGraph;
  readonly remarks: readonly string[];
}

/** Builds the network; every layer is called as the model calls it. */
export function builtNetwork(source: NetworkSource, weights: WeightSource): BuiltNetwork {
  const { model, version, customLayers } = source;
  const definitions = customDefinitions(customLayers);
  addWrappedModels(definitions, source);
  const network = new Network({ weights, kerasVersion: version, customLayers: definitions });
  const inputs = inputsOf(network, source);
  const shared = sharedPaths(model);
  const textLayers = new Set(source.texts.map(({ layer }) => layer.name));
  const callLayer: CallLayer = (part, place, given, call) => {
    if (place.prefix === "" && textLayers.has(part.name)) return given;
    const { className, config } = described(part, definitions);
    const vocabulary = source.vocabularies.get(part.name);
    const trainable = place.trainable && part.trainable;
    const path = `${place.prefix}${part.name}`;
    const spec = {
      className,
      name: shared.get(path) ?? path,
      config: vocabulary === undefined ? config : { ...config, vocabulary },
      trainable,
    };
    // A frozen batch norm keeps to its moving statistics, whatever the call says.
    const isFixed = !trainable && className.startsWith("BatchNormalization");
    return network.call(spec, given.map(asOutput), isFixed ? { ...call, training: undefined } : call);
  };
  const run = new ModelRun(callLayer);
  const outputs = run.run(model, inputs, { prefix: "", trainable: model.trainable, training: undefined });
  return { layered: network.graph(outputs, model.name), remarks: network.remarks };
}

/** What goes into a call. The network's own outputs say which layer they come from. */
function asOutput(flow: Flow): LayerOutput {
  // `in` does not narrow an interface that lacks the field.
  return "layer" in flow ? (flow as LayerOutput) : { ...flow, layer: "" };
}

/** The class and config under which a part goes through the network. */
function described(
  part: LayerPart,
  definitions: Map<string, LayerDefinition>,
): { className: string; config: JsonRecord } {
  if (part.kind !== "operation") return part;
  const className = operationName(part);
  if (!definitions.has(className)) definitions.set(className, operationDefinition);
  return { className, config: operationConfig(part) };
}

const inputTypes: ReadonlyMap<string, DType> = new Map<string, DType>([
  ["float32", "float32"],
  ["int8", "int8"],
  ["int16", "int16"],
  ["int32", "int32"],
  ["int64", "int64"],
  ["uint8", "uint8"],
  ["uint16", "uint16"],
  ["bool", "bool"],
]);

/** The model's inputs as the network's, in the model's order. */
function inputsOf(network: Network, { model, texts }: NetworkSource): readonly LayerOutput[] {
  const layers = new Map(model.layers.map((part) => [part.name, part]));
  return model.inputs.map(({ reference }) => {
    const part = layers.get(reference.layer);
    if (part?.kind !== "input") {
      throw new GraftError("model-invalid", "an input of the model is none of its layers", { path: [reference.layer] });
    }
    const shape = inputShape(part);
    const text = texts.find(({ input }) => input === part.name);
    if (text !== undefined) {
      const numbers = numbersOf(text, shape, text.vocabulary);
      return network.input(part.name, numbers.shape, numbers.dtype);
    }
    const name = computeType(fieldOf(part.config, "dtype")) ?? "float32";
    const dtype = inputTypes.get(name);
    const isOdd = fieldOf(part.config, "sparse") === true || fieldOf(part.config, "ragged") === true;
    if (dtype === undefined || isOdd) {
      throw new GraftError("model-refused", "an input of this kind cannot be taken", {
        path: [`input "${part.name}"`],
        actual: isOdd ? "sparse or ragged" : name,
      });
    }
    return network.input(part.name, shape, dtype);
  });
}

function inputShape({ name, config }: LayerPart): readonly (number | null)[] {
  const value = fieldOf(config, "batch_shape") ?? fieldOf(config, "batch_input_shape");
  const items = isRecord(value) ? fieldOf(value, "items") : value;
  const isSize = (each: unknown): each is number | null =>
    each === null || (Number.isInteger(each) && Number(each) >= 0 && Number(each) < 2 ** 31);
  // Keras holds nobody to the batch that a model was made with.
  if (Array.isArray(items) && items.length > 0 && items.length <= 16 && items.every(isSize))
    return [null, ...items.slice(1)];
  throw new GraftError("model-invalid", "the shape of the model's input is not in the file", {
    path: [`input "${name}"`],
    hint: "build the model, or give its first layer a shape, before saving it",
  });
}

/** Models within wrappers, such as TimeDistributed: each is run in the wrapper's place. */
function addWrappedModels(
  definitions: Map<string, LayerDefinition>,
  { version, customLayers, stored }: NetworkSource,
): void {
  const container = stored.kind === "paths" ? containerIn(stored) : "layers";
  for (const className of ["Functional", "Model", "Sequential"]) {
    if (definitions.has(className)) continue;
    definitions.set(className, {
      lower: (inputs, call) => {
        const keys = ["name", "layers", "input_layers", "output_layers", "build_input_shape"];
        const entries = keys.flatMap((key): (readonly [string, Json])[] => {
          const value = call.config.get(key);
          return value === undefined ? [] : [[key, value]];
        });
        const config: JsonRecord = Object.fromEntries(entries);
        const object = { className, module: undefined, registeredName: undefined, config, envelope: {} };
        const model = modelPart(object, version, 1);
        refuseUnknown(model, { custom: customLayers, textLayers: new Set() });
        const holders = holdersIn(model, container);
        const run = new ModelRun((part, place, given, bound) => {
          const { className: inner, config: own } = described(part, definitions);
          const path = `${place.prefix}${part.name}`;
          const holder = holders.get(path) ?? [];
          return call.inner(inner, new Config(own), given, { name: path, holder, call: bound });
        });
        return run.run(model, inputs, { prefix: "", trainable: true, training: call.call.training });
      },
    });
  }
}

/** The ways to the layers of a wrapped model, from the model. */
function holdersIn(model: ModelPart, container: string): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, readonly string[]>();
  const visit = (part: ModelPart, prefix: string, way: readonly string[]): void => {
    const folders = foldersOf(part);
    for (const layer of part.layers) {
      const own = [...way, container, folders.get(layer.name) ?? ""];
      if (layer.model === undefined) holders.set(`${prefix}${layer.name}`, own);
      else visit(layer.model, `${prefix}${layer.name}/`, own);
    }
  };
  visit(model, "", []);
  return holders;
}
