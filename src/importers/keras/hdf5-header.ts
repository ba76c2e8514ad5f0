/** @file HDF5: where the root group is, and what messages an object's header holds (specification II and IV.A.1). */
import { GraftError } from "../../tensor/index.ts";
import { damaged, refused, type Source } from "./hdf5-source.ts";

/** The kinds of messages that are looked at (specification IV.A.2). */
export const messageTypes = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export interface Message {
  readonly type: number;
  /** Whether what it says lies elsewhere: a type with a name of its own, for several data sets. */
  readonly isShared: boolean;
  readonly at: number;
  readonly size: number;
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether the bytes begin as an HDF5 file does. */
export function isHdf5(bytes: Uint8Array): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

/** Where the fields of a superblock lie: versions 0 and 1 hold the root group's entry, 2 and 3 its address. */
const superblocks: ReadonlyMap<number, { sizes: number; base: number; end: number; root: number; length: number }> =
  new Map([
    [0, { sizes: 13, base: 24, end: 40, root: 64, length: 96 }],
    [1, { sizes: 13, base: 28, end: 44, root: 68, length: 100 }],
    [2, { sizes: 9, base: 12, end: 28, root: 36, length: 48 }],
    [3, { sizes: 9, base: 12, end: 28, root: 36, length: 48 }],
  ]);

/**
 * The address of the root group.
 *
 * @throws GraftError `model-invalid` where the file is cut off or damaged
 */
export function rootAddress(source: Source): number {
  const { length } = source.bytes;
  if (length < 9) throw cutOff(length, "more");
  const fields = superblocks.get(source.u8(8));
  if (fields === undefined) throw damaged("a superblock of version 0 to 3", `${source.u8(8)}`);
  if (length < fields.length) throw cutOff(length, "more");
  const end = source.u64(fields.end);
  if (length < end) throw cutOff(length, `${end}`);
  if (fields.length === 48) source.expectChecksum(0, 44);
  if (source.u8(fields.sizes) !== 8 || source.u8(fields.sizes + 1) !== 8)
    throw refused("the HDF5 file is not of 64 bits");
  if (source.u64(fields.base) !== 0) throw refused("the HDF5 file lies in another file");
  return source.u64(fields.root);
}

function cutOff(length: number, expected: string): GraftError {
  return new GraftError("model-invalid", "the file is cut off", {
    expected: `${expected} bytes`,
    actual: `${length}`,
    hint: "copy or download it again",
  });
}

/** The messages of an object's header, of version 1 or 2. */
export function messagesAt(source: Source, at: number): readonly Message[] {
  source.visit();
  return source.u8(at) === 1 ? messagesOfFirst(source, at) : messagesOfSecond(source, at);
}

function messagesOfFirst(source: Source, at: number): readonly Message[] {
  const total = source.u16(at + 2);
  const blocks: [from: number, size: number][] = [[at + 16, source.u32(at + 8)]];
  const messages: Message[] = [];
  let count = 0;
  for (const [from, size] of blocks) {
    source.visit();
    for (let place = from; place + 8 <= from + size && count < total; count++) {
      const message = {
        type: source.u16(place),
        isShared: (source.u8(place + 4) & 2) !== 0,
        at: place + 8,
        size: source.u16(place + 2),
      };
      place += 8 + message.size;
      if (place > from + size) throw damaged("messages within their header");
      keep(source, message, messages, blocks);
    }
  }
  return messages;
}

function messagesOfSecond(source: Source, at: number): readonly Message[] {
  source.expectSignature(at, "OHDR");
  source.expectVersion(at + 4, [2], "an object header");
  const flags = source.u8(at + 5);
  const widthAt = at + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const width = 1 << (flags & 3);
  const size = source.unsigned(widthAt, width);
  const start = widthAt + width;
  source.expectChecksum(at, start + size - at);
  const head = flags & 4 ? 6 : 4;
  const messages: Message[] = [];
  const blocks: [from: number, size: number][] = [];
  readBlock(source, start, size, head, messages, blocks);
  for (const [from, length] of blocks) {
    source.expectSignature(from, "OCHK");
    if (length < 8) throw damaged("a continued header");
    source.expectChecksum(from, length - 4);
    readBlock(source, from + 4, length - 8, head, messages, blocks);
  }
  return messages;
}

function readBlock(
  source: Source,
  from: number,
  size: number,
  head: number,
  messages: Message[],
  blocks: [number, number][],
): void {
  for (let place = from; place + head <= from + size; ) {
    const message = {
      type: source.u8(place),
      isShared: (source.u8(place + 3) & 2) !== 0,
      at: place + head,
      size: source.u16(place + 1),
    };
    place += head + message.size;
    if (place > from + size) throw damaged("messages within their header");
    keep(source, message, messages, blocks);
  }
}

/** Continuations are followed by those who go through the blocks. */
function keep(source: Source, message: Message, messages: Message[], blocks: [number, number][]): void {
  source.visit();
  if (message.type === messageTypes.continuation) blocks.push([source.u64(message.at), source.u64(message.at + 8)]);
  else messages.push(message);
}
