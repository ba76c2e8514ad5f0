/** @file Windmills, each of its own make. */
import { arc, box, type Color, type Fill, noiseOf, type Point, type Polygon, tapered, times } from "./sample-canvas.ts";
import type { Dice } from "./sample-dice.ts";
import { cottage, type Part, paints, roofs, rounded, type Seen, walls, white } from "./sample-parts.ts";

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
