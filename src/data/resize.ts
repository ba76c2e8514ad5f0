/** @file Resizing: a window of a picture at another size, by two passes of weighted sums. */
import type { Picture, ResizeMethod } from "./picture.ts";
import { segmentsOf, shrinkRow } from "./resize-shrink.ts";

/** A rectangle of a picture, in its pixels. It may reach over the picture's edges: there it is black. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Along one axis: which source pixels make each target pixel, and with what weight. */
interface Taps {
  /** By target pixel: its first source pixel. */
  readonly first: Int32Array;
  /** By target pixel: where its weights start; one more entry says where the last ones end. */
  readonly start: Int32Array;
  readonly weights: Float64Array;
}

/**
 * The window at `height`×`width`, uint8 `[height, width, 3]`, as `tf.image.resize` computes it (without and with
 * `antialias`), rounded to nearest, ties to even. Between the passes nothing is rounded to whole numbers: Pillow does,
 * and may differ by 1.
 */
export function resize(
  picture: Picture,
  { top, left, height: windowHeight, width: windowWidth }: Window,
  { height, width, method }: { readonly height: number; readonly width: number; readonly method: ResizeMethod },
): Uint8Array {
  const narrow = rowFilter(picture, method, left, windowWidth, width);
  const down = tapsOf(method, top, windowHeight, height, picture.height);
  const { rows, slots } = rowsRead(down, picture.height);
  const stride = width * 3;
  const narrowed = new Float32Array(rows.length * stride);
  for (const [slot, row] of rows.entries()) {
    narrow(row * picture.width * 3, narrowed, slot * stride);
  }
  // A clamped array rounds what is stored in it to the nearest whole number from 0 to 255.
  const pixels = new Uint8ClampedArray(height * stride);
  const sums = new Float64Array(stride);
  for (let y = 0; y < height; y++) {
    const from = down.start[y] ?? 0;
    const to = down.start[y + 1] ?? 0;
    const slot = (slots[down.first[y] ?? 0] ?? 0) - from;
    sums.fill(0);
    for (let tap = from; tap < to; tap += 2) {
      // Two rows at a time: the sums are read and stored half as often.
      const other = Math.min(tap + 1, to - 1);
      const weight = other > tap ? (down.weights[other] ?? 0) : 0;
      addRows(sums, narrowed, (slot + tap) * stride, down.weights[tap] ?? 0, (slot + other) * stride, weight);
    }
    pixels.set(sums, y * stride);
  }
  return new Uint8Array(pixels.buffer);
}

/** What makes one row of the picture, starting at `from`, into one of `size` pixels. */
function rowFilter(
  { data, width }: Picture,
  method: ResizeMethod,
  offset: number,
  length: number,
  size: number,
): (from: number, target: Float32Array, to: number) => void {
  if (method === "antialias" && length > 2 * size) {
    const segments = segmentsOf(offset, length, size, width);
    return (from, target, to) => shrinkRow(data, from, target, to, segments);
  }
  const taps = tapsOf(method, offset, length, size, width);
  return (from, target, to) => filterRow(data, from, target, to, taps);
}

/**
 * Weights along an axis of `size` target pixels over the window from `offset`, `length` source pixels long, of which
 * those outside [0, `available`) are black and left out.
 */
function tapsOf(method: ResizeMethod, offset: number, length: number, size: number, available: number): Taps {
  const scale = length / size;
  const reach = method === "antialias" ? Math.max(scale, 1) : 1;
  const first = new Int32Array(size);
  const start = new Int32Array(size + 1);
  const weights: number[] = [];
  for (let index = 0; index < size; index++) {
    // Half-pixel centres: pixel i covers [i, i + 1), and its centre is at i + ½.
    const centre = (index + 0.5) * scale;
    const low = Math.max(0, Math.ceil(centre - reach - 0.5));
    const high = Math.min(length - 1, Math.floor(centre + reach - 0.5));
    const triangle = (pixel: number) => Math.max(0, 1 - Math.abs(pixel + 0.5 - centre) / reach);
    // Beyond the window's ends nothing is seen, and what is seen weighs more: the sum stays 1.
    let total = 0;
    for (let pixel = low; pixel <= high; pixel++) total += triangle(pixel);
    const seenFrom = Math.max(low, -offset);
    const seenTo = Math.min(high, available - 1 - offset);
    first[index] = Math.min(Math.max(seenFrom + offset, 0), available - 1);
    for (let pixel = seenFrom; pixel <= seenTo; pixel++) weights.push(triangle(pixel) / total);
    start[index + 1] = weights.length;
  }
  return { first, start, weights: Float64Array.from(weights) };
}

/** The source rows that any target row reads, in order, and by source row its place among them. */
function rowsRead(taps: Taps, available: number): { readonly rows: Int32Array; readonly slots: Int32Array } {
  const slots = new Int32Array(available).fill(-1);
  for (const [index, first] of taps.first.entries()) {
    const count = (taps.start[index + 1] ?? 0) - (taps.start[index] ?? 0);
    slots.fill(0, first, first + count);
  }
  const rows = Int32Array.from(slots.keys()).filter((row) => slots[row] === 0);
  for (const [slot, row] of rows.entries()) slots[row] = slot;
  return { rows, slots };
}

/** One row of pixels, narrowed or widened. */
function filterRow(source: Uint8Array, from: number, target: Float32Array, to: number, taps: Taps): void {
  const { first, start, weights } = taps;
  let tap = 0;
  for (let x = 0; x < first.length; x++) {
    const end = start[x + 1] ?? 0;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let at = from + (first[x] ?? 0) * 3; tap < end; tap++, at += 3) {
      const weight = weights[tap] ?? 0;
      red += weight * (source[at] ?? 0);
      green += weight * (source[at + 1] ?? 0);
      blue += weight * (source[at + 2] ?? 0);
    }
    const place = to + x * 3;
    target[place] = red;
    target[place + 1] = green;
    target[place + 2] = blue;
  }
}

function addRows(
  sums: Float64Array,
  rows: Float32Array,
  from: number,
  weight: number,
  otherFrom: number,
  otherWeight: number,
): void {
  for (let index = 0; index < sums.length; index++) {
    sums[index] =
      (sums[index] ?? 0) + weight * (rows[from + index] ?? 0) + otherWeight * (rows[otherFrom + index] ?? 0);
  }
}
