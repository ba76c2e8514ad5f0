/** @file The table of families: how each is built, which weights are published for it, and what its pixels are. */
import type { LayeredGraph } from "../graph/index.ts";
import type { WeightSource } from "../layers/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Family, FamilyOptions } from "./family.ts";
import { type ApplicationLayout, FunctionalModel } from "./functional.ts";
import { mobileNetV2Families } from "./mobileNetV2.ts";
import { settledOptions } from "./shape.ts";

/** Every function of keras.applications; those first that serve best as bases. */
export const families: readonly Family[] = [...mobileNetV2Families];

/** The family of that name, whatever its case. Throws GraftError `usage`. */
export function familyNamed(name: string): Family {
  const found = findFamily(name);
  if (found !== undefined) return found;
  throw new GraftError("usage", `there is no application "${name}"`, {
    expected: families.map((family) => family.name).join(", "),
  });
}

/** The family of that name, whatever its case, if there is one. */
export function findFamily(name: string): Family | undefined {
  return families.find((family) => family.name.toLowerCase() === name.toLowerCase());
}

/**
 * The model as a graph of named layers: input `input_layer`, float32 `[N, channels, H, W]`, or `[N, H, W, channels]` where
 * the layout says so, preprocessed as the family says.
 *
 * @throws GraftError `usage` where Keras refuses the options
 */
export function buildApplication(
  family: Family,
  options: FamilyOptions,
  weights: WeightSource,
  layout: ApplicationLayout = "channels_first",
): LayeredGraph {
  const settled = settledOptions(family, options);
  const model = new FunctionalModel();
  const output = family.body(model, model.input(settled.inputShape), settled);
  return model.build(output, settled.name, weights, layout);
}
