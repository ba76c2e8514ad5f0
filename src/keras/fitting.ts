/** @file Training a model: its layers become a training problem, and what was learnt goes back into its variables. */
import type { Dataset } from "../data/index.ts";
import { GraftError } from "../tensor/index.ts";
import {
  type EpochRecord,
  type FitOptions,
  type FitResult,
  fit,
  type Loss,
  type Optimizer,
  type Schedule,
} from "../training/index.ts";
import { composeModel, widthOf } from "./compose.ts";
import { engine } from "./engine.ts";
import { defaultLearningRate, type LossName, lossOf, type OptimizerName, optimizerOf } from "./losses.ts";
import type { Model } from "./model.ts";

/** What Keras's `fit` takes, and what only `fit` here does. */
export interface ModelFitOptions extends Omit<FitOptions, "optimizer" | "learningRate" | "loss"> {
  /** Default: what `compile` said, else Keras's RMSprop. */
  readonly optimizer?: Optimizer | OptimizerName;
  /** Default: what `compile` said, else Keras's for the optimizer. */
  readonly learningRate?: number | Schedule;
  /** Default: what `compile` said, else binary or softmax cross-entropy, by the number of outputs. */
  readonly loss?: Loss | LossName;
}

/** What `fit` says afterwards, as Keras says it. */
export interface History {
  /** The numbers of the epochs, from 0. */
  readonly epoch: readonly number[];
  /** By name, a number an epoch; names that were not measured are absent. */
  readonly history: { readonly [Name in HistoryName]?: readonly number[] };
  /** SHA-256 over every tensor that was not trained, before and after. */
  readonly frozenDigest: FitResult["frozenDigest"];
}

const historyNames = ["loss", "accuracy", "valLoss", "valAccuracy", "learningRate"] as const;
type HistoryName = (typeof historyNames)[number];

/**
 * Trains what is trainable. Variables change when the training has ended.
 *
 * @throws GraftError `usage` where nothing is trainable, and what `fit` of the training room throws
 */
export async function fitModel(model: Model, data: Dataset, options: ModelFitOptions): Promise<History> {
  const { optimizer, learningRate, loss, ...others } = options;
  const { graph, names, trainingNodes } = composeModel(model, "uint8");
  const trainable = model.trainableVariables.flatMap((variable) => names.get(variable) ?? []);
  if (trainable.length === 0) {
    throw new GraftError("usage", "no variable of the model is trainable", {
      path: [`model "${model.name}"`],
      hint: "set trainable on a layer, or add one",
    });
  }
  const chosen = optimizerOf(optimizer);
  const result = await fit(
    { graph, trainable, trainingNodes, recipe: model.recipe },
    data,
    {
      ...others,
      optimizer: chosen,
      learningRate: learningRate ?? defaultLearningRate(chosen),
      loss: lossOf(loss, widthOf(graph)),
    },
    await engine().platform(),
  );
  for (const [variable, name] of names) {
    const value = result.weights.get(name);
    if (value !== undefined) variable.assign(value);
  }
  return historyOf(result);
}

function historyOf({ history, frozenDigest }: FitResult): History {
  const columns = historyNames.flatMap((name) => {
    const values = history.flatMap((record: EpochRecord) => record[name] ?? []);
    return values.length === 0 ? [] : [[name, values] as const];
  });
  return { epoch: history.map(({ epoch }) => epoch), history: Object.fromEntries(columns), frozenDigest };
}
