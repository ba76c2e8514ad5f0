/** @file 16-bit floating-point numbers: IEEE 754 binary16 and bfloat16, to and from 64-bit numbers. */

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** The number that binary16 bits stand for (IEEE 754-2019, §3.4). */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest binary16, ties to even; too large becomes infinite. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below the smallest normal number the spacing stays 2^-24.
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 2 ** -24)), -14);
  const scaled = roundToEven(magnitude / 2 ** (exponent - 10));
  // `scaled` counts units of the spacing; 1024 of them are one, and a carry moves on into the exponent by itself.
  return exponent === -14 ? sign | scaled : sign | (((exponent + 15) << 10) + (scaled - 1024));
}

/** The number that bfloat16 bits stand for: the upper half of a binary32. */
export function fromBfloat16(bits: number): number {
  word[0] = (bits << 16) >>> 0;
  return single[0] ?? 0;
}

/** The nearest bfloat16, ties to even. */
export function toBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  single[0] = value;
  const bits = word[0] ?? 0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
