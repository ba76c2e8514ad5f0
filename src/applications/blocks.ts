/** @file What the builders of several families share: their ends, padding before strides, rounded channel counts. */
import type { SettledOptions } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** How a family calls the pools over its last map; automatic names where they are left out. */
export interface PoolNames {
  /** The average pool before the classifier. Default: as `avg`. */
  readonly top?: string;
  readonly avg?: string;
  readonly max?: string;
}

/** The last map's averages or maxima, or the map itself, as `pooling` says. */
export function pooledMap(
  model: FunctionalModel,
  x: KerasTensor,
  { pooling }: SettledOptions,
  names: PoolNames = {},
): KerasTensor {
  if (pooling === "avg") return model.layer("GlobalAveragePooling2D", names.avg, {}, x);
  return pooling === "max" ? model.layer("GlobalMaxPooling2D", names.max, {}, x) : x;
}

/** The end of most families: average pool, dropout and dense layer `predictions` with the top, else what `pooling` says. */
export function classified(
  model: FunctionalModel,
  x: KerasTensor,
  options: SettledOptions,
  names: PoolNames & { readonly dropout?: { readonly name: string; readonly rate: number } } = {},
): KerasTensor {
  const { classes, classifierActivation } = options;
  if (!options.includeTop) return pooledMap(model, x, options, names);
  let features = model.layer("GlobalAveragePooling2D", names.top ?? names.avg, {}, x);
  if (names.dropout !== undefined && names.dropout.rate > 0) {
    features = model.layer("Dropout", names.dropout.name, { rate: names.dropout.rate }, features);
  }
  return model.layer("Dense", "predictions", { units: classes, activation: classifierActivation }, features);
}

/** Keras's `correct_pad`: the padding before a convolution of stride 2; an even or an open side gets less at its begin. */
export function paddingBeforeStride({ shape }: KerasTensor, kernel: number): readonly (readonly [number, number])[] {
  const [height = null, width = null] = shape;
  const half = Math.floor(kernel / 2);
  // Whether sizes are open, Keras asks of the height alone.
  const begin = (size: number | null) => half - (height === null || size === null ? 1 : 1 - (size % 2));
  return [
    [begin(height), half],
    [begin(width), half],
  ];
}

/** The nearest multiple of 8, not more than a tenth below (`_make_divisible`, `_depth`). */
export function divisible(channels: number): number {
  const rounded = Math.max(8, Math.floor(Math.trunc(channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}
