/** @file The table of families: how each is built, which weights are published for it, and what its pixels are. */
import type { LayeredGraph } from "../graph/index.ts";
import type { WeightSource } from "../layers/index.ts";
import { GraftError } from "../tensor/index.ts";
import { convNeXtFamilies } from "./convNeXt.ts";
import { denseNetFamilies } from "./denseNet.ts";
import { efficientNetFamilies } from "./efficientNet.ts";
import { efficientNetV2Families } from "./efficientNetV2.ts";
import type { Family, FamilyOptions } from "./family.ts";
import { type ApplicationLayout, FunctionalModel } from "./functional.ts";
import { inceptionResNetV2Families } from "./inceptionResNetV2.ts";
import { inceptionV3Families } from "./inceptionV3.ts";
import { mobileNetFamilies } from "./mobileNet.ts";
import { mobileNetV2Families } from "./mobileNetV2.ts";
import { mobileNetV3Families } from "./mobileNetV3.ts";
import { nasNetFamilies } from "./nasNet.ts";
import { resNetFamilies } from "./resNet.ts";
import { resNetV2Families } from "./resNetV2.ts";
import { settledOptions } from "./shape.ts";
import { vggFamilies } from "./vgg.ts";
import { xceptionFamilies } from "./xception.ts";

/** Every function of keras.applications; those first that serve best as bases. */
export const families: readonly Family[] = [
  ...mobileNetV2Families,
  ...mobileNetFamilies,
  ...mobileNetV3Families,
  ...resNetFamilies,
  ...resNetV2Families,
  ...denseNetFamilies,
  ...efficientNetFamilies,
  ...efficientNetV2Families,
  ...xceptionFamilies,
  ...inceptionV3Families,
  ...inceptionResNetV2Families,
  ...nasNetFamilies,
  ...convNeXtFamilies,
  ...vggFamilies,
];

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
