/** @file Variables: what layers hold and training changes. Every model that holds a layer sees its variables change. */
import { areEqualShapes, GraftError, type NumericTensor, showShape } from "../tensor/index.ts";

/** One weight of a layer. */
export class Variable {
  /** `kernel`, `moving_mean`. */
  readonly name: string;
  /** With the layer's name in front: `dense/kernel`. */
  readonly path: string;
  /** Moving statistics are never changed by gradients, whatever the layer's `trainable`. */
  readonly isStatistic: boolean;
  /** Whether `fit` changes it: follows the `trainable` of the layer that holds it. */
  trainable: boolean;
  #value: NumericTensor;

  constructor(path: string, value: NumericTensor, isStatistic = false) {
    this.path = path;
    this.name = path.slice(path.lastIndexOf("/") + 1);
    this.isStatistic = isStatistic;
    this.trainable = !isStatistic;
    this.#value = value;
  }

  /** Not to be changed in place: `assign` another. */
  get value(): NumericTensor {
    return this.#value;
  }

  get shape(): readonly number[] {
    return this.#value.shape;
  }

  /** How many numbers it holds. */
  get size(): number {
    return this.#value.data.length;
  }

  /** Takes another value. Throws GraftError `usage` where type or shape differ. */
  assign(value: NumericTensor): void {
    if (value.dtype !== this.#value.dtype || !areEqualShapes(value.shape, this.#value.shape)) {
      throw new GraftError("usage", "a variable keeps its type and shape", {
        path: [this.path],
        expected: `${this.#value.dtype}${showShape(this.#value.shape)}`,
        actual: `${value.dtype}${showShape(value.shape)}`,
      });
    }
    this.#value = value;
  }
}
