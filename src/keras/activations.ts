/** @file Activations by Keras's names. */
import type { Builder, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";

/** `channels` is the axis of the channels in the graph: 1 for maps, the last one otherwise. */
type Activation = (build: Builder, x: Value, channels: number) => Value;

/** What `activation` options take. */
export type ActivationName =
  | "linear"
  | "relu"
  | "relu6"
  | "leaky_relu"
  | "elu"
  | "selu"
  | "gelu"
  | "silu"
  | "swish"
  | "softplus"
  | "sigmoid"
  | "hard_sigmoid"
  | "tanh"
  | "softmax"
  | "exponential";

const activations: Readonly<Record<ActivationName, Activation>> = {
  linear: (_build, x) => x,
  relu: (build, x) => build.apply("Relu", [x]),
  relu6: (build, x) => build.apply("Clip", [x, build.scalar(0, x), build.scalar(6, x)]),
  leaky_relu: (build, x) => build.apply("LeakyRelu", [x], { alpha: 0.2 }),
  elu: (build, x) => build.apply("Elu", [x], { alpha: 1 }),
  selu: (build, x) => build.apply("Selu", [x]),
  gelu: (build, x) => build.apply("Gelu", [x]),
  silu: (build, x) => build.mul(x, build.apply("Sigmoid", [x])),
  swish: (build, x) => build.mul(x, build.apply("Sigmoid", [x])),
  softplus: (build, x) => build.apply("Softplus", [x]),
  sigmoid: (build, x) => build.apply("Sigmoid", [x]),
  hard_sigmoid: (build, x) => build.apply("HardSigmoid", [x], { alpha: 1 / 6, beta: 0.5 }),
  tanh: (build, x) => build.apply("Tanh", [x]),
  softmax: (build, x, axis) => build.apply("Softmax", [x], { axis }),
  exponential: (build, x) => build.exp(x),
};

/** Throws GraftError `usage`, with the names there are, for one that there is not. */
export function checkActivation(name: string): asserts name is ActivationName {
  if (Object.hasOwn(activations, name)) return;
  throw new GraftError("usage", `there is no activation "${name}"`, {
    expected: `one of ${Object.keys(activations).join(", ")}`,
  });
}

/** Appends the activation to a value whose channels lie as the graph has them. */
export function activate(build: Builder, x: Value, name: ActivationName): Value {
  const activation: Activation = activations[name];
  return activation(build, x, x.shape?.length === 4 ? 1 : -1);
}
