/** @file TensorFlow's graphs as both kinds of file have them, before anything is inlined: nodes, and a library of functions. */
import { GraftError } from "../../tensor/index.ts";
import type { TfAttribute, TfShape, TfType } from "./graph-def.ts";

/** A NodeDef. */
export interface SourceNode {
  readonly name: string;
  readonly op: string;
  /** As stored: `node`, `node:1`, within functions `node:output:0` or an argument's name; control inputs are `^node`. */
  readonly inputs: readonly string[];
  /** Decoded when first asked for. */
  readonly attributes: ReadonlyMap<string, TfAttribute>;
}

export interface SourceArgument {
  readonly name: string;
  /** `undefined` where an attribute of the call decides it. */
  readonly dtype: TfType | undefined;
  readonly shape: TfShape;
  /** What the argument was called in Python, where that is known. */
  readonly userName: string | undefined;
}

/** A FunctionDef. */
export interface SourceFunction {
  readonly name: string;
  readonly inputs: readonly SourceArgument[];
  readonly outputs: readonly { readonly name: string; readonly dtype: TfType | undefined }[];
  readonly nodes: ReadonlyMap<string, SourceNode>;
  /** From an output's name to the reference that gives it. */
  readonly returns: ReadonlyMap<string, string>;
}

export interface SourceGraph {
  readonly nodes: ReadonlyMap<string, SourceNode>;
  /** Decoded when first asked for; `undefined` where there is none of the name. */
  function(name: string): SourceFunction | undefined;
}

/** A node whose attributes are decoded when they are first asked for: most nodes of a file are never needed. */
export class LazyNode implements SourceNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly #decode: () => ReadonlyMap<string, TfAttribute>;
  #attributes: ReadonlyMap<string, TfAttribute> | undefined;

  constructor(name: string, op: string, inputs: readonly string[], decode: () => ReadonlyMap<string, TfAttribute>) {
    this.name = name;
    this.op = op;
    this.inputs = inputs;
    this.#decode = decode;
  }

  get attributes(): ReadonlyMap<string, TfAttribute> {
    this.#attributes ??= this.#decode();
    return this.#attributes;
  }
}

/** A library whose functions are decoded when they are first asked for. */
export function lazyFunctions<T>(
  stored: ReadonlyMap<string, T>,
  decode: (function_: T) => SourceFunction,
): (name: string) => SourceFunction | undefined {
  const decoded = new Map<string, SourceFunction>();
  return (name) => {
    const known = decoded.get(name);
    if (known !== undefined) return known;
    const source = stored.get(name);
    if (source === undefined) return undefined;
    const function_ = decode(source);
    decoded.set(name, function_);
    return function_;
  };
}

/** The inputs that carry values. */
export function dataInputs(node: SourceNode): readonly string[] {
  return node.inputs.filter((input) => !input.startsWith("^"));
}

/** A reference's node, and which of its outputs: `node`, `node:1`; in functions `argument`, `node:output:1`. */
export function parseReference(
  reference: string,
  isInFunction: boolean,
): { readonly name: string; readonly output: string | undefined; readonly index: number } {
  const [name = "", second, third] = reference.split(":");
  if (second === undefined) return { name, output: undefined, index: 0 };
  if (third === undefined && !isInFunction) return { name, output: undefined, index: outputIndex(reference, second) };
  return { name, output: second, index: third === undefined ? 0 : outputIndex(reference, third) };
}

function outputIndex(reference: string, text: string): number {
  const index = Number(text);
  if (text !== "" && Number.isInteger(index) && index >= 0 && index < 100_000) return index;
  throw new GraftError("model-invalid", "a reference has an impossible output", { path: [reference] });
}

/** Names for an error, the first twenty of them. */
export function listed(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 20).join(", ");
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}
