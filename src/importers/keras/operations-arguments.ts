/** @file What an operation is given: tensors, and python's constants, by the names of its parameters. */
import { type Builder, Oriented, type Value } from "../../graph/index.ts";
import { Config, type Json, type LayerCall } from "../../layers/index.ts";
import { type DType, GraftError, isFloating, type NumericTensor, tensorOf } from "../../tensor/index.ts";
import { fieldOf, isRecord, typeName } from "./config.ts";

/** A tensor, a constant, or a list with tensors in it. */
export type Operand =
  | { readonly kind: "tensor"; readonly data: Oriented }
  | { readonly kind: "constant"; readonly value: Json }
  | { readonly kind: "list"; readonly items: readonly Operand[] };

const mostAxes = 16;

/** The arguments of one call of an operation. Readers throw GraftError that names the parameter. */
export class OperationArguments {
  readonly build: Builder;
  /** The layer's name: nodes are called after it. */
  readonly name: string;
  readonly kerasVersion: number;
  readonly #operands: ReadonlyMap<string, Operand>;
  readonly #call: LayerCall;

  constructor(operands: ReadonlyMap<string, Operand>, call: LayerCall) {
    this.#operands = operands;
    this.#call = call;
    this.build = call.build;
    this.name = call.name;
    this.kerasVersion = call.kerasVersion;
  }

  /** What a layer of the table computes, where the operation does the same. */
  layer(className: string, config: { readonly [key: string]: Json }, ...inputs: readonly Oriented[]): Oriented {
    const flows = inputs.map((data) => ({ data }));
    const [flow] = this.#call.inner(className, new Config(config), flows, { name: className, holder: [] });
    if (flow === undefined) throw new GraftError("model-invalid", "the operation gives nothing");
    return flow.data;
  }

  /** The argument as it came; `undefined` where it is not given, or None. */
  get(parameter: string): Operand | undefined {
    const operand = this.#operands.get(parameter);
    return operand?.kind === "constant" && operand.value === null ? undefined : operand;
  }

  has(parameter: string): boolean {
    return this.get(parameter) !== undefined;
  }

  /** A tensor; a constant becomes one, in the type of `like` where that can hold it. */
  tensor(parameter: string, like?: DType): Oriented {
    const operand = this.get(parameter);
    if (operand === undefined) throw this.#refuse(parameter, "a tensor", undefined);
    return this.#tensorOf(operand, parameter, like);
  }

  /** Several tensors, of a list. */
  tensors(parameter: string): readonly Oriented[] {
    const operand = this.get(parameter);
    if (operand?.kind === "tensor") return [operand.data];
    const items = operand?.kind === "list" ? operand.items : undefined;
    if (items === undefined) throw this.#refuse(parameter, "tensors", operand);
    const like = items.find((item) => item.kind === "tensor")?.data.dtype;
    return items.map((item) => this.#tensorOf(item, parameter, like));
  }

  /** A constant. Throws where it is computed. */
  constant(parameter: string): Json | undefined {
    const operand = this.get(parameter);
    if (operand === undefined) return undefined;
    if (operand.kind === "constant") return arrayValue(operand.value);
    // What a graph computes may still be known: a shape, say.
    const elements = operand.kind === "tensor" ? this.build.constantOf(operand.data.native) : undefined;
    if (elements === undefined || elements.dtype === "string") throw this.#refuse(parameter, "a constant", operand);
    const numbers = Array.from<number | bigint, number>(elements.data, Number);
    return elements.shape.length === 0 ? (numbers[0] ?? 0) : numbers;
  }

  number(parameter: string, otherwise?: number): number {
    const value = this.constant(parameter) ?? otherwise;
    if (typeof value === "number") return value;
    throw this.#refuse(parameter, "a number", this.get(parameter));
  }

  integer(parameter: string, otherwise?: number): number {
    const value = this.number(parameter, otherwise);
    if (Number.isInteger(value)) return value;
    throw this.#refuse(parameter, "a whole number", this.get(parameter));
  }

  boolean(parameter: string, otherwise: boolean): boolean {
    const value = this.constant(parameter) ?? otherwise;
    if (typeof value === "boolean") return value;
    throw this.#refuse(parameter, "true or false", this.get(parameter));
  }

  text(parameter: string, otherwise?: string): string {
    const value = this.constant(parameter) ?? otherwise;
    if (typeof value === "string") return value;
    throw this.#refuse(parameter, "a text", this.get(parameter));
  }

  /** A list of whole numbers; one number is a list of one. `undefined` where it is not given. */
  integers(parameter: string): readonly number[] | undefined {
    const value = this.constant(parameter);
    if (value === undefined) return undefined;
    const list: readonly Json[] = Array.isArray(value) ? value : [value];
    const isInteger = (each: Json): each is number => Number.isInteger(each);
    if (list.every(isInteger)) return list;
    throw this.#refuse(parameter, "whole numbers", this.get(parameter));
  }

  /** A type by its name: `float32`, `int64`; double and half precision are computed in float32. */
  type(parameter: string, otherwise: DType): DType {
    const value = this.constant(parameter);
    const name = typeName(value);
    const type = typeof value === "number" ? tensorflowTypes.get(value) : types.get(name ?? "");
    if (value === undefined) return otherwise;
    if (type !== undefined) return type;
    throw this.#refuse(parameter, "a type of elements", this.get(parameter));
  }

  /** A shape: whole numbers, of which some may be computed, as an int64 vector. */
  shape(parameter: string): readonly number[] | Value {
    const operand = this.get(parameter);
    if (operand === undefined) throw this.#refuse(parameter, "a shape", operand);
    if (operand.kind === "constant") return this.integers(parameter) ?? [];
    if (operand.kind === "tensor") return this.build.cast(operand.data.last(), "int64");
    const parts = operand.items.map((item) => {
      const value = this.build.cast(this.#tensorOf(item, parameter, "int64").last(), "int64");
      return value.shape?.length === 1 ? value : this.build.reshape(value, [1]);
    });
    return this.build.concat(parts, 0);
  }

  /** Throws where an argument is given that would change the result. */
  expectDefault(parameter: string, ...defaults: readonly Json[]): void {
    const operand = this.get(parameter);
    if (operand === undefined) return;
    const value = operand.kind === "constant" ? operand.value : undefined;
    if (!defaults.some((each) => JSON.stringify(each) === JSON.stringify(value))) {
      throw this.#refuse(parameter, defaults.map((each) => JSON.stringify(each)).join(" or ") || "nothing", operand);
    }
  }

  #tensorOf(operand: Operand, parameter: string, like: DType | undefined): Oriented {
    if (operand.kind === "tensor") return operand.data;
    if (operand.kind === "list") {
      // A list of tensors where a tensor is taken: they are stacked.
      const parts = operand.items.map((item) => this.#tensorOf(item, parameter, like).last());
      return Oriented.last(
        this.build,
        this.build.concat(
          parts.map((part) => this.build.unsqueeze(part, [0])),
          0,
        ),
      );
    }
    const tensor = constantTensor(operand.value, like);
    if (tensor === undefined) throw this.#refuse(parameter, "numbers", operand);
    return Oriented.last(this.build, this.build.constant(tensor, `${this.name}/${parameter}`));
  }

  #refuse(parameter: string, expected: string, operand: Operand | undefined): GraftError {
    const actual = operand?.kind === "constant" ? JSON.stringify(operand.value).slice(0, 60) : operand?.kind;
    return new GraftError("model-refused", `its argument ${parameter} cannot be lowered`, {
      expected,
      actual: actual ?? "nothing",
    });
  }
}

const types: ReadonlyMap<string, DType> = new Map<string, DType>([
  ["float16", "float32"],
  ["bfloat16", "float32"],
  ["float32", "float32"],
  ["float", "float32"],
  ["float64", "float32"],
  ["double", "float32"],
  ["half", "float32"],
  ["int8", "int8"],
  ["int16", "int16"],
  ["int32", "int32"],
  ["int64", "int64"],
  ["int", "int32"],
  ["uint8", "uint8"],
  ["uint16", "uint16"],
  ["uint32", "uint32"],
  ["uint64", "uint64"],
  ["bool", "bool"],
]);

/** TensorFlow's numbers of types (types.proto), as NodeDefs have them. */
const tensorflowTypes: ReadonlyMap<number, DType> = new Map<number, DType>([
  [1, "float32"],
  [2, "float32"],
  [3, "int32"],
  [4, "uint8"],
  [9, "int64"],
  [10, "bool"],
  [19, "float32"],
]);

/** The numbers of a NumPy array or a constant tensor in a config; anything else as it is. */
function arrayValue(value: Json): Json {
  if (!isRecord(value)) return value;
  const config = fieldOf(value, "config");
  const isArray = ["__numpy__", "__tensor__"].includes(String(fieldOf(value, "class_name")));
  return isArray && isRecord(config) ? (fieldOf(config, "value") ?? null) : value;
}

/** Numbers, nested in lists of equal lengths, as a tensor. `undefined` where they are none. */
export function constantTensor(value: Json, like: DType | undefined): NumericTensor | undefined {
  const config = isRecord(value) ? fieldOf(value, "config") : undefined;
  const own = isRecord(config) ? types.get(typeName(fieldOf(config, "dtype")) ?? "") : undefined;
  const shape: number[] = [];
  const numbers: number[] = [];
  let isBoolean = false;
  const collect = (each: Json, depth: number): boolean => {
    if (Array.isArray(each)) {
      if (depth >= mostAxes) return false;
      if (shape.length === depth && numbers.length === 0) shape.push(each.length);
      return shape[depth] === each.length && each.every((item) => collect(item, depth + 1));
    }
    isBoolean ||= typeof each === "boolean";
    numbers.push(numberOf(each));
    return depth === shape.length && !Number.isNaN(numbers.at(-1));
  };
  const isFilled = collect(arrayValue(value), 0) && numbers.length === shape.reduce((count, size) => count * size, 1);
  if (!isFilled) return undefined;
  const isWhole = numbers.every((number) => Number.isInteger(number));
  const fitting =
    like !== undefined && like !== "string" && (isFloating(like) || isWhole) && !isBoolean ? like : undefined;
  const dtype = own ?? fitting ?? (isBoolean ? "bool" : isWhole && like === undefined ? "int32" : "float32");
  return dtype === "string" ? undefined : tensorOf(dtype, shape, numbers);
}

function numberOf(value: Json): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  // Python writes what JSON has no word for.
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
  return typeof value === "number" ? value : Number.NaN;
}
