/** @file Sailboats, each of its own make. */
import { box, type Color, mix, type Point, type Polygon, ramp, tapered, times } from "./sample-canvas.ts";
import type { Dice } from "./sample-dice.ts";
import { type Part, paints, type Seen, white } from "./sample-parts.ts";

/** Its origin is at the waterline. */
export function sailboat(dice: Dice, seen: Seen): Part[] {
  const { light, litFrom } = seen;
  const [bow, stern] = [dice.number(0.32, 0.46), -dice.number(0.28, 0.4)];
  const [bowHeight, sternHeight] = [-dice.number(0.1, 0.17), -dice.number(0.07, 0.13)];
  const color = dice.pick([white, ...paints]);
  const stripe = dice.pick([white, ...paints]);
  const stripeAt = dice.number(0.35, 0.75);
  const hullAt = (x: number, y: number): Color => {
    const deck = sternHeight + ((bowHeight - sternHeight) * (x - stern)) / (bow - stern);
    const isStripe = Math.abs(y / deck - stripeAt) < 0.1;
    const shade = 0.72 + 0.3 * ramp(0.05, -0.16, y);
    return times(times(isStripe ? stripe : color, light.tint), shade);
  };
  const hull: Polygon = [
    [stern, sternHeight],
    [(stern + bow) / 2, (sternHeight + bowHeight) / 2 + 0.02],
    [bow, bowHeight],
    [bow * 0.86, -0.03],
    [bow * 0.62, 0.025],
    [stern * 0.8, 0.03],
    [stern * 0.97, -0.02],
  ];
  const wood = times(
    dice.pick<Color>([
      [0.35, 0.24, 0.15],
      [0.75, 0.75, 0.74],
    ]),
    light.tint,
  );
  const parts: Part[] = [];
  const masts = dice.happens(0.2) ? [dice.number(0.05, 0.12), stern * 0.6] : [dice.number(-0.04, 0.08)];
  const clothes: readonly Color[] = [
    white,
    white,
    [0.9, 0.84, 0.7],
    [0.72, 0.26, 0.18],
    [0.2, 0.3, 0.5],
    [0.86, 0.62, 0.25],
  ];
  const cloth = dice.pick(clothes);
  const panels = dice.happens(0.35) ? dice.count(2, 5) : 0;
  const panel = dice.pick(paints);
  const canvasAt = (x: number, y: number): Color => {
    const isPanel = panels > 0 && Math.floor(-y * panels * 1.3) % 2 === 0;
    const seam = Math.abs(((-y * 9) % 1) - 0.5) < 0.05 ? 0.93 : 1;
    const belly = 0.84 + 0.24 * ramp(-0.4, 0.4, x * litFrom);
    return times(times(isPanel ? mix(cloth, panel, 0.85) : cloth, light.tint), seam * belly);
  };
  for (const [index, mast] of masts.entries()) {
    const top = index === 0 ? -dice.number(0.82, 1) : -dice.number(0.5, 0.65);
    const boom = -dice.number(0.19, 0.25);
    parts.push({ polygon: tapered(mast, top, 0.012, -0.05, 0.022), fill: wood });
    if (dice.happens(0.9)) {
      const reach = Math.max(stern * 1.1, mast - dice.number(0.26, 0.4));
      const [peak, belly] = [dice.happens(0.25) ? mast - 0.16 : mast - 0.01, dice.number(0.02, 0.09)];
      const leech: Point = [(peak + reach) / 2 - belly, (top + boom) / 2];
      const main: Polygon = [
        [mast - 0.008, top * 0.94],
        [peak, top * 0.97],
        leech,
        [reach, boom],
        [mast - 0.008, boom + 0.01],
      ];
      parts.push(
        { polygon: main, fill: canvasAt },
        {
          polygon: [
            [mast, boom],
            [reach - 0.01, boom],
            [reach - 0.01, boom + 0.012],
            [mast, boom + 0.014],
          ],
          fill: wood,
        },
      );
    }
    if (index === 0 && dice.happens(0.8)) {
      const head = top * dice.number(0.7, 0.95);
      const foot: Point = [bow * 0.96, bowHeight - 0.02];
      const luff: Point = [(mast + foot[0]) / 2 + dice.number(0, 0.05), (head + foot[1]) / 2];
      const clew: Point = [mast + dice.number(-0.05, 0.05), -dice.number(0.15, 0.22)];
      parts.push({ polygon: [[mast + 0.012, head], luff, foot, clew], fill: canvasAt, opacity: 0.97 });
    }
    if (dice.happens(0.3)) {
      const flag: Polygon = [
        [mast, top],
        [mast - 0.09, top + 0.025],
        [mast, top + 0.05],
      ];
      parts.push({ polygon: flag, fill: times(panel, light.tint) });
    }
  }
  parts.push({ polygon: hull, fill: hullAt });
  if (dice.happens(0.4)) {
    const [x, width] = [dice.number(-0.12, 0), dice.number(0.14, 0.24)];
    const cabin: Polygon = [
      [x, sternHeight],
      [x + 0.02, sternHeight - 0.06],
      [x + width * 0.9, sternHeight - 0.06],
      [x + width, sternHeight],
    ];
    parts.push({ polygon: cabin, fill: times(white, light.tint) });
  }
  const foam = times([0.9, 0.94, 0.96], light.tint);
  parts.push({ polygon: box(stern * 1.05, 0.012, bow * 0.95, 0.034), fill: foam, opacity: 0.45, softness: 3 });
  return parts;
}
