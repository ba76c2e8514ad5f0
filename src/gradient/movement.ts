/** @file Derivatives of operators that move elements: the gradient moves the other way. */
import type { Builder, MovementOperators, Value } from "../graph/index.ts";
import { clampSlice } from "../shapes/index.ts";
import { GraftError, normalizeAxis, numbersOf } from "../tensor/index.ts";
import { indexingGradients } from "./indexing.ts";
import { addAlong, padAxes, putAlong, putAtRuntime, sizeAt, upTo } from "./place.ts";
import {
  broadcasting,
  by,
  type Differentiable,
  type GradientRules,
  inputAt,
  notDifferentiable,
  rankOf,
  type Step,
  zero,
} from "./rule.ts";
import { range, reshapeLike, reshapeTo, sizesOf, sizeVector } from "./sizes.ts";

const integer = notDifferentiable("its output is an integer");

/** The elements lie in the same order: dy takes the shape of x. */
const reshaped: Differentiable<"Reshape" | "Flatten" | "Squeeze" | "Unsqueeze"> = by(({ build, x, dy }) => [
  () => reshapeLike(build, dy, x),
]);

/** The numbers of an input. `undefined` where they are known only at run time. */
function known({ build }: { build: Builder }, value: Value | undefined): number[] | undefined {
  const tensor = build.constantOf(value);
  return tensor && numbersOf(tensor);
}

/** The axes an input names, all of them where it is missing. Throws where they are known only at run time. */
function axesOf(step: Step, index: number, otherwise: number): number[] {
  const input = step.inputs[index];
  const axes = input === undefined ? range(otherwise) : known(step, input);
  if (axes !== undefined) return axes.map((axis) => normalizeAxis(axis, rankOf(step.x)));
  throw new GraftError("not-differentiable", "its axes must be known", { hint: "make the input `axes` a constant" });
}

/** One element of a vector, as an int64 vector of length 1. */
function element(build: Builder, vector: Value, index: number): Value {
  return build.cast(build.slice(vector, [index], [index + 1], [0]), "int64");
}

/** dx is dy where the slice read, else 0. */
function sliceGradient(step: Step<"Slice">): Value {
  const { build: b, inputs, x, y, dy } = step;
  const [startsInput, endsInput, stepsInput] = [inputAt(step, 1), inputAt(step, 2), inputs[4]];
  const axes = axesOf(step, 3, Number(startsInput.shape?.[0] ?? rankOf(x)));
  const starts = known(step, startsInput);
  const ends = known(step, endsInput);
  const steps = stepsInput === undefined ? axes.map(() => 1) : known(step, stepsInput);
  const paddings: { axis: number; begin: number; end: number }[] = [];
  const others: ((gradient: Value) => Value)[] = [];
  for (const [index, axis] of axes.entries()) {
    const size = x.shape?.[axis];
    const [start, end, stride] = [starts?.[index], ends?.[index], steps?.[index]];
    if (typeof size !== "number" || start === undefined || end === undefined || stride === undefined) {
      const isWhole = start === 0 && stride === 1 && typeof size === "string" && y.shape?.[axis] === size;
      if (!isWhole) others.push((gradient) => putBackAtRuntime(gradient, index, axis));
      continue;
    }
    const { start: first, count } = clampSlice(size, start, end, stride);
    if (stride === 1 && count > 0) paddings.push({ axis, begin: first, end: size - first - count });
    else {
      const positions = range(count).map((each) => first + each * stride);
      others.push((gradient) => putAlong(b, gradient, axis, positions, size));
    }
  }
  return others.reduce((gradient, putBack) => putBack(gradient), padAxes(b, dy, paddings));

  /** The positions that the same slice reads from 0, 1, 2, … */
  function putBackAtRuntime(gradient: Value, index: number, axis: number): Value {
    const bounds = [element(b, startsInput, index), element(b, endsInput, index), b.ints([0])];
    const stride = stepsInput && element(b, stepsInput, index);
    const positions = b.apply("Slice", [upTo(b, sizeAt(x, axis)), ...bounds, stride]);
    return putAtRuntime(b, gradient, axis, positions, sizeAt(x, axis));
  }
}

/** Where each padded element comes from, of an axis of `size`; what negative padding cuts is not mirrored. */
function paddingSources(mode: "edge" | "reflect" | "wrap", begin: number, end: number, size: number): number[] {
  const first = Math.max(-begin, 0);
  const length = size - first - Math.max(-end, 0);
  const mod = (index: number, period: number) => (period === 0 ? 0 : ((index % period) + period) % period);
  const source = {
    edge: (index: number) => Math.min(Math.max(index, 0), length - 1),
    reflect: (index: number) => {
      const place = mod(index, 2 * (length - 1));
      return Math.min(place, 2 * (length - 1) - place);
    },
    wrap: (index: number) => mod(index, length),
  }[mode];
  const before = Math.max(begin, 0);
  return range(before + length + Math.max(end, 0)).map((index) => first + source(index - before));
}

/** Mirrored, repeated and wrapped elements add their gradients to those they were copied from, axis by axis. */
function copyingPadGradient(step: Step<"Pad">, mode: "edge" | "reflect" | "wrap"): Value {
  const { build: b, x, dy } = step;
  const pads = known(step, inputAt(step, 1));
  const axes = axesOf(step, 3, rankOf(x));
  return axes.reduce((gradient, axis, index) => {
    const [begin, end] = [pads?.[index], pads?.[index + axes.length]];
    const size = sizeAt(x, axis);
    if (begin === 0 && end === 0) return gradient;
    if (begin !== undefined && end !== undefined && typeof size === "number") {
      return putAlong(b, gradient, axis, paddingSources(mode, begin, end, size), size);
    }
    const pad = b.concat(
      [index, index + axes.length].map((each) => element(b, inputAt(step, 1), each)),
      0,
    );
    return addAlong(b, gradient, axis, b.apply("Pad", [upTo(b, size), pad], { mode }), size);
  }, dy);
}

/** The sum over all elements, in the shape of `like`. */
function total(build: Builder, value: Value, like: Value): Value {
  return reshapeLike(build, build.reduceSum(value, range(rankOf(value)), false), like);
}

export const movementGradients: GradientRules<MovementOperators> = {
  ...indexingGradients,
  // Cropping to a size and padding back to the other are adjoint: both halve what is too much or too little alike.
  CenterCropPad: by(({ build: b, attributes: { axes }, x, dy }) => [
    () => {
      const sizes = axes?.flatMap((axis) => sizeAt(x, normalizeAxis(axis, rankOf(x))));
      return b.apply("CenterCropPad", [dy, sizes ? sizeVector(b, sizes) : b.shapeOf(x)], { axes });
    },
  ]),
  // y = [x₁, x₂, …]: dy is split where they met.
  Concat: by(({ build: b, attributes: { axis }, inputs, dy }) => {
    const along = normalizeAxis(axis, rankOf(dy));
    const sizes = inputs.map((_, index) => sizeAt(inputAt({ inputs }, index), along));
    return inputs.length === 1 ? [dy] : b.applyAll("Split", [dy, sizeVector(b, sizes)], inputs.length, { axis });
  }),
  ConstantOfShape: zero,
  // [N, b, b, c, H, W] (DCR) or [N, c, b, b, H, W] (CRD) is woven into [N, c, H, b, W, b], and dy back.
  DepthToSpace: by(({ build: b, attributes: { blocksize, mode }, x, dy }) => [
    () => {
      if (mode === "DCR") return b.apply("SpaceToDepth", [dy], { blocksize });
      const [batch, , height, width] = sizesOf(x);
      if (batch === undefined || height === undefined || width === undefined) return undefined;
      const woven = reshapeTo(b, dy, [batch, -1, height, blocksize, width, blocksize]);
      return reshapeLike(b, b.transpose(woven, [0, 1, 3, 5, 2, 4]), x);
    },
  ]),
  // What is repeated is summed, which the walk does.
  Expand: broadcasting(({ dy }) => [dy]),
  EyeLike: zero,
  Flatten: reshaped,
  // Constant padding: dx is dy without the padding, which gives its sum to the constant.
  Pad: by((step) => {
    const { build: b, attributes, inputs, x, dy } = step;
    const { mode } = attributes;
    if (mode !== "constant") return [() => copyingPadGradient(step, mode)];
    const [pads, constant, axes] = [inputAt(step, 1), inputs[2], inputs[3]];
    return [
      () => {
        const numbers = known(step, pads);
        const inverse = numbers ? b.ints(numbers.map((pad) => -pad)) : b.neg(pads);
        return b.apply("Pad", [dy, inverse, b.scalar(0, dy), axes]);
      },
      undefined,
      constant &&
        (() => {
          const isPadding = b.apply("Pad", [b.zerosLike(x), pads, b.scalar(1, x), axes]);
          return total(b, b.mul(dy, isPadding), constant);
        }),
    ];
  }),
  // yᵢ = start + i·delta
  Range: by((step) => {
    const { build: b, inputs, dy } = step;
    const [start, , delta] = inputs;
    const weighted = () => b.mul(dy, b.castLike(upTo(b, sizeAt(dy, 0)), dy));
    return [start && (() => total(b, dy, start)), undefined, delta && (() => total(b, weighted(), delta))];
  }),
  Reshape: reshaped,
  // Reversing is its own inverse.
  ReverseSequence: by(({ build: b, attributes, inputs, dy }) => [
    () => b.apply("ReverseSequence", [dy, inputs[1]], attributes),
  ]),
  Shape: integer,
  Size: integer,
  Slice: by((step) => [() => sliceGradient(step)]),
  // [N, c, H, b, W, b] is unwoven into [N, b, b, c, H, W], as DepthToSpace weaves it.
  SpaceToDepth: by(({ build: b, attributes: { blocksize }, dy }) => [
    () => b.apply("DepthToSpace", [dy], { blocksize }),
  ]),
  // [y₁, y₂, …] = x: the gradients are joined, with zeros for those that have none.
  Split: by((step) => {
    const { build: b, attributes, inputs, outputs, outputGradients } = step;
    // Outputs that nobody reads need not even have a name; applied again, they do.
    const parts = outputs.includes(undefined) ? b.applyAll("Split", inputs, outputs.length, attributes) : outputs;
    const gradients = parts.map((part, index) => outputGradients[index] ?? b.zerosLike(part ?? inputAt(step, 0)));
    return [() => (gradients.length === 1 ? gradients[0] : b.concat(gradients, attributes.axis))];
  }),
  Squeeze: reshaped,
  // Every axis of y is [repeats, size]: dx sums over the repeats.
  Tile: by((step) => [
    () => {
      const { build: b, x, dy } = step;
      const repeats = known(step, inputAt(step, 1));
      const sizes = sizesOf(x);
      if (repeats !== undefined) {
        const isRepeated = repeats.map((count) => count !== 1);
        const split = sizes.flatMap((size, axis) => (isRepeated[axis] ? [repeats[axis] ?? 1, size] : [size]));
        const before = (axis: number) => isRepeated.slice(0, axis).filter(Boolean).length;
        const axes = range(sizes.length).flatMap((axis) => (isRepeated[axis] ? [axis + before(axis)] : []));
        return b.reduceSum(axes.length === 0 ? dy : reshapeTo(b, dy, split), axes, false);
      }
      const columns = [inputAt(step, 1), b.shapeOf(x)].map((vector) => b.unsqueeze(vector, [1]));
      const split = b.reshape(b.concat(columns, 1), [-1]);
      return reshapeLike(
        b,
        b.reduceSum(
          b.reshape(dy, split),
          sizes.map((_, axis) => 2 * axis),
          false,
        ),
        x,
      );
    },
  ]),
  // The axes go back.
  Transpose: by(({ build: b, attributes: { perm }, dy }) => [
    () => {
      const order = perm ?? range(rankOf(dy)).reverse();
      return b.transpose(
        dy,
        range(order.length).map((axis) => order.indexOf(axis)),
      );
    },
  ]),
  // The same triangle of dy.
  Trilu: by(({ build: b, attributes, inputs, dy }) => [() => b.apply("Trilu", [dy, inputs[1]], attributes)]),
  Unsqueeze: reshaped,
};
