/** @file Deflate in its three wrappings, to a size that is known before, with the checksums verified. */
import { Inflate } from "fflate";
import { GraftError } from "../tensor/index.ts";

/** Deflate makes nothing smaller than this. */
export const mostExpansion = 1032;

/** What is fed at once: bounds what one step can make of it to 64 MiB. */
const step = 2 ** 16;

/**
 * Inflates raw deflate or gzip (RFC 1952) to exactly `size` bytes; more is never made, whatever the bytes say. The
 * checksum in gzip is verified.
 *
 * @throws GraftError `model-invalid` where it is damaged, cut off or gives another size
 */
export async function inflate(packed: Uint8Array, format: "deflate-raw" | "gzip", size: number): Promise<Uint8Array> {
  refuseImpossible(packed, size);
  const stream = new DecompressionStream(format);
  const writing = feed(stream.writable.getWriter(), packed);
  const reader = stream.readable.getReader();
  const inflated = new Uint8Array(size);
  let at = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (at + next.value.length > size) throw wrongSize(size, "more");
      inflated.set(next.value, at);
      at += next.value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => undefined);
    throw cause instanceof GraftError ? cause : damaged(cause);
  } finally {
    await writing;
  }
  if (at !== size) throw wrongSize(size, `${at}`);
  return inflated;
}

/** What goes wrong here is seen by the reader as well. */
async function feed(writer: WritableStreamDefaultWriter<BufferSource>, packed: Uint8Array): Promise<void> {
  try {
    // Bytes of a model are never on shared memory, which streams do not take.
    const bytes = packed as Uint8Array<ArrayBuffer>;
    for (let at = 0; at < packed.length; at += step) await writer.write(bytes.subarray(at, at + step));
    await writer.close();
  } catch {
    await writer.abort().catch(() => undefined);
  }
}

/**
 * Inflates zlib (RFC 1950) to exactly `size` bytes.
 *
 * @throws GraftError `model-invalid` where it is damaged
 */
export function inflateZlib(packed: Uint8Array, size: number): Uint8Array {
  const [method = 0, flags = 0] = packed;
  if (packed.length < 6 || (method & 15) !== 8 || (method * 256 + flags) % 31 !== 0 || (flags & 32) !== 0) {
    throw new GraftError("model-invalid", "the compressed data are damaged", { expected: "zlib" });
  }
  refuseImpossible(packed, size);
  const inflated = new Uint8Array(size);
  let at = 0;
  const stream = new Inflate((part) => {
    if (at + part.length > size) throw wrongSize(size, "more");
    inflated.set(part, at);
    at += part.length;
  });
  try {
    for (let from = 2; from < packed.length - 4; from += step) {
      const end = Math.min(from + step, packed.length - 4);
      stream.push(packed.subarray(from, end), end === packed.length - 4);
    }
  } catch (cause) {
    throw cause instanceof GraftError ? cause : damaged(cause);
  }
  if (at !== size) throw wrongSize(size, `${at}`);
  if (adler32(inflated) !== viewOf(packed).getUint32(packed.length - 4)) throw wrongChecksum();
  return inflated;
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/**
 * Inflates gzip of one member.
 *
 * @param most how many bytes it may become
 * @throws GraftError `model-invalid` where it is damaged or cut off, `model-refused` where it becomes more
 */
export async function gunzip(bytes: Uint8Array, most: number): Promise<Uint8Array> {
  // The last four bytes are the size of what is in it. A cut file has any four bytes there.
  const size = bytes.length < 18 ? 0 : viewOf(bytes).getUint32(bytes.length - 4, true);
  if (size > bytes.length * mostExpansion) throw damaged(undefined);
  if (size > most) {
    throw new GraftError("model-refused", "the compressed file becomes too large", {
      expected: `at most ${most} bytes`,
      actual: `${size}`,
      hint: "unpack it yourself and name the folder",
    });
  }
  return await inflate(bytes, "gzip", size);
}

/** Eight tables: the remainders of a byte followed by 0 to 7 zero bytes, for eight bytes a step. */
const remainders = crcTables(0xedb88320);

/** The CRC-32 of zip, gzip and PNG. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = remainders;
  const view = viewOf(bytes);
  let crc = 0xffffffff;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const low = (crc ^ view.getUint32(at, true)) >>> 0;
    const high = view.getUint32(at + 4, true);
    crc =
      (t7[low & 255] ?? 0) ^
      (t6[(low >>> 8) & 255] ?? 0) ^
      (t5[(low >>> 16) & 255] ?? 0) ^
      (t4[low >>> 24] ?? 0) ^
      (t3[high & 255] ?? 0) ^
      (t2[(high >>> 8) & 255] ?? 0) ^
      (t1[(high >>> 16) & 255] ?? 0) ^
      (t0[high >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (t0[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

type Table = Uint32Array;
type Tables = readonly [Table, Table, Table, Table, Table, Table, Table, Table];

function crcTables(polynomial: number): Tables {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
  const after = (table: Table): Table => table.map((crc) => (first[crc & 255] ?? 0) ^ (crc >>> 8));
  const t1 = after(first);
  const [t2, t3] = [after(t1), after(after(t1))];
  const [t4, t5] = [after(t3), after(after(t3))];
  return [first, t1, t2, t3, t4, t5, after(t5), after(after(t5))];
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  // 5552 bytes are the most before 32 bits overflow.
  for (let from = 0; from < bytes.length; from += 5552) {
    const end = Math.min(from + 5552, bytes.length);
    for (let at = from; at < end; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function wrongSize(size: number, actual: string): GraftError {
  return new GraftError("model-invalid", "the compressed data are not of the size that is stated", {
    expected: `${size} bytes`,
    actual,
  });
}

export function wrongChecksum(): GraftError {
  return new GraftError("model-invalid", "the checksum does not fit: the file is damaged", {
    hint: "copy or download it again",
  });
}

function refuseImpossible(packed: Uint8Array, size: number): void {
  if (size > packed.length * mostExpansion) throw wrongSize(size, "less");
}

function damaged(cause: unknown): GraftError {
  return new GraftError("model-invalid", "the compressed data are damaged or cut off", {
    ...(cause instanceof Error ? { actual: cause.message, cause } : {}),
    hint: "copy or download it again",
  });
}
