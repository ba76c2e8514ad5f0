/** @file What a kind of layer is: what it computes of what goes in, with which weights. */
import type { Builder, Oriented, Value } from "../graph/index.ts";
import type { NumericTensor } from "../tensor/index.ts";
import type { Config } from "./config.ts";

/** What goes from layer to layer. */
export interface Flow {
  readonly data: Oriented;
  /** Keras's mask, bool `[N, time]`: which steps count. */
  readonly mask?: Value | undefined;
}

/** From Keras's layout to the one that the operator takes. */
export type ToOnnx = (elements: Float32Array, shape: readonly number[]) => NumericTensor;

export interface WeightOptions {
  /** See `WeightSpec.holder`. Default: the layer itself. */
  readonly holder?: readonly string[];
  /** See `WeightSpec.after`. */
  readonly after?: number;
  /** Default: true. */
  readonly isTrainable?: boolean;
  /** Default: the elements as they are. */
  readonly toOnnx?: ToOnnx;
}

/** How the layer is called, beside its inputs. */
export interface CallArguments {
  /** Keras's `training`: `undefined` where the call does not say. Inference is what is built. */
  readonly training?: boolean | undefined;
  /** Inputs given by name: `initial_state`, `mask`, `query`, `value`, `key`, `attention_mask`. */
  readonly named: ReadonlyMap<string, readonly Flow[]>;
  /** What else the call was given, as JSON. */
  readonly config: Config;
}

/** One call of one layer, while it is built. */
export interface LayerCall {
  readonly build: Builder;
  /** The layer's name, with those of the models around it: `outer/conv1`. Nodes and weights are called after it. */
  readonly name: string;
  readonly config: Config;
  readonly call: CallArguments;
  /** 1, 2 or 3: some defaults and formulas differ. */
  readonly kerasVersion: number;
  /**
   * A weight of the layer as an initializer `<layer>/<weight>`; asked in the order of Keras's `layer.weights` (trainable
   * ones in the order they are made). The second call of a shared layer gets the same value.
   */
  weight(weight: string, shape: readonly number[], options?: WeightOptions): Value;
  /** Lowers another layer inside this one, such as the layer that a wrapper wraps. `holder` leads to it. */
  inner(className: string, config: Config, inputs: readonly Flow[], options: InnerOptions): readonly Flow[];
  /** Something that a person should know of it, a sentence. */
  remark(sentence: string): void;
}

export interface InnerOptions {
  /** Its own name: goes between the outer layer's and the weight's. */
  readonly name: string;
  readonly holder: readonly string[];
  readonly call?: CallArguments;
}

/** What a call of a layer gives: one output, or several. */
export type LowerLayer = (inputs: readonly Flow[], call: LayerCall) => Flow | readonly Flow[];

/** A kind of layer: an entry of the table. */
export interface LayerDefinition {
  readonly lower: LowerLayer;
  /** Whether the first input's mask goes on to the output where `lower` gives none (Keras's `supports_masking`). */
  readonly passesMask?: boolean;
}
