/** @file What the Inception models are made of: convolutions with batch norm, in branches that are put side by side. */
import type { FunctionalModel, KerasTensor } from "./functional.ts";

/** A convolution with batch norm and rectifier. */
export interface Convolution {
  readonly filters: number;
  readonly kernel: readonly [rows: number, columns: number];
  /** With 2, nothing is padded. */
  readonly strides: 1 | 2;
  readonly padding: "same" | "valid";
}

/** What a branch does, one after the other. */
export type Step = Convolution | "max" | "average" | { readonly split: readonly Convolution[]; readonly name?: string };

/** A convolution whose map keeps its size. */
export function same(filters: number, rows: number, columns: number = rows): Convolution {
  return { filters, kernel: [rows, columns], strides: 1, padding: "same" };
}

/** A convolution at the places where its window lies wholly on the map. */
export function valid(filters: number, side: number, strides: 1 | 2 = 1): Convolution {
  return { filters, kernel: [side, side], strides, padding: "valid" };
}

/** The convolution, its batch norm without scale, and the rectifier. With a name they are `<name>`, `<name>_bn`, `<name>_ac`. */
export function convolved(
  model: FunctionalModel,
  x: KerasTensor,
  convolution: Convolution,
  name?: string,
): KerasTensor {
  const { filters, kernel, strides, padding } = convolution;
  const config = { filters, kernel_size: kernel, strides, padding, use_bias: false };
  const y = model.layer("Conv2D", name, config, x);
  const part = (ending: string) => (name === undefined ? undefined : `${name}_${ending}`);
  const normalized = model.layer("BatchNormalization", part("bn"), { scale: false }, y);
  return model.layer("Activation", part("ac"), { activation: "relu" }, normalized);
}

/** The results of all branches of `x`, side by side. */
export function branched(
  model: FunctionalModel,
  x: KerasTensor,
  branches: readonly (readonly Step[])[],
  name: string,
): KerasTensor {
  const ends = branches.map((steps) => steps.reduce((from, step) => stepped(model, from, step), x));
  return model.layer("Concatenate", name, {}, ...ends);
}

/** From pixels to 192 channels on an eighth of the sides. */
export function stem(model: FunctionalModel, pixels: KerasTensor): KerasTensor {
  let x = convolved(model, pixels, valid(32, 3, 2));
  x = convolved(model, x, valid(32, 3));
  x = halved(model, convolved(model, x, same(64, 3)));
  x = convolved(model, x, valid(80, 1));
  return halved(model, convolved(model, x, valid(192, 3)));
}

/** A pool of 3×3 that halves the map. */
function halved(model: FunctionalModel, x: KerasTensor): KerasTensor {
  return model.layer("MaxPooling2D", undefined, { pool_size: 3, strides: 2, padding: "valid" }, x);
}

function stepped(model: FunctionalModel, x: KerasTensor, step: Step): KerasTensor {
  if (step === "max") return halved(model, x);
  if (step === "average") {
    return model.layer("AveragePooling2D", undefined, { pool_size: 3, strides: 1, padding: "same" }, x);
  }
  if (!("split" in step)) return convolved(model, x, step);
  const ends = step.split.map((each) => convolved(model, x, each));
  return model.layer("Concatenate", step.name, {}, ...ends);
}
