/** @file The core: products with weights, look-ups, masks, and layers that change nothing. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { activated, isLinear } from "./activations.ts";
import type { Flow, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, channelsOf, floatAt, inputAt, rankOf, sizeAt } from "./orient.ts";

const dense: LowerLayer = (inputs, call) => {
  const input = floatAt(inputs, call);
  const { build, config, name } = call;
  const units = config.count("units");
  const kernel = call.weight("kernel", [channelsOf(input), units]);
  const bias = config.boolean("use_bias", true) ? call.weight("bias", [units]) : undefined;
  const x = input.data.last();
  const activation = config.get("activation");
  const own = isLinear(activation) ? name : `${name}/logits`;
  const isMatrix = x.shape?.length === 2 && bias !== undefined;
  const product = isMatrix
    ? build.apply("Gemm", [x, kernel, bias], {}, own)
    : build.apply("MatMul", [x, kernel], {}, bias === undefined ? own : `${name}/product`);
  const y = isMatrix || bias === undefined ? product : build.apply("Add", [product, bias], {}, own);
  return activated(asLast(call, y), call, activation);
};

/** The letters of an einsum whose ellipsis is written out, for an input of `rank` axes. */
function lettersOf(equation: string, rank: number): { input: string; kernel: string; output: string; elided: string } {
  const parts = /^([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)$/.exec(equation.replaceAll(" ", ""));
  const [, input = "", kernel = "", output = ""] = parts ?? [];
  const used = new Set(`${input}${kernel}${output}`);
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((letter) => !used.has(letter));
  const elided = input.includes("...") ? free.slice(0, Math.max(0, rank - input.length + 3)).join("") : "";
  const whole = [input, output].map((each) => each.replace("...", elided));
  const [from = "", to = ""] = whole;
  if (parts === null || whole.some((each) => each.includes(".")) || from.length !== rank) {
    throw new GraftError("model-invalid", "its equation does not fit its input", {
      expected: `${rank} axes`,
      actual: equation.slice(0, 80),
    });
  }
  return { input: from, kernel, output: to, elided };
}

const einsumDense: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = floatAt(inputs, call);
  const equation = config.text("equation");
  const letters = lettersOf(equation, rankOf(input));
  const given = config.get("output_shape") ?? [];
  const shape: readonly unknown[] = Array.isArray(given) ? given : [given];
  // The shape says nothing of the batch, and nothing of axes that an ellipsis stands for in front.
  const skipped = equation.includes("->...") ? letters.output.length - shape.length : 1;
  const size = (letter: string): number => {
    const axis = letters.input.indexOf(letter);
    if (axis >= 0) return sizeAt(input, axis);
    const known = shape[letters.output.indexOf(letter) - skipped];
    return typeof known === "number" && known > 0
      ? known
      : config.refuse("output_shape", `the size of ${letter}`, given);
  };
  const kernel = call.weight("kernel", [...letters.kernel].map(size));
  const own = [letters.input, letters.kernel].join(",");
  const product = build.apply(
    "Einsum",
    [input.data.last(), kernel],
    { equation: `${own}->${letters.output}` },
    `${name}/product`,
  );
  const biased = config.has("bias_axes") ? config.text("bias_axes") : "";
  if (biased === "") return activated(asLast(call, product), call, config.get("activation"));
  const first = Math.min(...[...biased].map((letter) => letters.output.indexOf(letter)));
  if (first < 0) return config.refuse("bias_axes", "letters of the output", biased);
  const axes = [...letters.output.slice(first)].map((letter) => (biased.includes(letter) ? size(letter) : 1));
  const sum = build.apply(
    "Add",
    [product, call.weight("bias", axes)],
    {},
    isLinear(config.get("activation")) ? name : `${name}/sum`,
  );
  return activated(asLast(call, sum), call, config.get("activation"));
};

/** Where elements are not the given number. */
function differsFrom(x: Value, number: number, build: Parameters<typeof asLast>[0]["build"]): Value {
  return build.apply("Not", [build.equal(x, build.scalar(number, x))]);
}

const embedding: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const x = inputAt(inputs).data.last();
  const table = call.weight("embeddings", [config.count("input_dim"), config.count("output_dim")]);
  const indices = x.dtype === "int32" || x.dtype === "int64" ? x : build.cast(x, "int32");
  const found = asLast(call, build.apply("Gather", [table, indices], { axis: 0 }, name));
  return config.boolean("mask_zero", false) ? { ...found, mask: differsFrom(indices, 0, build) } : found;
};

/** Steps all of whose features are the mask's value do not count, and become 0. */
const masking: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const x = floatAt(inputs, call).data.last();
  const differs = build.cast(differsFrom(x, config.number("mask_value", 0), build), "float32");
  const counts = build.apply("ReduceMax", [differs, build.ints([-1])]);
  const data = asLast(call, build.apply("Mul", [x, counts], {}, name));
  return { ...data, mask: build.cast(build.squeeze(counts, [-1]), "bool") };
};

const identity: LowerLayer = (inputs, { build, name }): Flow => {
  const { data, mask } = inputAt(inputs);
  return { data: data.map((x) => build.apply("Identity", [x], {}, name)), mask };
};

const lambda: LowerLayer = (_, { name }) => {
  throw new GraftError("model-refused", "a Lambda holds a program of its own, which is not run", {
    actual: name,
    hint: "give what it computes as customLayers, by its class or by its name",
  });
};

export const coreLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["InputLayer", { lower: identity }],
  ["Identity", { lower: identity }],
  ["Dense", { lower: dense, passesMask: true }],
  ["EinsumDense", { lower: einsumDense }],
  ["Embedding", { lower: embedding }],
  ["Masking", { lower: masking }],
  ["Lambda", { lower: lambda }],
];
