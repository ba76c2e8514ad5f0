/** @file Recurrent layers. */
import { attribute, choice, optional, type Schemas, schema } from "../schema.ts";

export type RecurrentDirection = "forward" | "reverse" | "bidirectional";

/** Activations are named per direction and gate; absent ones are the operator's defaults. */
export interface RecurrentAttributes {
  readonly activationAlpha: readonly number[] | undefined;
  readonly activationBeta: readonly number[] | undefined;
  readonly activations: readonly string[] | undefined;
  readonly clip: number | undefined;
  readonly direction: RecurrentDirection;
  readonly hiddenSize: number | undefined;
  /** 0: `[time, batch, …]`; 1: `[batch, time, …]`. */
  readonly layout: number;
}

export interface RecurrentOperators {
  GRU: RecurrentAttributes & { readonly linearBeforeReset: boolean };
  LSTM: RecurrentAttributes & { readonly inputForget: boolean };
  RNN: RecurrentAttributes;
}

const shared = {
  activationAlpha: optional("activation_alpha", "floats"),
  activationBeta: optional("activation_beta", "floats"),
  activations: optional("activations", "strings"),
  clip: optional("clip", "float"),
  direction: choice<RecurrentDirection>("direction", "forward"),
  hiddenSize: optional("hidden_size", "int"),
  layout: attribute("layout", "int", 0),
};

export const recurrentSchemas: Schemas<RecurrentOperators> = {
  GRU: schema([3, 6], [0, 2], { ...shared, linearBeforeReset: attribute("linear_before_reset", "bool", false) }),
  LSTM: schema([3, 8], [0, 3], { ...shared, inputForget: attribute("input_forget", "bool", false) }),
  RNN: schema([3, 6], [0, 2], shared),
};
