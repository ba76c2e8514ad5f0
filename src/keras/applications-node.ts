/** @file `applications.mobileNetV2({ … })`: the models of keras.applications, with their preprocessing and their classes. */
import { type ApplicationOptions, loadApplication, preprocessFor } from "../model/application-node.ts";
import { type DecodedPrediction, type FamilyName, familyNames, type OwnOption } from "../model/index.ts";
import { decodePredictions } from "../model/keras-folder-node.ts";
import { BaseModel } from "./base-model.ts";

/** `MobileNetV2` is called `mobileNetV2`, `VGG16` `vgg16`, `NASNetLarge` `nasNetLarge`. */
type FunctionName<Name extends FamilyName> = Name extends `VGG${infer Depth}`
  ? `vgg${Depth}`
  : Name extends `NASNet${infer Size}`
    ? `nasNet${Size}`
    : Uncapitalize<Name>;

/** The options that not every family has. */
type OwnOptionOf<Name extends FamilyName> = Name extends "MobileNetV2"
  ? "alpha"
  : Name extends "MobileNet"
    ? "alpha" | "depthMultiplier" | "dropout"
    : Name extends `MobileNetV3${string}`
      ? "alpha" | "minimalistic" | "dropoutRate" | "includePreprocessing"
      : Name extends `EfficientNetV2${string}` | `ConvNeXt${string}`
        ? "includePreprocessing"
        : never;

/** The arguments of a family's function. */
export type ApplicationOptionsOf<Name extends FamilyName> = Omit<
  ApplicationOptions,
  "layout" | Exclude<OwnOption, OwnOptionOf<Name>>
>;

/**
 * A maker for each function of keras.applications, with Keras's layers, arguments and weights. What a model takes, its
 * `range` says: `attachHead` brings the rescaling along, `preprocessInput` does it by hand.
 *
 * They throw GraftError `usage` where Keras refuses the options; `not-cached` where the weights are neither on this machine
 * nor to be had; `model-invalid` where the file is damaged or does not fit.
 */
export type ApplicationMakers = {
  readonly [Name in FamilyName as FunctionName<Name>]: (options?: ApplicationOptionsOf<Name>) => Promise<BaseModel>;
};

export interface Applications extends ApplicationMakers {
  /**
   * Pixels `[…, 3]` in RGB, 0–255 and channels last, as the model of that name takes them, in the same order of axes:
   * Keras's `preprocess_input`. Families whose layers scale their pixels get them as they are.
   *
   * @throws GraftError `usage` for names of no application
   */
  preprocessInput(pixels: ArrayLike<number>, name: FamilyName): Float32Array;
  /**
   * The `top` (5) most likely classes of ImageNet for each row of predictions `[rows, 1000]`, the likeliest first: Keras's
   * `decode_predictions`. The names of the classes are read from Keras's folder, or downloaded into it once.
   *
   * @throws GraftError `usage` where the predictions are no rows of 1,000 numbers; `not-cached` where the names cannot be had
   */
  decodePredictions(
    predictions: ArrayLike<number>,
    options?: { readonly top?: number },
  ): Promise<readonly (readonly DecodedPrediction[])[]>;
}

async function make(name: FamilyName, options?: ApplicationOptions): Promise<BaseModel> {
  const { graph, layers, provenance, range } = await loadApplication(name, options);
  return new BaseModel({ graph, layers }, { ...(range && { range }), ...(provenance && { provenance }) });
}

function functionName(name: FamilyName): string {
  const [first = ""] = /^(VGG|NAS|.)/.exec(name) ?? [];
  return first.toLowerCase() + name.slice(first.length);
}

const makers = Object.fromEntries(
  familyNames.map((name) => [functionName(name), (options?: ApplicationOptions) => make(name, options)]),
);

export const applications: Applications = {
  // One for each of the names, which the type computes by the same rule.
  ...(makers as unknown as ApplicationMakers),
  preprocessInput: preprocessFor,
  decodePredictions,
};
