/** @file Augmentation: random changes that leave the label true, with the meanings of Keras's preprocessing layers. */

/** What fills the places that a geometric change leaves empty, as `tf.raw_ops.ImageProjectiveTransformV3` names them. */
export type FillMode = "reflect" | "constant" | "wrap" | "nearest";

/** A range of a random factor: `f` means [−f, f], a pair its bounds (Keras). */
export type Factor = number | readonly [number, number];

/** One random change: plain data, so that it travels to workers and into cache keys. */
export type AugmentationStep =
  | { readonly kind: "randomFlip"; readonly mode: "horizontal" | "vertical" | "horizontal_and_vertical" }
  | { readonly kind: "randomRotation"; readonly factor: Factor; readonly fillMode: FillMode }
  | {
      readonly kind: "randomZoom";
      readonly heightFactor: Factor;
      readonly widthFactor: Factor | undefined;
      readonly fillMode: FillMode;
    }
  | {
      readonly kind: "randomTranslation";
      readonly heightFactor: Factor;
      readonly widthFactor: Factor;
      readonly fillMode: FillMode;
    }
  | {
      readonly kind: "randomCrop";
      readonly scale: readonly [number, number];
      readonly ratio: readonly [number, number];
    }
  | { readonly kind: "randomBrightness"; readonly factor: Factor }
  | { readonly kind: "randomContrast"; readonly factor: Factor }
  | {
      readonly kind: "randomColorJitter";
      readonly brightness: number;
      readonly contrast: number;
      readonly saturation: number;
      readonly hue: number;
    };

/** Applied one after another. */
export type Augmentation = readonly AugmentationStep[];
