/** @file Functions a model defines for itself: found by domain, name and overload, and bound to a call. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type Names, Scope } from "./names.ts";
import { opsetsOf } from "./opsets.ts";
import type { AttributeProto, FunctionProto, NodeProto } from "./proto/onnx_pb.ts";
import type { Frame, HeldAttribute, RawNode } from "./rawNode.ts";

export interface FunctionDefinition {
  readonly key: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes with defaults; those without are whatever the caller gives. */
  readonly defaults: readonly AttributeProto[];
  readonly nodes: readonly NodeProto[];
  readonly opsets: ReadonlyMap<string, number>;
}

export type Functions = ReadonlyMap<string, FunctionDefinition>;

export function functionKey(domain: string, name: string, overload: string): string {
  return `${domain === "ai.onnx" ? "" : domain}::${name}${overload === "" ? "" : `:${overload}`}`;
}

/** A model's functions by key. Throws when two have one. */
export function functionsOf(protos: readonly FunctionProto[]): Functions {
  const functions = new Map<string, FunctionDefinition>();
  for (const proto of protos) {
    const key = functionKey(proto.domain, proto.name, proto.overload);
    if (functions.has(key)) throw new GraftError("model-invalid", `the function ${key} is defined twice`);
    functions.set(key, {
      key,
      inputs: proto.input,
      outputs: proto.output,
      defaults: proto.attributeProto,
      nodes: proto.node,
      opsets: opsetsOf(proto.opsetImport),
    });
  }
  return functions;
}

/** A function's body, ready to be read in the place of its call. */
export interface BoundCall {
  readonly frame: Frame;
  readonly nodes: readonly NodeProto[];
  /** Outputs that are nothing but inputs. */
  readonly passed: readonly (readonly [from: Value, to: Value])[];
}

/**
 * Binds inputs, outputs and attributes of a call. Values inside get names that start with the call's. Throws when the
 * function calls itself, or is called with more than it takes.
 */
export function bindCall(call: RawNode, definition: FunctionDefinition, around: Frame, names: Names): BoundCall {
  const { key } = definition;
  if (around.calls.includes(key)) {
    throw new GraftError("model-invalid", "a function calls itself", { actual: [...around.calls, key].join(" → ") });
  }
  if (call.inputs.length > definition.inputs.length || call.outputs.length > definition.outputs.length) {
    throw new GraftError("model-invalid", "the function is called with too many inputs or outputs", {
      expected: `at most ${definition.inputs.length} and ${definition.outputs.length}`,
      actual: `${call.inputs.length} and ${call.outputs.length}`,
    });
  }
  const scope = new Scope();
  const parameters = new Map<string, HeldAttribute>();
  const opsets = new Map([...around.opsets, ...definition.opsets]);
  const frame: Frame = { ...around, scope, parameters, opsets, calls: [...around.calls, key] };
  for (const proto of definition.defaults) parameters.set(proto.name, { proto, frame });
  for (const [name, held] of call.attributes) parameters.set(name, held);

  // An input that the caller leaves out is left out inside as well.
  const omitted = new Set(definition.inputs.filter((_, index) => call.inputs[index] === undefined));
  for (const [index, name] of definition.inputs.entries()) {
    const value = call.inputs[index];
    if (scope.has(name)) throw new GraftError("model-invalid", `the function has two inputs named "${name}"`);
    if (value !== undefined) scope.set(name, value);
  }
  const passed: [from: Value, to: Value][] = [];
  const results = new Set<string>();
  for (const [index, name] of definition.outputs.entries()) {
    const value = call.outputs[index];
    if (value === undefined) continue;
    const known = scope.find(name);
    if (known === undefined) scope.set(name, value);
    else passed.push([known, value]);
    results.add(name);
  }
  const prefix = call.name || call.operator;
  const defined = new Set<string>();
  for (const name of definition.nodes.flatMap(({ output }) => output)) {
    if (name === "") continue;
    if (defined.has(name) || (scope.has(name) && !results.has(name))) {
      throw new GraftError("model-invalid", `the name "${name}" is defined twice`, { path: [`function ${key}`] });
    }
    defined.add(name);
    if (!scope.has(name)) {
      scope.set(name, { name: names.claim(`${prefix}/${name}`), dtype: undefined, shape: undefined });
    }
  }
  const nodes = omitted.size === 0 ? definition.nodes : definition.nodes.map((node) => withoutInputs(node, omitted));
  return { frame, nodes, passed };
}

function withoutInputs(node: NodeProto, omitted: ReadonlySet<string>): NodeProto {
  if (!node.input.some((name) => omitted.has(name))) return node;
  return { ...node, input: node.input.map((name) => (omitted.has(name) ? "" : name)) };
}
