/** @file Activations as operations. */
import type { Value } from "../../graph/index.ts";
import type { OperationArguments } from "./operations-arguments.ts";
import { floating, type Operation, plain, type Unary, unary } from "./operations-elements.ts";

const constant = (x: Value, number: number, { build }: OperationArguments): Value => build.scalar(number, x);

const scaledElu: Unary = (x, { build, name }) =>
  build.apply("Selu", [x], { alpha: 1.6732632423543772, gamma: 1.0507009873554805 }, name);

const hardSigmoid: Unary = (x, { build, name, kerasVersion }) =>
  build.apply("HardSigmoid", [x], { alpha: kerasVersion >= 3 ? 1 / 6 : 0.2, beta: 0.5 }, name);

const swish: Unary = (x, given) => {
  const { build, name } = given;
  const beta = given.number("beta", 1);
  return build.apply("Mul", [x, build.apply("Sigmoid", [build.scale(x, beta)])], {}, name);
};

/** min(max(threshold-cut x, 0), max_value), with a slope below: Keras 2's `backend.relu`. */
const keras2Relu: Unary = (x, given) => {
  const { build } = given;
  given.expectDefault("threshold", 0);
  const alpha = given.number("alpha", 0);
  const risen = alpha === 0 ? build.apply("Relu", [x]) : build.apply("LeakyRelu", [x], { alpha });
  return given.has("most") ? build.apply("Min", [risen, constant(x, given.number("most"), given)]) : risen;
};

const softShrink =
  (bias: boolean): Unary =>
  (x, given) => {
    const lambd = given.number("threshold", 0.5);
    return given.build.apply("Shrink", [x], { lambd, bias: bias ? lambd : 0 }, given.name);
  };

function gelu(x: Value, given: OperationArguments, otherwise: boolean): Value {
  const approximate = given.boolean("approximate", otherwise) ? "tanh" : "none";
  return given.build.apply("Gelu", [x], { approximate }, given.name);
}

/** What the Activation layer computes under this name. */
const asLayer =
  (activation: string): Operation =>
  (given) => {
    given.expectDefault("axis", -1);
    given.expectDefault("b", 4);
    return given.layer("Activation", { activation }, given.tensor("x"));
  };

/** `x` where it lies above the threshold, else the given number. */
const threshold: Unary = (x, given) => {
  const isAbove = given.build.greater(x, constant(x, given.number("threshold"), given));
  return given.build.apply("Where", [isAbove, x, constant(x, given.number("otherwise"), given)], {}, given.name);
};

export const activationOperations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["sigmoid", floating(plain("Sigmoid"))],
  ["relu", unary(plain("Relu"))],
  ["keras2_relu", unary(keras2Relu)],
  [
    "relu6",
    unary((x, given) => given.build.apply("Clip", [x, constant(x, 0, given), constant(x, 6, given)], {}, given.name)),
  ],
  ["elu", floating((x, given) => given.build.apply("Elu", [x], { alpha: given.number("alpha", 1) }, given.name))],
  ["celu", floating((x, given) => given.build.apply("Celu", [x], { alpha: given.number("alpha", 1) }, given.name))],
  ["selu", floating(scaledElu)],
  ["gelu", floating((x, given) => gelu(x, given, false))],
  ["gelu_tanh", floating((x, given) => gelu(x, given, true))],
  ["silu", floating(swish)],
  ["softplus", floating(plain("Softplus"))],
  ["softsign", floating(plain("Softsign"))],
  [
    "leaky_relu",
    floating((x, given) => given.build.apply("LeakyRelu", [x], { alpha: given.number("alpha", 0.2) }, given.name)),
  ],
  ["hard_sigmoid", floating(hardSigmoid)],
  ["hard_silu", floating(plain("HardSwish"))],
  [
    "hard_tanh",
    floating((x, given) =>
      given.build.apply("Clip", [x, constant(x, -1, given), constant(x, 1, given)], {}, given.name),
    ),
  ],
  ["mish", floating(plain("Mish"))],
  ["log_sigmoid", floating((x, { build }) => build.neg(build.apply("Softplus", [build.neg(x)])))],
  ["tanh_shrink", floating((x, { build }) => build.sub(x, build.apply("Tanh", [x])))],
  ["soft_shrink", floating(softShrink(true))],
  ["hard_shrink", floating(softShrink(false))],
  ["threshold", floating(threshold)],
  ["squareplus", asLayer("squareplus")],
  ["sparse_plus", asLayer("sparse_plus")],
  ["sparse_sigmoid", asLayer("sparse_sigmoid")],
  ["sparsemax", asLayer("sparsemax")],
  ["glu", asLayer("glu")],
]);
