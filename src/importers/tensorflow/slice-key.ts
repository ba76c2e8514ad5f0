/** @file The keys under which a checkpoint keeps parts of a variable (tensorflow/core/util/saved_tensor_slice_util.cc). */

/** A part of a tensor: from where and how much along each axis; a length of -1 is the whole axis. */
export interface TensorSlice {
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
}

/** The key of a part: OrderedCode of 0, the name, the rank, and start and length of each axis; a byte a character. */
export function sliceKey(name: string, { starts, lengths }: TensorSlice): string {
  const utf8 = String.fromCharCode(...new TextEncoder().encode(name));
  const axes = starts.map((start, axis) => signedCode(start) + signedCode(lengths[axis] ?? -1));
  return `${unsignedCode(0)}${textCode(utf8)}${unsignedCode(starts.length)}${axes.join("")}`;
}

/** How many bytes follow, then those, the highest first. */
function unsignedCode(value: number): string {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return String.fromCharCode(bytes.length, ...bytes);
}

/** Zeros and 0xFFs are escaped, and a separator ends it. */
function textCode(text: string): string {
  const escaped = text.replace(/[\0\xff]/g, (byte) => (byte === "\0" ? "\0\xff" : "\xff\0"));
  return `${escaped}\0\x01`;
}

/**
 * Two's complement, the highest byte first, in as few bytes as hold 7 bits each, where the first bits say how many there
 * are: ones, inverted with the sign (OrderedCode::WriteSignedNumIncreasing).
 */
function signedCode(value: number): string {
  const big = BigInt(value);
  const magnitude = big < 0n ? ~big : big;
  let length = 1;
  while (magnitude >= 1n << BigInt(7 * length - 1)) length++;
  const header = ((1n << BigInt(length)) - 1n) << BigInt(8 * length - length);
  const code = BigInt.asUintN(8 * length, big) ^ header;
  const bytes = Array.from({ length }, (_, index) => Number((code >> BigInt(8 * (length - 1 - index))) & 0xffn));
  return String.fromCharCode(...bytes);
}
