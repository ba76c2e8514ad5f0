/** @file Losses and optimizers by Keras's names. */
import { GraftError } from "../tensor/index.ts";
import {
  adam,
  adamW,
  type Loss,
  meanSquaredError,
  type Optimizer,
  rmsprop,
  sgd,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
} from "../training/index.ts";

export type LossName = "binaryCrossentropy" | "sparseCategoricalCrossentropy" | "meanSquaredError";
export type OptimizerName = "adam" | "adamW" | "rmsprop" | "sgd";

const losses: Readonly<Record<LossName, () => Loss>> = {
  binaryCrossentropy: () => sigmoidCrossEntropy(),
  sparseCategoricalCrossentropy: () => softmaxCrossEntropy(),
  meanSquaredError: () => meanSquaredError(),
};

/** With the learning rate that Keras gives each where none is said. */
const optimizers: Readonly<Record<OptimizerName, { readonly make: () => Optimizer; readonly rate: number }>> = {
  adam: { make: () => adam(), rate: 0.001 },
  adamW: { make: () => adamW(), rate: 0.001 },
  rmsprop: { make: () => rmsprop(), rate: 0.001 },
  sgd: { make: () => sgd(), rate: 0.01 },
};

/**
 * The loss of that name. By default sigmoid cross-entropy for one output, softmax cross-entropy for several.
 *
 * @throws GraftError `usage` for a name that there is not
 */
export function lossOf(loss: Loss | LossName | undefined, outputs: number | undefined): Loss {
  if (loss === undefined) return outputs === 1 ? sigmoidCrossEntropy() : softmaxCrossEntropy();
  if (typeof loss !== "string") return loss;
  if (Object.hasOwn(losses, loss)) return losses[loss]();
  throw unknown("loss", loss, losses);
}

/** The optimizer of that name, Keras's RMSprop by default. Throws GraftError `usage` for a name that there is not. */
export function optimizerOf(optimizer: Optimizer | OptimizerName = "rmsprop"): Optimizer {
  if (typeof optimizer !== "string") return optimizer;
  if (Object.hasOwn(optimizers, optimizer)) return optimizers[optimizer].make();
  throw unknown("optimizer", optimizer, optimizers);
}

/** Keras's learning rate for an optimizer where none is said. */
export function defaultLearningRate({ name }: Optimizer): number {
  return Object.hasOwn(optimizers, name)
    ? ((optimizers as Record<string, { rate: number }>)[name]?.rate ?? 0.001)
    : 0.001;
}

function unknown(kind: string, name: string, table: object): GraftError {
  return new GraftError("usage", `there is no ${kind} "${name}"`, {
    expected: `one of ${Object.keys(table).join(", ")}`,
  });
}
