/** @file A canvas to draw sample pictures on: polygons with soft edges, gradients, and noise. */
import { randomNumbers } from "../tensor/index.ts";

/** Red, green and blue, 0–1. */
export type Color = readonly [red: number, green: number, blue: number];
/** Right and down, in sides of the picture, or in a frame's own units. */
export type Point = readonly [x: number, y: number];
export type Polygon = readonly Point[];
/** One colour, or one by the place in the frame. */
export type Fill = Color | ((x: number, y: number) => Color);

/** A square picture in the making. */
export interface Canvas {
  /** Pixels a side. */
  readonly side: number;
  /** `[side, side, 3]`, 0–1. */
  readonly values: Float32Array;
}

/** Where a thing stands: its own origin at (x, y), its unit `scale` long, turned clockwise by `angle`, or mirrored. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly angle: number;
  readonly isMirrored: boolean;
}

/** The picture itself: its side is the unit. */
export const wholePicture: Frame = { x: 0, y: 0, scale: 1, angle: 0, isMirrored: false };

export function newCanvas(side: number): Canvas {
  return { side, values: new Float32Array(side * side * 3) };
}

export function mix(one: Color, other: Color, share: number): Color {
  const [red, green, blue] = one;
  return [red + (other[0] - red) * share, green + (other[1] - green) * share, blue + (other[2] - blue) * share];
}

export function times([red, green, blue]: Color, factor: number | Color): Color {
  if (typeof factor === "number") return [red * factor, green * factor, blue * factor];
  return [red * factor[0], green * factor[1], blue * factor[2]];
}

export function between(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** 0 up to `from`, 1 from `to` on, smooth between (Perlin's smoothstep). */
export function ramp(from: number, to: number, value: number): number {
  const share = between((value - from) / (to - from), 0, 1);
  return share * share * (3 - 2 * share);
}

export function box(left: number, top: number, right: number, bottom: number): Polygon {
  return [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
}

/** Upright, `bottomWidth` wide at the bottom and `topWidth` at the top, about x. */
export function tapered(x: number, top: number, topWidth: number, bottom: number, bottomWidth: number): Polygon {
  return [
    [x - topWidth / 2, top],
    [x + topWidth / 2, top],
    [x + bottomWidth / 2, bottom],
    [x - bottomWidth / 2, bottom],
  ];
}

/** A part of an ellipse, from one angle to another, clockwise from the right, in radians. */
export function arc([x, y]: Point, [width, height]: Point, from = 0, to: number = 2 * Math.PI, corners = 24): Polygon {
  return Array.from({ length: corners }, (_, index): Point => {
    const angle = from + ((to - from) * index) / (corners - (to - from < 6.28 ? 1 : 0));
    return [x + width * Math.cos(angle), y + height * Math.sin(angle)];
  });
}

/** Every pixel, by its place and what is there. */
export function fillAll(canvas: Canvas, colorAt: (x: number, y: number, before: Color) => Color): void {
  const { side } = canvas;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = (row * side + column) * 3;
      put(canvas, at, colorAt((column + 0.5) / side, (row + 0.5) / side, colorOf(canvas, at)), 1);
    }
  }
}

/** The part below a line and above another, drawn over what is there, by the place and the depth below the line. */
export function fillBelow(
  canvas: Canvas,
  topAt: (x: number) => number,
  colorAt: (x: number, y: number, depth: number) => Color,
  bottomAt: (x: number) => number = () => 2,
): void {
  const { side } = canvas;
  for (let column = 0; column < side; column++) {
    const x = (column + 0.5) / side;
    const [top, bottom] = [topAt(x), bottomAt(x)];
    for (let row = Math.max(0, Math.floor(top * side - 1)); row < side; row++) {
      const y = (row + 0.5) / side;
      const share = Math.min(y - top, bottom - y) * side + 0.5;
      if (share > 0) put(canvas, (row * side + column) * 3, colorAt(x, y, y - top), Math.min(share, 1));
    }
  }
}

/** Lays a polygon over the picture. Its edge is `softness` pixels wide; it covers by `opacity`, 0–1. */
export function paint(
  canvas: Canvas,
  frame: Frame,
  polygon: Polygon,
  fill: Fill,
  { opacity = 1, softness = 1 }: { readonly opacity?: number; readonly softness?: number } = {},
): void {
  const { side } = canvas;
  const corners = polygon.map((point) => placed(frame, point)).map(([x, y]): Point => [x * side, y * side]);
  const [columns, rows] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const left = Math.max(0, Math.floor(Math.min(...columns) - softness));
  const right = Math.min(side - 1, Math.ceil(Math.max(...columns) + softness));
  const top = Math.max(0, Math.floor(Math.min(...rows) - softness));
  const bottom = Math.min(side - 1, Math.ceil(Math.max(...rows) + softness));
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const distance = signedDistance(corners, column + 0.5, row + 0.5);
      const share = opacity * between(0.5 - distance / softness, 0, 1);
      if (share <= 0) continue;
      const color =
        typeof fill === "function" ? fill(...unplaced(frame, (column + 0.5) / side, (row + 0.5) / side)) : fill;
      put(canvas, (row * side + column) * 3, color, share);
    }
  }
}

function colorOf({ values }: Canvas, at: number): Color {
  return [values[at] ?? 0, values[at + 1] ?? 0, values[at + 2] ?? 0];
}

function put({ values }: Canvas, at: number, color: Color, share: number): void {
  for (let channel = 0; channel < 3; channel++) {
    const before = values[at + channel] ?? 0;
    values[at + channel] = before + ((color[channel] ?? 0) - before) * share;
  }
}

/** From a frame to the picture. */
export function placed({ x, y, scale, angle, isMirrored }: Frame, [ownX, ownY]: Point): Point {
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  const across = isMirrored ? -ownX : ownX;
  return [x + cos * across - sin * ownY, y + sin * across + cos * ownY];
}

function unplaced({ x, y, scale, angle, isMirrored }: Frame, pictureX: number, pictureY: number): Point {
  const [cos, sin] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  const across = cos * (pictureX - x) + sin * (pictureY - y);
  return [isMirrored ? -across : across, cos * (pictureY - y) - sin * (pictureX - x)];
}

/** Negative inside. From https://iquilezles.org/articles/distfunctions2d/ (polygon). */
function signedDistance(corners: Polygon, x: number, y: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  let sign = 1;
  let from = corners.at(-1) ?? [0, 0];
  for (const to of corners) {
    const edgeX = from[0] - to[0];
    const edgeY = from[1] - to[1];
    const ownX = x - to[0];
    const ownY = y - to[1];
    const along = between((ownX * edgeX + ownY * edgeY) / (edgeX * edgeX + edgeY * edgeY || 1), 0, 1);
    const gapX = ownX - edgeX * along;
    const gapY = ownY - edgeY * along;
    nearest = Math.min(nearest, gapX * gapX + gapY * gapY);
    const isBelowOne = y >= to[1];
    const isAboveOther = y < from[1];
    const isLeft = edgeX * ownY > edgeY * ownX;
    if (isBelowOne === isAboveOther && isAboveOther === isLeft) sign = -sign;
    from = to;
  }
  return sign * Math.sqrt(nearest);
}

/** Smooth noise over the plane, 0–1, about 1 unit from hill to hill: values on a lattice, drawn from a seed. */
export function noiseOf(seed: number): (x: number, y: number) => number {
  const random = randomNumbers(seed);
  const lattice = new Float32Array(64 * 64).map(random);
  return (x, y) => {
    const left = Math.floor(x);
    const top = Math.floor(y);
    const across = (x - left) * (x - left) * (3 - 2 * (x - left));
    const down = (y - top) * (y - top) * (3 - 2 * (y - top));
    // The lattice repeats after 64 units.
    const upper = (top & 63) * 64;
    const lower = ((top + 1) & 63) * 64;
    const here = left & 63;
    const next = (left + 1) & 63;
    const above = (lattice[upper + here] ?? 0) * (1 - across) + (lattice[upper + next] ?? 0) * across;
    const below = (lattice[lower + here] ?? 0) * (1 - across) + (lattice[lower + next] ?? 0) * across;
    return above + (below - above) * down;
  };
}

/** Noise of several sizes, each half as long and half as strong as the one before, 0–1. */
export function cloudiness(noise: (x: number, y: number) => number, x: number, y: number, sizes = 4): number {
  let sum = 0;
  let total = 0;
  let weight = 1;
  let frequency = 1;
  for (let size = 0; size < sizes; size++) {
    sum += weight * noise(x * frequency + size * 17.3, y * frequency - size * 9.1);
    total += weight;
    weight /= 2;
    frequency *= 2;
  }
  return sum / total;
}
