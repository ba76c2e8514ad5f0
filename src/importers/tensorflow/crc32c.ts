/** @file CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes at a time, and TensorFlow's masked form of it. */

/** The polynomial, its bits reversed. */
const polynomial = 0x82f63b78;

/** `tables[k][b]`: what byte b adds when k more bytes follow it (slicing by eight; Kounavis and Berry, 2005). */
const tables: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    first[byte] = value >>> 0;
  }
  const all = [first];
  for (let count = 1; count < 8; count++) {
    const previous = all[count - 1] ?? first;
    all.push(previous.map((value) => (value >>> 8) ^ (first[value & 0xff] ?? 0)));
  }
  return all;
}

const empty = new Uint32Array(256);
const [t0 = empty, t1 = empty, t2 = empty, t3 = empty, t4 = empty, t5 = empty, t6 = empty, t7 = empty] = tables;

/** The checksum of the bytes of all parts, one after the other. */
function crc32c(...parts: readonly Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const bytes of parts) crc = extend(crc, bytes);
  return (crc ^ 0xffffffff) >>> 0;
}

function extend(before: number, bytes: Uint8Array): number {
  let crc = before;
  let index = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (; index + 8 <= bytes.length; index += 8) {
    const low = view.getInt32(index, true) ^ crc;
    const high = view.getInt32(index + 4, true);
    // All indices lie in 0..255: `as number` for what the checker cannot see, without a test in the inner loop.
    crc =
      (t7[low & 0xff] as number) ^
      (t6[(low >>> 8) & 0xff] as number) ^
      (t5[(low >>> 16) & 0xff] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[high & 0xff] as number) ^
      (t2[(high >>> 8) & 0xff] as number) ^
      (t1[(high >>> 16) & 0xff] as number) ^
      (t0[high >>> 24] as number);
  }
  for (; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[index] as number)) & 0xff] as number);
  }
  return crc;
}

/** A checksum as it is stored beside what it is of, so that checksums of checksums stay useful (tsl/lib/hash/crc32c.h). */
export function maskedCrc32c(...parts: readonly Uint8Array[]): number {
  const crc = crc32c(...parts);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
