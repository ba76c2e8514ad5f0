/** @file Operators that TensorFlow's optimizer and TensorFlow.js fuse: a convolution or a product, then a bias, then an activation. */
import { Oriented, type Value } from "../../../graph/index.ts";
import type { Call, Lower, OperatorRows, Slot } from "./call.ts";
import { convolved } from "./convolution.ts";
import { isChannelsFirst } from "./window.ts";

/** An activation by its name in `fused_ops`; `argument` is the node's input that it takes, if any. */
type Activate = (x: Value, call: Call, argument: () => Value) => Value;

const activations: ReadonlyMap<string, Activate> = new Map<string, Activate>([
  ["Elu", (x, call) => call.apply("Elu", [x], { alpha: 1 })],
  ["LeakyRelu", (x, call) => call.apply("LeakyRelu", [x], { alpha: call.float("leakyrelu_alpha", 0.2) })],
  ["Prelu", (x, call, argument) => call.apply("PRelu", [x, argument()])],
  ["Relu", (x, call) => call.apply("Relu", [x])],
  ["Relu6", (x, call) => call.apply("Clip", [x, call.build.scalar(0, x), call.build.scalar(6, x)])],
  ["Sigmoid", (x, call) => call.apply("Sigmoid", [x])],
  ["Tanh", (x, call) => call.apply("Tanh", [x])],
]);

/** Parts that take an input each, in the order of `fused_ops`. */
const withArgument: ReadonlySet<string> = new Set(["BiasAdd", "Prelu"]);

/** A weight along the channels of a map, wherever they lie. */
function alongChannels(call: Call, slot: Slot, map: Oriented): Value {
  const rank = map.shape?.length ?? 0;
  const isFirst = map.isFirst || (rank === 4 && isChannelsFirst(call, 2));
  const ones = Array.from({ length: isFirst ? rank - 2 : 0 }, () => 1);
  if (slot.kind === "weight") {
    const channels = slot.shape.at(-1) ?? 1;
    const isVector = slot.shape.every((size, axis) => size === 1 || axis === slot.shape.length - 1);
    if (isVector) return slot.weight.in({ shape: [channels, ...ones] }, call.build);
    const rows = slot.shape.length;
    if (isFirst && rows === rank - 1) {
      return slot.weight.in({ shape: slot.shape, perm: [rows - 1, ...Array(rows - 1).keys()] }, call.build);
    }
    return slot.weight.in({ shape: slot.shape }, call.build);
  }
  const value = call.value(call.inputs.indexOf(slot));
  return call.build.unsqueeze(
    value,
    ones.map((_, axis) => axis + 1),
  );
}

function fused(compute: (call: Call, bias: Value | undefined) => Oriented): Lower {
  return (call) => {
    const parts = call.texts("fused_ops");
    const [start, ...others] = parts;
    const hasBias = start === "BiasAdd";
    const rest = hasBias ? others : parts;
    const biasSlot = hasBias ? call.slot(2) : undefined;
    const bias = biasSlot && vectorOf(call, biasSlot);
    const unknown = rest.filter((part) => !activations.has(part));
    if (unknown.length > 0 || (biasSlot === undefined && rest.some((part) => withArgument.has(part)))) {
      throw call.refused("the fused operators are not supported", parts.join(", "));
    }
    const data = compute(call, bias);
    return rest.reduce((x, part, index) => {
      const argument = () => alongChannels(call, call.slot(3 + index), x);
      return x.map((value) => activations.get(part)?.(value, call, argument) ?? value);
    }, data);
  };
}

function vectorOf(call: Call, slot: Slot): Value {
  if (slot.kind !== "weight") {
    const value = call.value(2);
    // Grappler calls the sum of two products, as in a recurrent step, a bias as well: it has a row for each of the batch.
    const isVector = value.shape?.slice(0, -1).every((size) => size === 1) ?? true;
    return isVector ? call.build.reshape(value, [-1]) : value;
  }
  return slot.weight.in({ shape: [slot.weight.tensor.data.length] }, call.build);
}

const convolution = (isDepthwise: boolean) => fused((call, bias) => convolved(call, 2, isDepthwise, bias));

const matMul = fused((call, bias) => {
  const { build } = call;
  const [a, b] = [call.value(0), call.value(1)];
  const [transA, transB] = [call.bool("transpose_a", false), call.bool("transpose_b", false)];
  const inputs = bias === undefined ? [a, b] : [a, b, bias];
  return Oriented.last(build, call.apply("Gemm", inputs, { transA, transB }));
});

export const fusedRows: OperatorRows = [
  ["FusedDepthwiseConv2dNative", convolution(true)],
  ["_FusedConv2D", convolution(false)],
  ["_FusedDepthwiseConv2dNative", convolution(true)],
  ["_FusedMatMul", matMul],
];
