/** @file TensorBundle: a checkpoint's index and shards. Every checksum is verified before a value is given out. */
import {
  byteLength,
  elementCount,
  GraftError,
  type NumericTensor,
  showShape,
  storageOf,
  type Tensor,
} from "../../tensor/index.ts";
import type { ModelFiles } from "../model-files.ts";
import { maskedCrc32c } from "./crc32c.ts";
import { typeOfNumber } from "./data-types.ts";
import type { TfType } from "./graph-def.ts";
import { sliceKey, type TensorSlice } from "./slice-key.ts";
import { readTable } from "./table-file.ts";
import { readShape, tensorOfBytes } from "./tensor-proto.ts";
import { Message } from "./wire.ts";

/** What the index says of a value (BundleEntryProto in tensor_bundle.proto). */
interface Entry {
  readonly dtype: Exclude<TfType, "resource" | "variant">;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  readonly checksum: number;
  /** Where the value is kept in parts. */
  readonly slices: readonly TensorSlice[];
}

const mostShards = 10_000;
const damageHint = "fetch or save the model again; its variables are not whole";

/** A checkpoint, its files in memory. */
export class TensorBundle {
  readonly #index: ReadonlyMap<string, Uint8Array>;
  readonly #shards: ReadonlyMap<number, Uint8Array>;
  readonly #prefix: string;

  private constructor(index: ReadonlyMap<string, Uint8Array>, shards: ReadonlyMap<number, Uint8Array>, prefix: string) {
    this.#index = index;
    this.#shards = shards;
    this.#prefix = prefix;
  }

  /**
   * Opens `<prefix>.index` with `<prefix>.data-00000-of-0000N`.
   *
   * @throws GraftError `model-invalid` where a file is not there or the index is damaged, `model-refused` for what
   *   machines with the other order of bytes wrote
   */
  static async open(files: ModelFiles, prefix: string): Promise<TensorBundle> {
    const name = `${prefix}.index`;
    const index = await at(name, async () => readTable(await files.read(name)));
    const count = await at(name, async () => shardCount(index.get("")));
    const shards = new Map<number, Uint8Array>();
    for (let shard = 0; shard < count; shard++) {
      const file = `${prefix}.data-${digits(shard)}-of-${digits(count)}`;
      if (!files.names.includes(file)) {
        throw new GraftError("model-invalid", "the file of the variables' values is not there", {
          path: [file],
          hint: damageHint,
        });
      }
      shards.set(shard, await files.read(file));
    }
    return new TensorBundle(index, shards, prefix);
  }

  /** The bundle of a model without variables. */
  static empty(prefix: string): TensorBundle {
    return new TensorBundle(new Map(), new Map(), prefix);
  }

  has(key: string): boolean {
    return this.#index.has(latin1Of(key));
  }

  /** The names of all values: ends with what parts are kept under, which are no text. */
  keys(): string[] {
    return [...this.#index.keys()].filter((key) => key !== "" && !key.startsWith("\0")).map(textOf);
  }

  /**
   * A value, its checksum verified; one kept in parts is put together. Views on the file where elements are aligned.
   *
   * @throws GraftError `model-invalid`, with the key, where it is not there or damaged
   */
  tensor(key: string): Tensor {
    try {
      return this.#tensor(latin1Of(key));
    } catch (cause) {
      throw cause instanceof GraftError ? cause.at(key).at(this.#prefix) : cause;
    }
  }

  #tensor(key: string): Tensor {
    const stored = this.#index.get(key);
    if (stored === undefined) {
      throw new GraftError("model-invalid", "the checkpoint has no value of this name", { hint: damageHint });
    }
    const entry = readEntry(stored);
    if (entry.slices.length > 0) return this.#assembled(key, entry);
    const bytes = this.#bytesOf(entry);
    if (entry.dtype === "string") return { dtype: "string", shape: entry.shape, data: readStrings(bytes, entry) };
    if (maskedCrc32c(bytes) !== entry.checksum) throw wrongChecksum();
    return tensorOfBytes(entry.dtype, entry.shape, bytes);
  }

  #bytesOf({ shard, offset, size }: Entry): Uint8Array {
    const file = this.#shards.get(shard);
    if (file === undefined) throw new GraftError("model-invalid", `there is no shard ${shard}`);
    if (offset < 0 || size < 0 || offset + size > file.length) {
      throw new GraftError("model-invalid", "the value reaches beyond its file", {
        expected: `at most ${file.length} bytes`,
        actual: `${size} bytes at ${offset}`,
        hint: damageHint,
      });
    }
    return file.subarray(offset, offset + size);
  }

  #assembled(key: string, { dtype, shape, slices }: Entry): Tensor {
    if (dtype === "string") throw new GraftError("model-refused", "texts kept in parts are not supported");
    const count = elementCount(shape);
    const parts = slices.map((slice) => {
      const part = this.#index.get(sliceKey(textOf(key), slice));
      if (part === undefined) throw new GraftError("model-invalid", "a part of the value is not there");
      return { slice: within(slice, shape), entry: readEntry(part) };
    });
    const covered = parts.reduce((sum, { slice }) => sum + elementCount(slice.lengths), 0);
    if (covered !== count) {
      throw new GraftError("model-invalid", "the parts do not make up the value", {
        expected: `${count} elements of ${showShape(shape)}`,
        actual: `${covered}`,
      });
    }
    const data = new (storageOf(dtype))(byteLength(dtype, count) / storageOf(dtype).BYTES_PER_ELEMENT);
    const whole = { dtype, shape, data };
    for (const { slice, entry } of parts) {
      const bytes = this.#bytesOf(entry);
      if (maskedCrc32c(bytes) !== entry.checksum) throw wrongChecksum();
      if (entry.dtype !== dtype) throw new GraftError("model-invalid", "a part has another type than the whole");
      copySlice(tensorOfBytes(dtype, slice.lengths, bytes), whole, slice, "into");
    }
    return whole;
  }
}

/** The part of a tensor as a tensor of its own. Throws GraftError `model-invalid` where it lies outside. */
export function sliceOf(tensor: Tensor, slice: TensorSlice): Tensor {
  if (tensor.dtype === "string") throw new GraftError("model-refused", "parts of texts are not supported");
  const { dtype } = tensor;
  const inside = within(slice, tensor.shape);
  const count = byteLength(dtype, elementCount(inside.lengths)) / storageOf(dtype).BYTES_PER_ELEMENT;
  const part = { dtype, shape: inside.lengths, data: new (storageOf(dtype))(count) };
  copySlice(part, tensor, inside, "out of");
  return part;
}

function within({ starts, lengths }: TensorSlice, shape: readonly number[]): TensorSlice {
  const full = shape.map((size, axis) => (lengths[axis] === -1 ? size : (lengths[axis] ?? size)));
  const fits = shape.every((size, axis) => {
    const start = starts[axis] ?? 0;
    const length = full[axis] ?? 0;
    return start >= 0 && length >= 0 && start + length <= size;
  });
  if (fits && starts.length === shape.length) return { starts, lengths: full };
  throw new GraftError("model-invalid", "a part lies outside the value", { expected: `within ${showShape(shape)}` });
}

/** Copies row by row (along the last axis) between a part and the whole it belongs to. */
function copySlice(
  part: NumericTensor,
  whole: NumericTensor,
  { starts, lengths }: TensorSlice,
  way: "into" | "out of",
): void {
  const { shape } = whole;
  const count = elementCount(lengths);
  if (count === 0) return;
  const width = whole.data.length / elementCount(shape);
  const row = lengths.at(-1) ?? 1;
  for (let index = 0; index < count; index += row) {
    let position = 0;
    let stride = 1;
    let rest = index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = lengths[axis] ?? 1;
      position += ((rest % length) + (starts[axis] ?? 0)) * stride;
      rest = Math.floor(rest / length);
      stride *= shape[axis] ?? 1;
    }
    for (let element = 0; element < row * width; element++) {
      // Both are of one type, which TypeScript does not follow through the union.
      if (way === "into") whole.data[position * width + element] = part.data[index * width + element] as never;
      else part.data[index * width + element] = whole.data[position * width + element] as never;
    }
  }
}

function readEntry(bytes: Uint8Array): Entry {
  const message = Message.of(bytes, "BundleEntryProto");
  const dtype = typeOfNumber(message.integer(1));
  const shape = readShape(message.message(2, "TensorShapeProto"));
  if (dtype === "resource" || dtype === "variant") {
    throw new GraftError("model-refused", `a stored ${dtype} is not supported`);
  }
  if (shape === undefined || shape.includes(null)) throw new GraftError("model-invalid", "a value has an open shape");
  const slices = message.messages(7, "TensorSliceProto").map((slice) => {
    const extents = slice.messages(1, "TensorSliceProto.Extent");
    return {
      starts: extents.map((extent) => extent.integer(1)),
      lengths: extents.map((extent) => (extent.has(2) ? extent.integer(2) : -1)),
    };
  });
  return {
    dtype,
    shape: shape.filter((size) => size !== null),
    shard: message.integer(3),
    offset: message.integer(4),
    size: message.integer(5),
    checksum: message.fixed32(6),
    slices,
  };
}

/**
 * Texts: the length of each as a varint, a checksum of the lengths, then their bytes one after the other. The entry's
 * checksum is of the lengths as 32-bit numbers (64-bit beyond 2^32), the stored checksum and the bytes.
 */
function readStrings(bytes: Uint8Array, { shape, checksum }: Entry): Uint8Array[] {
  const count = elementCount(shape);
  if (count > bytes.length) throw new GraftError("model-invalid", "the texts are cut short");
  const lengths: number[] = [];
  let position = 0;
  while (lengths.length < count) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined || shift > 28) throw new GraftError("model-invalid", "the texts are cut short");
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    lengths.push(length);
  }
  const total = lengths.reduce((sum, length) => sum + length, position + 4);
  if (total !== bytes.length) throw new GraftError("model-invalid", "the texts do not fill their place");
  const wide = new DataView(new ArrayBuffer(4 * count));
  for (const [index, length] of lengths.entries()) wide.setUint32(4 * index, length, true);
  const lengthBytes = new Uint8Array(wide.buffer);
  const stored = bytes.subarray(position, position + 4);
  const expected = new DataView(stored.buffer, stored.byteOffset, 4).getUint32(0, true);
  if (maskedCrc32c(lengthBytes) !== expected) throw wrongChecksum();
  if (maskedCrc32c(lengthBytes, stored, bytes.subarray(position + 4)) !== checksum) throw wrongChecksum();
  position += 4;
  return lengths.map((length) => {
    position += length;
    return bytes.subarray(position - length, position);
  });
}

function shardCount(header: Uint8Array | undefined): number {
  if (header === undefined) throw new GraftError("model-invalid", "the index has no header");
  const message = Message.of(header, "BundleHeaderProto");
  if (message.integer(2) !== 0) throw new GraftError("model-refused", "big-endian checkpoints are not supported");
  const count = message.integer(1);
  if (count >= 0 && count <= mostShards) return count;
  throw new GraftError("model-invalid", "the index names an impossible number of shards", { actual: `${count}` });
}

function wrongChecksum(): GraftError {
  return new GraftError("model-invalid", "the value's checksum is wrong", { hint: damageHint });
}

async function at<T>(place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof GraftError && cause.path[0] !== place ? cause.at(place) : cause;
  }
}

function digits(number: number): string {
  return String(number).padStart(5, "0");
}

/** Keys of a table are bytes, a character each; names are texts. */
function latin1Of(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function textOf(latin1: string): string {
  return new TextDecoder().decode(Uint8Array.from(latin1, (character) => character.charCodeAt(0)));
}
