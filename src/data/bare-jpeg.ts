/** @file JPEGs without what is not needed to draw them. */

/**
 * The JPEG without comments, application segments and stray bytes before its pixels, except Adobe's segment, which says
 * how colours are meant. What a decoder then still complains of is damage to the pixels. Segments: ITU T.81, annex B.
 */
export function bareJpeg(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  for (let at = bytes.indexOf(0xff, 2); at >= 0; at = bytes.indexOf(0xff, at)) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xda) return joined([...kept, bytes.subarray(at)]);
    if (marker < 0xc0 || marker === 0xff) {
      at += 1;
      continue;
    }
    const end = at + 2 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
    const isExtra = (marker >= 0xe0 && marker <= 0xef && marker !== 0xee) || marker === 0xfe;
    if (!isExtra) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
