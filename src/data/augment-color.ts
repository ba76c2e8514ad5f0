/** @file Changes of colour, on values 0–255, as Keras's layers make them. */

/** A change of colour with nothing random left in it. */
export type ColorChange =
  /** Adds `delta`, −255 to 255. */
  | { readonly kind: "brightness"; readonly delta: number }
  /** `(x − mean)·factor + mean`, by the mean of each channel. */
  | { readonly kind: "contrast"; readonly factor: number }
  /** Multiplies the saturation of HSV. */
  | { readonly kind: "saturation"; readonly factor: number }
  /** Turns the hue of HSV by a part of a full turn, −0.5 to 0.5. */
  | { readonly kind: "hue"; readonly turn: number };

/** Changes the values `[height, width, 3]` in place, and returns them. */
export function changeColors(values: Float32Array, change: ColorChange): Float32Array {
  switch (change.kind) {
    case "brightness":
      for (let index = 0; index < values.length; index++) values[index] = clip((values[index] ?? 0) + change.delta);
      return values;
    case "contrast":
      for (const channel of [0, 1, 2]) {
        const mean = meanOf(values, channel);
        for (let index = channel; index < values.length; index += 3) {
          values[index] = clip(((values[index] ?? 0) - mean) * change.factor + mean);
        }
      }
      return values;
    case "saturation":
      // Keras lets a saturation above 1 stand (its bound is that of the values, 255): dark channels go below 0, and are
      // cut off at the end.
      return changeHsv(values, 0, change.factor);
    case "hue":
      changeHsv(values, change.turn, 1);
      for (let index = 0; index < values.length; index++) values[index] = clip(values[index] ?? 0);
      return values;
  }
}

function meanOf(values: Float32Array, channel: number): number {
  let sum = 0;
  for (let index = channel; index < values.length; index += 3) sum += values[index] ?? 0;
  return (sum * 3) / values.length;
}

function clip(value: number): number {
  return Math.max(0, Math.min(255, value));
}

/**
 * By way of HSV, the hue turned by a part of a full turn and the saturation multiplied (`tf.image.rgb_to_hsv` and back).
 */
function changeHsv(values: Float32Array, turn: number, saturationFactor: number): Float32Array {
  for (let index = 0; index < values.length; index += 3) {
    const red = values[index] ?? 0;
    const green = values[index + 1] ?? 0;
    const blue = values[index + 2] ?? 0;
    const brightest = Math.max(red, green, blue);
    const range = brightest - Math.min(red, green, blue);
    // Grey has no hue, black no saturation.
    if (range <= 0 || brightest <= 0) continue;
    const hue = sextant(red, green, blue, brightest, range) + 6 * turn;
    const reach = Math.min(range * saturationFactor, 255 * brightest);
    values[index] = brightest - reach * darkening(hue + 5);
    values[index + 1] = brightest - reach * darkening(hue + 3);
    values[index + 2] = brightest - reach * darkening(hue + 1);
  }
  return values;
}

/** How far a channel falls below the brightest one, 0–1: a trapezoid over the circle of hues, which has 6 sextants. */
function darkening(hue: number): number {
  const position = hue - 6 * Math.floor(hue / 6);
  return Math.max(0, Math.min(position, 4 - position, 1));
}

/** The hue in sixths of a turn, −1 to 5. */
function sextant(red: number, green: number, blue: number, brightest: number, range: number): number {
  if (brightest === red) return (green - blue) / range;
  return brightest === green ? (blue - red) / range + 2 : (red - green) / range + 4;
}
