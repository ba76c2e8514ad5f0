/** @file How pixels are weighed when pictures change their size: TensorFlow's kernels, as matrices. */

/** The weight of a pixel that lies `distance` input pixels from where an output pixel looks, and how far that goes. */
interface Kernel {
  readonly radius: number;
  weight(distance: number): number;
}

function lanczos(radius: number): Kernel {
  return {
    radius,
    weight: (x) =>
      x <= 1e-3 ? 1 : (radius * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / radius)) / (Math.PI * x) ** 2,
  };
}

const triangle: Kernel = { radius: 1, weight: (x) => Math.max(0, 1 - x) };

/** Keys's cubic with a = −1/2. */
const keys: Kernel = {
  radius: 2,
  weight: (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2),
};

/** Of Mitchell and Netravali, with B = C = 1/3. */
const mitchell: Kernel = {
  radius: 2,
  weight: (x) => (x < 1 ? ((7 * x) / 6 - 2) * x * x + 8 / 9 : (((-7 * x) / 18 + 2) * x - 10 / 3) * x + 16 / 9),
};

const gaussian: Kernel = { radius: 1.5, weight: (x) => Math.exp(-(x * x) / (2 * 0.5 * 0.5)) };

const kernels: ReadonlyMap<string, Kernel> = new Map([
  ["bilinear", triangle],
  ["bicubic", keys],
  ["lanczos3", lanczos(3)],
  ["lanczos5", lanczos(5)],
  ["gaussian", gaussian],
  ["mitchellcubic", mitchell],
]);

export const interpolations: readonly string[] = ["nearest", "area", ...kernels.keys()];

/**
 * The weights `[from, to]` that give `to` pixels of `from`, by a name of `interpolations`. With `antialias` the kernel
 * grows where the picture shrinks. Source: tensorflow/core/kernels/image/scale_and_translate_op.cc and its neighbours.
 */
export function resizingWeights(name: string, from: number, to: number, antialias: boolean): Float32Array {
  const weights = new Float32Array(from * to);
  const step = from / to;
  for (let output = 0; output < to; output++) {
    const row = weightsAt(name, from, step, output, antialias);
    const total = row.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [input, weight] of row) weights[input * to + output] = weight / total;
  }
  return weights;
}

type Weighted = readonly [input: number, weight: number];

function weightsAt(name: string, from: number, step: number, output: number, antialias: boolean): readonly Weighted[] {
  if (name === "nearest") return [[Math.min(from - 1, Math.floor((output + 0.5) * step)), 1]];
  if (name === "area") return areaAt(from, output * step, (output + 1) * step);
  const kernel = kernels.get(name) ?? triangle;
  const stretch = antialias ? Math.max(step, 1) : 1;
  const centre = lookAt(name, (output + 0.5) * step, antialias);
  const reach = kernel.radius * stretch;
  const first = Math.max(0, Math.ceil(centre - reach - 0.5));
  const last = Math.min(from - 1, Math.floor(centre + reach - 0.5));
  const row: Weighted[] = [];
  for (let input = first; input <= last; input++) {
    row.push([input, kernel.weight(Math.abs(input + 0.5 - centre) / stretch)]);
  }
  // Past the edges the last pixel goes on.
  return row.length > 0 ? row : [[Math.min(from - 1, Math.max(0, Math.floor(centre))), 1]];
}

/** TensorFlow's plain bicubic knows 1,024 places between two pixels. */
function lookAt(name: string, centre: number, antialias: boolean): number {
  if (name !== "bicubic" || antialias) return centre;
  const below = Math.floor(centre - 0.5);
  return below + Math.round((centre - 0.5 - below) * 1024) / 1024 + 0.5;
}

/** How much of each pixel lies between two places. */
function areaAt(from: number, start: number, end: number): readonly Weighted[] {
  const row: Weighted[] = [];
  for (let input = Math.floor(start); input < Math.min(from, Math.ceil(end)); input++) {
    row.push([input, Math.min(input + 1, end) - Math.max(input, start)]);
  }
  return row;
}
