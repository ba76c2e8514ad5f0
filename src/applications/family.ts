/** @file What a family of keras.applications is: a row of the table, and the arguments of its function. */
import type { FunctionalModel, KerasTensor } from "./functional.ts";
import type { PreprocessingMode } from "./preprocessing.ts";

/** The functions of keras.applications, by Keras's names. */
export const familyNames = [
  "MobileNetV2",
  "MobileNet",
  "MobileNetV3Small",
  "MobileNetV3Large",
  "EfficientNetB0",
  "EfficientNetB1",
  "EfficientNetB2",
  "EfficientNetB3",
  "EfficientNetB4",
  "EfficientNetB5",
  "EfficientNetB6",
  "EfficientNetB7",
  "EfficientNetV2B0",
  "EfficientNetV2B1",
  "EfficientNetV2B2",
  "EfficientNetV2B3",
  "EfficientNetV2S",
  "EfficientNetV2M",
  "EfficientNetV2L",
  "ResNet50",
  "ResNet101",
  "ResNet152",
  "ResNet50V2",
  "ResNet101V2",
  "ResNet152V2",
  "DenseNet121",
  "DenseNet169",
  "DenseNet201",
  "Xception",
  "InceptionV3",
  "InceptionResNetV2",
  "NASNetMobile",
  "NASNetLarge",
  "ConvNeXtTiny",
  "ConvNeXtSmall",
  "ConvNeXtBase",
  "ConvNeXtLarge",
  "ConvNeXtXLarge",
  "VGG16",
  "VGG19",
] as const;

export type FamilyName = (typeof familyNames)[number];

/** `[height, width, channels]`; with `null`, a size is left open until a picture comes. */
export type InputShape = readonly [number | null, number | null, number];

/** The arguments of Keras's functions that shape the graph, with Keras's meanings and defaults. */
export interface FamilyOptions {
  /** By default the family's size with the top, open sizes without. */
  readonly inputShape?: InputShape;
  /** Whether the classifier is part of it. Default: true. */
  readonly includeTop?: boolean;
  /** What becomes of the last map without the top. Default: null, the map itself. */
  readonly pooling?: "avg" | "max" | null;
  /** With the top. Default: 1,000. */
  readonly classes?: number;
  /** With the top: the name of an activation; null gives logits. Default: "softmax". */
  readonly classifierActivation?: string | null;
  /**
   * `imagenet`: it is built for the weights that Keras publishes, which bind the arguments, and after which EfficientNet
   * scales its input once more. Anything else: for other weights. Default: null.
   */
  readonly weights?: "imagenet" | (string & {}) | null;
  /** The model's name, with which some families' layers begin. Default: Keras's. */
  readonly name?: string;
  /** MobileNet: the width, 1 is the paper's. Default: 1. */
  readonly alpha?: number;
  /** MobileNet (the first): how many maps a depthwise convolution makes of one. Default: 1. */
  readonly depthMultiplier?: number;
  /** MobileNet (the first): the dropout before the classifier. Default: 0.001. */
  readonly dropout?: number;
  /** MobileNetV3: the dropout before the classifier. Default: 0.2. */
  readonly dropoutRate?: number;
  /** MobileNetV3: without squeeze-and-excite, hard swish and kernels of 5. Default: false. */
  readonly minimalistic?: boolean;
  /** Families that take pixels 0–255: whether the layers that scale them are part of it. Default: true. */
  readonly includePreprocessing?: boolean;
}

/** The options that only some families have. */
export type OwnOption =
  | "alpha"
  | "depthMultiplier"
  | "dropout"
  | "dropoutRate"
  | "minimalistic"
  | "includePreprocessing";

/** A family's arguments with its defaults, checked. */
export type SettledOptions = Required<Omit<FamilyOptions, "weights">> & {
  /** Whether it is built for the published weights. */
  readonly isImageNet: boolean;
};

/** A file of weights that Keras publishes. */
export interface PublishedWeights {
  /** Its name in Keras's folder. */
  readonly file: string;
  readonly address: string;
  /** As Keras's sources state it; `undefined` where they state none. */
  readonly digest: { readonly algorithm: "md5" | "sha256"; readonly hex: string } | undefined;
  readonly includeTop: boolean;
  /** What it belongs to, where the family has several: its width, its size of pictures. */
  readonly alpha?: number;
  readonly size?: number;
  readonly minimalistic?: boolean;
}

export interface Family {
  readonly name: FamilyName;
  /** The model's own name by default: `resnet50`, `mobilenetv2_1.00_224`. */
  readonly modelName: (options: Omit<SettledOptions, "name">) => string;
  /** Adds the layers to the model, from its input to its output. */
  readonly body: (model: FunctionalModel, input: KerasTensor, options: SettledOptions) => KerasTensor;
  /** Beside those that every family has. */
  readonly options: readonly OwnOption[];
  /** How pixels 0–255 become its input; `raw`: they are scaled inside. */
  readonly preprocessing: PreprocessingMode;
  /** The same where `includePreprocessing` is false; `undefined` where that is none of Keras's modes. */
  readonly preprocessingOutside?: PreprocessingMode;
  readonly defaultSize: number;
  /** The smallest side of pictures that Keras allows. */
  readonly smallestSide: number;
  /** The top also takes open sizes, and published weights with the top any size. Default: false. */
  readonly isTopOfAnySize?: boolean;
  /** Its layers depend on the sizes, so that none may be open, with the top or without. Default: false. */
  readonly isOfKnownSize?: boolean;
  readonly published: readonly PublishedWeights[];
  /** Of the published weights. */
  readonly license: string;
  /** Top-1 accuracy on ImageNet's validation pictures, from Keras's page on applications, of its default variant. */
  readonly accuracy: number | undefined;
  /** How many parameters it has with the top, of its default variant. */
  readonly parameters: number;
}

/** A file's name in Keras's folder, its digest, and its name at the address where that is another. */
export type PublishedFile = readonly [file: string, digest?: string, remote?: string];

/** The two files of a variant: with and without the top. `folder` ends in `/`. Digests of 64 digits are SHA-256, of 32 MD5. */
export function published(
  folder: string,
  top: PublishedFile,
  noTop: PublishedFile,
  variant: Pick<PublishedWeights, "alpha" | "size" | "minimalistic"> = {},
): readonly PublishedWeights[] {
  const row = ([file, hex, remote]: PublishedFile, includeTop: boolean): PublishedWeights => ({
    file,
    address: folder + (remote ?? file),
    digest: hex === undefined ? undefined : { algorithm: hex.length === 64 ? "sha256" : "md5", hex },
    includeTop,
    ...variant,
  });
  return [row(top, true), row(noTop, false)];
}

/** The folder of most published weights. */
export const kerasApplications = "https://storage.googleapis.com/tensorflow/keras-applications/";
