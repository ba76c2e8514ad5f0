/**
 * @file Pictures with the statistics of photos, where there are no photos: discs of all sizes over one another, the "dead
 * leaves" model (Lee, Mumford and Huang 2001).
 */
import { randomNumbers } from "../tensor/index.ts";

const discs = 400;
/** In pixels: photos, made smaller for a model, have few details below it. */
const smallestRadius = 6;

/** Pixels, uint8 `[count, height, width, 3]`. The same for the same arguments. */
export function deadLeaves(count: number, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(count * height * width * 3);
  const next = randomNumbers(1);
  const side = Math.max(height, width);
  for (let picture = 0; picture < count; picture++) {
    for (let disc = 0; disc < discs; disc++) {
      // Radii fall off with the third power, as sizes of things in photos do; the first discs cover everything.
      const radius =
        disc === 0
          ? 2 * side
          : Math.min(side / 3, smallestRadius / Math.sqrt(1 - next() + (smallestRadius / side) ** 2));
      const [x, y] = [next() * width, next() * height];
      const light = next();
      const colour = Array.from(
        { length: 3 },
        () => 255 * Math.min(1, Math.max(0, 0.75 * light + 0.35 * next() - 0.05)),
      );
      const rows = [Math.max(0, Math.ceil(y - radius)), Math.min(height - 1, Math.floor(y + radius))] as const;
      for (let row = rows[0]; row <= rows[1]; row++) {
        const half = Math.sqrt(radius * radius - (row - y) ** 2);
        const last = Math.min(width - 1, Math.floor(x + half));
        for (let column = Math.max(0, Math.ceil(x - half)); column <= last; column++) {
          const at = ((picture * height + row) * width + column) * 3;
          for (let channel = 0; channel < 3; channel++) pixels[at + channel] = colour[channel] ?? 0;
        }
      }
    }
  }
  return blurred(pixels, { count, height, width });
}

/** The mean over 3 × 3 pixels: lenses and resizing leave no edge sharp. */
function blurred(
  pixels: Uint8Array,
  { count, height, width }: { count: number; height: number; width: number },
): Uint8Array {
  const result = new Uint8Array(pixels.length);
  const near = (at: number, last: number) => [Math.max(0, at - 1), at, Math.min(last, at + 1)];
  for (let at = 0; at < count * height * width; at++) {
    const [column, row] = [at % width, Math.floor(at / width) % height];
    const picture = (at - column - row * width) * 3;
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (const y of near(row, height - 1)) {
        for (const x of near(column, width - 1)) sum += pixels[picture + (y * width + x) * 3 + channel] ?? 0;
      }
      result[at * 3 + channel] = sum / 9;
    }
  }
  return result;
}
