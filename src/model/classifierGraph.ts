/** @file From a base and a head to one graph: pixels in, probabilities out, everything between them inside. */
import { type Builder, definitionsOf, type Graph, mapGraph, usesOf, type Value, verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor, tensorOf } from "../tensor/index.ts";
import type { Base, ValueRange } from "./base.ts";

/** The names of what goes into a classifier and what comes out of it. */
export const classifierPorts: {
  readonly image: "image";
  readonly features: "features";
  readonly logits: "logits";
  readonly probabilities: "probabilities";
} = { image: "image", features: "features", logits: "logits", probabilities: "probabilities" };

/**
 * What is done to features before a linear head reads them: nothing; the square root of each, with its sign; or division
 * by their Euclidean length, at least 1e-12.
 */
export type FeatureTransform = "none" | "sqrt" | "l2";

/** A linear head: logits are transformed features · kernel + bias. */
export interface ClassifierHead {
  /** `[features, classes]`. */
  readonly kernel: Float32Array;
  /** `[classes]`. */
  readonly bias: Float32Array;
  /** Default: `none`. */
  readonly transform?: FeatureTransform;
}

/** A head of any other form: appends nodes that compute logits `[N, classes]` from features `[N, features]`. */
export type GraphHead = (build: Builder, features: Value) => Value;

export interface PixelOptions {
  /** The element type of the pixels. Default: `uint8`. */
  readonly pixels?: "uint8" | "float32";
}

/** A graph from pixels to logits, and what training the head alone would train. */
export interface LogitsGraph {
  readonly graph: Graph;
  /** The names of the initializers that came with the head: `logits/kernel` and `logits/bias` for a linear one. */
  readonly headWeights: readonly string[];
}

/**
 * From pixels to features: input `image` `[N, height, width, 3]`, RGB 0–255; output `features` float32 `[N, features]`,
 * averaged over the map where the base gives one. The base's weights keep their names.
 *
 * @throws GraftError `usage` where nobody said which values the base was trained on; `model-invalid` where its output is
 *   not the features it promises
 */
export function headlessGraph(base: Base, options: PixelOptions = {}): Graph {
  const { build, features } = pixelsToFeatures(base, classifierPorts.features, options);
  return verify(build.graph([named(build, features, classifierPorts.features)], "features"));
}

/**
 * From pixels to logits: input `image` as `headlessGraph`, output `logits` float32 `[N, classes]`. The base's weights keep
 * their names.
 *
 * @throws GraftError as `headlessGraph`, and `usage` where the head does not fit the features
 */
export function logitsGraph(base: Base, head: ClassifierHead | GraphHead, options: PixelOptions = {}): LogitsGraph {
  const { build, features, weights } = pixelsToFeatures(base, classifierPorts.logits, options);
  const logits = typeof head === "function" ? head(build, features) : linearHead(build, features, head);
  const graph = verify(build.graph([named(build, logits, classifierPorts.logits)], "logits"));
  const headWeights = [...graph.initializers.entries()]
    .filter(([value, { dtype, shape }]) => !weights.has(value) && dtype === "float32" && shape.length > 0)
    .map(([value]) => value.name);
  return { graph, headWeights };
}

/**
 * A whole classifier: input `image` uint8 `[N, height, width, 3]`, RGB 0–255; outputs `probabilities` float32
 * `[N, classes]`, the softmax of logits over `temperature`, and `logits`, before the temperature.
 *
 * @throws GraftError as `logitsGraph` and `withProbabilities`
 */
export function classifierGraph(
  base: Base,
  head: ClassifierHead | GraphHead,
  options: PixelOptions & { readonly temperature?: number } = {},
): Graph {
  return withProbabilities(logitsGraph(base, head, options).graph, options.temperature);
}

/**
 * The graph with the outputs of a classifier: its one output, logits `[N, classes]`, and before it `probabilities`, the
 * softmax of logits over the temperature (Guo et al. 2017).
 *
 * @throws GraftError `usage` for a graph with another number of outputs, or a temperature that is not a number above 0
 */
export function withProbabilities(graph: Graph, temperature = 1): Graph {
  const [logits, ...others] = graph.outputs;
  if (logits === undefined || others.length > 0) {
    throw new GraftError("usage", "probabilities are made of one output, the logits", {
      path: [`graph "${graph.name}"`],
      actual: `${graph.outputs.length} outputs`,
    });
  }
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new GraftError("usage", "no such temperature", { expected: "a number above 0", actual: String(temperature) });
  }
  const build = newBuilder(withoutNames(graph, [classifierPorts.probabilities]));
  const scaled = temperature === 1 ? logits : build.div(logits, build.scalar(temperature, logits));
  const probabilities = build.apply("Softmax", [scaled], { axis: 1 }, classifierPorts.probabilities);
  return verify(build.graph([probabilities, named(build, logits, classifierPorts.logits)], "classifier"));
}

/**
 * The graph with other values in its initializers, by name: trained weights in their place.
 *
 * @throws GraftError `usage` for a name the graph has no initializer of, or a tensor of another type or shape
 */
export function withWeights(graph: Graph, weights: ReadonlyMap<string, NumericTensor>): Graph {
  const left = new Set(weights.keys());
  const initializers = new Map(graph.initializers);
  for (const [value, before] of graph.initializers) {
    const after = weights.get(value.name);
    if (after === undefined) continue;
    const [expected, actual] = [before, after].map(({ dtype, shape }) => `${dtype}[${shape.join(", ")}]`);
    if (expected === undefined || expected !== actual) {
      throw new GraftError("usage", "the weight does not fit its place", {
        path: [`value "${value.name}"`],
        expected: String(expected),
        actual: String(actual),
      });
    }
    initializers.set(value, after);
    left.delete(value.name);
  }
  const [unknown] = left;
  if (unknown === undefined) return { ...graph, initializers };
  throw new GraftError("usage", `the graph has no initializer "${unknown}"`, { path: [`graph "${graph.name}"`] });
}

interface FeatureBuilder {
  readonly build: Builder;
  /** float32 `[N, features]`. */
  readonly features: Value;
  /** What was constant before a head came. */
  readonly weights: ReadonlySet<Value>;
}

/** `result` is what the graph's output will be called: no value of the base keeps that name, unless it is that output. */
function pixelsToFeatures(base: Base, result: string, { pixels = "uint8" }: PixelOptions): FeatureBuilder {
  const taken = isFeatures(base.graph.outputs[0], result) ? [] : [result];
  const source = withoutNames(base.graph, [classifierPorts.image, ...taken]);
  const [input, output] = [source.inputs[0], source.outputs[0]];
  if (input === undefined || output === undefined || source.inputs.length > 1) {
    throw new GraftError("model-invalid", "a base takes pictures and gives features", {
      path: [base.name],
      expected: "one input and an output",
      actual: `${source.inputs.length} inputs and ${source.outputs.length} outputs`,
    });
  }
  const build = newBuilder();
  build.reserve(namesOf(source, input));
  const { height, width } = base.recipe;
  const image = build.input(classifierPorts.image, pixels, ["N", height, width, 3]);
  const prepared = preprocessed(build, image, input, base);
  // The base reads what was made of the pixels where it read its input; everything else keeps its identity.
  const fed = mapGraph(source, (value) => (value === input ? prepared : value));
  for (const [value, tensor] of fed.initializers) build.adoptConstant(value, tensor);
  for (const node of fed.nodes) build.adopt(node);
  const features = pooled(build, output === input ? prepared : output, base);
  return { build, features, weights: new Set(build.graph([features]).initializers.keys()) };
}

/** Whether a value can be the graph's features as it is: it has the name, and nothing is left to average. */
function isFeatures(output: Value | undefined, name: string): boolean {
  return output?.name === name && output.dtype === "float32" && output.shape?.length === 2;
}

/** From RGB 0–255 `[N, H, W, 3]` to what the base was trained on, in its order of axes. */
function preprocessed(build: Builder, image: Value, input: Value, base: Base): Value {
  const { range, layout } = base;
  if (range === undefined) {
    throw new GraftError("usage", "nobody said which values the base was trained on", {
      path: [base.name],
      hint: "measure its range first, or name it",
    });
  }
  const ordered = range.channels === "rgb" ? image : build.gather(image, build.ints([2, 1, 0]), 3);
  const placed = layout === "channels_first" ? build.transpose(ordered, [0, 3, 1, 2]) : ordered;
  const numbers = build.cast(placed, "float32");
  const scaled = affine(build, numbers, range, layout);
  // What is known of the input's element type decides; a base of float16 takes its own.
  return input.dtype === undefined ? scaled : build.cast(scaled, input.dtype);
}

function affine(build: Builder, value: Value, { scale, offset }: ValueRange, layout: Base["layout"]): Value {
  const constant = (numbers: readonly [number, number, number]) => {
    const [first] = numbers;
    if (numbers.every((number) => number === first)) return build.scalar(first, value);
    return build.constant(tensorOf("float32", layout === "channels_first" ? [3, 1, 1] : [3], numbers));
  };
  const scaled = scale.every((factor) => factor === 1) ? value : build.mul(value, constant(scale));
  return offset.every((shift) => shift === 0) ? scaled : build.add(scaled, constant(offset));
}

/** float32 `[N, features]`: the mean over every axis but the batch's and the features'. */
function pooled(build: Builder, output: Value, base: Base): Value {
  const { shape } = output;
  const axes = shape?.map((_, axis) => axis).slice(1);
  // Where both the second and the last axis are as long as there are features, the layout tells which one it is.
  const candidates = axes?.filter((axis) => shape?.[axis] === base.features) ?? [];
  const axis = base.layout === "channels_first" ? candidates[0] : candidates.at(-1);
  if (axes === undefined || axis === undefined) {
    throw new GraftError("model-invalid", "the base's output is not the features it promises", {
      path: [base.name, `value "${output.name}"`],
      expected: `[N, …] with an axis of ${base.features}`,
      actual: shape === undefined ? "an unknown shape" : `[${shape.join(", ")}]`,
    });
  }
  return build.reduceMean(
    build.cast(output, "float32"),
    axes.filter((each) => each !== axis),
    false,
  );
}

function linearHead(build: Builder, features: Value, { kernel, bias, transform = "none" }: ClassifierHead): Value {
  const width = features.shape?.[1];
  if (typeof width !== "number" || kernel.length !== width * bias.length || bias.length === 0) {
    throw new GraftError("usage", "the head does not fit the features", {
      expected: `a kernel of ${width} × classes and a bias of as many classes`,
      actual: `${kernel.length} and ${bias.length} numbers`,
    });
  }
  const { logits } = classifierPorts;
  return build.apply(
    "Gemm",
    [
      transformed(build, features, transform),
      weight(build, float32([width, bias.length], kernel), `${logits}/kernel`),
      weight(build, float32([bias.length], bias), `${logits}/bias`),
    ],
    {},
    logits,
  );
}

function transformed(build: Builder, features: Value, transform: FeatureTransform): Value {
  if (transform === "none") return features;
  if (transform === "sqrt") {
    const root = (value: Value) => build.sqrt(build.apply("Relu", [value]));
    // The features of most bases are never negative; where they are, the root keeps the sign.
    return build.sub(root(features), root(build.neg(features)));
  }
  const length = build.apply("ReduceL2", [features, build.ints([1])], { keepdims: true });
  return build.div(features, build.apply("Max", [length, build.scalar(1e-12, features)]));
}

/** A constant of its own, whatever others are equal to it: it may be trained. */
function weight(build: Builder, tensor: NumericTensor, name: string): Value {
  const value: Value = { name: build.unused(name), dtype: tensor.dtype, shape: tensor.shape };
  build.adoptConstant(value, tensor);
  return value;
}

/** The value under this name: itself where it has it, else a copy. */
function named(build: Builder, value: Value, name: string): Value {
  return value.name === name ? value : build.apply("Identity", [value], {}, name);
}

/** What the graph calls its values and nodes, which ONNX Runtime wants to differ too. */
function namesOf(graph: Graph, without: Value): readonly string[] {
  const values = [
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => [...definitionsOf(node), ...usesOf(node)]),
  ];
  return [...values.filter((value) => value !== without), ...graph.nodes].map(({ name }) => name);
}

/** The graph with its own values and nodes called otherwise where they have one of these names. Weights keep theirs. */
function withoutNames(graph: Graph, names: readonly string[]): Graph {
  const taken = new Set(names);
  const renamed = new Map<Value, Value>();
  for (const value of [...graph.inputs, ...graph.nodes.flatMap(definitionsOf)]) {
    if (taken.has(value.name)) renamed.set(value, { ...value, name: `base/${value.name}` });
  }
  const nodes = graph.nodes.map((node) => (taken.has(node.name) ? { ...node, name: `base/${node.name}` } : node));
  const changed = { ...graph, nodes };
  return renamed.size === 0 ? changed : mapGraph(changed, (value) => renamed.get(value) ?? value);
}
