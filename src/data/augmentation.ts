/** @file Augmentation: random changes that leave the label true, with the meanings of Keras's preprocessing layers. */
import { GraftError } from "../tensor/index.ts";

/**
 * What fills the places that a geometric change leaves empty: `reflect` (`d c b a | a b c d | d c b a`), `constant`
 * (`fillValue`), `wrap` (`a b c d | a b c d | a b c d`) or `nearest` (`a a a a | a b c d | d d d d`).
 */
export type FillMode = "reflect" | "constant" | "wrap" | "nearest";

/** A range of a random factor: its bounds, or one number that stands for the bounds that the step names. */
export type Factor = number | readonly [number, number];

/** How emptied places are filled. */
interface Filling {
  /** Default: `reflect`. */
  readonly fillMode?: FillMode | undefined;
  /** What `constant` fills with, 0–255. Default: 0. */
  readonly fillValue?: number | undefined;
}

/** One random change: plain data, so that it travels to workers and into cache keys. */
export type AugmentationStep =
  | { readonly kind: "randomFlip"; readonly mode: "horizontal" | "vertical" | "horizontal_and_vertical" }
  | ({ readonly kind: "randomRotation"; readonly factor: Factor } & Filling)
  | ({
      readonly kind: "randomZoom";
      readonly heightFactor: Factor;
      readonly widthFactor?: Factor | undefined;
    } & Filling)
  | ({ readonly kind: "randomTranslation"; readonly heightFactor: Factor; readonly widthFactor: Factor } & Filling)
  | {
      readonly kind: "randomCrop";
      readonly scale: readonly [number, number];
      readonly ratio: readonly [number, number];
    }
  | { readonly kind: "randomBrightness"; readonly factor: Factor }
  | { readonly kind: "randomContrast"; readonly factor: Factor }
  | {
      readonly kind: "randomColorJitter";
      readonly brightnessFactor?: Factor | undefined;
      readonly contrastFactor?: Factor | undefined;
      readonly saturationFactor?: Factor | undefined;
      readonly hueFactor?: Factor | undefined;
    };

/** Applied one after another. */
export type Augmentation = readonly AugmentationStep[];

type StepOf<Kind extends AugmentationStep["kind"]> = Extract<AugmentationStep, { readonly kind: Kind }>;
type OptionsOf<Kind extends AugmentationStep["kind"]> = Omit<StepOf<Kind>, "kind">;

/**
 * Flips half of the pictures; with `horizontal_and_vertical`, the default, those are turned upside down as well as
 * mirrored (`keras.layers.RandomFlip`). Like every builder here, throws GraftError `usage` for options out of range.
 */
export function randomFlip({
  mode = "horizontal_and_vertical",
}: Partial<OptionsOf<"randomFlip">> = {}): StepOf<"randomFlip"> {
  checkChoice("randomFlip", "mode", mode, ["horizontal", "vertical", "horizontal_and_vertical"]);
  return { kind: "randomFlip", mode };
}

/**
 * Turns by a part of a full turn, counter-clockwise where positive: `factor` f means [−f, f]
 * (`keras.layers.RandomRotation`).
 */
export function randomRotation(options: OptionsOf<"randomRotation">): StepOf<"randomRotation"> {
  checkFactor("randomRotation", "factor", options.factor, -1, 1);
  return { kind: "randomRotation", factor: options.factor, ...fillingOf("randomRotation", options) };
}

/**
 * Shows 1 + factor of the picture's height and width: positive factors zoom out, negative ones in; f means [−f, f],
 * above −1. Without `widthFactor` both sides change alike (`keras.layers.RandomZoom`).
 */
export function randomZoom(options: OptionsOf<"randomZoom">): StepOf<"randomZoom"> {
  const { heightFactor, widthFactor } = options;
  checkZoom("heightFactor", heightFactor);
  if (widthFactor !== undefined) checkZoom("widthFactor", widthFactor);
  return { kind: "randomZoom", heightFactor, widthFactor, ...fillingOf("randomZoom", options) };
}

/**
 * Shifts down by a part of the height and right by a part of the width; f means [−f, f]
 * (`keras.layers.RandomTranslation`).
 */
export function randomTranslation(options: OptionsOf<"randomTranslation">): StepOf<"randomTranslation"> {
  const { heightFactor, widthFactor } = options;
  checkFactor("randomTranslation", "heightFactor", heightFactor, -1, 1);
  checkFactor("randomTranslation", "widthFactor", widthFactor, -1, 1);
  return { kind: "randomTranslation", heightFactor, widthFactor, ...fillingOf("randomTranslation", options) };
}

/**
 * A random rectangle at the full size: `scale` bounds its area as a part of the picture's, `ratio` its width by its
 * height (torchvision's `RandomResizedCrop`, whose defaults are taken; bilinear).
 */
export function randomCrop({
  scale = [0.08, 1],
  ratio = [3 / 4, 4 / 3],
}: Partial<OptionsOf<"randomCrop">> = {}): StepOf<"randomCrop"> {
  checkRange("randomCrop", "scale", scale, 0, 1);
  checkRange("randomCrop", "ratio", ratio, 0, Number.POSITIVE_INFINITY);
  return { kind: "randomCrop", scale, ratio };
}

/** Adds a part of the full range to every value; f means [−f, f] (`keras.layers.RandomBrightness`). */
export function randomBrightness({ factor }: OptionsOf<"randomBrightness">): StepOf<"randomBrightness"> {
  checkFactor("randomBrightness", "factor", factor, -1, 1);
  return { kind: "randomBrightness", factor };
}

/**
 * Moves every value away from its channel's mean, or towards it: `(x − mean)·c + mean` with c from 1 − lower to
 * 1 + upper, where `factor` is `[lower, upper]` and f means `[f, f]`, as the documentation of
 * `keras.layers.RandomContrast` says. (Keras 3.15 itself takes f as `[0, f]`.)
 */
export function randomContrast({ factor }: OptionsOf<"randomContrast">): StepOf<"randomContrast"> {
  checkFactor("randomContrast", "factor", factor, 0, 1);
  return { kind: "randomContrast", factor };
}

/**
 * Brightness, contrast, saturation and hue, in this order, each where its factor is given
 * (`keras.layers.RandomColorJitter`). `brightnessFactor` and `contrastFactor`: as in `randomBrightness` and
 * `randomContrast`. `saturationFactor`: 0 is grey, 0.5 changes nothing, 1 is full colour; f means [0, f], so that
 * `[0.4, 0.6]` is a mild change. `hueFactor`: 0 changes nothing, 1 is half a turn of the colour circle, either way;
 * f means [0, f]. As the documentation of Keras's layers says.
 */
export function randomColorJitter(options: OptionsOf<"randomColorJitter">): StepOf<"randomColorJitter"> {
  const { brightnessFactor, contrastFactor, saturationFactor, hueFactor } = options;
  const check = (name: string, factor: Factor | undefined, low: number) => {
    if (factor !== undefined) checkFactor("randomColorJitter", name, factor, low, 1);
  };
  check("brightnessFactor", brightnessFactor, -1);
  check("contrastFactor", contrastFactor, 0);
  check("saturationFactor", saturationFactor, 0);
  check("hueFactor", hueFactor, 0);
  return { kind: "randomColorJitter", brightnessFactor, contrastFactor, saturationFactor, hueFactor };
}

function fillingOf(
  kind: string,
  { fillMode = "reflect", fillValue = 0 }: Filling,
): { readonly fillMode: FillMode; readonly fillValue: number } {
  checkChoice(kind, "fillMode", fillMode, ["reflect", "constant", "wrap", "nearest"]);
  if (!(fillValue >= 0 && fillValue <= 255)) throw outOfRange(kind, "fillValue", "a number from 0 to 255", fillValue);
  return { fillMode, fillValue };
}

function checkZoom(name: string, factor: Factor): void {
  checkFactor("randomZoom", name, factor, -1, 1);
  const smallest = typeof factor === "number" ? -Math.abs(factor) : Math.min(...factor);
  if (smallest <= -1) throw outOfRange("randomZoom", name, "factors above -1: at -1 nothing is left to see", factor);
}

function checkFactor(kind: string, name: string, factor: Factor, low: number, high: number): void {
  const bounds: readonly number[] = typeof factor === "number" ? [factor] : factor;
  const isWithin = bounds.every((bound) => bound >= low && bound <= high);
  if (isWithin && (typeof factor === "number" || bounds.length === 2)) return;
  throw outOfRange(kind, name, `a number, or a pair of them, from ${low} to ${high}`, factor);
}

function checkRange(kind: string, name: string, range: readonly [number, number], above: number, most: number): void {
  const [low, high] = range;
  if (low > above && low <= high && high <= most) return;
  const limit = Number.isFinite(most) ? ` and at most ${most}` : "";
  throw outOfRange(kind, name, `a pair of numbers above ${above}${limit}, the smaller one first`, range);
}

function checkChoice(kind: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw outOfRange(kind, name, `one of ${choices.join(", ")}`, value);
}

function outOfRange(kind: string, name: string, expected: string, actual: unknown): GraftError {
  return new GraftError("usage", "no such option", { path: [kind, name], expected, actual: JSON.stringify(actual) });
}
