/** @file Layers that most models have: dense, batch norm, padding, sums, global pools, dropout. */

import { activated } from "./activations.ts";
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { asFirst, asLast, channelsOf, inputAt } from "./orient.ts";

const dense: LowerLayer = (inputs, call) => {
  const input = inputAt(inputs);
  const { build, config, name } = call;
  const units = config.count("units");
  const kernel = call.weight("kernel", [channelsOf(input), units]);
  const bias = config.boolean("use_bias", true) ? call.weight("bias", [units]) : undefined;
  const x = input.data.last();
  const activation = config.get("activation");
  const own = activation === undefined || activation === "linear" ? name : `${name}/logits`;
  const isMatrix = x.shape?.length === 2 && bias !== undefined;
  const product = isMatrix
    ? build.apply("Gemm", [x, kernel, bias], {}, own)
    : build.apply("MatMul", [x, kernel], {}, own);
  const y = isMatrix || bias === undefined ? product : build.add(product, bias);
  return activated(asLast(call, y), call, activation);
};

const batchNormalization: LowerLayer = (inputs, call) => {
  const input = inputAt(inputs);
  const { build, config, name } = call;
  const channels = channelsOf(input);
  const gamma = config.boolean("scale", true) ? call.weight("gamma", [channels]) : undefined;
  const beta = config.boolean("center", true) ? call.weight("beta", [channels]) : undefined;
  const statistics = ["moving_mean", "moving_variance"].map((each) =>
    call.weight(each, [channels], { isTrainable: false }),
  );
  const filled = (value: number) =>
    build.constant(
      { dtype: "float32", shape: [channels], data: new Float32Array(channels).fill(value) },
      `${name}/fixed`,
    );
  const attributes = { epsilon: config.number("epsilon", 1e-3), momentum: config.number("momentum", 0.99) };
  const x = input.data.first();
  return asFirst(
    call,
    build.apply("BatchNormalization", [x, gamma ?? filled(1), beta ?? filled(0), ...statistics], attributes, name),
  );
};

const zeroPadding2d: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const padding = config.get("padding");
  const pair = (value: unknown): readonly number[] =>
    Array.isArray(value) ? value.map(Number) : [Number(value), Number(value)];
  const [rows, columns] = Array.isArray(padding) ? padding.map(pair) : [pair(padding), pair(padding)];
  const pads = build.ints([0, 0, rows?.[0] ?? 0, columns?.[0] ?? 0, 0, 0, rows?.[1] ?? 0, columns?.[1] ?? 0]);
  return asFirst(call, build.apply("Pad", [inputAt(inputs).data.first(), pads], {}, name));
};

function globalPool(operator: "GlobalAveragePool" | "GlobalMaxPool"): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const x = inputAt(inputs).data.first();
    const pooled = build.apply(operator, [x], {}, `${name}/pool`);
    return config.boolean("keepdims", false)
      ? asFirst(call, pooled)
      : asLast(call, build.apply("Flatten", [pooled], {}, name));
  };
}

const dropout: LowerLayer = (inputs, { build, name, config }) => {
  const { data } = inputAt(inputs);
  const ratio = build.constant(
    { dtype: "float32", shape: [], data: Float32Array.of(config.number("rate")) },
    `${name}/rate`,
  );
  return { data: data.map((x) => build.apply("Dropout", [x, ratio], {}, name)) };
};

/** A sum: in the first input's order of axes. */
const add: LowerLayer = (inputs, { build, name }) => {
  const { data, mask } = inputAt(inputs);
  const others = inputs.slice(1);
  const sum = data.map((x) =>
    others.reduce(
      (total, other, index) =>
        build.apply(
          "Add",
          [total, data.isFirst ? other.data.first() : other.data.last()],
          {},
          index === others.length - 1 ? name : `${name}/sum`,
        ),
      x,
    ),
  );
  return { data: sum, mask };
};

export const coreLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Dense", { lower: dense, passesMask: true }],
  ["BatchNormalization", { lower: batchNormalization, passesMask: true }],
  ["ZeroPadding2D", { lower: zeroPadding2d }],
  ["GlobalAveragePooling2D", { lower: globalPool("GlobalAveragePool") }],
  ["GlobalMaxPooling2D", { lower: globalPool("GlobalMaxPool") }],
  ["Dropout", { lower: dropout, passesMask: true }],
  ["Add", { lower: add }],
];
