/** @file Two looks at each picture inside the graph: at all of it and at its middle, and the mean of what is said of both. */
import { type Builder, mapGraph, type Value, verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Base } from "./base.ts";

/** The part of each side that the look at the middle keeps. */
const middle = 0.8;

/**
 * The base with features that are the mean of two looks: at the whole picture and at its middle four fifths of each
 * side. Pictures come in larger, so that the middle is cut out as it is and the whole is shrunk; the base itself sees
 * pictures of its own size, twice as many. Going forward takes twice as long. The layers are the base's.
 *
 * On frozen features this gains more than fine-tuning (docs/decisions/0002-head-recipe.md).
 *
 * @throws GraftError `model-invalid` for a base that does not take pictures alone
 */
export function withTwoViews(base: Base): Base {
  const [input, ...others] = base.graph.inputs;
  const [output] = base.graph.outputs;
  if (input === undefined || output === undefined || others.length > 0) {
    throw new GraftError("model-invalid", "a base takes pictures and gives features", { path: [base.name] });
  }
  const { height, width } = base.recipe;
  const recipe = { ...base.recipe, height: enlarged(height), width: enlarged(width) };
  const spatial = base.layout === "channels_first" ? [2, 3] : [1, 2];
  const build = newBuilder();
  build.reserve([...base.graph.nodes].flatMap(({ outputs }) => outputs.flatMap((value) => value?.name ?? [])));
  build.reserve([...base.graph.initializers.keys()].map(({ name }) => name));
  const shape =
    base.layout === "channels_first" ? ["N", 3, recipe.height, recipe.width] : ["N", recipe.height, recipe.width, 3];
  const pictures = build.input(input.name, input.dtype, shape);
  const views = build.apply(
    "Concat",
    [shrunk(build, pictures, [height, width], spatial), cutOut(build, pictures, recipe, [height, width], spatial)],
    { axis: 0 },
    "views",
  );
  // Inside, a batch is of views: the base's name for its size would say it is of pictures.
  const batch = input.shape?.[0];
  const inside = new Map<Value, Value>([[input, views]]);
  const map = (value: Value): Value => {
    const known = inside.get(value);
    if (known !== undefined) return known;
    const isOfBatch = value.shape?.some((size) => size === batch && typeof size !== "number") === true;
    const mapped = isOfBatch ? { ...value, shape: value.shape?.map((size) => (size === batch ? null : size)) } : value;
    inside.set(value, mapped);
    return mapped;
  };
  const fed = mapGraph(base.graph, map);
  for (const [value, tensor] of fed.initializers) build.adoptConstant(value, tensor);
  for (const node of fed.nodes) build.adopt(node);
  const rest = (output.shape ?? []).slice(1);
  if (rest.length === 0 || !rest.every((size) => typeof size === "number")) {
    throw new GraftError("model-invalid", "the sizes of a base's features must be known", { path: [base.name] });
  }
  const pairs = build.reshape(map(output), [2, -1, ...rest]);
  const mean = build.apply("ReduceMean", [pairs, build.ints([0])], { keepdims: false }, "features_of_views");
  return { ...base, recipe, graph: verify(build.graph([mean], base.graph.name)) };
}

/** The size whose middle is `size`, with borders of whole pixels. */
function enlarged(size: number): number {
  return size + 2 * Math.round((size / middle - size) / 2);
}

function shrunk(build: Builder, pictures: Value, size: readonly number[], axes: readonly number[]): Value {
  const options = { mode: "linear", coordinateTransformationMode: "half_pixel", axes } as const;
  return build.apply("Resize", [pictures, undefined, undefined, build.ints(size)], options, "whole");
}

function cutOut(
  build: Builder,
  pictures: Value,
  from: { readonly height: number; readonly width: number },
  [height = 0, width = 0]: readonly number[],
  axes: readonly number[],
): Value {
  const starts = [(from.height - height) / 2, (from.width - width) / 2];
  const ends = [(from.height + height) / 2, (from.width + width) / 2];
  return build.slice(pictures, starts, ends, axes);
}

/** The base as it looks at pictures so often: twice, or with 1 as it is. Throws as `withTwoViews`. */
export function withViews(base: Base, views: 1 | 2 = 2): Base {
  return views === 1 ? base : withTwoViews(base);
}
