/** @file Layers that most models have: dense, batch norm, padding, sums, global pools, dropout. */

import { activated } from "./activations.ts";
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, channelsOf, inputAt } from "./orient.ts";

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

const dropout: LowerLayer = (inputs, { build, name, config }) => {
  const { data } = inputAt(inputs);
  const ratio = build.constant(
    { dtype: "float32", shape: [], data: Float32Array.of(config.number("rate")) },
    `${name}/rate`,
  );
  return { data: data.map((x) => build.apply("Dropout", [x, ratio], {}, name)) };
};

export const coreLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Dense", { lower: dense, passesMask: true }],
  ["Dropout", { lower: dropout, passesMask: true }],
];
