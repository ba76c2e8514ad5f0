/** @file Values of models that keep their channels last, in a graph whose operators want them first. */
import type { Dimension, Shape } from "../tensor/index.ts";
import type { Builder } from "./build.ts";
import type { Value } from "./graph.ts";

/**
 * A value in the axis order of the model it comes from, `[N, …spatial, C]`, that may lie in the graph as
 * `[N, C, …spatial]`. Either form is made when it is first asked for, and kept: interiors stay channels first, and
 * transposes stand only where the two orders meet. Below rank 3 the two forms are one.
 */
export class Oriented {
  readonly #build: Builder;
  /** Whether it was computed with its channels first: the form in which elementwise work goes on. */
  readonly isFirst: boolean;
  #last: Value | undefined;
  #first: Value | undefined;

  private constructor(build: Builder, value: Value, isFirst: boolean) {
    this.#build = build;
    this.isFirst = isFirst && (value.shape?.length ?? 0) >= 3;
    if (this.isFirst) this.#first = value;
    else this.#last = value;
  }

  /** A value that lies in the model's own order. */
  static last(build: Builder, value: Value): Oriented {
    return new Oriented(build, value, false);
  }

  /** A value that lies as `[N, C, …spatial]`. */
  static first(build: Builder, value: Value): Oriented {
    return new Oriented(build, value, true);
  }

  /** The form it was computed in. */
  get native(): Value {
    const value = this.isFirst ? this.#first : this.#last;
    if (value === undefined) throw new Error("internal: an oriented value without a value");
    return value;
  }

  /** The sizes in the model's own order; `undefined` where not even the rank is known. */
  get shape(): Shape | undefined {
    const { shape } = this.native;
    return shape === undefined || !this.isFirst ? shape : channelsLastOf(shape);
  }

  get dtype(): Value["dtype"] {
    return this.native.dtype;
  }

  /** The value in the model's own order. */
  last(): Value {
    this.#last ??= this.#build.transpose(this.native, [0, ...axesFrom(2, this.native), 1]);
    return this.#last;
  }

  /** The value as `[N, C, …spatial]`. Its rank must be known. */
  first(): Value {
    if ((this.native.shape?.length ?? 0) < 3) return this.native;
    const rank = this.native.shape?.length ?? 0;
    this.#first ??= this.#build.transpose(this.native, [0, rank - 1, ...axesFrom(1, this.native).slice(0, -1)]);
    return this.#first;
  }

  /** What comes of work on single elements, done in the form that is there. */
  map(compute: (value: Value) => Value): Oriented {
    return new Oriented(this.#build, compute(this.native), this.isFirst);
  }

  /** Where an axis of the model lies in the native form. `axis` counts from 0, or from the end where negative. */
  nativeAxis(axis: number): number {
    const rank = this.native.shape?.length ?? 0;
    const positive = axis < 0 ? axis + rank : axis;
    if (!this.isFirst || positive === 0) return positive;
    return positive === rank - 1 ? 1 : positive + 1;
  }
}

/** `[N, C, …spatial]` to `[N, …spatial, C]`. */
function channelsLastOf(shape: Shape): Shape {
  const [batch, channels, ...spatial] = shape;
  const known = (size: Dimension | undefined) => (size === undefined ? [] : [size]);
  return [...known(batch), ...spatial, ...known(channels)];
}

function axesFrom(first: number, { shape = [] }: Value): number[] {
  return Array.from({ length: Math.max(0, shape.length - first) }, (_, index) => first + index);
}
