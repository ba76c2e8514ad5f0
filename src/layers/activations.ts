/** @file Activations by name, as Keras's `activation` argument and its `Activation` layer have them. */
import type { Builder, Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import { Config, isJsonObject, type Json, type JsonObject } from "./config.ts";
import type { Flow, LayerCall } from "./layer.ts";
import { scalar } from "./orient.ts";

/** Where an activation is built. */
export interface ActivationPlace {
  readonly build: Builder;
  /** What its result is called. */
  readonly name: string;
  /** Where the model's last axis lies in the value. */
  readonly axis: number;
  readonly kerasVersion: number;
}

/** What an activation computes of every element, or along the last axis of the model. */
type Activate = (x: Value, place: ActivationPlace) => Value;

type PlainOperator =
  | "Relu"
  | "Sigmoid"
  | "Tanh"
  | "Softplus"
  | "Softsign"
  | "Exp"
  | "Mish"
  | "HardSwish"
  | "Gelu"
  | "Celu"
  | "Identity";

const plain =
  (operator: PlainOperator): Activate =>
  (x, { build, name }) =>
    build.apply(operator, [x], {}, name);

const clip =
  (least: number, most: number): Activate =>
  (x, { build, name }) =>
    build.apply("Clip", [x, scalar({ build }, least), scalar({ build }, most)], {}, name);

const swish: Activate = (x, { build, name }) => build.apply("Mul", [x, build.apply("Sigmoid", [x])], {}, name);

/** Keras 2: 0.2·x + 0.5; Keras 3: x / 6 + 0.5; both cut to [0, 1]. */
const hardSigmoid: Activate = (x, { build, name, kerasVersion }) =>
  build.apply("HardSigmoid", [x], { alpha: kerasVersion >= 3 ? 1 / 6 : 0.2, beta: 0.5 }, name);

const selu = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

/** 0 below −1, x above 1, (x + 1)² / 4 between. */
const sparsePlus: Activate = (x, { build, name }) => {
  const middle = build.scale(build.square(build.shift(x, 1)), 0.25);
  const risen = build.where(build.less(x, build.scalar(1, x)), middle, x);
  return build.apply("Where", [build.greater(x, build.scalar(-1, x)), risen, build.scalar(0, x)], {}, name);
};

/** (x + √(x² + 4)) / 2 */
const squareplus: Activate = (x, { build, name }) => {
  const root = build.sqrt(build.shift(build.square(x), 4));
  return build.apply("Mul", [build.add(x, root), build.scalar(0.5, x)], {}, name);
};

/** The first half of the channels, each let through by the sigmoid of its partner in the second. */
const glu: Activate = (x, { build, name, axis }) => {
  const [kept, gate] = build.applyAll("Split", [x], 2, { axis, numOutputs: 2 });
  if (kept === undefined || gate === undefined) throw new Error("internal: Split gave fewer than two");
  return build.apply("Mul", [kept, build.apply("Sigmoid", [gate])], {}, name);
};

/**
 * max(x − τ, 0), with τ from the largest elements z₁ ≥ z₂ ≥ … for which 1 + k·zₖ > z₁ + … + zₖ. Keras 3 adds up all
 * their partial sums where the paper (Martins and Astudillo 2016) takes the last; models were trained with Keras's.
 */
const sparsemax: Activate = (x, { build, name, axis }) => {
  const [sorted = x] = build.applyAll("TopK", [x, build.sizeOf(x, axis)], 2, { axis });
  const along = build.ints([axis]);
  const sums = build.apply("CumSum", [sorted, along]);
  const places = build.apply("CumSum", [build.onesLike(sorted), along]);
  const isKept = build.castLike(build.greater(build.shift(build.mul(places, sorted), 1), sums), x);
  const total = build.reduceSum(build.mul(sums, isKept), [axis]);
  const threshold = build.div(build.shift(total, -1), build.reduceSum(isKept, [axis]));
  return build.apply("Relu", [build.sub(x, threshold)], {}, name);
};

/** By Keras's name. */
export const activations: ReadonlyMap<string, Activate> = new Map<string, Activate>([
  ["linear", (x) => x],
  ["relu", plain("Relu")],
  ["relu6", clip(0, 6)],
  ["softmax", (x, { build, axis, name }) => build.apply("Softmax", [x], { axis }, name)],
  ["log_softmax", (x, { build, axis, name }) => build.apply("LogSoftmax", [x], { axis }, name)],
  ["sigmoid", plain("Sigmoid")],
  ["log_sigmoid", (x, { build, name }) => build.apply("Neg", [build.apply("Softplus", [build.neg(x)])], {}, name)],
  ["hard_sigmoid", hardSigmoid],
  ["tanh", plain("Tanh")],
  ["hard_tanh", clip(-1, 1)],
  ["tanh_shrink", (x, { build, name }) => build.apply("Sub", [x, build.apply("Tanh", [x])], {}, name)],
  ["swish", swish],
  ["silu", swish],
  ["hard_swish", plain("HardSwish")],
  ["hard_silu", plain("HardSwish")],
  ["gelu", plain("Gelu")],
  ["elu", (x, { build, name }) => build.apply("Elu", [x], {}, name)],
  ["celu", plain("Celu")],
  ["selu", (x, { build, name }) => build.apply("Selu", [x], selu, name)],
  ["softplus", plain("Softplus")],
  ["softsign", plain("Softsign")],
  ["exponential", plain("Exp")],
  ["leaky_relu", (x, { build, name }) => build.apply("LeakyRelu", [x], { alpha: 0.2 }, name)],
  ["mish", plain("Mish")],
  ["hard_shrink", (x, { build, name }) => build.apply("Shrink", [x], { lambd: 0.5, bias: 0 }, name)],
  ["soft_shrink", (x, { build, name }) => build.apply("Shrink", [x], { lambd: 0.5, bias: 0.5 }, name)],
  ["sparse_plus", sparsePlus],
  ["sparse_sigmoid", (x, { build, name }) => build.apply("HardSigmoid", [x], { alpha: 0.5, beta: 0.5 }, name)],
  ["squareplus", squareplus],
  ["glu", glu],
  ["sparsemax", sparsemax],
]);

/** An activation in a config: a name, or a layer that serves as one. */
interface NamedActivation {
  readonly name: string;
  /** What a layer that serves as an activation is set to. */
  readonly config?: JsonObject;
}

/** A text, a serialized function `{ class_name: "function", config: "relu" }`, or a serialized layer. */
function activationOf(value: Json | undefined): NamedActivation {
  if (value === undefined || value === null) return { name: "linear" };
  if (typeof value === "string") return { name: value };
  if (isJsonObject(value)) {
    const { class_name: className, config } = value;
    if (className === "function" && typeof config === "string") return { name: config };
    if (typeof className === "string") return { name: className, config: isJsonObject(config) ? config : {} };
  }
  throw new GraftError("model-refused", "the activation is no name", { actual: JSON.stringify(value).slice(0, 80) });
}

/** Whether the activation leaves its input as it is. */
export function isLinear(value: Json | undefined): boolean {
  return activationOf(value).name === "linear";
}

/** Applies the activation that the config names. Softmax and its like go along the model's last axis. */
export function activated(flow: Flow, call: LayerCall, value: Json | undefined, name: string = call.name): Flow {
  const activation = activationOf(value);
  const activate = activations.get(activation.name);
  if (activate === undefined || activation.config !== undefined) {
    // Another layer, or one of the customLayers, that is named as an activation.
    const options = { name: activation.name, holder: ["activation"] };
    const [result] = call.inner(activation.name, new Config(activation.config ?? {}), [flow], options);
    return result ?? flow;
  }
  const place = { build: call.build, name, axis: flow.data.nativeAxis(-1), kerasVersion: call.kerasVersion };
  return { ...flow, data: flow.data.map((x) => activate(x, place)) };
}

/** What the named activation computes of a value in the model's own order. */
export function activationBy(call: LayerCall, value: Json | undefined): (x: Value) => Value {
  const { name } = activationOf(value);
  const activate = activations.get(name);
  if (activate === undefined) {
    throw new GraftError("model-refused", `the activation ${name} is not known in this layer`);
  }
  const { build, kerasVersion } = call;
  return (x) => activate(x, { build, name: `${call.name}/${name}`, axis: (x.shape?.length ?? 0) - 1, kerasVersion });
}
