/** @file Operations among the layers of a model: one table from what Keras and TensorFlow call them to what they compute. */

import { Oriented } from "../../graph/index.ts";
import type { Flow, Json, LayerCall, LayerDefinition } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { fieldOf, isRecord, type JsonRecord } from "./config.ts";
import type { LayerPart } from "./model-parts.ts";
import { activationOperations } from "./operations-activations.ts";
import { type Operand, OperationArguments } from "./operations-arguments.ts";
import type { Operation } from "./operations-elements.ts";
import { gatherOperations } from "./operations-gather.ts";
import { kerasRows, type OperationRow } from "./operations-keras.ts";
import { linearOperations } from "./operations-linear.ts";
import { nodeOperation } from "./operations-node-def.ts";
import { normalizationOperations } from "./operations-normalization.ts";
import { pictureOperations } from "./operations-pictures.ts";
import { pointwiseOperations } from "./operations-pointwise.ts";
import { reductionOperations } from "./operations-reduce.ts";
import { shapeOperations } from "./operations-shape.ts";
import { sliceOperations } from "./operations-slice.ts";
import { tensorflowRows } from "./operations-tensorflow.ts";

const operations: ReadonlyMap<string, Operation> = new Map([
  ...pointwiseOperations,
  ...activationOperations,
  ...pictureOperations,
  ...normalizationOperations,
  ...gatherOperations,
  ...reductionOperations,
  ...shapeOperations,
  ...sliceOperations,
  ...linearOperations,
]);

/** What an operation is called where it comes from: `tf.math.multiply`, `keras.ops.Add`. */
export function operationName({ className, config }: LayerPart): string {
  const symbol = fieldOf(config, "function") ?? fieldOf(config, "symbol");
  if (className === "TFOpLambda" || className === "SlicingOpLambda") return `tf.${String(symbol)}`;
  if (className === "TensorFlowOpLayer") return `TensorFlow's ${nodeOperation(config)?.op ?? "unknown node"}`;
  return `keras.ops.${className}`;
}

/** Whether the operation can be lowered. */
export function isKnownOperation(part: LayerPart): boolean {
  return rowOf(part.className, part.config) !== undefined;
}

function rowOf(className: string, config: JsonRecord): OperationRow | undefined {
  if (className === "TFOpLambda" || className === "SlicingOpLambda") {
    const symbol = fieldOf(config, "function");
    return typeof symbol === "string" ? tensorflowRows.get(symbol.replace(/^compat[.]v1[.]/, "")) : undefined;
  }
  if (className === "TensorFlowOpLayer") return nodeOperation(config)?.row;
  return kerasRows.get(className);
}

/** The config under which an operation goes through the network. */
export function operationConfig({ className, config }: LayerPart): JsonRecord {
  return { class_name: className, config };
}

/** Lowers every operation. The call's config has `args` and `kwargs`, in which tensors are `{ tensor: index }`. */
export const operationDefinition: LayerDefinition = {
  lower: (inputs, call) => {
    const className = call.config.text("class_name");
    const config = call.config.get("config");
    const own = isRecord(config) ? config : {};
    const row = rowOf(className, own);
    const operation = row === undefined ? undefined : operations.get(row[0]);
    if (row === undefined || operation === undefined) {
      throw new GraftError("model-refused", "the operation is not known", { actual: className });
    }
    const result = operation(
      new OperationArguments(bound(row[1], own, argumentsOf(className, own, call), inputs), call),
    );
    return result instanceof Oriented ? { data: result } : result.map((data) => ({ data }));
  },
};

/** What a call gives: by position, and by name. */
interface Given {
  readonly positional: readonly Json[];
  readonly named: JsonRecord;
}

function argumentsOf(className: string, config: JsonRecord, { call }: LayerCall): Given {
  const positional = call.config.get("args");
  const named = call.config.get("kwargs");
  const list = Array.isArray(positional) ? positional : [];
  if (className !== "TensorFlowOpLayer") return { positional: list, named: isRecord(named) ? named : {} };
  const node = nodeOperation(config);
  const [first] = list;
  const inputs: Json[] = Array.isArray(first) ? [...first] : list.slice(0, 1);
  const constants = [...(node?.constants ?? [])].sort(([a], [b]) => a - b);
  for (const [position, value] of constants) inputs.splice(position, 0, value);
  return { positional: inputs, named: node?.attributes ?? {} };
}

/** The operands under our parameters' names: of the call before `|`, of the class's config after it. */
function bound(
  parameters: string,
  config: JsonRecord,
  { positional, named }: Given,
  inputs: readonly Flow[],
): ReadonlyMap<string, Operand> {
  const [called = "", configured = ""] = parameters.split("|").map((part) => part.trim());
  const operands = new Map<string, Operand>();
  const take = (own: string, value: Json | undefined): void => {
    if (value !== undefined) operands.set(own, operandOf(value, inputs));
  };
  const entries = called.split(" ");
  for (const [index, entry] of entries.entries()) {
    const [own = "", theirs = own] = entry.split("=");
    // `*x`: all that the further parameters leave.
    const others = entries.length - 1 - index;
    const rest = named[entries.at(-1) ?? ""] === undefined ? others : 0;
    if (own.startsWith("*")) take(own.slice(1), positional.slice(index, positional.length - rest));
    else if (entries[0]?.startsWith("*") === true && index > 0) take(own, fieldOf(named, theirs) ?? positional.at(-1));
    else take(own, positional[index] ?? fieldOf(named, theirs));
  }
  for (const entry of configured === "" ? [] : configured.split(" ")) {
    const [own = "", theirs = own] = entry.split("=");
    take(own, fieldOf(config, theirs) ?? fieldOf(named, theirs));
  }
  return operands;
}

/** A tensor stands as `{ tensor: index }`. */
function operandOf(value: Json, inputs: readonly Flow[]): Operand {
  if (isRecord(value)) {
    const index = fieldOf(value, "tensor");
    const flow = typeof index === "number" ? inputs[index] : undefined;
    if (flow !== undefined) return { kind: "tensor", data: flow.data };
  }
  if (!Array.isArray(value)) return { kind: "constant", value };
  const items = value.map((each) => operandOf(each, inputs));
  return items.every(({ kind }) => kind === "constant") ? { kind: "constant", value } : { kind: "list", items };
}
