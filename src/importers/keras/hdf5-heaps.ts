/** @file HDF5: heaps, in which names and long texts lie, and the trees that find them in newer files (specification III). */
import { type Address, damaged, decoder, refused, type Source } from "./hdf5-source.ts";

/** A name in a local heap of version 0, which symbol tables use. */
export function nameInHeap(source: Source, heap: number, offset: number): string {
  source.expectSignature(heap, "HEAP");
  const [size, from] = [source.u64(heap + 8), source.u64(heap + 24)];
  if (offset >= size) throw damaged("a name within its heap");
  const rest = source.slice(from + offset, size - offset);
  const end = rest.indexOf(0);
  if (end < 0) throw damaged("a name that ends");
  return decoder.decode(rest.subarray(0, end));
}

/** An object of a global heap, by its number; where texts of any length lie. */
export function objectInGlobalHeap(source: Source, heap: number, wanted: number): Uint8Array {
  source.expectSignature(heap, "GCOL");
  const end = heap + source.u64(heap + 8);
  for (let at = heap + 16; at + 16 <= end; ) {
    source.visit();
    const [index, size] = [source.u16(at), source.u64(at + 8)];
    if (index === wanted) return source.slice(at + 16, size);
    // Object 0 is the space that is left.
    if (index === 0) break;
    at += 16 + Math.ceil(size / 8) * 8;
  }
  throw damaged(`object ${wanted} in the heap at byte ${heap}`);
}

interface FractalHeap {
  readonly offsetWidth: number;
  readonly blockHead: number;
  readonly tableWidth: number;
  readonly startSize: number;
  readonly directRows: number;
  readonly root: Address;
  readonly rows: number;
  /** Whether direct blocks hold a checksum of themselves. */
  readonly isChecked: boolean;
  /** Blocks whose checksum fits. */
  readonly checked: Set<number>;
}

/** Reads objects of a fractal heap by their identifiers. */
export function fractalHeapAt(source: Source, at: number): (id: number) => number {
  const heap = headerAt(source, at);
  return (id) => {
    const kind = source.u8(id);
    if (kind !== 0) throw refused("the HDF5 file keeps attributes or links in a form that is not read");
    return placeOf(source, heap, source.unsigned(id + 1, heap.offsetWidth));
  };
}

function headerAt(source: Source, at: number): FractalHeap {
  source.expectSignature(at, "FRHP");
  source.expectVersion(at + 4, [0], "a fractal heap");
  if (source.u16(at + 7) !== 0) throw refused("the HDF5 file has a compressed heap");
  source.expectChecksum(at, 142);
  const [tableWidth, startSize, mostDirect] = [source.u16(at + 110), source.u64(at + 112), source.u64(at + 120)];
  const offsetWidth = Math.ceil(source.u16(at + 128) / 8);
  const log = (value: number) => {
    if (!Number.isInteger(Math.log2(value))) throw damaged("a heap of powers of two", `${value}`);
    return Math.log2(value);
  };
  if (offsetWidth > 8) throw damaged("a heap of at most 64 bits");
  log(tableWidth);
  return {
    offsetWidth,
    blockHead: 5 + 8 + offsetWidth,
    tableWidth,
    startSize,
    directRows: log(mostDirect) - log(startSize) + 2,
    root: source.address(at + 132),
    rows: source.u16(at + 140),
    isChecked: (source.u8(at + 9) & 2) !== 0,
    checked: new Set(),
  };
}

/** Where the object at an offset of the heap lies: the doubling table is gone down (specification III.G). */
function placeOf(source: Source, heap: FractalHeap, wanted: number): number {
  let [block, rows, offset] = [heap.root, heap.rows, wanted];
  if (rows === 0) {
    if (block === undefined || offset >= heap.startSize) throw damaged("an object within its heap");
    return placeIn(source, heap, block, heap.startSize, offset);
  }
  for (let depth = 0; depth < 16; depth++) {
    if (block === undefined) break;
    source.expectSignature(block, "FHIB");
    const sizeOf = (row: number) => heap.startSize * 2 ** Math.max(row - 1, 0);
    let row = 0;
    while (row < rows && offset >= heap.tableWidth * sizeOf(row)) {
      offset -= heap.tableWidth * sizeOf(row);
      row++;
    }
    if (row >= rows) break;
    const column = Math.floor(offset / sizeOf(row));
    offset -= column * sizeOf(row);
    const isDirect = row < heap.directRows;
    block = source.address(block + heap.blockHead + 8 * (row * heap.tableWidth + column));
    if (isDirect) {
      if (block === undefined) break;
      return placeIn(source, heap, block, sizeOf(row), offset);
    }
    rows = Math.log2(sizeOf(row)) - Math.log2(heap.startSize * heap.tableWidth) + 1;
  }
  throw damaged("an object within its heap");
}

function placeIn(source: Source, heap: FractalHeap, block: number, size: number, offset: number): number {
  source.expectSignature(block, "FHDB");
  if (heap.isChecked && !heap.checked.has(block)) {
    // The checksum is that of the block with zeros in its place.
    source.expectChecksumWithin(block, size, heap.blockHead);
    heap.checked.add(block);
  }
  return block + offset;
}

/** Where the records of a tree of version 2 lie. */
export function recordsOfTree(source: Source, at: number): readonly number[] {
  source.expectSignature(at, "BTHD");
  source.expectChecksum(at, 34);
  const [nodeSize, recordSize, depth] = [source.u32(at + 6), source.u16(at + 10), source.u16(at + 12)];
  const root = source.address(at + 16);
  if (recordSize === 0 || depth > 8) throw damaged("a tree of records");
  const records: number[] = [];
  if (root === undefined) return records;
  const widths = pointerWidths(nodeSize, recordSize, depth);
  const visit = (node: number, count: number, level: number): void => {
    source.expectSignature(node, level === 0 ? "BTLF" : "BTIN");
    source.visit(count);
    for (let index = 0; index < count; index++) records.push(node + 6 + index * recordSize);
    const pointers = node + 6 + count * recordSize;
    const [numberWidth, totalWidth] = widths[level] ?? [0, 0];
    const pointerSize = 8 + numberWidth + totalWidth;
    source.expectChecksum(node, level === 0 ? pointers - node : pointers - node + (count + 1) * pointerSize);
    for (let index = 0; level > 0 && index <= count; index++) {
      const child = source.address(pointers + index * pointerSize);
      if (child === undefined) throw damaged("a node below another");
      visit(child, source.unsigned(pointers + index * pointerSize + 8, numberWidth), level - 1);
    }
  };
  visit(root, source.u16(at + 24), depth);
  return records;
}

/** By level: how many bytes hold a child's number of records, and that of all below it (specification III.A.2). */
function pointerWidths(nodeSize: number, recordSize: number, depth: number): readonly (readonly [number, number])[] {
  const bytesFor = (value: number) => Math.ceil(Math.log2(value + 1) / 8);
  const most = [Math.floor((nodeSize - 10) / recordSize)];
  const total = [most[0] ?? 0];
  const widths: [number, number][] = [[0, 0]];
  for (let level = 1; level <= depth; level++) {
    const numberWidth = bytesFor(most[level - 1] ?? 0);
    const totalWidth = level === 1 ? 0 : bytesFor(total[level - 1] ?? 0);
    widths.push([numberWidth, totalWidth]);
    const pointer = 8 + numberWidth + totalWidth;
    most.push(Math.floor((nodeSize - 10 - pointer) / (recordSize + pointer)));
    total.push(((most[level] ?? 0) + 1) * (total[level - 1] ?? 0) + (most[level] ?? 0));
  }
  return widths;
}
