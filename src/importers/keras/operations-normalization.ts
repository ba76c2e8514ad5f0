/** @file Operations that normalize: by given moments, or by those of axes. */
import { Oriented, type Value } from "../../graph/index.ts";
import { elementCount, GraftError, isStatic } from "../../tensor/index.ts";
import { asFloating, type Operation } from "./operations-elements.ts";
import { positiveAxis, rankOf } from "./operations-reduce.ts";

/** By the moments given, with scale and offset where they are. */
const batchNormalization: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const value = x.last();
  const rank = rankOf(x);
  const [axis = rank - 1, ...others] = given.integers("axis") ?? [-1];
  if (others.length > 0) throw new GraftError("model-refused", "several axes of channels are not known");
  const own = positiveAxis(axis, rank);
  const placed = (parameter: string): Value => {
    const each = given.tensor(parameter, "float32").last();
    const trailing = Array.from({ length: rank - 1 - own }, (_, index) => index + 1);
    return each.shape?.length === 1 ? build.unsqueeze(each, trailing) : each;
  };
  const centred = build.sub(value, placed("mean"));
  const deviation = build.sqrt(build.shift(placed("variance"), given.number("epsilon", 1e-3)));
  const scaled = given.has("scale")
    ? build.mul(build.div(centred, deviation), placed("scale"))
    : build.div(centred, deviation);
  return Oriented.last(build, given.has("offset") ? build.add(scaled, placed("offset")) : scaled);
};

/** By the moments of some axes, with scale and offset where they are; `rms_scaling` only divides, by the deviation. */
const layerNormalization: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const value = asFloating(x.last(), given);
  const rank = rankOf(x);
  const axes = (given.integers("axis") ?? [-1]).map((axis) => positiveAxis(axis, rank));
  const [axis = rank - 1, ...others] = axes;
  if (others.length > 0 || axis !== rank - 1)
    throw new GraftError("model-refused", "only the last axis can be normalized so");
  const centred = build.sub(value, build.reduceMean(value, axes));
  const variance = build.reduceMean(build.square(centred), axes);
  const deviation = build.sqrt(build.shift(variance, given.number("epsilon", 1e-7)));
  const isScaledOnly = given.boolean("rms_scaling", false);
  const normal = build.div(isScaledOnly ? value : centred, deviation);
  const scaled = given.has("scale") ? build.mul(normal, given.tensor("scale", "float32").last()) : normal;
  return Oriented.last(
    build,
    given.has("offset") && !isScaledOnly ? build.add(scaled, given.tensor("offset", "float32").last()) : scaled,
  );
};

/** By the root of the mean square along the last axis. */
const rmsNormalization: Operation = (given) => {
  const { build } = given;
  const value = asFloating(given.tensor("x").last(), given);
  given.expectDefault("axis", -1, [-1]);
  const root = build.sqrt(
    build.shift(build.reduceMean(build.square(value), [(value.shape?.length ?? 1) - 1]), given.number("epsilon", 1e-7)),
  );
  const normal = build.div(value, root);
  return Oriented.last(build, given.has("scale") ? build.mul(normal, given.tensor("scale", "float32").last()) : normal);
};

/** Each picture with mean 0 and deviation 1, which counts as no less than 1/√elements. */
const perImageStandardization: Operation = (given) => {
  const { build } = given;
  const x = given.tensor("x");
  const sizes = x.shape?.slice(-3);
  if (!isStatic(sizes)) throw new GraftError("model-invalid", "the sizes of the pictures must be known");
  const axes = [-3, -2, -1].map((axis) => x.nativeAxis(axis));
  return x.map((own) => {
    const value = asFloating(own, given);
    const centred = build.sub(value, build.reduceMean(value, axes));
    const deviation = build.sqrt(build.reduceMean(build.square(centred), axes));
    return build.div(
      centred,
      build.apply("Max", [deviation, build.scalar(1 / Math.sqrt(elementCount(sizes)), deviation)]),
    );
  });
};

/** Divided by what lies beside it among the channels (AlexNet's). */
const localResponse: Operation = (given) => {
  const { build, name } = given;
  const size = 2 * given.integer("radius", 5) + 1;
  const attributes = {
    size,
    bias: given.number("bias", 1),
    alpha: given.number("alpha", 1) * size,
    beta: given.number("beta", 0.5),
  };
  return Oriented.first(build, build.apply("LRN", [given.tensor("x").first()], attributes, name));
};

export const normalizationOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["per_image_standardization", perImageStandardization],
  ["local_response", localResponse],
  ["batch_normalization", batchNormalization],
  ["layer_normalization", layerNormalization],
  ["rms_normalization", rmsNormalization],
]);
