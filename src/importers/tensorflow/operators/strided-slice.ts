/** @file StridedSlice: parts as Python writes them, with all its masks. */
import type { Value } from "../../../graph/index.ts";
import { GraftError } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

/** Beyond every axis, at either end. */
const far = Number.MAX_SAFE_INTEGER;

/** One axis of the operand that is cut, with the entry of the specification that says how. */
interface Cut {
  readonly axis: number;
  readonly entry: number;
  readonly isShrunk: boolean;
}

/** What the specification says of every axis, before its numbers are looked at. */
interface Plan {
  readonly cuts: readonly Cut[];
  /** Axes of the result, counted with the shrunk ones left out, that are new. */
  readonly added: readonly number[];
}

const bit = (mask: number, index: number): boolean => Math.floor(mask / 2 ** index) % 2 === 1;

function planOf(call: Call, entries: number, rank: number): Plan {
  const mask = (name: string) => call.int(name, 0);
  const [ellipsis, newAxis, shrink] = [mask("ellipsis_mask"), mask("new_axis_mask"), mask("shrink_axis_mask")];
  const isNew = (entry: number) => bit(newAxis, entry) && !bit(ellipsis, entry);
  const taken = Array.from({ length: entries }, (_, entry) => entry).filter(
    (entry) => !isNew(entry) && !bit(ellipsis, entry),
  ).length;
  if (taken > rank) {
    throw new GraftError("model-invalid", "more axes are cut than there are", {
      expected: `at most ${rank}`,
      actual: `${taken}`,
    });
  }
  const cuts: Cut[] = [];
  const added: number[] = [];
  let axis = 0;
  let result = 0;
  for (let entry = 0; entry < entries; entry++) {
    if (bit(ellipsis, entry)) {
      axis += rank - taken;
      result += rank - taken;
    } else if (isNew(entry)) {
      added.push(result++);
    } else {
      const isShrunk = bit(shrink, entry);
      cuts.push({ axis: axis++, entry, isShrunk });
      if (!isShrunk) result++;
    }
  }
  return { cuts, added };
}

const stridedSlice: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const strides = call.integers(3);
  const { cuts, added } = planOf(call, strides.length, rank);
  const [begins, ends] = [call.knownIntegers(1), call.knownIntegers(2)];
  const [beginMask, endMask] = [call.int("begin_mask", 0), call.int("end_mask", 0)];
  const data = call.oriented(0);
  const step = (cut: Cut) => (cut.isShrunk ? 1 : (strides[cut.entry] ?? 1));

  /** Start and end of a cut as numbers, where the node says them. */
  const startOf = (cut: Cut): number | undefined =>
    bit(beginMask, cut.entry) && !cut.isShrunk ? (step(cut) > 0 ? 0 : far) : begins?.[cut.entry];
  const endOf = (cut: Cut): number | undefined => {
    if (cut.isShrunk) {
      const begin = begins?.[cut.entry];
      return begin === undefined ? undefined : begin === -1 ? far : begin + 1;
    }
    return bit(endMask, cut.entry) ? (step(cut) > 0 ? far : -far) : ends?.[cut.entry];
  };
  const needed = cuts.filter((cut) => startOf(cut) !== 0 || endOf(cut) !== far || step(cut) !== 1);
  const shrunk = cuts.filter((cut) => cut.isShrunk).map((cut) => cut.axis);
  const isReordered = shrunk.length > 0 || added.length > 0;
  const x = isReordered ? data.last() : data.native;
  const axisOf = (cut: Cut) => (isReordered ? cut.axis : data.nativeAxis(cut.axis));

  let y: Value = x;
  if (needed.length > 0) {
    const bounds = [
      vector(call, needed, startOf, 1),
      vector(call, needed, endOf, 2),
      build.ints(needed.map(axisOf)),
      build.ints(needed.map(step)),
    ];
    y = build.apply("Slice", [x, ...bounds], {}, isReordered ? `${call.name}/part` : call.name);
  }
  if (!isReordered) return data.isFirst ? call.first(y) : call.last(y);
  const cut = shrunk.length > 0 ? call.apply("Squeeze", [y, build.ints(shrunk)]) : y;
  return added.length > 0 ? call.apply("Unsqueeze", [cut, build.ints(added)]) : cut;
};

/** The bounds of all cuts as one vector: a constant where all are known, else gathered from what the node is given. */
function vector(call: Call, cuts: readonly Cut[], numberOf: (cut: Cut) => number | undefined, input: 1 | 2): Value {
  const { build } = call;
  const known = cuts.map(numberOf);
  if (known.every((number) => number !== undefined)) return build.ints(known);
  const parts = cuts.map((cut, index) => {
    const number = known[index];
    if (number !== undefined) return build.ints([number]);
    const place = build.ints([cut.entry]);
    if (input === 1 || !cut.isShrunk) return build.gather(call.int64(input), place, 0);
    // One element from `begin` on, which may be the last one, counted from the end.
    const begin = build.gather(call.int64(1), place, 0);
    return build.where(build.equal(begin, build.ints([-1])), build.ints([far]), build.shift(begin, 1));
  });
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : build.concat(parts, 0);
}

export const stridedSliceRows: OperatorRows = [["StridedSlice", stridedSlice]];
