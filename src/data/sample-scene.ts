/** @file Backgrounds of the sample pictures: sky, hills, sea and land under one light. */
import {
  arc,
  between,
  type Canvas,
  type Color,
  cloudiness,
  fillAll,
  fillBelow,
  mix,
  noiseOf,
  type Point,
  paint,
  ramp,
  times,
  wholePicture,
} from "./sample-canvas.ts";
import type { Dice } from "./sample-dice.ts";

/** What everything in a picture is seen by. */
export interface Light {
  /** What white looks like in it. */
  readonly tint: Color;
  readonly skyTop: Color;
  readonly horizon: Color;
  /** The sun or the moon. */
  readonly sun: Point;
  readonly isNight: boolean;
}

/** Where things can stand. */
export interface Scene {
  readonly light: Light;
  /** Where sea and sky meet, in sides of the picture from its top. */
  readonly horizonAt: number;
  /** The ground, or the sea's surface, where the subject stands. */
  readonly groundAt: (x: number) => number;
}

export type Ground = "sea" | "meadow" | "snow" | "dunes" | "rock";

/** By day, and the last two at dusk and at night, which are rarer. */
const lights: readonly Omit<Light, "sun">[] = [
  { skyTop: [0.22, 0.47, 0.82], horizon: [0.74, 0.87, 0.95], tint: [1, 0.99, 0.96], isNight: false },
  { skyTop: [0.35, 0.62, 0.88], horizon: [0.9, 0.93, 0.9], tint: [1, 1, 0.97], isNight: false },
  { skyTop: [0.53, 0.58, 0.65], horizon: [0.79, 0.81, 0.83], tint: [0.82, 0.84, 0.87], isNight: false },
  { skyTop: [0.42, 0.48, 0.75], horizon: [0.99, 0.78, 0.62], tint: [1, 0.86, 0.76], isNight: false },
  { skyTop: [0.2, 0.18, 0.42], horizon: [0.96, 0.5, 0.3], tint: [0.8, 0.58, 0.52], isNight: false },
  { skyTop: [0.03, 0.06, 0.2], horizon: [0.17, 0.25, 0.45], tint: [0.5, 0.56, 0.76], isNight: true },
];

const grounds: Readonly<Record<Exclude<Ground, "sea">, readonly Color[]>> = {
  meadow: [
    [0.36, 0.55, 0.2],
    [0.5, 0.56, 0.24],
    [0.24, 0.44, 0.22],
  ],
  snow: [
    [0.9, 0.93, 0.97],
    [0.84, 0.88, 0.95],
  ],
  dunes: [
    [0.84, 0.74, 0.54],
    [0.76, 0.66, 0.45],
  ],
  rock: [
    [0.42, 0.4, 0.39],
    [0.36, 0.31, 0.28],
    [0.5, 0.46, 0.42],
  ],
};

/** Draws a background, and says where its ground is. `x`: where the subject will stand. */
export function drawScene(canvas: Canvas, dice: Dice, ground: Ground, x: number): Scene {
  const light: Light = {
    ...dice.pick(lights.slice(0, dice.happens(0.3) ? lights.length : 4)),
    sun: [dice.number(0.05, 0.95), dice.number(0.08, 0.45)],
  };
  const horizonAt = dice.number(0.52, 0.76);
  drawSky(canvas, dice, light, horizonAt);
  drawHills(canvas, dice, light, horizonAt);
  drawSea(canvas, dice, light, horizonAt);
  if (ground === "sea") return { light, horizonAt, groundAt: () => dice.number(horizonAt + 0.06, 0.92) };
  return { light, horizonAt, groundAt: drawLand(canvas, dice, light, ground, horizonAt, x) };
}

function drawSky(canvas: Canvas, dice: Dice, { skyTop, horizon, sun, isNight, tint }: Light, horizonAt: number): void {
  const noise = noiseOf(dice.whole());
  const cover = dice.number(0.35, 0.68);
  const stretch = dice.number(1.5, 3.5);
  const cloud = isNight ? mix(horizon, skyTop, 0.3) : mix(times([1, 1, 1], tint), horizon, 0.25);
  const glow = isNight ? 0.25 : 0.55;
  fillAll(canvas, (x, y) => {
    // The sea will cover the rest.
    if (y > horizonAt + 0.02) return horizon;
    const sky = mix(skyTop, horizon, between(y / horizonAt, 0, 1) ** 1.3);
    const far = Math.hypot(x - sun[0], y - sun[1]);
    const lit = mix(sky, mix(horizon, [1, 0.97, 0.85], 0.6), glow * Math.exp(-far * 7));
    const density = cloudiness(noise, x * 3, y * 3 * stretch, 3);
    if (density < cover) return lit;
    const shade = mix(cloud, times(skyTop, 0.9), 0.35 * cloudiness(noise, x * 6 + 4, y * 12 + 4, 2));
    return mix(lit, shade, 0.85 * ramp(cover, cover + 0.25, density));
  });
  if (isNight) {
    for (let star = dice.count(10, 60); star > 0; star--) {
      const at: Point = [dice.number(0, 1), dice.number(0, horizonAt)];
      paint(canvas, wholePicture, arc(at, [0.003, 0.003], 0, 2 * Math.PI, 6), [0.9, 0.92, 1], {
        opacity: dice.number(0.2, 0.9),
      });
    }
  }
  if (dice.happens(isNight ? 0.7 : 0.45)) {
    const disc: Color = isNight ? [0.93, 0.94, 0.88] : [1, 0.96, 0.82];
    const radius = dice.number(0.02, 0.05);
    paint(canvas, wholePicture, arc(sun, [radius, radius]), disc, { softness: 2 });
  }
}

function drawHills(canvas: Canvas, dice: Dice, { horizon, tint, isNight }: Light, horizonAt: number): void {
  const layers = dice.count(0, 2);
  for (let layer = 0; layer < layers; layer++) {
    const noise = noiseOf(dice.whole());
    const height = dice.number(0.05, 0.2) * (1 - layer * 0.4);
    const frequency = dice.number(2, 6);
    const wood = times(dice.pick([...grounds.meadow, ...grounds.rock]), tint);
    const color = mix(horizon, times(wood, isNight ? 0.6 : 0.8), 0.3 + 0.25 * layer);
    fillBelow(
      canvas,
      (x) => horizonAt + 0.02 - height * cloudiness(noise, x * frequency, layer),
      (x, y) => mix(color, horizon, 0.3 * ramp(horizonAt - height, horizonAt, y) + 0.1 * noise(x * 40, y * 40)),
    );
  }
}

function drawSea(canvas: Canvas, dice: Dice, { horizon, skyTop, tint, sun, isNight }: Light, horizonAt: number): void {
  const noise = noiseOf(dice.whole());
  const water = times(
    dice.pick<Color>([
      [0.1, 0.34, 0.42],
      [0.08, 0.25, 0.4],
      [0.2, 0.4, 0.4],
      [0.24, 0.32, 0.36],
    ]),
    tint,
  );
  const swell = dice.number(0.15, 0.5);
  fillBelow(
    canvas,
    () => horizonAt,
    (x, y) => {
      // Waves look longer and higher the nearer they are.
      const near = (y - horizonAt) / (1 - horizonAt);
      const depth = 1 / (0.06 + near);
      const wave = cloudiness(noise, (x - 0.5) * 5 * depth + 9, depth * 9, 3);
      const mirrored = mix(horizon, skyTop, between(near * 1.2, 0, 1));
      const surface = mix(water, mirrored, 0.25 + 0.5 * swell * wave + 0.25 * (1 - near));
      const glitter = Math.exp(-(((x - sun[0]) / (0.04 + 0.12 * near)) ** 2)) * ramp(0.52, 0.75, wave);
      const crest = ramp(0.68, 0.8, wave) * swell * near;
      return mix(
        mix(surface, times([1, 1, 1], tint), crest),
        isNight ? [0.7, 0.75, 0.8] : [1, 0.95, 0.8],
        0.7 * glitter,
      );
    },
  );
}

/** A piece of land over the sea: a whole foreground, or an island under the subject. */
function drawLand(
  canvas: Canvas,
  dice: Dice,
  { tint, horizon }: Light,
  ground: Exclude<Ground, "sea">,
  horizonAt: number,
  subjectX: number,
): (x: number) => number {
  const noise = noiseOf(dice.whole());
  const isIsland = dice.happens(ground === "rock" ? 0.8 : 0.3);
  const base = isIsland ? dice.number(horizonAt + 0.05, 0.9) : dice.number(horizonAt - 0.04, 0.84);
  const width = dice.number(0.2, 0.5);
  const roughness = ground === "rock" ? 0.09 : 0.04;
  const hump = dice.number(0.02, 0.1);
  const heightAt = (x: number) => {
    const rise = Math.exp(-(((x - subjectX) / width) ** 2));
    const edge = isIsland ? base + 0.3 * ramp(width, width * 1.7, Math.abs(x - subjectX)) : base;
    return edge - hump * rise - roughness * (cloudiness(noise, x * 6, 1) - 0.5);
  };
  const [one, other] = [times(dice.pick(grounds[ground]), tint), times(dice.pick(grounds[ground]), tint)];
  const grain = ground === "rock" ? 0.55 : 0.3;
  const shoreAt = (x: number) => Math.max(heightAt(x), base + 0.05 + 0.03 * noise(x * 14, 3));
  const landColor = (x: number, y: number, depth: number): Color => {
    const patch = mix(one, other, cloudiness(noise, x * 8, y * 20));
    const fine = cloudiness(noise, x * 70, y * (ground === "meadow" ? 30 : 70), 2);
    const shaded = times(patch, 1 - grain / 2 + grain * fine - 0.35 * ramp(0, 0.4, depth));
    return mix(shaded, horizon, 0.18 * (1 - ramp(0, 0.15, depth)));
  };
  if (!isIsland) {
    fillBelow(canvas, heightAt, landColor);
    return heightAt;
  }
  const foam = times([0.9, 0.94, 0.95], tint);
  const isShore = (x: number) => shoreAt(x) > heightAt(x) + 0.004;
  fillBelow(
    canvas,
    (x) => (isShore(x) ? shoreAt(x) - 0.01 : 2),
    () => foam,
    (x) => shoreAt(x) + 0.008 + 0.02 * noise(x * 30, 7),
  );
  fillBelow(canvas, heightAt, landColor, shoreAt);
  return heightAt;
}
