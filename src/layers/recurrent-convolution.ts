/** @file ConvLSTM: an LSTM over maps, whose products are convolutions. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { activationBy } from "./activations.ts";
import { toOnnxKernel } from "./kernels.ts";
import type { Flow, LayerDefinition, LowerLayer } from "./layer.ts";
import { asFirst, asLast, expectRank, floatAt } from "./orient.ts";
import type { Step } from "./recurrent-cells.ts";
import { stepped } from "./sequences.ts";
import { padsOf, type Window, windowOf } from "./windows.ts";

/** i, f and o by the recurrent activation: c′ = f·c + i·g(…), h′ = o·g(c′). */
function convolutionalLstm(rank: number): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const input = floatAt(inputs, call);
    expectRank(input, rank + 3);
    if (config.get("data_format") === "channels_first") {
      throw new GraftError("model-refused", "recurrent convolutions are known with the channels last only");
    }
    const x = input.data.last();
    const channels = x.shape?.at(-1);
    if (typeof channels !== "number") throw new GraftError("model-invalid", "the number of channels must be known");
    const filters = config.count("filters");
    const window = windowOf(call, rank, "kernel_size");
    const options = { holder: ["cell"], toOnnx: toOnnxKernel };
    const kernel = call.weight("kernel", [...window.kernel, channels, 4 * filters], options);
    const recurrent = call.weight("recurrent_kernel", [...window.kernel, filters, 4 * filters], options);
    const bias = config.boolean("use_bias", true)
      ? call.weight("bias", [4 * filters], { holder: ["cell"] })
      : undefined;
    const activate = activationBy(call, config.or("activation", "tanh"));
    const gate = activationBy(
      call,
      config.or("recurrent_activation", call.kerasVersion >= 3 ? "sigmoid" : "hard_sigmoid"),
    );
    const ones = window.kernel.map(() => 1);
    const own: Window = { kernel: window.kernel, strides: ones, dilations: ones, padding: "same" };
    const convolved = (value: Value, weights: Value, { strides, dilations, ...rest }: Window, summand?: Value) =>
      build.apply("Conv", summand === undefined ? [value, weights] : [value, weights, summand], {
        strides: [...strides],
        dilations: [...dilations],
        ...padsOf(value, { strides, dilations, ...rest }),
      });
    const step: Step = (map, [h, c]) => {
      const last = (map.shape?.length ?? 0) - 1;
      const first = build.transpose(map, [0, last, ...Array.from({ length: last - 1 }, (_, axis) => axis + 1)]);
      const seen = convolved(first, kernel, window, bias);
      const z = h === undefined ? seen : build.add(seen, convolved(h, recurrent, own));
      const [i = z, f = z, g = z, o = z] = build.applyAll("Split", [z], 4, { axis: 1, numOutputs: 4 });
      const fresh = build.mul(gate(i), activate(g));
      const carry = c === undefined ? fresh : build.add(build.mul(gate(f), c), fresh);
      return [build.mul(gate(o), activate(carry)), carry];
    };
    const mask = call.call.named.get("mask")?.[0]?.data.last() ?? input.mask;
    if (inputs.length > 1 || call.call.named.has("initial_state")) {
      throw new GraftError("model-refused", "recurrent convolutions are known to start from zeros only");
    }
    const isReverse = config.boolean("go_backwards", false);
    const sequence = { x, mask, zeroes: false, isReverse, initial: undefined };
    const { outputs, last, states } = stepped(sequence, step, 2, call);
    const isSequence = config.boolean("return_sequences", false);
    // Of every step [N, filters, …] to [N, time, …, filters].
    const turned = (value: Value) => asFirst(call, value).data.last();
    const all = (isReverse ? outputs.toReversed() : outputs).map((each) => build.unsqueeze(turned(each), [1]));
    const output: Flow = isSequence
      ? { ...asLast(call, build.apply("Concat", all, { axis: 1 }, name)), mask }
      : asFirst(call, build.apply("Identity", [last], {}, name));
    return config.boolean("return_state", false) ? [output, ...states.map((each) => asFirst(call, each))] : [output];
  };
}

export const recurrentConvolutionLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["ConvLSTM1D", { lower: convolutionalLstm(1) }],
  ["ConvLSTM2D", { lower: convolutionalLstm(2) }],
  ["ConvLSTM3D", { lower: convolutionalLstm(3) }],
];
