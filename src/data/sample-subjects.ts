/** @file What the sample pictures show: lighthouses, sailboats and windmills, each of its own make. */
import {
  arc,
  box,
  type Color,
  type Fill,
  mix,
  noiseOf,
  type Point,
  type Polygon,
  ramp,
  tapered,
  times,
} from "./sample-canvas.ts";
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

const white: Color = [0.95, 0.94, 0.9];
const paints: readonly Color[] = [
  [0.78, 0.16, 0.14],
  [0.12, 0.14, 0.18],
  [0.13, 0.25, 0.5],
  [0.15, 0.42, 0.32],
  [0.85, 0.6, 0.2],
  [0.55, 0.2, 0.16],
];
const walls: readonly Color[] = [white, [0.86, 0.78, 0.64], [0.62, 0.4, 0.3], [0.5, 0.46, 0.42], [0.75, 0.73, 0.7]];
const roofs: readonly Color[] = [
  [0.5, 0.2, 0.15],
  [0.25, 0.26, 0.3],
  [0.4, 0.3, 0.22],
  [0.3, 0.42, 0.4],
];

/** Round like a tower: darker towards the side away from the light. */
function rounded(
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

/** What shines by itself, most at night. */
function glow(at: Point, radius: number, light: Light): Part[] {
  const color: Color = [1, 0.9, 0.6];
  const strength = light.isNight ? 0.16 : 0.05;
  return [1, 0.6, 0.35].map((share) => ({
    polygon: arc(at, [radius * share, radius * share], 0, 2 * Math.PI, 16),
    fill: color,
    opacity: strength,
    softness: 14,
  }));
}

export function lighthouse(dice: Dice, seen: Seen): Part[] {
  const { light } = seen;
  const [bottomWidth, topWidth] = [dice.number(0.2, 0.36), dice.number(0.12, 0.19)];
  const shoulder = -dice.number(0.62, 0.76);
  const widthAt = (y: number) => topWidth + (bottomWidth - topWidth) * (1 - y / shoulder);
  const wall = dice.pick([white, white, ...walls]);
  const second = dice.pick(paints);
  const [style, bands, slant] = [dice.count(0, 3), dice.count(2, 6), dice.number(0.2, 0.6)];
  const texture = noiseOf(dice.whole());
  const wallAt = (x: number, y: number): Color => {
    const phase = (y / shoulder) * bands + (style === 2 ? (x / widthAt(y)) * slant * 2 : 0);
    const isSecond = style === 3 ? y < shoulder * 0.6 : style > 0 && Math.floor(phase) % 2 === 0;
    return times(isSecond ? second : wall, 0.9 + 0.18 * texture(x * 30, y * 60));
  };
  const dark = times([0.12, 0.12, 0.15], light.tint);
  const roof = dice.pick([second, ...roofs]);
  const isLit = light.isNight || dice.happens(0.4);
  const lamp = isLit ? ([1, 0.93, 0.66] as const) : times([0.55, 0.66, 0.72], light.tint);
  const lanternWidth = topWidth * dice.number(0.6, 0.8);
  const lanternTop = shoulder - dice.number(0.09, 0.14);
  const dome = dice.happens(0.5);
  const parts: Part[] = [];
  if (dice.happens(0.4)) parts.push(...cottage(dice, seen, dice.pick([-1, 1]) * dice.number(0.25, 0.35), 0.2));
  if (isLit) parts.push(...glow([0, lanternTop + 0.05], 0.3, light));
  if (light.isNight || dice.happens(0.1)) {
    for (const side of [-1, 1]) {
      const reach = dice.number(0.7, 1.6) * side;
      const spread = dice.number(0.05, 0.16);
      const [x, y] = [lanternWidth * 0.4 * side, lanternTop + 0.05];
      const beam: Polygon = [
        [x, y - 0.01],
        [reach, y - spread],
        [reach, y + spread],
        [x, y + 0.01],
      ];
      parts.push({ polygon: beam, fill: [1, 0.95, 0.75], opacity: 0.2, softness: 8 });
    }
  }
  parts.push(
    { polygon: tapered(0, shoulder, topWidth, 0.03, bottomWidth), fill: rounded(seen, widthAt, wallAt) },
    { polygon: box(-lanternWidth / 2, lanternTop, lanternWidth / 2, shoulder), fill: lamp },
  );
  for (const at of [-0.5, -0.17, 0.17, 0.5]) {
    const x = lanternWidth * at;
    parts.push({ polygon: box(x - 0.005, lanternTop, x + 0.005, shoulder), fill: dark });
  }
  const cap: Polygon = dome
    ? arc([0, lanternTop], [lanternWidth * 0.62, 0.08], Math.PI, 2 * Math.PI, 14)
    : [
        [-lanternWidth * 0.7, lanternTop],
        [0, lanternTop - dice.number(0.08, 0.14)],
        [lanternWidth * 0.7, lanternTop],
      ];
  parts.push(
    { polygon: box(-0.006, lanternTop - 0.17, 0.006, lanternTop - 0.05), fill: dark },
    {
      polygon: cap,
      fill: rounded(
        seen,
        () => lanternWidth * 1.3,
        () => roof,
      ),
    },
    {
      polygon: tapered(0, shoulder - 0.012, topWidth * 1.35, shoulder + 0.015, topWidth * 1.15),
      fill: times(dark, 1.5),
    },
    { polygon: box(-topWidth * 0.66, shoulder - 0.05, topWidth * 0.66, shoulder - 0.043), fill: dark, opacity: 0.8 },
  );
  for (let window = dice.count(1, 4); window > 0; window--) {
    const [x, y] = [dice.number(-0.25, 0.25) * topWidth, shoulder * (0.12 + 0.2 * window)];
    const pane = light.isNight && dice.happens(0.5) ? ([1, 0.85, 0.5] as const) : dark;
    parts.push({ polygon: box(x - 0.014, y - 0.03, x + 0.014, y + 0.015), fill: pane });
  }
  if (dice.happens(0.7)) parts.push({ polygon: box(-0.03, -0.09, 0.03, 0.02), fill: times(second, light.tint) });
  return parts;
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

export function windmill(dice: Dice, seen: Seen): Part[] {
  const { light } = seen;
  const [bottomWidth, topWidth] = [dice.number(0.3, 0.5), dice.number(0.2, 0.28)];
  const shoulder = -dice.number(0.5, 0.62);
  const widthAt = (y: number) => topWidth + (bottomWidth - topWidth) * (1 - y / shoulder);
  const wall = dice.pick(walls);
  const texture = noiseOf(dice.whole());
  const [style, rows] = [dice.count(0, 2), dice.number(20, 40)];
  const wallAt = (x: number, y: number): Color => {
    const course = Math.abs(((y * rows) % 1) + 0.5) < 0.12 ? 0.85 : 1;
    const board = Math.abs((((x / widthAt(y)) * 9) % 1) + 0.5) < 0.12 ? 0.82 : 1;
    const pattern = style === 0 ? 1 : style === 1 ? course : board;
    return times(wall, pattern * (0.86 + 0.22 * texture(x * 40, y * 40)));
  };
  const roof = dice.pick(roofs);
  const [capWidth, capHeight] = [topWidth * dice.number(1.05, 1.3), dice.number(0.09, 0.17)];
  const cap: Polygon = dice.happens(0.6)
    ? arc([0, shoulder + 0.01], [capWidth / 2, capHeight], Math.PI, 2 * Math.PI, 14)
    : [
        [-capWidth / 2, shoulder + 0.02],
        [dice.number(-0.03, 0.03), shoulder - capHeight],
        [capWidth / 2, shoulder + 0.02],
      ];
  const dark = times([0.14, 0.13, 0.13], light.tint);
  const parts: Part[] = [];
  if (dice.happens(0.4)) parts.push(...cottage(dice, seen, dice.pick([-1, 1]) * dice.number(0.3, 0.42), 0.22));
  parts.push(
    { polygon: tapered(0, shoulder, topWidth, 0.03, bottomWidth), fill: rounded(seen, widthAt, wallAt) },
    {
      polygon: cap,
      fill: rounded(
        seen,
        () => capWidth,
        (x, y) => times(roof, 0.85 + 0.3 * texture(x * 50, y * 20)),
      ),
    },
  );
  if (dice.happens(0.35)) {
    const y = shoulder * dice.number(0.35, 0.5);
    parts.push({ polygon: tapered(0, y, widthAt(y) * 1.5, y + 0.025, widthAt(y) * 1.3), fill: times(dark, 2) });
  }
  for (let window = dice.count(1, 3); window > 0; window--) {
    const [x, y] = [dice.number(-0.3, 0.3) * topWidth, shoulder * (0.15 + 0.22 * window)];
    parts.push({ polygon: box(x - 0.02, y - 0.03, x + 0.02, y + 0.02), fill: light.isNight ? [1, 0.82, 0.48] : dark });
  }
  parts.push({ polygon: box(-0.04, -0.12, 0.04, 0.02), fill: times(dice.pick(paints), light.tint) });
  return [...parts, ...sails(dice, seen, [dice.number(-0.04, 0.04), shoulder - 0.02])];
}

/** The sails of a windmill around their hub. */
function sails(dice: Dice, { light }: Seen, [hubX, hubY]: Point): Part[] {
  const [length, breadth] = [dice.number(0.32, 0.5), dice.number(0.07, 0.13)];
  const [start, squash] = [dice.number(0, Math.PI / 2), dice.number(0.55, 1)];
  const count = dice.happens(0.12) ? 6 : 4;
  const wood = times(
    dice.pick<Color>([
      [0.3, 0.22, 0.16],
      [0.2, 0.19, 0.19],
      [0.85, 0.84, 0.8],
    ]),
    light.tint,
  );
  const cloth = times(dice.pick<Color>([white, [0.85, 0.76, 0.58], [0.7, 0.32, 0.24], [0.4, 0.36, 0.32]]), light.tint);
  const covering = dice.number(0.35, 0.95);
  const parts: Part[] = [];
  for (let index = 0; index < count; index++) {
    const angle = start + (2 * Math.PI * index) / count;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const at = (along: number, across: number): Point => [
      hubX + squash * (along * cos - across * sin),
      hubY + along * sin + across * cos,
    ];
    const lattice: Fill = (x, y) => {
      const along = ((x - hubX) / squash) * cos + (y - hubY) * sin;
      const across = (y - hubY) * cos - ((x - hubX) / squash) * sin;
      const isBar = Math.abs(((along * 22) % 1) - 0.5) < 0.16 || across > breadth * 0.86;
      return isBar ? wood : cloth;
    };
    parts.push(
      {
        polygon: [at(0.09, 0), at(length, 0), at(length, breadth), at(0.09, breadth)],
        fill: lattice,
        opacity: covering,
      },
      { polygon: [at(0, -0.011), at(length + 0.01, -0.008), at(length + 0.01, 0.008), at(0, 0.011)], fill: wood },
    );
  }
  return [...parts, { polygon: arc([hubX, hubY], [0.025, 0.025], 0, 2 * Math.PI, 10), fill: times(wood, 0.7) }];
}

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
