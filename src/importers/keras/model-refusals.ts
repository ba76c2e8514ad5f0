/** @file What of a model cannot be taken: all of it named at once, with the way out. */
import { type Json, type LayerDefinition, layerTable } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import type { ImportOptions } from "../imported.ts";
import {
  fieldOf,
  isModel,
  isOwn,
  isRecord,
  type JsonRecord,
  type KerasObject,
  kerasObject,
  nameIn,
  typeName,
} from "./config.ts";
import { type ModelPart, placedParts } from "./model-parts.ts";
import { isKnownOperation, operationName } from "./operations.ts";

/** A layer that is not taken. */
interface Refusal {
  readonly className: string;
  /** Its path in the network. */
  readonly layer: string;
  readonly reason: string;
}

/** Where layers keep the layers that they wrap. */
const layerKeys = ["layer", "backward_layer", "forward_layer"] as const;
/** Cells are no layers: what is known of them is known to the layers that run them. */
const cellKeys = ["cell", "cells"] as const;
const deepest = 32;

export interface RefusalOptions {
  readonly custom: ImportOptions["customLayers"];
  /** Paths of layers that become steps before the graph. */
  readonly textLayers: ReadonlySet<string>;
}

/** Throws GraftError `model-refused` that names every layer that is not taken. */
export function refuseUnknown(model: ModelPart, options: RefusalOptions): void {
  const refusals = placedParts(model).flatMap(({ part, path }): readonly Refusal[] => {
    const { className, foreign, config } = part;
    if (part.kind === "input" || options.textLayers.has(path)) return [];
    const named = part.kind === "operation" ? operationName(part) : part.name;
    const isByName = part.kind === "operation" || className === "Lambda";
    const isGiven = options.custom?.has(className) === true || (isByName && options.custom?.has(named) === true);
    if (isGiven) return [];
    if (foreign !== undefined) {
      return [
        {
          className,
          layer: path,
          reason: foreign === className ? "is not one of Keras's" : `is ${foreign}, not one of Keras's`,
        },
      ];
    }
    if (part.kind === "operation") {
      return isKnownOperation(part)
        ? []
        : [{ className: operationName(part), layer: path, reason: "is an operation that is not known" }];
    }
    if (isQuantized(config)) return [{ className, layer: path, reason: "holds quantized weights" }];
    return [...byClass(className, path), ...inner(config, path, options, 0)];
  });
  const [first] = refusals;
  if (first === undefined) return;
  const list = refusals.map(({ className, layer, reason }) => `layer "${layer}" (${className}) ${reason}`);
  const count = refusals.length === 1 ? "a layer cannot be taken" : `${refusals.length} layers cannot be taken`;
  throw new GraftError("model-refused", `${count}: ${list.join("; ")}`, { hint: hintFor(refusals) });
}

/** Keras 3's int8 and int4 layers, whose policies are called `int8_from_float32`. */
function isQuantized(config: JsonRecord): boolean {
  return (typeName(fieldOf(config, "dtype")) ?? "").includes("_from_");
}

/** Classes whose code lies in the file. */
const withCode: ReadonlyMap<string, string> = new Map([
  ["Lambda", "holds Python code, which is never run"],
  ["TFSMLayer", "reads another model by a path"],
  ["TorchModuleWrapper", "holds a pickled module, which is never read"],
  ["JaxLayer", "holds code, which is never run"],
  ["FlaxLayer", "holds code, which is never run"],
  ["KerasLayer", "is a module of TensorFlow Hub, which is not in the file"],
]);

/** Layers that turn texts into numbers, which a graph does not do. */
const ofTexts: ReadonlyMap<string, string> = new Map([
  ["StringLookup", "works on texts, and only the first layer after an input may do so"],
  ["TextVectorization", "works on texts, and only the first layer after an input may do so"],
]);

function byClass(className: string, layer: string): readonly Refusal[] {
  const known = withCode.get(className) ?? ofTexts.get(className);
  if (known !== undefined) return [{ className, layer, reason: known }];
  return layerTable.has(className) ? [] : [{ className, layer, reason: "is of a class that is not known" }];
}

/** The layers that a wrapper wraps. */
function inner(config: JsonRecord, layer: string, options: RefusalOptions, depth: number): readonly Refusal[] {
  if (depth > deepest) throw new GraftError("model-invalid", "layers lie too deep within layers", { path: [layer] });
  return [...layerKeys, ...cellKeys].flatMap((key) =>
    objectsIn(fieldOf(config, key)).flatMap((object): readonly Refusal[] => {
      const { className } = object;
      if (options.custom?.has(className) === true) return [];
      const path = `${layer}/${nameIn(object) ?? className}`;
      if (!isOwn(object)) return [{ className, layer: path, reason: "is not one of Keras's" }];
      // Models within wrappers are read, and judged, where they are lowered.
      if (isModel(object) || !isRecord(object.config)) return [];
      const own = cellKeys.some((each) => each === key) ? [] : byClass(className, path);
      return [...own, ...inner(object.config, path, options, depth + 1)];
    }),
  );
}

function objectsIn(value: Json | undefined): readonly KerasObject[] {
  const list: readonly Json[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.flatMap((each) => kerasObject(each) ?? []);
}

function hintFor(refusals: readonly Refusal[]): string {
  const [first] = refusals;
  const isLambda = refusals.some(({ className }) => className === "Lambda");
  const key = first?.className === "Lambda" ? first.layer.split("/").at(-1) : first?.className;
  const lambda = isLambda ? " (a Lambda by its layer's name)" : "";
  return `give what it computes as customLayers: { ${JSON.stringify(key)}: … }${lambda}, or export the model as a SavedModel or as .onnx`;
}

/** The definitions that the network takes beside its table: by class, and Lambdas by their layers' names. */
export function customDefinitions(custom: ImportOptions["customLayers"]): Map<string, LayerDefinition> {
  const definitions = new Map(custom);
  const lambda: LayerDefinition = {
    lower: (inputs, call) => {
      const name = call.name.split("/").at(-1) ?? call.name;
      const own = custom?.get(name) ?? custom?.get("Lambda");
      if (own === undefined) {
        throw new GraftError("model-refused", "a Lambda holds Python code, which is never run", {
          path: [`layer "${call.name}" (Lambda)`],
        });
      }
      return own.lower(inputs, call);
    },
  };
  if (!definitions.has("Lambda")) definitions.set("Lambda", lambda);
  return definitions;
}
