/** @file Shapes of convolutions: batch, the weight's channels, and one size per spatial axis. */
import type { ConvolutionOperators } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape, showShape } from "../tensor/index.ts";
import { multiplyDimensions, quotientOf } from "./dimension.ts";
import { expectRank, inputAt, integersOf, type ShapeRules, shapeFrom, typed, unify, unknownOfRank } from "./rule.ts";
import { transposedWindowGeometry, windowGeometry } from "./windows.ts";

export const convolutionShapes: ShapeRules<ConvolutionOperators> = {
  // x [N, C·∏ block, windows], image [d], block [d] → [N, C, …image]
  Col2Im: (application, known) => {
    const x = inputAt(application, 0);
    const [batch = null, columns = null] = expectRank(x, "Col2Im's input", 3) ?? [];
    const image = shapeFrom(application.inputs[1], known);
    const block = integersOf(application.inputs[2], known);
    const rank = image?.length ?? block?.length;
    if (rank === undefined) return [typed(x, undefined)];
    const channels = columns === null || block === undefined ? null : quotientOf([columns], block);
    return [typed(x, [batch, channels, ...(image ?? unknownOfRank(rank))])];
  },
  // x [N, C, …], w [M, C / group, …] → [N, M, …]
  Conv: (application) => {
    const { attributes } = application;
    const x = inputAt(application, 0);
    const w = inputAt(application, 1);
    const { spatial, kernelShape } = operands(x, w, attributes.kernelShape);
    expectChannels(x.shape?.[1], multiplyDimensions(w.shape?.[1] ?? null, attributes.group), x.shape, w.shape);
    expectDivides(w.shape?.[0], attributes.group);
    const channels = unify(w.shape?.[0], application.inputs[2]?.shape?.[0], "the output channels of weight and bias");
    if (spatial === undefined) return [typed(x, outputUnknown(w, channels))];
    return [
      typed(x, [x.shape?.[0] ?? null, channels, ...windowGeometry(spatial, { ...attributes, kernelShape }).output]),
    ];
  },
  // x [N, C, …], w [C, M / group, …] → [N, M, …]
  ConvTranspose: (application) => {
    const { attributes } = application;
    const x = inputAt(application, 0);
    const w = inputAt(application, 1);
    const { spatial, kernelShape } = operands(x, w, attributes.kernelShape);
    expectChannels(x.shape?.[1], w.shape?.[0] ?? null, x.shape, w.shape);
    expectDivides(w.shape?.[0], attributes.group);
    const perGroup = multiplyDimensions(w.shape?.[1] ?? null, attributes.group);
    const channels = unify(perGroup, application.inputs[2]?.shape?.[0], "the output channels of weight and bias");
    if (spatial === undefined) return [typed(x, outputUnknown(w, channels))];
    return [
      typed(x, [
        x.shape?.[0] ?? null,
        channels,
        ...transposedWindowGeometry(spatial, { ...attributes, kernelShape }).output,
      ]),
    ];
  },
};

type Shaped = { readonly shape: Shape | undefined };

/** The spatial sizes of the input, if its rank is known, and the kernel's from the attribute or the weight. */
function operands(x: Shaped, w: Shaped, kernelAttribute: readonly number[] | undefined) {
  expectRank({ dtype: undefined, shape: x.shape }, "the convolved input", 3, Number.POSITIVE_INFINITY);
  const rank = x.shape?.length ?? w.shape?.length;
  if (rank !== undefined) expectRank({ dtype: undefined, shape: w.shape }, "the convolution's weight", rank);
  const spatial = x.shape?.slice(2) ?? (rank === undefined ? undefined : unknownOfRank(rank - 2));
  const fromWeight = w.shape?.slice(2) ?? unknownOfRank(spatial?.length ?? 0);
  const kernelShape = kernelAttribute
    ? kernelAttribute.map((size, axis) => unify(size, fromWeight[axis], "kernel_shape and the weight's sizes"))
    : fromWeight;
  return { spatial, kernelShape };
}

function outputUnknown(w: Shaped, channels: Dimension): Shape | undefined {
  return w.shape && [null, channels, ...unknownOfRank(w.shape.length - 2)];
}

function expectChannels(
  actual: Dimension | undefined,
  expected: Dimension,
  x: Shape | undefined,
  w: Shape | undefined,
): void {
  if (typeof actual !== "number" || typeof expected !== "number" || actual === expected) return;
  throw new GraftError("model-invalid", "the input's channels do not fit the weight", {
    expected: `${expected} channels for the weight ${showShape(w)}`,
    actual: showShape(x),
  });
}

function expectDivides(channels: Dimension | undefined, group: number): void {
  if (group >= 1 && (typeof channels !== "number" || channels % group === 0)) return;
  throw new GraftError("model-invalid", "the groups do not divide the channels", {
    expected: `a divisor of ${channels}`,
    actual: `${group} groups`,
  });
}
