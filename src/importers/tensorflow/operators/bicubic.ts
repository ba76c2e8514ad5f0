/** @file TensorFlow's bicubic weights, which come from a table (tensorflow/core/kernels/image/resize_bicubic_op.cc). */
import { float32, type NumericTensor } from "../../../tensor/index.ts";

const { fround } = Math;
/** Between two pixels, TensorFlow looks weights up at so many places. */
const tableSize = 1024;

export interface Bicubic {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

/** Keys's kernel at the distance of `place / 1024` from the nearer pixels and of one more from the farther ones. */
function tableAt(place: number, a: number): readonly [near: number, far: number] {
  const x = place / tableSize;
  const y = x + 1;
  return [((a + 2) * x - (a + 3)) * x * x + 1, ((a * y - 5 * a) * y + 8 * a) * y - 4 * a];
}

/** What each of `to` pixels is made of, `[to, from]`: pixels outside are left out, or repeat the edge. */
export function bicubicWeights(from: number, to: number, { alignCorners, halfPixelCenters }: Bicubic): NumericTensor {
  const data = new Float32Array(to * from);
  const scale = fround(alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to);
  const a = halfPixelCenters ? -0.5 : -0.75;
  for (let row = 0; row < to; row++) {
    const at = halfPixelCenters ? fround(fround(fround(row + 0.5) * scale) - 0.5) : fround(row * scale);
    const first = Math.floor(at);
    const place = roundHalfEven(fround(at - first) * tableSize);
    const [near, far] = tableAt(place, a);
    const [otherNear, otherFar] = tableAt(tableSize - place, a);
    const taken = [far, near, otherNear, otherFar].map((weight, index) => {
      const pixel = first - 1 + index;
      const bounded = Math.min(Math.max(pixel, 0), from - 1);
      return { weight: halfPixelCenters && bounded !== pixel ? 0 : weight, pixel: bounded };
    });
    const sum = halfPixelCenters ? taken.reduce((total, { weight }) => total + weight, 0) : 1;
    for (const { weight, pixel } of taken) data[row * from + pixel] = (data[row * from + pixel] ?? 0) + weight / sum;
  }
  return float32([to, from], data);
}

function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
