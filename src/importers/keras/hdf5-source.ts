/** @file The bytes of an HDF5 file, read at places within bounds, and only so often: a file is a stranger's. */
import { GraftError } from "../../tensor/index.ts";

/** A place in the file; `undefined` is HDF5's undefined address, all ones. */
export type Address = number | undefined;

export const decoder: TextDecoder = new TextDecoder();

/** More structures than the largest files have: what runs in circles, or repeats itself, ends here. */
const mostStructures = 2_000_000;

/** Reads little-endian numbers by absolute position. Every reader throws GraftError `model-invalid` outside the file. */
export class Source {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #structuresLeft = mostStructures;
  #storedLeft: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#storedLeft = bytes.length;
  }

  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** A size. Beyond 2^53 it is not exact, and larger than any file. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  /** A number of 1 to 8 bytes. */
  unsigned(at: number, width: number): number {
    this.#check(at, width);
    let value = 0;
    for (let index = width - 1; index >= 0; index--) value = value * 256 + this.#view.getUint8(at + index);
    return value;
  }

  address(at: number): Address {
    return this.u32(at) === 0xffffffff && this.u32(at + 4) === 0xffffffff ? undefined : this.u64(at);
  }

  /** A view on the bytes. */
  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Text of a fixed length, up to its first NUL. */
  text(at: number, length: number): string {
    const bytes = this.slice(at, length);
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The four letters that a structure begins with. */
  expectSignature(at: number, signature: string): void {
    this.visit();
    const found = String.fromCharCode(...this.slice(at, 4));
    if (found !== signature) throw damaged(`${signature} at byte ${at}`, JSON.stringify(found));
  }

  /** Structures of newer files end in a checksum of all before it. */
  expectChecksum(at: number, length: number): void {
    if (lookup3(this.slice(at, length)) !== this.u32(at + length)) {
      throw damaged("a structure that fits its checksum", `damage between bytes ${at} and ${at + length}`);
    }
  }

  /** A checksum that lies within what it is of, where zeros count. */
  expectChecksumWithin(at: number, length: number, within: number): void {
    const block = this.slice(at, length).slice();
    block.fill(0, within, within + 4);
    if (lookup3(block) !== this.u32(at + within))
      throw damaged("a block that fits its checksum", `damage after byte ${at}`);
  }

  expectVersion(at: number, versions: readonly number[], what: string): number {
    const version = this.u8(at);
    if (!versions.includes(version)) throw damaged(`${what} of version ${versions.join(" or ")}`, `${version}`);
    return version;
  }

  /** Counts what is looked at. Throws where a file sends its reader round and round. */
  visit(count = 1): void {
    this.#structuresLeft -= count;
    if (this.#structuresLeft < 0)
      throw damaged(`at most ${mostStructures} structures`, "more, or the same again and again");
  }

  /** Counts the bytes that data sets say they store. Together they cannot be more than the file, unless they overlap. */
  store(bytes: number): void {
    this.#storedLeft -= bytes;
    if (!(this.#storedLeft >= 0)) throw damaged("data sets within the file", "data sets that overlap or lie outside");
  }

  #check(at: number, length: number): void {
    // Written so that NaN fails, too.
    if (!(at >= 0 && length >= 0 && at + length <= this.bytes.length)) {
      throw damaged(`places below ${this.bytes.length}`, `${at + length}`);
    }
  }
}

export function damaged(expected: string, actual?: string): GraftError {
  return new GraftError("model-invalid", "the HDF5 structure is damaged", {
    expected,
    ...(actual === undefined ? {} : { actual }),
  });
}

export function refused(what: string, hint = "save the model again with model.save of Keras"): GraftError {
  return new GraftError("model-refused", what, { hint });
}

/** Bob Jenkins's lookup3 hash with the initial value 0, as HDF5 uses it for its metadata (H5checksum.c). */
function lookup3(bytes: Uint8Array): number {
  const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));
  const word = (at: number) =>
    (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  let a = (0xdeadbeef + bytes.length) | 0;
  let [b, c] = [a, a];
  let at = 0;
  for (; bytes.length - at > 12; at += 12) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 4)) | 0;
    c = (c + word(at + 8)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  if (at < bytes.length) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 4)) | 0;
    c = (c + word(at + 8)) | 0;
    c = ((c ^ b) - rotate(b, 14)) | 0;
    a = ((a ^ c) - rotate(c, 11)) | 0;
    b = ((b ^ a) - rotate(a, 25)) | 0;
    c = ((c ^ b) - rotate(b, 16)) | 0;
    a = ((a ^ c) - rotate(c, 4)) | 0;
    b = ((b ^ a) - rotate(a, 14)) | 0;
    c = ((c ^ b) - rotate(b, 24)) | 0;
  }
  return c >>> 0;
}
