/** @file Whole numbers and what becomes of them: bins, look-ups, one-hot codes. */
import type { Value } from "../graph/index.ts";
import { float32, GraftError, int64Vector } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, floatAt, inputAt } from "./orient.ts";

/** Codes `[…, depth]` of whole numbers; in the modes that join, of all numbers of the last axis together. */
function encoded(indices: Value, depth: number, mode: string, weights: Value | undefined, call: LayerCall): Flow {
  const { build, name } = call;
  const rank = indices.shape?.length ?? 1;
  const isColumn = rank > 1 && indices.shape?.at(-1) === 1;
  const codes = (x: Value) => {
    const values = build.constant(float32([2], Float32Array.of(0, 1)));
    return build.apply("OneHot", [build.cast(x, "int64"), build.ints([depth]), values]);
  };
  if (mode === "one_hot") {
    const flat = isColumn ? build.squeeze(indices, [-1]) : indices;
    return asLast(call, build.apply("Identity", [codes(flat)], {}, name));
  }
  if (mode !== "multi_hot" && mode !== "count") {
    throw new GraftError("model-refused", `the output mode ${mode} is not known here`);
  }
  const own = codes(rank === 1 ? build.unsqueeze(indices, [1]) : indices);
  const axes = build.ints([-2]);
  if (mode === "multi_hot") return asLast(call, build.apply("ReduceMax", [own, axes], { keepdims: false }, name));
  const weighed = weights === undefined ? own : build.mul(own, build.unsqueeze(build.cast(weights, "float32"), [-1]));
  return asLast(call, build.apply("ReduceSum", [weighed, axes], { keepdims: false }, name));
}

const categoryEncoding: LowerLayer = (inputs, call) => {
  const { config } = call;
  const weights = call.call.named.get("count_weights")?.[0]?.data.last();
  const mode = config.text("output_mode", "multi_hot");
  return encoded(inputAt(inputs).data.last(), config.count("num_tokens"), mode, weights, call);
};

/** The number of a bin is the number of boundaries that are not above the value. */
const discretization: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  if (!config.has("bin_boundaries")) {
    throw new GraftError("model-refused", "its boundaries were learnt from data, and the config does not hold them");
  }
  const boundaries = config.numbers("bin_boundaries");
  const x = build.unsqueeze(floatAt(inputs, call).data.last(), [-1]);
  const edges = build.constant(float32([boundaries.length], Float32Array.from(boundaries)), `${name}/boundaries`);
  const passed = build.cast(build.apply("GreaterOrEqual", [x, edges]), "int64");
  const mode = config.text("output_mode", "int");
  const bins = build.reduceSum(passed, [-1], false);
  if (mode !== "int") return encoded(bins, boundaries.length + 1, mode, undefined, call);
  // The type that Keras gives whole numbers.
  return asLast(call, build.apply("Cast", [bins], { to: call.kerasVersion >= 3 ? "int32" : "int64" }, name));
};

/** The most entries of a vocabulary that every number is compared with. */
const largestVocabulary = 65_536;

/** The place of a number in the vocabulary, after those of the mask and of numbers that are not in it. */
const integerLookup: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  if (!config.has("vocabulary")) {
    throw new GraftError("model-refused", "its vocabulary was learnt from data, and the config does not hold it");
  }
  const mode = config.text("output_mode", "int");
  const mask = config.has("mask_token") ? config.number("mask_token") : undefined;
  const unknown = config.count("num_oov_indices", 1);
  const vocabulary = config.numbers("vocabulary").filter((each) => each !== mask);
  if (unknown > 1 || vocabulary.length > largestVocabulary || config.boolean("invert", false)) {
    throw new GraftError("model-refused", "it is a look-up of a kind that is not known here", {
      expected: `at most ${largestVocabulary} numbers, one place for others, not inverted`,
    });
  }
  // The mask has a place of its own where numbers stay numbers.
  const offset = mask !== undefined && mode === "int" ? 1 : 0;
  const x = build.cast(inputAt(inputs).data.last(), "int64");
  const entries = build.constant(int64Vector(vocabulary), `${name}/vocabulary`);
  const places = build.ints(vocabulary.map((_, index) => index + offset + unknown));
  const isHere = build.equal(build.unsqueeze(x, [-1]), entries);
  const place = build.reduceSum(build.mul(build.cast(isHere, "int64"), places), [-1], false);
  const isMissing = build.equal(place, build.scalar(0, place));
  const found = build.where(isMissing, build.scalar(offset, place), place);
  const masked =
    mask === undefined ? found : build.where(build.equal(x, build.scalar(mask, x)), build.scalar(0, found), found);
  if (mode === "int") return asLast(call, build.apply("Identity", [masked], {}, name));
  const depth = config.boolean("pad_to_max_tokens", false) ? config.count("max_tokens") : vocabulary.length + unknown;
  const codes = encoded(masked, depth, mode, undefined, call);
  // The look-up of Keras 3 gives whole numbers in every mode.
  return call.kerasVersion >= 3 ? { data: codes.data.map((x) => build.cast(x, "int64")) } : codes;
};

/** Text and hashes are not numbers that a graph works on. */
const refused: LowerLayer = (_, { name }) => {
  throw new GraftError("model-refused", "it works on texts or hashes, which a graph does not hold", {
    actual: name,
    hint: "cut the model after it, and give it what that layer gives",
  });
};

export const categoryLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["CategoryEncoding", { lower: categoryEncoding }],
  ["Discretization", { lower: discretization }],
  ["IntegerLookup", { lower: integerLookup }],
  ["Hashing", { lower: refused }],
  ["HashedCrossing", { lower: refused }],
];
