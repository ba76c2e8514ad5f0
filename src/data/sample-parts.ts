/** @file What things in the sample pictures are made of: parts, paints, and a cottage to stand beside them. */
import { box, type Color, type Fill, type Polygon, ramp, times } from "./sample-canvas.ts";
import type { Dice } from "./sample-dice.ts";
import type { Light } from "./sample-scene.ts";

/** A polygon of a thing, in its own frame: it stands on the origin, upright (negative y), about 1 high. */
export interface Part {
  readonly polygon: Polygon;
  readonly fill: Fill;
  readonly opacity?: number;
  readonly softness?: number;
}

/** How a thing is seen: the light, and from which side it comes, −1 (left) or 1. */
export interface Seen {
  readonly light: Light;
  readonly litFrom: number;
}

export const white: Color = [0.95, 0.94, 0.9];
export const paints: readonly Color[] = [
  [0.78, 0.16, 0.14],
  [0.12, 0.14, 0.18],
  [0.13, 0.25, 0.5],
  [0.15, 0.42, 0.32],
  [0.85, 0.6, 0.2],
  [0.55, 0.2, 0.16],
];
export const walls: readonly Color[] = [
  white,
  [0.86, 0.78, 0.64],
  [0.62, 0.4, 0.3],
  [0.5, 0.46, 0.42],
  [0.75, 0.73, 0.7],
];
export const roofs: readonly Color[] = [
  [0.5, 0.2, 0.15],
  [0.25, 0.26, 0.3],
  [0.4, 0.3, 0.22],
  [0.3, 0.42, 0.4],
];

/** Round like a tower: darker towards the side away from the light. */
export function rounded(
  { light, litFrom }: Seen,
  widthAt: (y: number) => number,
  colorAt: (x: number, y: number) => Color,
  middle = 0,
): Fill {
  return (x, y) => {
    const turn = Math.max(-1, Math.min(1, (2 * (x - middle)) / widthAt(y)));
    const bright = 0.62 + 0.42 * ramp(-1.1, 0.9, turn * litFrom);
    return times(times(colorAt(x, y), light.tint), bright);
  };
}

/** A small house beside something: x and height in the frame of that. */
export function cottage(dice: Dice, { light, litFrom }: Seen, x: number, height: number): Part[] {
  const width = height * dice.number(0.9, 1.6);
  const eaves = -height * 0.55;
  const tinted = (color: Color, share: number): Color => times(times(color, light.tint), share);
  const roof = dice.pick(roofs);
  const pane: Color = light.isNight ? [1, 0.84, 0.5] : tinted([0.2, 0.25, 0.3], 1);
  const window = (at: number): Part => ({
    polygon: box(x + at - height * 0.07, eaves * 0.75, x + at + height * 0.07, eaves * 0.4),
    fill: pane,
  });
  return [
    {
      polygon: box(x - width / 2, eaves, x + width / 2, 0.03),
      fill: tinted(dice.pick(walls), litFrom > 0 ? 0.95 : 0.8),
    },
    {
      polygon: [
        [x - width * 0.58, eaves],
        [x - width * 0.36, -height],
        [x + width * 0.36, -height],
        [x + width * 0.58, eaves],
      ],
      fill: tinted(roof, 0.9),
    },
    window(-width * 0.25),
    window(width * 0.22),
  ];
}
