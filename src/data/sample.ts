/** @file Sample pictures, drawn by code: three kinds of things by the sea, for a first run without any photos. */

import { randomNumbers } from "../tensor/index.ts";
import type { Picture } from "./picture.ts";
import {
  arc,
  type Canvas,
  type Color,
  cloudiness,
  type Frame,
  fillAll,
  mix,
  newCanvas,
  noiseOf,
  type Polygon,
  paint,
  times,
  wholePicture,
} from "./sample-canvas.ts";
import { type Dice, diceOf } from "./sample-dice.ts";
import { lighthouse } from "./sample-lighthouse.ts";
import { cottage, type Part, type Seen } from "./sample-parts.ts";
import { sailboat } from "./sample-sailboat.ts";
import { drawScene, type Ground, type Scene } from "./sample-scene.ts";
import { windmill } from "./sample-windmill.ts";

/** What the sample shows, in the order of the classes. */
export const sampleKinds = ["lighthouse", "sailboat", "windmill"] as const;
export type SampleKind = (typeof sampleKinds)[number];

const grounds: Readonly<Record<SampleKind, readonly Ground[]>> = {
  lighthouse: ["rock", "rock", "meadow", "dunes", "snow"],
  sailboat: ["sea"],
  windmill: ["meadow", "meadow", "dunes", "snow", "rock"],
};
const subjects = { lighthouse, sailboat, windmill };

/** The picture of a kind that a seed stands for, `side`×`side` pixels. The same seed and side, the same picture. */
export function drawSamplePicture(kind: SampleKind, seed: number, side: number): Picture {
  const dice = diceOf(seed);
  const canvas = newCanvas(side);
  const ground = dice.pick(grounds[kind]);
  const x = dice.number(0.25, 0.75);
  const scene = drawScene(canvas, dice, ground, x);
  const seen: Seen = { light: scene.light, litFrom: scene.light.sun[0] > x ? 1 : -1 };
  drawDistance(canvas, dice, scene, seen, x);
  const y = scene.groundAt(x) + 0.01;
  const scale = dice.number(0.48, Math.min(0.92, y - 0.02));
  const tilt = kind === "sailboat" ? dice.number(-0.28, 0.28) : dice.number(-0.05, 0.05);
  const frame: Frame = { x, y, scale, angle: tilt, isMirrored: dice.happens(0.5) };
  const parts = subjects[kind](dice, seen);
  if (kind === "sailboat") drawReflection(canvas, frame, parts);
  drawParts(canvas, frame, parts);
  drawForeground(canvas, dice, scene, ground);
  develop(canvas, dice, scene);
  const pixels = new Uint8ClampedArray(canvas.values.length);
  for (let index = 0; index < pixels.length; index++) pixels[index] = (canvas.values[index] ?? 0) * 255;
  return { width: side, height: side, data: new Uint8Array(pixels.buffer) };
}

function drawParts(canvas: Canvas, frame: Frame, parts: readonly Part[]): void {
  for (const { polygon, fill, ...edge } of parts) paint(canvas, frame, polygon, fill, edge);
}

/** Upside down: half a turn of the mirrored thing. */
function drawReflection(canvas: Canvas, frame: Frame, parts: readonly Part[]): void {
  const below: Frame = { ...frame, y: frame.y + 0.02, angle: Math.PI - frame.angle, isMirrored: !frame.isMirrored };
  for (const { polygon, fill } of parts) paint(canvas, below, polygon, fill, { opacity: 0.22, softness: 5 });
}

/** Small things far away, of whatever kind: they make the picture harder to tell. */
function drawDistance(canvas: Canvas, dice: Dice, { light, horizonAt }: Scene, seen: Seen, subjectX: number): void {
  const far = (scale: number): Frame => ({
    x: subjectX < 0.5 ? dice.number(0.6, 0.95) : dice.number(0.05, 0.4),
    y: horizonAt + dice.number(0.005, 0.03),
    scale,
    angle: 0,
    isMirrored: dice.happens(0.5),
  });
  if (dice.happens(0.3)) drawParts(canvas, far(dice.number(0.07, 0.16)), sailboat(dice, seen));
  if (dice.happens(0.08)) drawParts(canvas, far(dice.number(0.1, 0.2)), lighthouse(dice, seen));
  if (dice.happens(0.08)) drawParts(canvas, far(dice.number(0.1, 0.2)), windmill(dice, seen));
  if (dice.happens(0.2)) drawParts(canvas, far(dice.number(0.2, 0.4)), cottage(dice, seen, 0, 0.2));
  const birds = dice.happens(0.35) ? dice.count(1, 6) : 0;
  const color: Color = light.isNight
    ? [0.4, 0.42, 0.5]
    : dice.pick<Color>([
        [0.15, 0.15, 0.18],
        [0.95, 0.95, 0.95],
      ]);
  for (let bird = 0; bird < birds; bird++) {
    const [x, y, span] = [dice.number(0.05, 0.95), dice.number(0.05, horizonAt - 0.1), dice.number(0.012, 0.035)];
    const lift = dice.number(0.3, 0.8) * span;
    const wings: Polygon = [
      [x - span, y - lift],
      [x, y],
      [x + span, y - lift],
      [x, y + span * 0.25],
    ];
    paint(canvas, wholePicture, wings, color, { opacity: 0.85 });
  }
}

/** Grass, stones or a buoy near the eye. */
function drawForeground(canvas: Canvas, dice: Dice, { light }: Scene, ground: Ground): void {
  if (ground === "meadow" || ground === "dunes") {
    const green = times(
      dice.pick<Color>([
        [0.3, 0.45, 0.15],
        [0.55, 0.5, 0.25],
        [0.2, 0.36, 0.2],
      ]),
      light.tint,
    );
    for (let blade = dice.count(0, 60); blade > 0; blade--) {
      const [x, y, height] = [dice.number(0, 1), dice.number(0.9, 1.03), dice.number(0.03, 0.13)];
      const lean = dice.number(-0.04, 0.04);
      const shape: Polygon = [
        [x - 0.005, y],
        [x + lean, y - height],
        [x + 0.005, y],
      ];
      paint(canvas, wholePicture, shape, times(green, dice.number(0.6, 1.3)));
    }
  }
  if (dice.happens(0.35)) {
    const gray = times(
      dice.pick<Color>([
        [0.4, 0.38, 0.36],
        [0.3, 0.28, 0.27],
      ]),
      light.tint,
    );
    for (let stone = dice.count(1, 4); stone > 0; stone--) {
      const [x, y, width] = [dice.number(0, 1), dice.number(0.92, 1.02), dice.number(0.03, 0.14)];
      const noise = noiseOf(dice.whole());
      const shape = arc([x, y], [width, width * 0.6], 0, 2 * Math.PI, 9).map(
        ([cornerX, cornerY], corner) => [cornerX + 0.4 * width * (noise(corner, 0) - 0.5), cornerY] as const,
      );
      const lit = (_: number, atY: number): Color =>
        times(gray, 1.25 - (atY - y + width) * 3 + 0.2 * noise(atY * 90, 1));
      paint(canvas, wholePicture, shape, lit);
    }
  }
}

/** What a camera and the weather add: haze, exposure, a darker rim, grain. */
function develop(canvas: Canvas, dice: Dice, { light, horizonAt }: Scene): void {
  const [fog, rain] = [dice.happens(0.3) ? dice.number(0.1, 0.45) : 0, noiseOf(dice.whole())];
  const haze = mix(light.horizon, times([0.85, 0.86, 0.88], light.tint), 0.5);
  const exposure = dice.number(0.8, 1.2);
  const [rim, grain] = [dice.number(0, 0.5), dice.number(0.004, 0.028)];
  const random = randomNumbers(dice.whole());
  const speck = () => 1.2 * grain * (random() - 0.5);
  fillAll(canvas, (x, y, before) => {
    const density =
      fog === 0 ? 0 : fog * (0.6 + 0.6 * cloudiness(rain, x * 3, y * 5, 3)) * (1 - 0.5 * Math.abs(y - horizonAt));
    const dimmed = exposure * (1 - rim * ((x - 0.5) ** 2 + (y - 0.5) ** 2));
    const seen = density === 0 ? before : mix(before, haze, Math.min(density, 1));
    const [red, green, blue] = times(seen, dimmed);
    const shared = grain * 2 * (random() + random() - 1);
    return [red + shared + speck(), green + shared + speck(), blue + shared + speck()];
  });
}
