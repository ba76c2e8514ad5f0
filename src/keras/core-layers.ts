/** @file The layers of a head, with Keras's names, arguments and meanings. */
import type { Value } from "../graph/index.ts";
import { float32, unreachable } from "../tensor/index.ts";
import { type ActivationName, activate, checkActivation } from "./activations.ts";
import type { Composition } from "./composition.ts";
import { type Initializer, initialize } from "./initializers.ts";
import { Layer, type LayerOptions } from "./layer.ts";
import { channelsFirst, channelsLast, checkRank, type KerasShape, refused, showShape } from "./shape.ts";
import { Variable } from "./variable.ts";

export interface InputLayerOptions extends LayerOptions {
  /** Without the batch: `[height, width, 3]`. */
  readonly shape: readonly (number | null)[];
}

/** Says what goes into a model. Not among the `layers` of a sequential model, as in Keras. */
export class InputLayer extends Layer {
  readonly shape: KerasShape;

  constructor(options: InputLayerOptions) {
    super("InputLayer", options);
    this.shape = [null, ...options.shape];
    this.hold([]);
  }

  override outputShape(): KerasShape {
    return this.shape;
  }

  override append(x: Value): Value {
    return x;
  }
}

export interface RescalingOptions extends LayerOptions {
  /** A factor for all channels, or one a channel. */
  readonly scale: number | readonly number[];
  /** Added afterwards. Default: 0. */
  readonly offset?: number | readonly number[];
  /** The order the channels are brought into first. Default: `rgb`, as they come. */
  readonly channels?: "rgb" | "bgr";
}

/** x·scale + offset. */
export class Rescaling extends Layer {
  readonly #scale: readonly number[];
  readonly #offset: readonly number[];
  readonly #isReversed: boolean;

  constructor(options: RescalingOptions) {
    super("Rescaling", options);
    this.#scale = [options.scale].flat();
    this.#offset = [options.offset ?? 0].flat();
    this.#isReversed = options.channels === "bgr";
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    const channels = inputShape.at(-1);
    if (this.#isReversed && channels !== 3)
      throw refused(this, "only three channels are brought into another order", "3", `${channels}`);
    for (const { length } of [this.#scale, this.#offset]) {
      if (length !== 1 && length !== channels) {
        throw refused(this, "scale and offset are one number, or one a channel", `${channels}`, `${length}`);
      }
    }
    return inputShape;
  }

  override append(x: Value, { builder }: Composition): Value {
    const rank = x.shape?.length ?? 0;
    const constant = (numbers: readonly number[]) =>
      builder.constant(
        float32(
          numbers.length === 1 ? [] : rank === 4 ? [numbers.length, 1, 1] : [numbers.length],
          Float32Array.from(numbers),
        ),
      );
    const isZero = this.#offset.every((offset) => offset === 0);
    const ordered = this.#isReversed ? builder.gather(x, builder.ints([2, 1, 0]), rank === 4 ? 1 : rank - 1) : x;
    const scaled = builder.mul(ordered, constant(this.#scale));
    return isZero ? scaled : builder.add(scaled, constant(this.#offset));
  }
}

export interface GlobalPoolingOptions extends LayerOptions {
  /** Whether the map stays a map of one pixel. Default: false. */
  readonly keepdims?: boolean;
}

/** The mean or the maximum of each channel over the map. */
export class GlobalPooling2D extends Layer {
  readonly #isMean: boolean;
  readonly #keepdims: boolean;

  constructor(className: "GlobalAveragePooling2D" | "GlobalMaxPooling2D", options: GlobalPoolingOptions) {
    super(className, options);
    this.#isMean = className === "GlobalAveragePooling2D";
    this.#keepdims = options.keepdims ?? false;
    this.hold([]);
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    const [batch = null, , , channels = null] = checkRank(this, inputShape, 4);
    return this.#keepdims ? [batch, 1, 1, channels] : [batch, channels];
  }

  override append(x: Value, { builder }: Composition): Value {
    if (this.#isMean) return builder.reduceMean(x, [2, 3], this.#keepdims);
    return builder.apply("ReduceMax", [x, builder.ints([2, 3])], { keepdims: this.#keepdims });
  }
}

/** Everything but the batch in one row, in Keras's order: rows, columns, channels. */
export class Flatten extends Layer {
  constructor(options: LayerOptions) {
    super("Flatten", options);
  }

  override outputShape([batch = null, ...sizes]: KerasShape): KerasShape {
    const isKnown = sizes.every((size) => size !== null);
    return [batch, isKnown ? sizes.reduce((product: number, size) => product * Number(size), 1) : null];
  }

  override append(x: Value, { builder }: Composition): Value {
    const sizes = (x.shape ?? []).slice(1);
    if (!sizes.every((size) => typeof size === "number")) {
      throw refused(this, "what is flattened has a known size", "numbers", `[${sizes.join(", ")}]`);
    }
    return builder.reshape(channelsLast(builder, x), [-1, sizes.reduce((product, size) => product * size, 1)]);
  }
}

export interface DenseOptions extends LayerOptions {
  /** How many numbers come out. */
  readonly units: number;
  readonly activation?: ActivationName;
  /** Default: true. */
  readonly useBias?: boolean;
  /** Default: `glorot_uniform`. */
  readonly kernelInitializer?: Initializer;
  /** Default: `zeros`. */
  readonly biasInitializer?: "zeros" | "ones";
}

/** activation(x·kernel + bias), on the last axis. */
export class Dense extends Layer {
  readonly #options: DenseOptions;
  #kernel: Variable | undefined;
  #bias: Variable | undefined;

  constructor(options: DenseOptions) {
    super("Dense", options);
    this.#options = options;
    if (!(Number.isSafeInteger(options.units) && options.units > 0)) {
      throw refused(this, "units is a positive whole number", undefined, String(options.units));
    }
    checkActivation(options.activation ?? "linear");
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    return [...inputShape.slice(0, -1), this.#options.units];
  }

  protected override createVariables(inputShape: KerasShape, random: () => number): readonly Variable[] {
    const { units, useBias = true, kernelInitializer = "glorot_uniform", biasInitializer = "zeros" } = this.#options;
    const features = inputShape.at(-1);
    if (inputShape.length < 2 || typeof features !== "number") {
      throw refused(this, "the number of features must be known", "(None, …, features)", showShape(inputShape));
    }
    this.#kernel = new Variable(`${this.name}/kernel`, initialize(kernelInitializer, [features, units], random));
    if (!useBias) return [this.#kernel];
    const bias = new Float32Array(units).fill(biasInitializer === "ones" ? 1 : 0);
    this.#bias = new Variable(`${this.name}/bias`, float32([units], bias));
    return [this.#kernel, this.#bias];
  }

  override append(x: Value, composition: Composition): Value {
    const { builder } = composition;
    const kernel = composition.weight(this.#kernel ?? unreachable(`${this.name} is not built`));
    const bias = this.#bias && composition.weight(this.#bias);
    const activation = this.#options.activation ?? "linear";
    if (x.shape?.length === 2) {
      const name = activation === "linear" ? this.name : undefined;
      return activate(builder, builder.apply("Gemm", [x, kernel, ...(bias ? [bias] : [])], {}, name), activation);
    }
    const product = builder.matMul(channelsLast(builder, x), kernel);
    return activate(builder, channelsFirst(builder, bias ? builder.add(product, bias) : product), activation);
  }
}

export interface DropoutOptions extends LayerOptions {
  /** The share that is dropped, in [0, 1). */
  readonly rate: number;
}

/** In training each number is dropped with probability `rate`, and the rest scaled by 1/(1 − rate); otherwise nothing. */
export class Dropout extends Layer {
  readonly #rate: number;

  constructor(options: DropoutOptions) {
    super("Dropout", options);
    this.#rate = options.rate;
    this.hold([]);
    if (!(options.rate >= 0 && options.rate < 1)) {
      throw refused(this, "the rate lies outside its range", "a number in [0, 1)", String(options.rate));
    }
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }

  override append(x: Value, composition: Composition): Value {
    const { builder } = composition;
    const rate = builder.constant(float32([], Float32Array.of(this.#rate)));
    const dropped = builder.apply("Dropout", [x, rate], {}, this.name);
    composition.behavesAsInTraining(dropped);
    return dropped;
  }
}

/** An activation alone. */
export class Activation extends Layer {
  readonly #activation: ActivationName;

  constructor(activation: ActivationName, options: LayerOptions) {
    super("Activation", options);
    checkActivation(activation);
    this.#activation = activation;
    this.hold([]);
  }

  override outputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }

  override append(x: Value, { builder }: Composition): Value {
    return activate(builder, x, this.#activation);
  }
}
