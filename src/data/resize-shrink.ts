/** @file Shrinking rows under a triangle twice as wide as a target pixel: two additions a source pixel. */

/**
 * Between the centres of two target pixels, weights fall by a straight line for the one and rise for the other. So from
 * the sum of a segment's pixels, and the sum of its running sums, follow what it gives to both.
 */
export interface Segments {
  /** By segment: the source pixel it ends before; the first starts at `from`. One more than there are target pixels. */
  readonly ends: Int32Array;
  readonly from: number;
  /** By segment: from the target centre before it to the source centre at its end, in target pixels. */
  readonly reaches: Float64Array;
  /** Source pixels a target pixel, at least 1. */
  readonly scale: number;
  /** By target pixel: by what its sum is divided. */
  readonly totals: Float64Array;
}

/**
 * The segments of `length` source pixels from `offset` on, for `size` target pixels; those outside [0, `available`) are
 * black, and left out.
 */
export function segmentsOf(offset: number, length: number, size: number, available: number): Segments {
  const scale = length / size;
  const endOf = (segment: number) => Math.min(length, Math.ceil((segment + 0.5) * scale - 0.5));
  const totals = new Float64Array(size);
  const ends = new Int32Array(size + 1);
  const reaches = new Float64Array(size + 1);
  for (let segment = 0; segment <= size; segment++) {
    const [start, end] = [segment === 0 ? 0 : endOf(segment - 1), segment === size ? length : endOf(segment)];
    const before = (segment - 0.5) * scale;
    for (let pixel = start; pixel < end; pixel++) {
      const rise = (pixel + 0.5 - before) / scale;
      if (segment < size) totals[segment] = (totals[segment] ?? 0) + rise;
      if (segment > 0) totals[segment - 1] = (totals[segment - 1] ?? 0) + 1 - rise;
    }
    ends[segment] = Math.max(0, Math.min(available, end + offset));
    reaches[segment] = ((ends[segment] ?? 0) - offset + 0.5 - before) / scale;
  }
  return { ends, from: Math.max(0, offset), reaches, scale, totals };
}

/** One row of pixels, shrunk: the weighted sums of `resize`, with whole numbers until the end. */
export function shrinkRow(
  source: Uint8Array,
  rowStart: number,
  target: Float32Array,
  targetStart: number,
  { ends, from, reaches, scale, totals }: Segments,
): void {
  const size = totals.length;
  let at = rowStart + from * 3;
  let [redBefore, greenBefore, blueBefore] = [0, 0, 0];
  for (let segment = 0; segment <= size; segment++) {
    const end = rowStart + (ends[segment] ?? 0) * 3;
    let red = 0;
    let green = 0;
    let blue = 0;
    let reds = 0;
    let greens = 0;
    let blues = 0;
    for (; at < end; at += 3) {
      red += source[at] ?? 0;
      green += source[at + 1] ?? 0;
      blue += source[at + 2] ?? 0;
      reds += red;
      greens += green;
      blues += blue;
    }
    const reach = reaches[segment] ?? 0;
    const redRise = red * reach - reds / scale;
    const greenRise = green * reach - greens / scale;
    const blueRise = blue * reach - blues / scale;
    if (segment > 0) {
      const place = targetStart + (segment - 1) * 3;
      const total = totals[segment - 1] ?? 1;
      target[place] = (redBefore + red - redRise) / total;
      target[place + 1] = (greenBefore + green - greenRise) / total;
      target[place + 2] = (blueBefore + blue - blueRise) / total;
    }
    redBefore = redRise;
    greenBefore = greenRise;
    blueBefore = blueRise;
  }
}
