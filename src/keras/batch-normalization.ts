/** @file Batch normalization as Keras has it. */
import type { Value } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Composition } from "./composition.ts";
import { Layer, type LayerOptions } from "./layer.ts";
import { type KerasShape, refused, showShape } from "./shape.ts";
import { Variable } from "./variable.ts";

export interface BatchNormalizationOptions extends LayerOptions {
  /** How much of the moving statistics stays in a step. Default: 0.99. */
  readonly momentum?: number;
  /** Added to the variance. Default: 0.001. */
  readonly epsilon?: number;
  /** The axis of the channels: the last one. */
  readonly axis?: -1;
  /** Whether there is a beta. Default: true. */
  readonly center?: boolean;
  /** Whether there is a gamma. Default: true. */
  readonly scale?: boolean;
}

/**
 * γ·(x − μ)/√(σ² + ε) + β. In training, where the layer is trainable and not called with `training: false`, by the mean
 * and variance of the batch, towards which the moving ones move; otherwise by the moving ones.
 */
export class BatchNormalization extends Layer {
  readonly #options: BatchNormalizationOptions;
  #parameters: readonly (Variable | 0 | 1)[] = [];

  constructor(options: BatchNormalizationOptions) {
    super("BatchNormalization", options);
    this.#options = options;
    if (options.axis !== undefined && options.axis !== -1) {
      throw refused(this, "only the last axis is normalized", "-1", String(options.axis));
    }
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }

  protected override createVariables(inputShape: KerasShape): readonly Variable[] {
    const channels = inputShape.at(-1);
    if (inputShape.length < 2 || typeof channels !== "number") {
      throw refused(this, "the number of channels must be known", "(None, …, channels)", showShape(inputShape));
    }
    const { center = true, scale = true } = this.#options;
    const variable = (name: string, first: 0 | 1) =>
      new Variable(
        `${this.name}/${name}`,
        float32([channels], new Float32Array(channels).fill(first)),
        name.startsWith("moving_"),
      );
    const statistics = [variable("moving_mean", 0), variable("moving_variance", 1)];
    this.#parameters = [scale ? variable("gamma", 1) : 1, center ? variable("beta", 0) : 0, ...statistics];
    return this.#parameters.filter((each) => typeof each !== "number");
  }

  override append(x: Value, composition: Composition): Value {
    const { builder } = composition;
    const channels = x.shape?.length === 3 ? x.shape[2] : x.shape?.[1];
    const operands = this.#parameters.map((each) =>
      typeof each === "number"
        ? builder.constant(float32([Number(channels)], new Float32Array(Number(channels)).fill(each)))
        : composition.weight(each),
    );
    const { momentum = 0.99, epsilon = 1e-3 } = this.#options;
    const isSequence = x.shape?.length === 3;
    const input = isSequence ? builder.transpose(x, [0, 2, 1]) : x;
    const normalized = builder.apply("BatchNormalization", [input, ...operands], { momentum, epsilon }, this.name);
    if (this.trainable) composition.behavesAsInTraining(normalized);
    return isSequence ? builder.transpose(normalized, [0, 2, 1]) : normalized;
  }
}
