/** @file Layers that make one value of several: sums, products, extremes, joins. */
import { Oriented, type Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { axisOf, inputAt, rankOf } from "./orient.ts";

/**
 * The inputs in one order of axes: channels first where one of them is so. Inputs of fewer axes get axes of size 1 after
 * the batch, as in Keras.
 */
function aligned(inputs: readonly Flow[], { build }: LayerCall): { values: readonly Value[]; isFirst: boolean } {
  const rank = Math.max(...inputs.map(rankOf));
  const isFirst = rank >= 3 && inputs.some(({ data }) => data.isFirst);
  const values = inputs.map((input) => {
    const missing = rank - rankOf(input);
    if (missing === 0) return isFirst ? input.data.first() : input.data.last();
    const ones = Array.from({ length: missing }, (_, index) => index + 1);
    const spread = Oriented.last(build, build.unsqueeze(input.data.last(), ones));
    return isFirst ? spread.first() : spread.last();
  });
  return { values, isFirst };
}

function merged({ build }: LayerCall, value: Value, isFirst: boolean): Oriented {
  return isFirst ? Oriented.first(build, value) : Oriented.last(build, value);
}

/** Steps count where they do in every input that says so. */
function commonMask(inputs: readonly Flow[], { build }: LayerCall): Value | undefined {
  const masks = inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
  return masks.length === 0 ? undefined : masks.reduce((all, mask) => (all === mask ? all : build.and(all, mask)));
}

type Pairwise = "Add" | "Sub" | "Mul";

/** Calculates pair by pair from the left; the last node takes the layer's name. */
function pairwise(operator: Pairwise): LowerLayer {
  return (inputs, call) => {
    const { build, name } = call;
    inputAt(inputs, operator === "Sub" ? 1 : 0);
    const { values, isFirst } = aligned(inputs, call);
    const [first, ...others] = values;
    if (first === undefined) throw new GraftError("model-invalid", "it merges nothing");
    const value = others.reduce(
      (total, other, index) =>
        build.apply(operator, [total, other], {}, index === others.length - 1 ? name : `${name}/part`),
      others.length === 0 ? build.apply("Identity", [first], {}, name) : first,
    );
    return { data: merged(call, value, isFirst), mask: commonMask(inputs, call) };
  };
}

function together(operator: "Max" | "Min" | "Mean"): LowerLayer {
  return (inputs, call) => {
    inputAt(inputs);
    const { values, isFirst } = aligned(inputs, call);
    const value = call.build.apply(operator, values, {}, call.name);
    return { data: merged(call, value, isFirst), mask: commonMask(inputs, call) };
  };
}

const concatenate: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const axis = axisOf(inputAt(inputs), config.number("axis", -1));
  const { values, isFirst } = aligned(inputs, call);
  const joined = Oriented.last(build, inputAt(inputs).data.last());
  const native = isFirst ? nativeAxis(axis, rankOf({ data: joined })) : axis;
  const data = merged(call, build.apply("Concat", values, { axis: native }, name), isFirst);
  return { data, mask: joinedMask(inputs, call, axis) };
};

/** Where an axis of the model lies in `[N, C, …spatial]`. */
function nativeAxis(axis: number, rank: number): number {
  if (axis === 0) return 0;
  return axis === rank - 1 ? 1 : axis + 1;
}

/** Joined along time, so are the masks; joined along anything else, steps count where they do in every input. */
function joinedMask(inputs: readonly Flow[], call: LayerCall, axis: number): Value | undefined {
  const { build } = call;
  if (axis > 1 || inputs.every(({ mask }) => mask === undefined)) return commonMask(inputs, call);
  const masks = inputs.map(({ mask, data }) => mask ?? allSteps(call, data.last()));
  return build.apply("Concat", masks, { axis });
}

/** A mask in which every step of `[N, time, …]` counts. */
function allSteps({ build }: LayerCall, x: Value): Value {
  const shape = build.apply("Shape", [x], { start: 0, end: 2 });
  return build.expand(build.constant({ dtype: "bool", shape: [1, 1], data: Uint8Array.of(1) }), shape);
}

/** The first input plus the second, scaled: of Inception-ResNet V2. */
const customScale: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  inputAt(inputs, 1);
  const { values, isFirst } = aligned(inputs, call);
  const [kept, added] = values;
  if (kept === undefined || added === undefined) throw new Error("internal: two inputs were there");
  return {
    data: merged(call, build.apply("Add", [kept, build.scale(added, config.number("scale"))], {}, name), isFirst),
  };
};

const letters = "abcdefghijklmnopqrstuvwxyz";

/** The sum of products along an axis of each, for every picture of the batch. */
const dot: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const pair = [inputAt(inputs), inputAt(inputs, 1)];
  const given = config.numbers("axes");
  const axes = pair.map((input, index) => axisOf(input, given[index] ?? given[0] ?? -1));
  const normalizes = config.boolean("normalize", false);
  const values = pair.map((input, index) => {
    const x = input.data.last();
    if (!normalizes) return x;
    const squares = build.apply("Max", [build.reduceSum(build.square(x), [axes[index] ?? 1]), build.scalar(1e-12, x)]);
    return build.div(x, build.sqrt(squares));
  });
  const ranks = pair.map(rankOf);
  const [first = 2, second = 2] = ranks;
  const [left = 1, right = 1] = axes;
  if (left === 0 || right === 0) return config.refuse("axes", "axes after the batch", [...given]);
  const ours = [...letters.slice(0, first)];
  const theirs = ["a", ...letters.slice(first, first + second - 1)];
  theirs[right] = ours[left] ?? "b";
  const rest = [...ours.filter((_, axis) => axis !== left), ...theirs.filter((_, axis) => axis > 0 && axis !== right)];
  // Of two vectors one number remains, which keeps an axis.
  const isNumber = rest.length === 1;
  const equation = `${ours.join("")},${theirs.join("")}->${rest.join("")}`;
  const product = build.apply("Einsum", values, { equation }, isNumber ? `${name}/product` : name);
  return {
    data: Oriented.last(build, isNumber ? build.apply("Unsqueeze", [product, build.ints([1])], {}, name) : product),
  };
};

export const mergingLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Add", { lower: pairwise("Add") }],
  ["Subtract", { lower: pairwise("Sub") }],
  ["Multiply", { lower: pairwise("Mul") }],
  ["Average", { lower: together("Mean") }],
  ["Maximum", { lower: together("Max") }],
  ["Minimum", { lower: together("Min") }],
  ["Concatenate", { lower: concatenate }],
  ["Dot", { lower: dot }],
  ["CustomScaleLayer", { lower: customScale }],
];
