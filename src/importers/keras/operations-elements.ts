/** @file How operations on single elements are made: of one tensor, or of two that are broadcast in the model's own order of axes. */
import { type Operator, Oriented, type Value } from "../../graph/index.ts";
import { type DType, isFloating, unreachable } from "../../tensor/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";

/** What an operation computes: one tensor or several. */
export type Operation = (given: OperationArguments) => Oriented | readonly Oriented[];

export type Unary = (x: Value, given: OperationArguments) => Value;
export type Binary = (a: Value, b: Value, given: OperationArguments) => Value;

/** Work on the elements of `x`. */
export function unary(compute: Unary): Operation {
  return (given) => given.tensor("x").map((x) => compute(x, given));
}

/** Work on the elements of `x` as floating-point numbers: Keras and TensorFlow cast what is whole. */
export function floating(compute: Unary): Operation {
  return (given) => given.tensor("x").map((x) => compute(asFloating(x, given), given));
}

/** Whole numbers and booleans as float32. */
export function asFloating(x: Value, { build }: OperationArguments): Value {
  return x.dtype !== undefined && !isFloating(x.dtype) ? build.cast(x, "float32") : x;
}

/** A plain operator of ONNX. */
export function plain(operator: Operator): Unary {
  return (x, { build, name }) => build.apply(operator, [x], {}, name);
}

/**
 * The operands in one order of axes, their channels first where one has them so, and of one type where `isOneType`.
 * Operands of fewer axes are aligned at the last axis, as NumPy does.
 */
export function aligned(
  given: OperationArguments,
  operands: readonly Oriented[],
  isOneType = true,
): { values: readonly Value[]; isFirst: boolean } {
  const { build } = given;
  const rank = Math.max(...operands.map(({ shape }) => shape?.length ?? 0));
  const isFirst = rank >= 3 && operands.some((each) => each.isFirst);
  const type = isOneType ? commonType(operands) : undefined;
  const values = operands.map((operand) => {
    const own = operand.shape?.length ?? 0;
    const value = placed(given, operand, isFirst ? rank - own : 0, isFirst && own > 0);
    return type === undefined ? value : build.cast(value, type);
  });
  return { values, isFirst };
}

/** An operand with axes of size 1 in front, in the wanted order. */
function placed(given: OperationArguments, operand: Oriented, missing: number, isFirst: boolean): Value {
  const { build } = given;
  if (!isFirst) return operand.last();
  if (missing === 0 && build.constantOf(operand.native) === undefined) return operand.first();
  const { shape } = operand;
  const known = build.constantOf(operand.native);
  const sizes = [...Array.from({ length: missing }, () => 1), ...(shape ?? [])].map(Number);
  const isVector = sizes.slice(0, -1).every((size) => size === 1);
  if (known !== undefined && known.dtype !== "string" && isVector && !operand.isFirst) {
    // A value for each channel: its elements lie alike in either order.
    const own = [1, sizes.at(-1) ?? 1, ...sizes.slice(2).map(() => 1)];
    return build.constant({ ...known, shape: own }, `${given.name}/channels`);
  }
  const ones = Array.from({ length: missing }, (_, axis) => axis);
  return Oriented.last(build, build.unsqueeze(operand.last(), ones)).first();
}

const widths: readonly DType[] = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"];

/** Floating where one is so, otherwise the widest of the whole ones. */
export function commonType(operands: readonly Oriented[]): DType | undefined {
  const types = operands.flatMap(({ dtype }) => (dtype === undefined ? [] : [dtype]));
  const first = types.find((type) => isFloating(type));
  if (first !== undefined || types.length < operands.length) return first;
  return types.reduce(
    (widest, type) => (widths.indexOf(type) > widths.indexOf(widest) ? type : widest),
    types[0] ?? "int32",
  );
}

/** Two operands, `x` and `y`, one of which may be a constant. */
export function operandsOf(given: OperationArguments): readonly [Oriented, Oriented] {
  const [x, y] = [given.get("x"), given.get("y")];
  const like = x?.kind === "tensor" ? x.data.dtype : y?.kind === "tensor" ? y.data.dtype : undefined;
  return [given.tensor("x", like), given.tensor("y", like)];
}

/** Work on pairs of elements. */
export function binary(compute: Binary, isFloatingOnly = false): Operation {
  return (given) => {
    const { values, isFirst } = aligned(given, operandsOf(given));
    const own = isFloatingOnly ? values.map((value) => asFloating(value, given)) : values;
    const [a, b] = own;
    if (a === undefined || b === undefined) unreachable("two operands are aligned to two values");
    return oriented(given, compute(a, b, given), isFirst);
  };
}

export function oriented({ build }: OperationArguments, value: Value, isFirst: boolean): Oriented {
  return isFirst ? Oriented.first(build, value) : Oriented.last(build, value);
}

/** A plain operator of ONNX with two operands. */
export function plainBinary(operator: Operator): Binary {
  return (a, b, { build, name }) => build.apply(operator, [a, b], {}, name);
}

/** All of a list, pair by pair. */
export function folded(operator: Operator): Operation {
  return (given) => {
    const { values, isFirst } = aligned(given, given.tensors("x"));
    const [first = unreachable("a list of tensors is empty"), ...others] = values;
    const total = others.reduce((sum, each) => given.build.apply(operator, [sum, each]), first);
    return oriented(given, total, isFirst);
  };
}
