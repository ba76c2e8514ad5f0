/** @file Augmenting: drawing the random changes, and making them. */
import { randomNumbers } from "../tensor/index.ts";
import { type ColorChange, changeColors } from "./augment-color.ts";
import {
  cropMove,
  flipMove,
  type Move,
  resample,
  rotationMove,
  translationMove,
  zoomMove,
} from "./augment-geometry.ts";
import type { Augmentation, AugmentationStep, Factor } from "./augmentation.ts";

/** A change with nothing random left in it. */
export type Change = Move | ColorChange;

interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * The pixels, uint8 `[height, width, 3]`, changed at random as the steps say, one after another. Neighbouring geometric
 * steps move the places where pixels are read, each filling what it empties, and the pixels are read once, bilinearly;
 * nothing is rounded before the end. The same pixels, steps and seed give the same bytes. The pixels given are left as
 * they are.
 */
export function augmentPixels(pixels: Uint8Array, size: Size, augmentation: Augmentation, seed: number): Uint8Array {
  const random = randomNumbers(seed);
  return applyChanges(
    pixels,
    size,
    augmentation.flatMap((step) => drawChanges(step, size, random)),
  );
}

/** Makes the changes, and rounds to nearest and to 0–255 at the end. */
export function applyChanges(pixels: Uint8Array, size: Size, changes: readonly Change[]): Uint8Array {
  let values: Uint8Array | Float32Array = pixels;
  let moves: Move[] = [];
  for (const change of changes) {
    if (change.kind === "move") {
      moves.push(change);
      continue;
    }
    values = changeColors(resample(values, size, moves), change);
    moves = [];
  }
  return new Uint8Array(Uint8ClampedArray.from(resample(values, size, moves)).buffer);
}

/** What a step becomes this time. */
export function drawChanges(step: AugmentationStep, size: Size, random: () => number): Change[] {
  const uniform = (low: number, high: number) => low + (high - low) * random();
  /** One number f means [−f, f]. */
  const around = (factor: Factor) => {
    const [low, high] = typeof factor === "number" ? [-Math.abs(factor), Math.abs(factor)] : factor;
    return uniform(Math.min(low, high), Math.max(low, high));
  };
  /** One number f means [0, f]. */
  const upTo = (factor: Factor) => (typeof factor === "number" ? uniform(0, factor) : uniform(...factor));
  const brightness = (factor: Factor): Change => ({ kind: "brightness", delta: around(factor) * 255 });
  const contrast = (factor: Factor): Change => {
    const [lower, upper] = typeof factor === "number" ? [factor, factor] : factor;
    return { kind: "contrast", factor: uniform(1 - lower, 1 + upper) };
  };
  switch (step.kind) {
    case "randomFlip":
      return random() <= 0.5 ? [flipMove(step.mode, size)] : [];
    case "randomRotation":
      return [rotationMove(around(step.factor) * 2 * Math.PI, size, step)];
    case "randomZoom": {
      const height = 1 + around(step.heightFactor);
      const width = step.widthFactor === undefined ? height : 1 + around(step.widthFactor);
      return [zoomMove({ height, width }, size, step)];
    }
    case "randomTranslation": {
      const down = around(step.heightFactor) * size.height;
      const right = around(step.widthFactor) * size.width;
      return [translationMove({ down, right }, size, step)];
    }
    case "randomCrop":
      return [cropMove(drawRectangle(step.scale, step.ratio, size, uniform), size)];
    case "randomBrightness":
      return [brightness(step.factor)];
    case "randomContrast":
      return [contrast(step.factor)];
    case "randomColorJitter": {
      const { brightnessFactor, contrastFactor, saturationFactor, hueFactor } = step;
      const changes: Change[] = [];
      if (brightnessFactor !== undefined) changes.push(brightness(brightnessFactor));
      if (contrastFactor !== undefined) changes.push(contrast(contrastFactor));
      if (saturationFactor !== undefined) {
        const factor = upTo(saturationFactor);
        // Keras keeps the division finite at 1 with its epsilon.
        changes.push({ kind: "saturation", factor: factor / (1 - factor + 1e-7) });
      }
      if (hueFactor !== undefined) {
        const direction = random() > 0.5 ? -1 : 1;
        changes.push({ kind: "hue", turn: direction * upTo(hueFactor) * 0.5 });
      }
      return changes;
    }
  }
}

/** torchvision's `RandomResizedCrop.get_params`: ten tries, then the largest middle part within the ratios. */
function drawRectangle(
  scale: readonly [number, number],
  ratio: readonly [number, number],
  size: Size,
  uniform: (low: number, high: number) => number,
): { readonly top: number; readonly left: number; readonly height: number; readonly width: number } {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = size.height * size.width * uniform(...scale);
    const shape = Math.exp(uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const width = Math.round(Math.sqrt(area * shape));
    const height = Math.round(Math.sqrt(area / shape));
    if (width < 1 || height < 1 || width > size.width || height > size.height) continue;
    const top = Math.floor(uniform(0, size.height - height + 1));
    const left = Math.floor(uniform(0, size.width - width + 1));
    return { top, left, height, width };
  }
  const shape = Math.min(Math.max(size.width / size.height, ratio[0]), ratio[1]);
  const width = Math.max(1, Math.min(size.width, Math.round(size.height * shape)));
  const height = Math.max(1, Math.min(size.height, Math.round(size.width / shape)));
  return { top: Math.floor((size.height - height) / 2), left: Math.floor((size.width - width) / 2), height, width };
}
