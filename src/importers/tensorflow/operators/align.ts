/** @file Operands that are broadcast against each other, brought into one order of axes. */
import { Oriented, type Value } from "../../../graph/index.ts";
import type { Shape } from "../../../tensor/index.ts";
import { type Call, orientedOf, type Slot } from "./call.ts";

/** Operands in one order of axes, and what brings the result back. */
interface Aligned {
  readonly values: readonly Value[];
  readonly wrap: (value: Value) => Oriented;
}

/** `[0, rank-1, 1, …]`: from TensorFlow's order to channels first. */
export function firstPerm(rank: number): readonly number[] {
  return rank < 3 ? [...Array(rank).keys()] : [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1)];
}

/**
 * The operands as ONNX broadcasts them: channels first where an operand of the highest rank lies so, else in
 * TensorFlow's order.
 */
export function aligned(call: Call, slots: readonly Slot[]): Aligned {
  const { build } = call;
  const ranks = slots.map((slot) => shapeOf(call, slot)?.length);
  const rank = Math.max(...ranks.map((each) => each ?? 0));
  const goesFirst =
    rank >= 3 &&
    ranks.every((each) => each !== undefined) &&
    slots.some((slot, index) => ranks[index] === rank && slot.kind === "tensor" && slot.data.isFirst);
  if (!goesFirst) {
    return {
      values: slots.map((slot) => orientedOf(call, slot).last()),
      wrap: (value) => Oriented.last(build, value),
    };
  }
  return {
    values: slots.map((slot) => firstOf(call, slot, rank)),
    wrap: (value) => Oriented.first(build, value),
  };
}

/** Elementwise work of several operands. */
export function elementwise(compute: (values: readonly Value[], call: Call) => Value): (call: Call) => Oriented {
  return (call) => {
    const { values, wrap } = aligned(call, call.inputs);
    return wrap(compute(values, call));
  };
}

/** What is known of a slot's shape. */
export function shapeOf(call: Call, slot: Slot): Shape | undefined {
  return slot.kind === "weight" ? slot.shape : orientedOf(call, slot).shape;
}

/** An operand as it is broadcast against `[N, C, …spatial]` of that rank. */
function firstOf(call: Call, slot: Slot, rank: number): Value {
  const { build } = call;
  const shape = shapeOf(call, slot) ?? [];
  const full: Shape = [...Array.from({ length: rank - shape.length }, () => 1), ...shape];
  if (slot.kind === "weight") {
    if (slot.shape.length === 0) return slot.weight.in({ shape: [] }, build);
    if (isChannels(full)) return slot.weight.in({ shape: channelsFirst(Number(full.at(-1)), rank) }, build);
    return slot.weight.in({ shape: full.map(Number), perm: firstPerm(rank) }, build);
  }
  const data = orientedOf(call, slot);
  if (shape.length === rank) return data.first();
  if (shape.length === 0) return data.native;
  const value = data.last();
  if (shape.length === 1) {
    const axes = Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
    return build.unsqueeze(value, axes);
  }
  const added = Array.from({ length: rank - shape.length }, (_, axis) => axis);
  return Oriented.last(build, build.unsqueeze(value, added)).first();
}

/** Whether only the last axis has more than one element. */
function isChannels(shape: Shape): boolean {
  return shape.slice(0, -1).every((size) => size === 1);
}

/** `[C, 1, …]`, which broadcasts along the channels of `[N, C, …]`. */
function channelsFirst(channels: number, rank: number): readonly number[] {
  return [channels, ...Array.from({ length: rank - 2 }, () => 1)];
}
