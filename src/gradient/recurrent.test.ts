/** @file Derivatives of recurrent layers. */
import { describe, expect, it } from "vitest";
import type { Builder, RecurrentAttributes, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { tensorOf } from "../tensor/index.ts";
import { checkGradient, type InputSpec, randomNumbers, randomTensor } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

type Layer = "GRU" | "LSTM" | "RNN";

const gates: { readonly [K in Layer]: number } = { GRU: 3, LSTM: 4, RNN: 1 };
const [time, batch, size, hidden] = [4, 3, 2, 3];
const directions: readonly RecurrentAttributes["direction"][] = ["forward", "reverse", "bidirectional"];
const random = randomNumbers(21);

interface Options extends Partial<RecurrentAttributes> {
  readonly linearBeforeReset?: boolean;
  readonly inputForget?: boolean;
}

/** Which inputs beyond x, W and R. */
interface Extra {
  readonly bias?: boolean;
  readonly lengths?: boolean;
  readonly initial?: boolean;
  readonly peepholes?: boolean;
}

/** Every output of the layer, side by side as [directions·batch·…, hidden]. */
function apply(b: Builder, layer: Layer, values: Readonly<Record<string, Value>>, options: Options): Value {
  const { x, w, r, bias, lengths, h, c, peepholes } = values;
  const states = layer === "LSTM" ? [h, c, peepholes] : [h];
  const count = layer === "LSTM" ? 3 : 2;
  const outputs = b.applyAll(layer, [x, w, r, bias, lengths, ...states], count, { hiddenSize: hidden, ...options });
  return b.concat(
    outputs.map((output) => b.reshape(output, [-1, hidden])),
    0,
  );
}

/** ONNX Runtime's recurrent layers are for float32 only. */
function check(
  layer: Layer,
  { bias = true, lengths, initial, peepholes }: Extra,
  options: Options = {},
): Promise<void> {
  const d = options.direction === "bidirectional" ? 2 : 1;
  const state: InputSpec = [d, batch, hidden];
  const inputs: Record<string, InputSpec> = {
    x: { tensor: randomTensor(random, "float32", [time, batch, size]), declared: [time, "N", size] },
    w: [d, gates[layer] * hidden, size],
    r: [d, gates[layer] * hidden, hidden],
    ...(bias ? { bias: [d, 2 * gates[layer] * hidden] } : {}),
    ...(lengths ? { lengths: { tensor: tensorOf("int32", [batch], [4, 1, 3]) } } : {}),
    ...(initial ? { h: state, ...(layer === "LSTM" ? { c: state } : {}) } : {}),
    ...(peepholes ? { peepholes: [d, 3 * hidden] } : {}),
  };
  return checkGradient<string>(inputs, (b, values) => apply(b, layer, values, options), { dtype: "float32" });
}

for (const layer of ["RNN", "GRU", "LSTM"] as const) {
  describe(layer, () => {
    for (const direction of directions) {
      it(`derives by every input, ${direction}`, () => check(layer, { initial: true }, { direction }));
      it(`derives sequences of different lengths, ${direction}`, () =>
        check(layer, { initial: true, lengths: true }, { direction }));
    }

    it("derives without bias and initial state", () => check(layer, { bias: false }));
  });
}

describe("variants", () => {
  it("derives a GRU that resets after the product", () =>
    check("GRU", { initial: true }, { linearBeforeReset: true, direction: "bidirectional" }));
  it("derives a GRU that resets after the product, without bias", () =>
    check("GRU", { bias: false }, { linearBeforeReset: true }));
  it("derives an LSTM with peepholes", () =>
    check("LSTM", { peepholes: true, initial: true }, { direction: "bidirectional" }));
  it("derives an LSTM whose input gate closes the forget gate", () => check("LSTM", {}, { inputForget: true }));
  it("derives clipped gates", () => check("LSTM", { initial: true }, { clip: 0.4 }));
  it("derives other activations, with their parameters in order", () =>
    check(
      "RNN",
      { initial: true },
      {
        activations: ["LeakyRelu", "ScaledTanh"],
        activationAlpha: [0.2, 0.7],
        activationBeta: [1.3],
        direction: "bidirectional",
      },
    ));
  // Elu is smooth for α = 1 only, and the threshold lies where nothing comes near it.
  for (const [activation, alpha] of [
    ["Relu", 1],
    ["Affine", 0.6],
    ["Elu", 1],
    ["HardSigmoid", 0.2],
    ["Softsign", 1],
    ["Softplus", 1],
    ["ThresholdedRelu", -9],
  ] as const) {
    it(`derives ${activation}`, () =>
      check("RNN", { initial: true }, { activations: [activation], activationAlpha: [alpha], activationBeta: [0.3] }));
  }
});

describe("what cannot be unrolled", () => {
  it("is refused with the size to fix", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", ["T", 1, size]);
    const [w, r] = [b.input("w", "float32", [1, hidden, size]), b.input("r", "float32", [1, hidden, hidden])];
    const graph = b.graph([b.apply("RNN", [x, w, r], { hiddenSize: hidden }, "y")]);
    expect(() => withGradients(graph, { output: "y", wanted: ["w"] })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: RNN "y": value "x": the time axis must have a fixed size to be unrolled; found T; fix that size of the model's input]`,
    );
  });

  it("is refused where an activation is unknown", () => {
    const b = newBuilder();
    const x = b.input("x", "float32", [2, 1, size]);
    const [w, r] = [b.input("w", "float32", [1, hidden, size]), b.input("r", "float32", [1, hidden, hidden])];
    const graph = b.graph([b.apply("RNN", [x, w, r], { hiddenSize: hidden, activations: ["Sine"] }, "y")]);
    expect(() => withGradients(graph, { output: "y", wanted: ["w"] })).toThrow('the activation "Sine" is unknown');
  });
});
