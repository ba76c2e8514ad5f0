/** @file Geometric changes: where each pixel is read from. */
import type { FillMode } from "./augmentation.ts";

interface Size {
  readonly height: number;
  readonly width: number;
}

/** How the places outside the picture are filled. Defaults: `reflect`, 0. */
interface Filling {
  readonly fillMode?: FillMode | undefined;
  readonly fillValue?: number | undefined;
}

/**
 * The pixel at (x, y) comes from (a·x + b·y + c, d·x + e·y + f), in pixels, whole numbers at their centres; places
 * outside [left, left + width) × [top, top + height) are filled.
 */
export interface Move {
  readonly kind: "move";
  readonly matrix: readonly [a: number, b: number, c: number, d: number, e: number, f: number];
  readonly fillMode: FillMode;
  readonly fillValue: number;
  readonly bounds: { readonly top: number; readonly left: number } & Size;
}

export function flipMove(mode: "horizontal" | "vertical" | "horizontal_and_vertical", size: Size): Move {
  const [mirror, turn] = [mode !== "vertical", mode !== "horizontal"];
  const across = mirror ? ([-1, 0, size.width - 1] as const) : ([1, 0, 0] as const);
  const down = turn ? ([0, -1, size.height - 1] as const) : ([0, 1, 0] as const);
  return moveOf([...across, ...down], size, { fillMode: "nearest" });
}

/** Counter-clockwise about the middle, by an angle in radians. */
export function rotationMove(angle: number, size: Size, filling: Filling): Move {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [x, y] = [(size.width - 1) / 2, (size.height - 1) / 2];
  return moveOf([cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos], size, filling);
}

/** Shows this many times the picture's height and width: above 1 zooms out. */
export function zoomMove(zoom: Size, size: Size, filling: Filling): Move {
  const [x, y] = [((size.width - 1) / 2) * (1 - zoom.width), ((size.height - 1) / 2) * (1 - zoom.height)];
  return moveOf([zoom.width, 0, x, 0, zoom.height, y], size, filling);
}

/** Shifts by pixels. */
export function translationMove(
  { down, right }: { readonly down: number; readonly right: number },
  size: Size,
  filling: Filling,
): Move {
  return moveOf([1, 0, -right, 0, 1, -down], size, filling);
}

/** A rectangle, resized bilinearly to the whole picture. */
export function cropMove(rectangle: Move["bounds"], size: Size): Move {
  const [across, down] = [rectangle.width / size.width, rectangle.height / size.height];
  // Half-pixel centres: the middle of the first target pixel lies half a target pixel into the rectangle.
  const [x, y] = [rectangle.left + across / 2 - 0.5, rectangle.top + down / 2 - 0.5];
  return { ...moveOf([across, 0, x, 0, down, y], size, { fillMode: "nearest" }), bounds: rectangle };
}

function moveOf(matrix: Move["matrix"], size: Size, { fillMode = "reflect", fillValue = 0 }: Filling): Move {
  return { kind: "move", matrix, fillMode, fillValue, bounds: { top: 0, left: 0, ...size } };
}

/** A row of places in the picture that is read, and what constant filling makes of them. */
interface Places {
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** How much of the picture is still seen there, 0–1. */
  readonly seen: Float64Array;
  /** What fillings have put in front of it. */
  readonly filled: Float64Array;
}

/**
 * The values after the moves, one after another, float32 `[height, width, 3]`: as
 * `tf.raw_ops.ImageProjectiveTransformV3` with bilinear interpolation, which Keras's layers use, except that the picture
 * is interpolated once for all moves, and so stays sharper.
 */
export function resample(
  values: Uint8Array | Float32Array,
  { height, width }: Size,
  moves: readonly Move[],
): Float32Array {
  if (moves.length === 0) return Float32Array.from(values);
  const result = new Float32Array(height * width * 3);
  const row = (): Float64Array => new Float64Array(width);
  const fromLast = moves.toReversed();
  const places: Places = { x: row(), y: row(), seen: row(), filled: row() };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) places.x[x] = x;
    places.y.fill(y);
    places.seen.fill(1);
    places.filled.fill(0);
    // The last move's result is what is seen, so its places are followed first.
    for (const move of fromLast) followMove(places, move);
    readPlaces(places, values, { height, width }, result, y * width * 3);
  }
  return result;
}

function followMove({ x: xs, y: ys, seen, filled }: Places, { matrix, fillMode, fillValue, bounds }: Move): void {
  const [a, b, c, d, e, f] = matrix;
  const { top, left, height, width } = bounds;
  for (let index = 0; index < xs.length; index++) {
    const x = xs[index] ?? 0;
    const y = ys[index] ?? 0;
    const placeX = a * x + b * y + c - left;
    const placeY = d * x + e * y + f - top;
    if (fillMode === "constant") {
      // Within a pixel of the edge the filling is blended in, as interpolation with a filled neighbour does.
      const share = shareWithin(placeX, width) * shareWithin(placeY, height);
      const before = seen[index] ?? 0;
      filled[index] = (filled[index] ?? 0) + before * (1 - share) * fillValue;
      seen[index] = before * share;
    }
    xs[index] = folded(placeX, width, fillMode) + left;
    ys[index] = folded(placeY, height, fillMode) + top;
  }
}

function shareWithin(place: number, length: number): number {
  return Math.max(0, Math.min(1, place + 1, length - place));
}

/** Where a place along an axis is found in the picture: TensorFlow's `MapCoordinate`. */
function folded(place: number, length: number, fillMode: FillMode): number {
  let inside = place;
  // What rounding errors put outside, as a half turn does with the edge, is not: `wrap` would show the other edge.
  if (length > 1 && (place < -1e-6 || place > length - 1 + 1e-6)) {
    if (fillMode === "reflect") {
      const period = 2 * length;
      inside = place - period * Math.floor(place / period);
      // The mirror stands on the edge of the last pixel, half a pixel beyond its centre.
      if (inside >= length) inside = period - inside - 1;
    } else if (fillMode === "wrap") {
      // TensorFlow counts turns by length − 1 and shifts by length.
      const turns = Math.trunc(Math.abs(place) / (length - 1));
      inside = place < 0 ? place + length * (turns + 1) : place - length * turns;
    }
  }
  return Math.max(0, Math.min(length - 1, inside));
}

/** Bilinear interpolation. */
function readPlaces(
  { x: xs, y: ys, seen, filled }: Places,
  values: Uint8Array | Float32Array,
  { height, width }: Size,
  result: Float32Array,
  from: number,
): void {
  for (let index = 0; index < xs.length; index++) {
    const x = xs[index] ?? 0;
    const y = ys[index] ?? 0;
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [rightShare, lowerShare] = [x - left, y - top];
    const here = (top * width + left) * 3;
    const right = left + 1 < width ? here + 3 : here;
    const below = top + 1 < height ? width * 3 : 0;
    const share = seen[index] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const upper = mix(values[here + channel] ?? 0, values[right + channel] ?? 0, rightShare);
      const lower = mix(values[here + below + channel] ?? 0, values[right + below + channel] ?? 0, rightShare);
      result[from + index * 3 + channel] = share * mix(upper, lower, lowerShare) + (filled[index] ?? 0);
    }
  }
}

function mix(one: number, other: number, share: number): number {
  return one + (other - one) * share;
}
