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

function masksOf(inputs: readonly Flow[]): readonly Value[] {
  return inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
}

/** Steps count where they do in every input that says so. */
function every(masks: readonly Value[], { build }: LayerCall): Value | undefined {
  const [first, ...others] = masks;
  return first && others.reduce((all, mask) => (all === mask ? all : build.and(all, mask)), first);
}

/** Steps count where they do in any of the inputs. */
function some(masks: readonly Value[], { build }: LayerCall): Value | undefined {
  const [first, ...others] = masks;
  return first && others.reduce((all, mask) => (all === mask ? all : build.apply("Or", [all, mask])), first);
}

/** Keras 2 takes the masks that there are, Keras 3 none unless every input has one. */
function mergedMask(inputs: readonly Flow[], call: LayerCall): Value | undefined {
  const masks = masksOf(inputs);
  if (call.kerasVersion < 3) return every(masks, call);
  return masks.length === inputs.length ? some(masks, call) : undefined;
}

/** A mask of steps over a value in the model's order. */
function overSteps({ build }: LayerCall, mask: Value, rank: number): Value {
  return build.unsqueeze(
    mask,
    Array.from({ length: Math.max(0, rank - 2) }, (_, index) => index + 2),
  );
}

type Pairwise = "Add" | "Sub" | "Mul";

/** Calculates pair by pair from the left; the last node takes the layer's name. */
function pairwise(operator: Pairwise): LowerLayer {
  return (inputs, call) => {
    const { build, name } = call;
    inputAt(inputs, operator === "Sub" ? 1 : 0);
    if (operator === "Mul" && call.kerasVersion >= 3 && masksOf(inputs).length > 0) return maskedProduct(inputs, call);
    const { values, isFirst } = aligned(inputs, call);
    const [first, ...others] = values;
    if (first === undefined) throw new GraftError("model-invalid", "it merges nothing");
    const value = others.reduce(
      (total, other, index) =>
        build.apply(operator, [total, other], {}, index === others.length - 1 ? name : `${name}/part`),
      others.length === 0 ? build.apply("Identity", [first], {}, name) : first,
    );
    return { data: merged(call, value, isFirst), mask: mergedMask(inputs, call) };
  };
}

/** Keras 3: steps that do not count are factors of 1; where none counts, the product is 0. */
function maskedProduct(inputs: readonly Flow[], call: LayerCall): Flow {
  const { build, name } = call;
  const rank = Math.max(...inputs.map(rankOf));
  const factors = inputs.map(({ data, mask }) => {
    const x = data.last();
    return mask === undefined ? x : build.where(overSteps(call, mask, rank), x, build.scalar(1, x));
  });
  const product = factors.reduce((total, factor) => build.mul(total, factor));
  const mask = mergedMask(inputs, call);
  const value =
    mask === undefined ? product : build.where(overSteps(call, mask, rank), product, build.scalar(0, product));
  return { data: Oriented.last(build, build.apply("Identity", [value], {}, name)), mask };
}

/** Keras 3: steps that do not count are left out of the comparison. */
function maskedExtreme(operator: "Max" | "Min", inputs: readonly Flow[], call: LayerCall): Flow {
  const { build, name } = call;
  const rank = Math.max(...inputs.map(rankOf));
  const [first, ...others] = inputs;
  if (first === undefined) throw new GraftError("model-invalid", "it merges nothing");
  let output = first.data.last();
  let known = first.mask;
  for (const { data, mask } of others) {
    const own = data.last();
    const x = mask === undefined ? own : build.where(overSteps(call, mask, rank), own, output);
    const before = known === undefined ? output : build.where(overSteps(call, known, rank), output, x);
    known = mask === undefined || known === undefined ? undefined : build.apply("Or", [mask, known]);
    output = build.apply(operator, [before, x]);
  }
  return { data: Oriented.last(build, build.apply("Identity", [output], {}, name)), mask: mergedMask(inputs, call) };
}

function together(operator: "Max" | "Min" | "Mean"): LowerLayer {
  return (inputs, call) => {
    inputAt(inputs);
    if (operator !== "Mean" && call.kerasVersion >= 3 && masksOf(inputs).length > 0) {
      return maskedExtreme(operator, inputs, call);
    }
    const { values, isFirst } = aligned(inputs, call);
    const value = call.build.apply(operator, values, {}, call.name);
    return { data: merged(call, value, isFirst), mask: mergedMask(inputs, call) };
  };
}

const concatenate: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const axis = axisOf(inputAt(inputs), config.number("axis", -1));
  const { values, isFirst } = aligned(inputs, call);
  const native = isFirst ? nativeAxis(axis, rankOf(inputAt(inputs))) : axis;
  const data = merged(call, build.apply("Concat", values, { axis: native }, name), isFirst);
  return { data, mask: joinedMask(inputs, call, axis) };
};

/** Where an axis of the model lies in `[N, C, …spatial]`. */
function nativeAxis(axis: number, rank: number): number {
  if (axis === 0) return 0;
  return axis === rank - 1 ? 1 : axis + 1;
}

/** Joined along time, so are the masks; along anything else Keras 2 asks all inputs, Keras 3 any. */
function joinedMask(inputs: readonly Flow[], call: LayerCall, axis: number): Value | undefined {
  if (masksOf(inputs).length === 0) return undefined;
  const masks = inputs.map(({ mask, data }) => mask ?? allSteps(call, data.last()));
  if (axis <= 1) return call.build.apply("Concat", masks, { axis });
  return call.kerasVersion >= 3 ? some(masks, call) : every(masks, call);
}

/** A mask in which every step of `[N, time, …]` counts. */
function allSteps({ build }: LayerCall, x: Value): Value {
  const shape = build.apply("Shape", [x], { start: 0, end: 2 });
  return build.expand(build.constant({ dtype: "bool", shape: [1, 1], data: Uint8Array.of(1) }), shape);
}

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
];
