/** @file Maps cut into blocks, which go to the channels or to the batch, and back. */
import type { Value } from "../../../graph/index.ts";
import type { Dimension } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

/** Blocks of channels to squares of the map, or back. */
function blocks(operator: "DepthToSpace" | "SpaceToDepth"): Lower {
  return (call) => {
    const data = call.oriented(0);
    const blocksize = call.int("block_size", 2);
    const isFirst = call.text("data_format", "NHWC") === "NCHW";
    const x = isFirst ? data.last() : data.first();
    const y = call.apply(operator, [x], { blocksize });
    return isFirst ? call.last(y) : call.first(y);
  };
}

/** A map cut into blocks that go to the batch, or the reverse; axes 1 on of `[N, …spatial, …]`. */
function batchBlocks(isToBatch: boolean): Lower {
  return (call) => {
    const block = call.integers(1);
    const flat = call.integers(2);
    const pairs = block.map((_, axis) => [flat[2 * axis] ?? 0, flat[2 * axis + 1] ?? 0] as const);
    return isToBatch ? spaceToBatch(call, block, pairs) : batchToSpace(call, block, pairs);
  };
}

function spaceToBatch(call: Call, block: readonly number[], pairs: readonly (readonly [number, number])[]): Value {
  const { build } = call;
  const count = block.length;
  const rank = call.rank(0);
  const rest = Array.from({ length: rank - count - 1 }, (_, axis) => axis);
  const ends = [0, ...pairs.map(([before]) => before), ...rest.map(() => 0), 0, ...pairs.map(([, after]) => after)];
  const x = build.apply("Pad", [call.value(0), build.ints([...ends, ...rest.map(() => 0)])]);
  const sizes = knownSizes(call, x.shape?.slice(1));
  const inner = sizes.slice(count);
  const cut = block.flatMap((side, axis) => [(sizes[axis] ?? 0) / side, side]);
  const split = build.reshape(x, [-1, ...cut, ...inner]);
  const sides = block.map((_, axis) => 2 + 2 * axis);
  const places = block.map((_, axis) => 1 + 2 * axis);
  const turned = build.transpose(split, [...sides, 0, ...places, ...rest.map((axis) => 1 + 2 * count + axis)]);
  const target = [-1, ...block.map((side, axis) => (sizes[axis] ?? 0) / side), ...inner];
  return call.apply("Reshape", [turned, build.ints(target)]);
}

function batchToSpace(call: Call, block: readonly number[], crops: readonly (readonly [number, number])[]): Value {
  const { build } = call;
  const count = block.length;
  const x = call.value(0);
  const rank = call.rank(0);
  const sizes = knownSizes(call, x.shape?.slice(1));
  const inner = sizes.slice(count);
  const split = build.reshape(x, [...block, -1, ...sizes]);
  const pairs = block.flatMap((_, axis) => [count + 1 + axis, axis]);
  const rest = Array.from({ length: rank - count - 1 }, (_, axis) => 2 * count + 1 + axis);
  const turned = build.transpose(split, [count, ...pairs, ...rest]);
  const whole = block.map((side, axis) => side * (sizes[axis] ?? 0));
  const joined = build.reshape(turned, [-1, ...whole, ...inner]);
  const starts = crops.map(([before]) => before);
  const stops = crops.map(([, after], axis) => (whole[axis] ?? 0) - after);
  return build.slice(
    joined,
    starts,
    stops,
    crops.map((_, axis) => axis + 1),
  );
}

function knownSizes(call: Call, shape: readonly Dimension[] | undefined): readonly number[] {
  if (shape?.every((size) => typeof size === "number")) return shape;
  throw call.refused("the sizes of a map that is cut into blocks must be known");
}

export const blockRows: OperatorRows = [
  ["BatchToSpaceND", batchBlocks(false)],
  ["DepthToSpace", blocks("DepthToSpace")],
  ["SpaceToBatchND", batchBlocks(true)],
  ["SpaceToDepth", blocks("SpaceToDepth")],
];
