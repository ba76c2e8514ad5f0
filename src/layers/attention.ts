/** @file Attention: of many heads, of groups of them, and by dot products or sums of two sequences. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, floatAt, sizeAt } from "./orient.ts";
import { softmaxOver } from "./softmax.ts";

/** An input that is given in its place or by name. */
function given(inputs: readonly Flow[], call: LayerCall, index: number, name: string): Flow | undefined {
  const flow = inputs[index] ?? call.call.named.get(name)?.[0];
  return flow === undefined ? undefined : floatAt([flow], call);
}

function expected(flow: Flow | undefined, name: string): Flow {
  if (flow !== undefined) return flow;
  throw new GraftError("model-invalid", `its ${name} is missing`);
}

interface Attended {
  readonly query: Flow;
  readonly value: Flow;
  readonly key: Flow;
}

function attendedOf(inputs: readonly Flow[], call: LayerCall): Attended {
  const query = expected(given(inputs, call, 0, "query"), "query");
  const value = expected(given(inputs, call, 1, "value"), "value");
  return { query, value, key: given(inputs, call, 2, "key") ?? value };
}

const letters = "abcdefghijklmnopqrstuvwxyz";

interface Projection {
  readonly name: string;
  /** The attribute of the layer that projects. */
  readonly holder: string;
  /** How many of the input's last axes are summed over. */
  readonly bound: number;
  readonly output: readonly number[];
}

/** An EinsumDense over the last axes. */
function projected(x: Value, { name, holder, bound, output }: Projection, call: LayerCall): Value {
  const { build, config } = call;
  const rank = x.shape?.length ?? 0;
  const input = letters.slice(0, rank);
  const summed = input.slice(rank - bound);
  const made = letters.slice(rank, rank + output.length);
  const sizes = (x.shape ?? []).slice(rank - bound).map((size) => {
    if (typeof size === "number") return size;
    throw new GraftError("model-invalid", "the number of features must be known", { path: [name] });
  });
  const options = { holder: [holder] };
  const kernel = call.weight(`${name}/kernel`, [...sizes, ...output], options);
  const equation = `${input},${summed}${made}->${input.slice(0, rank - bound)}${made}`;
  const product = build.apply("Einsum", [x, kernel], { equation }, `${call.name}/${name}`);
  if (!config.boolean("use_bias", true)) return product;
  return build.add(product, call.weight(`${name}/bias`, output, options));
}

/** Where the rows of queries may look at the columns of values, bool: what masks and arguments say together. */
function attentionMask({ query, value, key }: Attended, call: LayerCall): Value | undefined {
  const { build } = call;
  const named = (name: string) => call.call.named.get(name)?.[0]?.data.last();
  const bool = (mask: Value) => build.cast(mask, "bool");
  const rows = named("query_mask") ?? query.mask;
  const columns = named("value_mask") ?? value.mask;
  const keys = named("key_mask") ?? (key === value ? undefined : key.mask);
  const masks = [
    rows === undefined ? undefined : build.unsqueeze(bool(rows), [2]),
    columns === undefined ? undefined : build.unsqueeze(bool(columns), [1]),
    keys === undefined ? undefined : build.unsqueeze(bool(keys), [1]),
    call.call.config.boolean("use_causal_mask", false) ? causalMask(query, value, call) : undefined,
    slidingWindow(query, value, call),
    named("attention_mask"),
  ].filter((mask) => mask !== undefined);
  const [first, ...others] = masks.map(bool);
  return first === undefined ? undefined : others.reduce((all, mask) => build.and(all, mask), first);
}

/** How far row i of the queries lies after column j of the values, int64 `[1, T, S]`. */
function distances(query: Flow, value: Flow, { build }: LayerCall): Value {
  const [zero, one] = [0n, 1n].map((each) =>
    build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(each) }),
  );
  const positions = (flow: Flow) =>
    build.apply("Range", [zero, build.squeeze(build.sizeOf(flow.data.last(), 1), [0]), one]);
  return build.sub(build.unsqueeze(positions(query), [0, 2]), build.unsqueeze(positions(value), [0, 1]));
}

/** What comes later is not looked at. */
function causalMask(query: Flow, value: Flow, call: LayerCall): Value {
  const apart = distances(query, value, call);
  return call.build.apply("GreaterOrEqual", [apart, call.build.scalar(0, apart)]);
}

function slidingWindow(query: Flow, value: Flow, call: LayerCall): Value | undefined {
  if (!call.config.has("sliding_window")) return undefined;
  const apart = distances(query, value, call);
  return call.build.less(
    call.build.apply("Abs", [apart]),
    call.build.scalar(call.config.count("sliding_window"), apart),
  );
}

/** A score far below any other. */
const nothing = -3e38;

function masked(scores: Value, mask: Value | undefined, { build }: LayerCall): Value {
  return mask === undefined ? scores : build.where(mask, scores, build.scalar(nothing, scores));
}

/** Dropout of the scores, which training puts to work again. */
function dropped(scores: Value, { build, config }: LayerCall): Value {
  const rate = config.number("dropout", 0);
  return rate === 0 ? scores : build.apply("Dropout", [scores, build.scalar(rate, scores)]);
}

/** The layer's results: what was attended, and the scores where the call asks for them. */
function results(output: Value, scores: Value, query: Flow, call: LayerCall): readonly Flow[] {
  const flow: Flow = { ...asLast(call, output), mask: query.mask };
  return call.call.config.boolean("return_attention_scores", false) ? [flow, asLast(call, scores)] : [flow];
}

/** Softmax(Q·Kᵀ / √d)·V in every head, along `attention_axes`. */
const multiHead: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const attended = attendedOf(inputs, call);
  const heads = config.count("num_heads");
  const keySize = config.count("key_dim");
  const valueSize = config.count("value_dim", keySize);
  const head = (own: string, from: Flow, size: number) =>
    projected(from.data.last(), { name: own, holder: `${own}_dense`, bound: 1, output: [heads, size] }, call);
  const query = head("query", attended.query, keySize);
  const key = head("key", attended.key, keySize);
  const gate = config.boolean("use_gate", false)
    ? build.apply("Sigmoid", [head("gate", attended.query, valueSize)])
    : undefined;
  const value = head("value", attended.value, valueSize);
  const rank = query.shape?.length ?? 4;
  const axes = config.has("attention_axes")
    ? config.numbers("attention_axes").map((axis) => (axis < 0 ? axis + rank - 1 : axis))
    : Array.from({ length: rank - 3 }, (_, index) => index + 1);
  // Queries have the first letters, keys and values others along the axes that are attended.
  const target = [...letters.slice(0, rank)];
  const source = target.map((letter, axis) => (axes.includes(axis) ? (letters[rank + axis] ?? letter) : letter));
  const batch = target.filter((_, axis) => axis < rank - 1 && !axes.includes(axis));
  const product = [...batch, ...axes.map((axis) => target[axis]), ...axes.map((axis) => source[axis])].join("");
  const toScores = `${target.join("")},${source.join("")}->${product}`;
  const scores = build.apply(
    "Einsum",
    [build.scale(query, 1 / Math.sqrt(keySize)), key],
    { equation: toScores },
    `${name}/scores`,
  );
  let mask = attentionMask(attended, call);
  for (let missing = product.length - (mask?.shape?.length ?? product.length); missing > 0 && mask; missing--) {
    // Before the axes of queries and values, as Keras puts them.
    mask = build.unsqueeze(mask, [-axes.length * 2 - 1]);
  }
  const last = axes.map((_, index) => product.length - axes.length + index);
  const weights = softmaxOver(build, masked(scores, mask, call), last, `${name}/softmax`);
  const combine = `${product},${source.join("")}->${target.join("")}`;
  const joined = build.apply("Einsum", [dropped(weights, call), value], { equation: combine }, `${name}/attended`);
  const kept = gate === undefined ? joined : build.mul(joined, gate);
  const width = config.has("output_shape") ? config.numbers("output_shape") : [sizeAt(attended.query, -1)];
  const output = projected(kept, { name: "attention_output", holder: "output_dense", bound: 2, output: width }, call);
  return results(build.apply("Identity", [output], {}, name), weights, attended.query, call);
};

/** Several heads of queries share one of keys and values. */
const groupedQuery: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const attended = attendedOf(inputs, call);
  const [size, heads, groups] = [
    config.count("head_dim"),
    config.count("num_query_heads"),
    config.count("num_key_value_heads"),
  ];
  if (groups < 1 || heads % groups > 0) return config.refuse("num_key_value_heads", `a divisor of ${heads}`, groups);
  const head = (own: string, from: Flow, count: number) =>
    projected(from.data.last(), { name: own, holder: `_${own}_dense`, bound: 1, output: [count, size] }, call);
  const query = head("query", attended.query, heads);
  const key = head("key", attended.key, groups);
  const gate = config.boolean("use_gate", false)
    ? build.apply("Sigmoid", [head("gate", attended.query, heads)])
    : undefined;
  const value = head("value", attended.value, groups);
  const shared = build.ints(Array.from({ length: heads }, (_, index) => Math.floor((index * groups) / heads)));
  const [keys, values] = [key, value].map((each) => build.gather(each, shared, 2));
  const scaled = build.scale(query, 1 / Math.sqrt(size));
  const scores = build.apply("Einsum", [scaled, keys], { equation: "bquh,bkuh->buqk" }, `${name}/scores`);
  const mask = attentionMask(attended, call);
  const wide = mask === undefined || mask.shape?.length === 4 ? mask : build.unsqueeze(mask, [-3]);
  const weights = build.apply("Softmax", [masked(scores, wide, call)], { axis: 3 }, `${name}/softmax`);
  const joined = build.apply("Einsum", [dropped(weights, call), values], { equation: "buqk,bkuh->bquh" });
  const kept = gate === undefined ? joined : build.mul(joined, gate);
  const width = [sizeAt(attended.query, -1)];
  const output = projected(kept, { name: "attention_output", holder: "_output_dense", bound: 2, output: width }, call);
  return results(build.apply("Identity", [output], {}, name), weights, attended.query, call);
};

/** From queries `[N, T, 1, d]` and keys `[N, 1, S, d]` to scores `[N, T, S]`. */
type Score = (query: Value, key: Value, call: LayerCall) => Value;

function pairs(query: Value, key: Value, { build }: LayerCall): Value {
  const rank = query.shape?.length ?? 3;
  return build.add(build.unsqueeze(query, [rank - 1]), build.unsqueeze(key, [rank - 2]));
}

/** q·k, times a learnt number; or w · Σ tanh(s·(q + k)). */
const luongScore: Score = (query, key, call) => {
  const { build, config } = call;
  const scale = config.boolean("use_scale", false) ? call.weight("scale", []) : undefined;
  const scaled = (value: Value) => (scale === undefined ? value : build.mul(value, scale));
  if (config.text("score_mode", "dot") === "concat") {
    const weight = call.weight("concat_score_weight", []);
    const bent = build.apply("Tanh", [scaled(pairs(query, key, call))]);
    return build.mul(build.reduceSum(bent, [-1], false), weight);
  }
  const rank = key.shape?.length ?? 3;
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  perm.push(...perm.splice(rank - 2).reverse());
  return scaled(build.matMul(query, build.transpose(key, perm)));
};

/** Σ s·tanh(q + k) */
const bahdanauScore: Score = (query, key, call) => {
  const { build, config } = call;
  const size = query.shape?.at(-1);
  const bent = build.apply("Tanh", [pairs(query, key, call)]);
  const scale = config.boolean("use_scale", true) ? call.weight("scale", [Number(size)]) : undefined;
  return build.reduceSum(scale === undefined ? bent : build.mul(bent, scale), [-1], false);
};

/** What Keras takes from a score where a mask says that it does not count. */
const penalty = 1e9;

function attention(score: Score): LowerLayer {
  return (inputs, call) => {
    const { build, name, config } = call;
    const query = floatAt(inputs, call);
    const value = floatAt(inputs, call, 1);
    const key = inputs.length > 2 ? floatAt(inputs, call, 2) : value;
    const scores = score(query.data.last(), key.data.last(), call);
    const masks = call.call.named.get("mask") ?? [];
    const rows = masks[0]?.data.last() ?? query.mask;
    const columns = masks[1]?.data.last() ?? value.mask;
    const isCausal = call.call.config.boolean("use_causal_mask", config.boolean("causal", false));
    const parts = [
      columns === undefined ? undefined : build.unsqueeze(build.cast(columns, "bool"), [1]),
      isCausal ? causalMask(query, value, call) : undefined,
    ].filter((mask) => mask !== undefined);
    const [first, ...others] = parts;
    const mask = first && others.reduce((all, each) => build.and(all, each), first);
    const counted = mask === undefined ? scores : build.where(mask, scores, build.shift(scores, -penalty));
    const weights = build.apply("Softmax", [counted], { axis: -1 }, `${name}/softmax`);
    const output = build.apply("MatMul", [dropped(weights, call), value.data.last()], {}, name);
    const kept =
      rows === undefined
        ? output
        : build.where(build.unsqueeze(build.cast(rows, "bool"), [2]), output, build.scalar(0, output));
    return results(kept, weights, query, call);
  };
}

export const attentionLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["MultiHeadAttention", { lower: multiHead }],
  ["GroupQueryAttention", { lower: groupedQuery }],
  ["GroupedQueryAttention", { lower: groupedQuery }],
  ["Attention", { lower: attention(luongScore) }],
  ["AdditiveAttention", { lower: attention(bahdanauScore) }],
];
