/** @file The activations a recurrent layer may name (onnx/docs/Operators.md, LSTM). */
import type { Application, Builder, RecurrentOperators, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";

export type Activation = (x: Value) => Value;

/** The activations of one direction: of the gates, of the new state, and of the cell on its way out. */
export interface Activations {
  readonly f: Activation;
  readonly g: Activation;
  readonly h: Activation;
}

interface Known {
  /** What α and β are where the layer does not say; absent where the function has none. */
  readonly alpha?: number;
  readonly beta?: number;
  apply(b: Builder, x: Value, alpha: number, beta: number): Value;
}

const known: { readonly [name: string]: Known } = {
  affine: { alpha: 1, beta: 0, apply: (b, x, alpha, beta) => b.shift(b.scale(x, alpha), beta) },
  elu: { alpha: 1, apply: (b, x, alpha) => b.apply("Elu", [x], { alpha }) },
  hardsigmoid: { alpha: 0.2, beta: 0.5, apply: (b, x, alpha, beta) => b.apply("HardSigmoid", [x], { alpha, beta }) },
  leakyrelu: { alpha: 0.01, apply: (b, x, alpha) => b.apply("LeakyRelu", [x], { alpha }) },
  relu: { apply: (b, x) => b.apply("Relu", [x]) },
  scaledtanh: { alpha: 1, beta: 1, apply: (b, x, alpha, beta) => b.scale(b.apply("Tanh", [b.scale(x, beta)]), alpha) },
  sigmoid: { apply: (b, x) => b.apply("Sigmoid", [x]) },
  softplus: { apply: (b, x) => b.apply("Softplus", [x]) },
  softsign: { apply: (b, x) => b.apply("Softsign", [x]) },
  tanh: { apply: (b, x) => b.apply("Tanh", [x]) },
  thresholdedrelu: { alpha: 1, apply: (b, x, alpha) => b.apply("ThresholdedRelu", [x], { alpha }) },
};

const defaults: { readonly [K in keyof RecurrentOperators]: readonly string[] } = {
  GRU: ["Sigmoid", "Tanh"],
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  RNN: ["Tanh"],
};

/** The activations of each direction. α and β are listed for those functions only that have them, in order. */
export function activationsOf(
  b: Builder,
  { operator, attributes }: Application<keyof RecurrentOperators>,
  directions: number,
): readonly Activations[] {
  const standard = defaults[operator];
  const names = attributes.activations ?? Array.from({ length: directions }, () => standard).flat();
  const alphas = [...(attributes.activationAlpha ?? [])];
  const betas = [...(attributes.activationBeta ?? [])];
  const all = names.map((name): Activation => {
    const activation = known[name.toLowerCase()];
    if (activation === undefined) throw new GraftError("not-differentiable", `the activation "${name}" is unknown`);
    const alpha = (activation.alpha === undefined ? undefined : alphas.shift()) ?? activation.alpha ?? 0;
    const beta = (activation.beta === undefined ? undefined : betas.shift()) ?? activation.beta ?? 0;
    return (x) => activation.apply(b, x, alpha, beta);
  });
  const { clip } = attributes;
  const clipped = (activation: Activation): Activation =>
    clip ? (x) => activation(b.apply("Clip", [x, b.scalar(-clip, x), b.scalar(clip, x)])) : activation;
  return Array.from({ length: directions }, (_, direction) => {
    const [f, g = f, h = g] = all.slice(direction * standard.length, (direction + 1) * standard.length);
    if (f === undefined || g === undefined || h === undefined) {
      throw new GraftError("model-invalid", "activations are missing", {
        expected: `${directions * standard.length}`,
        actual: `${names.length}`,
      });
    }
    // What comes from products is clipped; the cell goes out as it is.
    return { f: clipped(f), g: clipped(g), h };
  });
}
