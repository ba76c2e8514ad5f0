/** @file Lighthouses, each of its own make. */
import { arc, box, type Color, noiseOf, type Point, type Polygon, tapered, times } from "./sample-canvas.ts";
import type { Dice } from "./sample-dice.ts";
import { cottage, type Part, paints, roofs, rounded, type Seen, walls, white } from "./sample-parts.ts";
import type { Light } from "./sample-scene.ts";

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
