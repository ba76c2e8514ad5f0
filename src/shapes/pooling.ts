/** @file Shapes of pools: batch and channels stay, spatial axes shrink. */
import type { Application, PoolAttributes, PoolingOperators, ValueType } from "../graph/index.ts";
import { GraftError, type Shape } from "../tensor/index.ts";
import { expectRank, inputAt, type ShapeRule, type ShapeRules, shapeFrom, typed, unknownOfRank } from "./rule.ts";
import { transposedWindowGeometry, windowGeometry } from "./windows.ts";

function pooledShape(application: Application<"AveragePool" | "LpPool" | "MaxPool">): Shape | undefined {
  const x = inputAt(application, 0);
  const attributes: PoolAttributes = application.attributes;
  // The kernel tells the rank even where the input does not.
  const rank = attributes.kernelShape.length;
  expectRank(x, "the pooled input", rank + 2);
  const [batch = null, channels = null, ...spatial] = x.shape ?? unknownOfRank(rank + 2);
  return [batch, channels, ...windowGeometry(spatial, attributes).output];
}

const pool: ShapeRule<"AveragePool" | "LpPool"> = (application) => [
  typed(inputAt(application, 0), pooledShape(application)),
];

/** [N, C, …] → [N, C, 1, …] */
const global = (application: Application): readonly ValueType[] => {
  const x = inputAt(application, 0);
  expectRank(x, "the pooled input", 2, Number.POSITIVE_INFINITY);
  return [
    typed(
      x,
      x.shape?.map((size, axis) => (axis < 2 ? size : 1)),
    ),
  ];
};

export const poolingShapes: ShapeRules<PoolingOperators> = {
  AveragePool: pool,
  GlobalAveragePool: global,
  GlobalLpPool: global,
  GlobalMaxPool: global,
  LpPool: pool,
  MaxPool: (application) => {
    const shape = pooledShape(application);
    return [typed(inputAt(application, 0), shape), { dtype: "int64", shape }];
  },
  // The inverse of MaxPool's formula, unless a third input says the shape.
  MaxUnpool: (application, known) => {
    const x = inputAt(application, 0);
    const { kernelShape, pads, strides } = application.attributes;
    const rank = kernelShape.length + 2;
    expectRank(x, "the unpooled input", rank);
    if (application.inputs[2] !== undefined) {
      const shape = shapeFrom(application.inputs[2], known) ?? unknownOfRank(rank);
      if (shape.length === rank) return [typed(x, shape)];
      throw new GraftError("model-invalid", "output_shape has the wrong length", {
        expected: `${rank} elements`,
        actual: `${shape.length}`,
      });
    }
    const [batch = null, channels = null, ...spatial] = x.shape ?? unknownOfRank(rank);
    return [typed(x, [batch, channels, ...transposedWindowGeometry(spatial, { kernelShape, pads, strides }).output])];
  },
};
