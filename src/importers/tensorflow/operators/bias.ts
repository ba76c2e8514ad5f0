/** @file Biases: taken into the convolution or the product before them where that has none yet. */
import { type Oriented, Oriented as OrientedValue, type Value } from "../../../graph/index.ts";
import { shapeOf } from "./align.ts";
import { type Call, type OperatorRows, orientedOf, type Slot } from "./call.ts";

/** The bias `[C]`, of a slot that has no other axes. */
function vectorOf(call: Call, slot: Slot, channels: number): Value {
  if (slot.kind === "weight") return slot.weight.in({ shape: [channels] }, call.build);
  const value = orientedOf(call, slot).last();
  return value.shape?.length === 1 ? value : call.build.reshape(value, [channels]);
}

/** The number of channels, where a slot is one number for each and no more. */
function channelsOf(call: Call, slot: Slot): number | undefined {
  if (slot.kind !== "weight" && slot.kind !== "tensor") return undefined;
  const shape = shapeOf(call, slot);
  const channels = shape?.at(-1);
  const isVector = shape !== undefined && shape.length >= 1 && shape.slice(0, -1).every((size) => size === 1);
  return isVector && typeof channels === "number" ? channels : undefined;
}

/**
 * The sum of input `index` and a bias along its channels, as part of the Conv, ConvTranspose or MatMul that computed the
 * input; `undefined` where it is not of that form. What computed it without the bias is then dead.
 */
export function withBias(call: Call, index: number, bias: Slot, channelAxis: number): Oriented | undefined {
  const { build } = call;
  const input = call.slot(index);
  const channels = channelsOf(call, bias);
  if (input.kind !== "tensor" || channels === undefined || !call.context.isOnlyReader(call.node, index))
    return undefined;
  const x = input.data.native;
  const rank = x.shape?.length ?? 0;
  // Of higher rank than the map, it would add axes.
  if ((shapeOf(call, bias)?.length ?? 0) > rank) return undefined;
  const producer = build.nodes.findLast((node) => node.outputs.includes(x));
  if (producer?.kind !== "operator" || producer.inputs.length !== 2) return undefined;
  const [a, b] = producer.inputs;
  const wrap = (value: Value) =>
    input.data.isFirst ? OrientedValue.first(build, value) : OrientedValue.last(build, value);
  const isAlongChannels = input.data.isFirst ? channelAxis === rank - 1 : channelAxis === 1;
  if ((producer.operator === "Conv" || producer.operator === "ConvTranspose") && isAlongChannels) {
    if (x.shape?.[1] !== channels) return undefined;
    return wrap(call.apply(producer.operator, [a, b, vectorOf(call, bias, channels)], producer.attributes));
  }
  const isMatrix = producer.operator === "MatMul" && rank === 2 && a?.shape?.length === 2 && b?.shape?.length === 2;
  if (!isMatrix || channelAxis !== 1 || x.shape?.[1] !== channels || x.dtype !== "float32") return undefined;
  return wrap(call.apply("Gemm", [a, b, vectorOf(call, bias, channels)]));
}

/** A bias of the channels, added to a map in the node's own order. */
function biasAdd(call: Call): Oriented {
  const { build } = call;
  const rank = call.rank(0);
  const isFirst = rank > 2 && call.text("data_format", "NHWC").startsWith("NC");
  const fused = withBias(call, 0, call.slot(1), isFirst ? 1 : rank - 1);
  if (fused !== undefined) return fused;
  const data = call.oriented(0);
  if (rank <= 2 || !(isFirst || data.isFirst)) return call.last(call.apply("Add", [data.last(), call.value(1)]));
  const slot = call.slot(1);
  const ones = Array.from({ length: rank - 2 }, () => 1);
  const axes = ones.map((_, axis) => axis + 1);
  const bias =
    slot.kind === "weight"
      ? slot.weight.in({ shape: [Number(slot.shape[0]), ...ones] }, build)
      : build.unsqueeze(call.value(1), axes);
  if (isFirst) return call.last(call.apply("Add", [data.last(), bias]));
  return data.map((x) => call.apply("Add", [x, bias]));
}

export const biasRows: OperatorRows = [
  ["BiasAdd", biasAdd],
  ["BiasAddV1", biasAdd],
];
