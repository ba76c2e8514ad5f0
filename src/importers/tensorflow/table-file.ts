/** @file LevelDB's table format, as the index of a TensorFlow checkpoint is written: sorted keys and values in blocks. */
import { GraftError } from "../../tensor/index.ts";
import { maskedCrc32c } from "./crc32c.ts";

const footerLength = 48;
const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** A byte that says how a block is compressed, and a checksum. */
const trailerLength = 5;
const mostEntries = 1_000_000;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/**
 * The values of a table by their keys, which are bytes: a character each (Latin-1). Every block's checksum is verified.
 * Format: leveldb's doc/table_format.md.
 *
 * @throws GraftError `model-invalid` where the bytes are no table or are damaged, `model-refused` for compressed blocks,
 *   which TensorFlow does not write
 */
export function readTable(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const footer = bytes.subarray(Math.max(bytes.length - footerLength, 0));
  if (footer.length < footerLength || magic.some((byte, index) => footer[40 + index] !== byte)) {
    throw damaged("the end of a table is not there");
  }
  const handles = new Cursor(footer);
  handles.handle();
  const index = blockEntries(blockAt(bytes, handles.handle()));
  const values = new Map<string, Uint8Array>();
  for (const [, handle] of index) {
    for (const [key, value] of blockEntries(blockAt(bytes, new Cursor(handle).handle()))) {
      if (values.has(key)) throw damaged("a key comes twice");
      values.set(key, value);
      if (values.size > mostEntries) throw new GraftError("model-refused", "the table has too many entries");
    }
  }
  return values;
}

function blockAt(bytes: Uint8Array, { offset, size }: Handle): Uint8Array {
  if (offset + size + trailerLength > bytes.length) throw damaged("a block reaches beyond the file");
  const content = bytes.subarray(offset, offset + size);
  const trailer = bytes.subarray(offset + size, offset + size + trailerLength);
  const stored = new DataView(trailer.buffer, trailer.byteOffset + 1, 4).getUint32(0, true);
  if (stored !== maskedCrc32c(content, trailer.subarray(0, 1))) throw damaged("the checksum of a block is wrong");
  if (trailer[0] !== 0) {
    throw new GraftError("model-refused", "compressed blocks are not supported", { actual: `type ${trailer[0]}` });
  }
  return content;
}

/** Each entry shares the beginning of its key with the one before; the places where keys begin anew lie at the end. */
function* blockEntries(block: Uint8Array): Generator<readonly [string, Uint8Array]> {
  if (block.length < 4) throw damaged("a block is cut short");
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4, 4).getUint32(0, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw damaged("a block is cut short");
  const cursor = new Cursor(block.subarray(0, end));
  let key = "";
  while (!cursor.isAtEnd) {
    const shared = cursor.number();
    const added = cursor.number();
    const length = cursor.number();
    if (shared > key.length) throw damaged("a key shares more than there is");
    key = key.slice(0, shared) + latin1(cursor.take(added));
    yield [key, cursor.take(length)];
  }
}

function latin1(bytes: Uint8Array): string {
  if (bytes.length > 2 ** 16) throw damaged("a key is too long");
  return String.fromCharCode(...bytes);
}

/** Reads numbers (varints) and bytes one after the other. */
class Cursor {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let index = 0; index < 8; index++) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw damaged("a number is cut short");
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw damaged("a number is too long");
  }

  handle(): Handle {
    return { offset: this.number(), size: this.number() };
  }

  take(length: number): Uint8Array {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw damaged("an entry reaches beyond its block");
    const taken = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }
}

function damaged(reason: string): GraftError {
  return new GraftError("model-invalid", `the table is damaged: ${reason}`, {
    hint: "fetch or save the model again; its variables are not whole",
  });
}
