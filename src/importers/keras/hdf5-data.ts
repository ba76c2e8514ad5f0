/** @file HDF5: the elements of a data set as float32, whichever way they are stored (specification IV.A.2.i and l). */
import { fromBfloat16, fromFloat16, GraftError, stridesOf } from "../../tensor/index.ts";
import { mostExpansion } from "../inflate.ts";
import { filterIds, filtersAt, unfiltered } from "./hdf5-filters.ts";
import { type Message, messageTypes } from "./hdf5-header.ts";
import { damaged, refused, type Source } from "./hdf5-source.ts";
import { countOf, type Hdf5Type, shapeAt, typeAt } from "./hdf5-types.ts";

/** Two gigabytes of float32, as much as one array holds. */
const mostElements = 2 ** 29;

/** Zeros compress a thousand times: weights of this size are not all zeros. */
const freeOfRatio = 2 ** 28;
const mostRatio = 100;

/** Where a part of the elements lies. */
interface Chunk {
  readonly at: number;
  readonly size: number;
  /** Bits of the filters that were left out. */
  readonly mask: number;
  /** Its first element, by axis. */
  readonly offset: readonly number[];
}

interface Layout {
  readonly chunkShape: readonly number[] | undefined;
  readonly chunks: readonly Chunk[];
}

export interface Hdf5Dataset {
  readonly shape: readonly number[];
  readonly type: Hdf5Type;
  /** The elements, row-major; a view on the file where they lie there as float32. */
  read(): Float32Array;
  /** The elements' own bytes. */
  bytes(): Uint8Array;
}

/**
 * A data set: its shape and type, and where its elements are, all checked; nothing is allocated yet.
 *
 * @throws GraftError `model-refused` for elements in other files, virtual data sets and filters that are not read;
 *   `model-invalid` for what is damaged, and for more elements than the stored bytes can be
 */
export function datasetOf(source: Source, messages: readonly Message[]): Hdf5Dataset {
  const find = (type: number) => messages.find((message) => message.type === type);
  if (find(messageTypes.externalFiles) !== undefined)
    throw refused("the elements lie in another file (external storage)");
  const [space, datatype, layoutMessage] = [
    find(messageTypes.dataspace),
    find(messageTypes.datatype),
    find(messageTypes.layout),
  ];
  if (space === undefined || datatype === undefined || layoutMessage === undefined) throw damaged("a whole data set");
  if (datatype.isShared || space.isShared) throw refused("the type of the elements is a named one, which is not read");
  const [shape, type] = [shapeAt(source, space.at) ?? [0], typeAt(source, datatype.at)];
  const filters = find(messageTypes.filters);
  const pipeline = filters === undefined ? [] : filtersAt(source, filters.at);
  const bytes = countOf(shape) * type.size;
  if (!(countOf(shape) <= mostElements)) throw tooLarge(shape);
  const layout = layoutAt(source, layoutMessage.at, shape, type.size, pipeline.length > 0);
  const stored = layout.chunks.reduce((sum, { size }) => sum + size, 0);
  source.store(stored);
  const expansion = !pipeline.includes(filterIds.deflate) ? 1 : bytes > freeOfRatio ? mostRatio : mostExpansion;
  if (bytes > stored * expansion) throw tooLarge(shape);
  for (const chunk of layout.chunks) source.slice(chunk.at, chunk.size);
  const whole = () => assemble(source, layout, shape, type.size, pipeline);
  return { shape, type, bytes: whole, read: () => floats(whole(), type) };
}

function tooLarge(shape: readonly number[]): GraftError {
  return new GraftError("model-invalid", "the weight is larger than what is stored of it", {
    actual: `[${shape.join(", ")}]`,
  });
}

/** Where the elements are: beside the header, in one piece, or in chunks that a tree lists. */
function layoutAt(source: Source, at: number, shape: readonly number[], width: number, isFiltered: boolean): Layout {
  const version = source.expectVersion(at, [3, 4], "a data layout");
  const bytes = countOf(shape) * width;
  const whole = (place: number, size: number): Layout => {
    if (size !== bytes) throw damaged(`${bytes} bytes of elements`, `${size}`);
    return { chunkShape: undefined, chunks: size === 0 ? [] : [{ at: place, size, mask: 0, offset: [] }] };
  };
  switch (source.u8(at + 1)) {
    case 0:
      return whole(at + 4, source.u16(at + 2));
    case 1: {
      const place = source.address(at + 2);
      if (place === undefined && bytes > 0) throw neverWritten();
      return whole(place ?? 0, bytes === 0 ? 0 : source.u64(at + 10));
    }
    case 2:
      return version === 3
        ? chunksOfTree(source, at + 2, shape, width)
        : newerChunks(source, at + 2, shape, width, isFiltered);
    case 3:
      throw refused("the data set is a virtual one, whose elements lie elsewhere");
    default:
      throw damaged("a data layout of class 0 to 3");
  }
}

function neverWritten(): GraftError {
  return new GraftError("model-invalid", "the elements were never written");
}

function chunksOfTree(source: Source, at: number, shape: readonly number[], width: number): Layout {
  const rank = shape.length;
  if (rank === 0 || source.u8(at) !== rank + 1) throw damaged(`chunks of ${rank} axes`);
  const chunkShape = shape.map((_, axis) => source.u32(at + 9 + 4 * axis));
  if (source.u32(at + 9 + 4 * rank) !== width) throw damaged(`elements of ${width} bytes`);
  const expected = chunkCount(shape, chunkShape);
  if (expected === 0) return { chunkShape, chunks: [] };
  const tree = source.address(at + 1);
  if (tree === undefined) throw neverWritten();
  const chunks: Chunk[] = [];
  const keySize = 8 + 8 * (rank + 1);
  const visit = (node: number, expectedLevel: number | undefined): void => {
    source.expectSignature(node, "TREE");
    const [type, level, entries] = [source.u8(node + 4), source.u8(node + 5), source.u16(node + 6)];
    if (type !== 1 || level > 16 || (expectedLevel ?? level) !== level) throw damaged("a tree of chunks");
    source.visit(entries);
    for (let index = 0; index < entries; index++) {
      const key = node + 24 + index * (keySize + 8);
      const child = source.u64(key + keySize);
      if (level > 0) visit(child, level - 1);
      else {
        const offset = shape.map((_, axis) => source.u64(key + 8 + 8 * axis));
        chunks.push({ at: child, size: source.u32(key), mask: source.u32(key + 4), offset });
      }
    }
  };
  visit(tree, undefined);
  // Every chunk once: then all elements are there, and none twice.
  const places = new Set(chunks.map(({ offset }) => offset.join()));
  const isPlace = (offset: readonly number[]) =>
    offset.every((start, axis) => start % (chunkShape[axis] ?? 1) === 0 && start < (shape[axis] ?? 0));
  if (places.size !== expected || chunks.length !== expected || !chunks.every(({ offset }) => isPlace(offset))) {
    throw damaged(`${expected} chunks of elements`, `${places.size}`);
  }
  return { chunkShape, chunks };
}

/** How many chunks make the shape. Throws where a chunk has no elements. */
function chunkCount(shape: readonly number[], chunkShape: readonly number[]): number {
  if (!chunkShape.every((size) => size > 0)) throw damaged("chunks with elements");
  return countOf(shape.map((size, axis) => Math.ceil(size / (chunkShape[axis] ?? 1))));
}

/** Layout version 4 lists chunks in five ways; the one that a data set of a fixed shape in one chunk has is read. */
function newerChunks(source: Source, at: number, shape: readonly number[], width: number, isFiltered: boolean): Layout {
  const [flags, rank, encoded] = [source.u8(at), source.u8(at + 1), source.u8(at + 2)];
  if (rank === 1 || rank !== shape.length + 1) throw damaged(`chunks of ${shape.length} axes`);
  const chunkShape = shape.map((_, axis) => source.unsigned(at + 3 + axis * encoded, encoded));
  const index = at + 3 + rank * encoded;
  const expected = chunkCount(shape, chunkShape);
  if (expected === 0) return { chunkShape, chunks: [] };
  if (source.u8(index) !== 1 || expected !== 1) {
    throw refused(
      "the data set lists its chunks in a newer way, which is not read",
      'save it again with h5py and libver="earliest"',
    );
  }
  const hasSize = isFiltered && (flags & 2) !== 0;
  const place = source.address(index + (hasSize ? 13 : 1));
  if (place === undefined) throw neverWritten();
  const size = hasSize ? source.u64(index + 1) : countOf(chunkShape) * width;
  const mask = hasSize ? source.u32(index + 9) : 0;
  return { chunkShape, chunks: [{ at: place, size, mask, offset: shape.map(() => 0) }] };
}

/** The bytes of all elements in order. */
function assemble(
  source: Source,
  { chunkShape, chunks }: Layout,
  shape: readonly number[],
  width: number,
  filters: readonly number[],
): Uint8Array {
  const [first] = chunks;
  if (chunkShape === undefined) return first === undefined ? new Uint8Array(0) : source.slice(first.at, first.size);
  const whole = new Uint8Array(countOf(shape) * width);
  for (const chunk of chunks) {
    const size = countOf(chunkShape) * width;
    // Chunks reach beyond the shape at its ends; by how much is bounded by what is stored.
    if (size > chunk.size * mostExpansion) throw tooLarge(chunkShape);
    place(
      unfiltered(source.slice(chunk.at, chunk.size), filters, chunk.mask, size, width),
      chunk.offset,
      chunkShape,
      whole,
      shape,
      width,
    );
  }
  return whole;
}

/** Copies a chunk's rows to where they belong. */
function place(
  chunk: Uint8Array,
  offset: readonly number[],
  chunkShape: readonly number[],
  whole: Uint8Array,
  shape: readonly number[],
  width: number,
): void {
  const last = shape.length - 1;
  const counts = shape.map((size, axis) => Math.min(chunkShape[axis] ?? 1, size - (offset[axis] ?? 0)));
  const [from, to] = [stridesOf(chunkShape), stridesOf(shape)];
  const rowSize = (counts[last] ?? 1) * width;
  const copy = (axis: number, source: number, target: number): void => {
    if (axis === last) {
      whole.set(chunk.subarray(source * width, source * width + rowSize), (target + (offset[last] ?? 0)) * width);
      return;
    }
    for (let index = 0; index < (counts[axis] ?? 0); index++) {
      const row = (offset[axis] ?? 0) + index;
      copy(axis + 1, source + index * (from[axis] ?? 1), target + row * (to[axis] ?? 1));
    }
  };
  copy(0, 0, 0);
}

/** Elements of any width as float32. */
function floats(bytes: Uint8Array, type: Hdf5Type): Float32Array {
  if (type.kind === "text" || type.kind === "long text" || type.kind === "other") throw notNumbers(type);
  if (type.kind === "bytes") throw notNumbers(type);
  const { kind, size, isBigEndian } = type;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const count = bytes.length / size;
  if (kind === "float" && size === 4 && !isBigEndian)
    return new Float32Array(aligned.buffer, aligned.byteOffset, count);
  const read = readers.get(`${kind} ${size}`);
  if (read === undefined) throw notNumbers(type);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new Float32Array(count);
  for (let index = 0; index < count; index++) numbers[index] = read(view, index * size, !isBigEndian);
  return numbers;
}

type Reader = (view: DataView, at: number, isLittleEndian: boolean) => number;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["float 2", (view, at, isLittle) => fromFloat16(view.getUint16(at, isLittle))],
  ["bfloat16 2", (view, at, isLittle) => fromBfloat16(view.getUint16(at, isLittle))],
  ["float 4", (view, at, isLittle) => view.getFloat32(at, isLittle)],
  ["float 8", (view, at, isLittle) => view.getFloat64(at, isLittle)],
  ["integer 1", (view, at) => view.getInt8(at)],
  ["integer 2", (view, at, isLittle) => view.getInt16(at, isLittle)],
  ["integer 4", (view, at, isLittle) => view.getInt32(at, isLittle)],
  ["integer 8", (view, at, isLittle) => Number(view.getBigInt64(at, isLittle))],
  ["unsigned 1", (view, at) => view.getUint8(at)],
  ["unsigned 2", (view, at, isLittle) => view.getUint16(at, isLittle)],
  ["unsigned 4", (view, at, isLittle) => view.getUint32(at, isLittle)],
  ["unsigned 8", (view, at, isLittle) => Number(view.getBigUint64(at, isLittle))],
]);

function notNumbers(type: Hdf5Type): GraftError {
  return new GraftError("model-invalid", "the elements are no numbers that are read", {
    actual: type.kind === "other" ? type.name : `${type.kind}, ${type.size} to an element`,
    ...(type.kind === "bytes" && type.size === 2
      ? {
          hint: "if they are bfloat16: Keras 3 marks them as such in .keras files, and cannot read them back from other ones",
        }
      : {}),
  });
}
