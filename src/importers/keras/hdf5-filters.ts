/** @file HDF5: what chunks of elements go through before they are stored: deflate, shuffle, Fletcher's checksum (specification IV.A.2.l). */
import { inflateZlib } from "../inflate.ts";
import { damaged, refused, type Source } from "./hdf5-source.ts";

export const filterIds = { deflate: 1, shuffle: 2, fletcher32: 3 };

/** The filters that chunks went through, in the order of writing. */
export function filtersAt(source: Source, at: number): readonly number[] {
  const version = source.expectVersion(at, [1, 2], "a filter pipeline");
  const count = source.u8(at + 1);
  const filters: number[] = [];
  let place = at + (version === 1 ? 8 : 2);
  for (let index = 0; index < count; index++) {
    const id = source.u16(place);
    const hasName = version === 1 || id >= 256;
    const nameSize = hasName ? source.u16(place + 2) : 0;
    const values = source.u16(place + (hasName ? 6 : 4));
    if (!Object.values(filterIds).includes(id)) {
      throw refused(
        `the elements are stored through filter ${id}, which is not read`,
        "save it again without compression, or with gzip",
      );
    }
    filters.push(id);
    place += hasName ? 8 : 6;
    place += version === 1 ? Math.ceil(nameSize / 8) * 8 + 4 * (values + (values % 2)) : nameSize + 4 * values;
  }
  return filters;
}

/**
 * A chunk as it was before the filters, undone from the last.
 *
 * @param mask bits of the filters that this chunk did not go through
 * @param whole how many bytes it must become
 */
export function unfiltered(
  stored: Uint8Array,
  filters: readonly number[],
  mask: number,
  whole: number,
  width: number,
): Uint8Array {
  let bytes = stored;
  for (let index = filters.length - 1; index >= 0; index--) {
    if (mask & (1 << index)) continue;
    const sums = filters.slice(0, index).filter((id, before) => id === filterIds.fletcher32 && !(mask & (1 << before)));
    if (filters[index] === filterIds.fletcher32) bytes = verified(bytes);
    else if (filters[index] === filterIds.deflate) bytes = inflateZlib(bytes, whole + 4 * sums.length);
    else bytes = unshuffled(bytes, width);
  }
  if (bytes.length !== whole) throw damaged(`a chunk of ${whole} bytes`, `${bytes.length}`);
  return bytes;
}

/** First all first bytes of the elements, then all second ones, …: back to elements. */
function unshuffled(bytes: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(bytes.length / width);
  const elements = bytes.slice();
  for (let byte = 0; byte < width; byte++) {
    for (let index = 0; index < count; index++) elements[index * width + byte] = bytes[byte * count + index] ?? 0;
  }
  return elements;
}

/** Fletcher's sum of 16-bit words (H5checksum.c), its two sums little-endian at the end. */
function verified(bytes: Uint8Array): Uint8Array {
  const data = bytes.subarray(0, Math.max(bytes.length - 4, 0));
  let [a, b] = [0, 0];
  for (let at = 0; at < data.length; at += 2) {
    // Words are big-endian; an odd last byte is the upper one.
    a = (a + (data[at] ?? 0) * 256 + (data[at + 1] ?? 0)) % 65535;
    b = (b + a) % 65535;
  }
  const stored = [0, 2].map((at) => (bytes[data.length + at] ?? 0) + (bytes[data.length + at + 1] ?? 0) * 256);
  if (bytes.length < 4 || (stored[0] ?? 0) % 65535 !== a || (stored[1] ?? 0) % 65535 !== b) {
    throw damaged("a chunk that fits its checksum");
  }
  return data;
}
