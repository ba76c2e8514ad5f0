/** @file Zip archives, read member by member and never unpacked: PKWARE's APPNOTE.TXT, with its 64-bit extension. */
import { GraftError } from "../tensor/index.ts";
import { crc32, inflate, wrongChecksum } from "./inflate.ts";
import { addMember, memberName } from "./member-names.ts";
import { filesFrom, type ModelFile, type ModelFiles } from "./model-files.ts";

export interface ZipLimits {
  /** How many entries an archive may have. */
  readonly mostMembers: number;
  /** What one member may become, in bytes. */
  readonly mostBytes: number;
  /** What all become together, where that is more than the archive. */
  readonly mostTotal: number;
  /** How many times its stored size a member of more than 16 MiB may become. */
  readonly mostRatio: number;
}

/** Keras's own limits for a member, and a total that a model for one machine does not pass. */
export const zipLimits: ZipLimits = {
  mostMembers: 10_000,
  mostBytes: 4 * 2 ** 30,
  mostTotal: 2 ** 30,
  mostRatio: 100,
};

/** Zeros compress a thousand times: a small member may be all zeros, a large one is not. */
const freeOfRatio = 16 * 2 ** 20;

interface Member {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly entries: number;
}

const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator: 0x07064b50 };
const methods = { stored: 0, deflate: 8 };
const unixLink = 0xa000;

/** Whether the bytes begin as a zip archive does; an empty one has nothing but its end. */
export function isZip(bytes: Uint8Array): boolean {
  if (bytes.length < 22) return false;
  const first = viewOf(bytes).getUint32(0, true);
  return first === signatures.local || first === signatures.end;
}

/**
 * The files of a zip archive, each inflated and its checksum verified when it is read. A stored file is a view on the
 * archive's bytes.
 *
 * @throws GraftError `model-refused` for encrypted members, links, names that lead out, names twice, members that overlap
 *   or become too large, methods other than deflate; `model-invalid` for what is damaged or cut off
 */
export function zipFiles(bytes: Uint8Array, limits: ZipLimits = zipLimits): ModelFiles {
  const view = viewOf(bytes);
  const directory = directoryOf(view);
  const listed = membersOf(bytes, view, directory, limits);
  refuseLarge(listed, bytes.length, limits);
  const members = new Map<string, ModelFile>();
  const spans = listed.map((member) => spanOf(bytes, view, member));
  refuseOverlaps(spans, directory.offset);
  for (const { member, start, end } of spans) {
    // Folders have names that end in a slash, and nothing in them.
    if (member.name.endsWith("/")) continue;
    addMember(members, memberName(member.name), {
      size: member.size,
      read: () => inflated(member, bytes.subarray(start, end)),
    });
  }
  return filesFrom(members);
}

async function inflated({ name, method, size, checksum }: Member, packed: Uint8Array): Promise<Uint8Array> {
  try {
    const whole = method === methods.stored ? packed : await inflate(packed, "deflate-raw", size);
    if (crc32(whole) !== checksum) throw wrongChecksum();
    return whole;
  } catch (error) {
    throw error instanceof GraftError ? error.at(name) : error;
  }
}

/** The end record, which is the last thing but a comment that fills the rest exactly. */
function directoryOf(view: DataView): Directory {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== signatures.end || view.getUint16(at + 20, true) !== last - at) continue;
    const directory =
      at >= 20 && view.getUint32(at - 20, true) === signatures.locator ? directory64(view, at - 20) : undefined;
    const small = {
      entries: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const found = directory ?? small;
    if (found.offset + found.size > at || view.getUint16(at + 4, true) % 0xffff !== 0) break;
    return found;
  }
  throw new GraftError("model-invalid", "the zip archive has no directory at its end: it is cut off", {
    actual: `${view.byteLength} bytes`,
    hint: "copy or download it again",
  });
}

function directory64(view: DataView, locator: number): Directory {
  const at = whole(view, locator + 8);
  if (at + 56 > locator || view.getUint32(at, true) !== signatures.end64) throw damaged();
  return { entries: whole(view, at + 32), size: whole(view, at + 40), offset: whole(view, at + 48) };
}

function membersOf(bytes: Uint8Array, view: DataView, directory: Directory, limits: ZipLimits): readonly Member[] {
  const { entries, offset, size } = directory;
  if (entries > limits.mostMembers) {
    throw new GraftError("model-refused", "the zip archive has too many members", {
      expected: `at most ${limits.mostMembers}`,
      actual: `${entries}`,
    });
  }
  const end = offset + size;
  const members: Member[] = [];
  let at = offset;
  while (at < end) {
    if (at + 46 > end || view.getUint32(at, true) !== signatures.central) throw damaged();
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const next = at + 46 + (nameSize ?? 0) + (extraSize ?? 0) + (commentSize ?? 0);
    if (next > end) throw damaged();
    members.push(memberAt(bytes, view, at));
    at = next;
  }
  if (members.length !== entries) throw damaged();
  return members;
}

function memberAt(bytes: Uint8Array, view: DataView, at: number): Member {
  const nameSize = view.getUint16(at + 28, true);
  const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
  const method = view.getUint16(at + 10, true);
  const mode = view.getUint16(at + 40, true) & 0xf000;
  const refusal = refusalOf(view.getUint16(at + 8, true), method, view.getUint8(at + 5) === 3 && mode === unixLink);
  if (refusal !== undefined) {
    throw new GraftError("model-refused", refusal, { path: [name], hint: "pack the model again, as a plain zip" });
  }
  memberName(name);
  const [packedSize, size, offset] = wideFields(view, at + 46 + nameSize, view.getUint16(at + 30, true), [
    view.getUint32(at + 20, true),
    view.getUint32(at + 24, true),
    view.getUint32(at + 42, true),
  ]);
  const isFolder = name.endsWith("/");
  if ((method === methods.stored && size !== packedSize) || (isFolder && size !== 0)) throw damaged();
  return { name, method, checksum: view.getUint32(at + 16, true), packedSize, size, offset };
}

function refusalOf(flags: number, method: number, isLink: boolean): string | undefined {
  // Bit 0 encrypts the data, bit 6 strongly, bit 13 the directory; bit 5 is patched data.
  if (flags & 0x2041) return "a member of the zip archive is encrypted";
  if (flags & 0x20) return "a member of the zip archive is a patch";
  if (isLink) return "a member of the zip archive is a link";
  if (method !== methods.stored && method !== methods.deflate) {
    return `a member of the zip archive is compressed by method ${method}, which is not read`;
  }
  return undefined;
}

type Fields = readonly [packedSize: number, size: number, offset: number];

/** The 64-bit extension (extra field 1) holds, in the order size, packed size, offset, those that are all ones. */
function wideFields(view: DataView, extraAt: number, extraSize: number, [packedSize, size, offset]: Fields): Fields {
  const isWide = (field: number) => field === 0xffffffff;
  if (![packedSize, size, offset].some(isWide)) return [packedSize, size, offset];
  const end = extraAt + extraSize;
  for (let at = extraAt; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    const last = Math.min(end, field + view.getUint16(at + 2, true));
    const take = (small: number): number => {
      if (!isWide(small)) return small;
      if (field + 8 > last) throw damaged();
      field += 8;
      return whole(view, field - 8);
    };
    const wideSize = take(size);
    return [take(packedSize), wideSize, take(offset)];
  }
  throw damaged();
}

function refuseLarge(members: readonly Member[], archive: number, limits: ZipLimits): void {
  const most = Math.max(limits.mostTotal, archive);
  let total = 0;
  for (const { name, size, packedSize } of members) {
    total += size;
    const isBomb = size > freeOfRatio && size > packedSize * limits.mostRatio;
    if (isBomb || size > limits.mostBytes || total > most) {
      throw new GraftError("model-refused", "a member of the zip archive becomes too large", {
        path: [name],
        expected: isBomb ? `at most ${limits.mostRatio} times its ${packedSize} bytes` : `at most ${most} bytes in all`,
        actual: `${isBomb ? size : total} bytes`,
        hint: "if you trust it, unpack it yourself and name the folder",
      });
    }
  }
}

interface Span {
  readonly member: Member;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

function spanOf(bytes: Uint8Array, view: DataView, member: Member): Span {
  const { offset, name } = member;
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== signatures.local) throw damaged(name);
  const nameSize = view.getUint16(offset + 26, true);
  const start = offset + 30 + nameSize + view.getUint16(offset + 28, true);
  const end = start + member.packedSize;
  if (end > bytes.length || view.getUint16(offset + 8, true) !== member.method) throw damaged(name);
  const localName = new TextDecoder().decode(bytes.subarray(offset + 30, offset + 30 + nameSize));
  if (localName !== name) throw damaged(name);
  return { member, from: offset, start, end };
}

/** Members that share bytes make small archives large: no archive needs them. */
function refuseOverlaps(spans: readonly Span[], directory: number): void {
  const inOrder = [...spans].sort((a, b) => a.from - b.from);
  for (const [index, { member, end }] of inOrder.entries()) {
    if (end > (inOrder[index + 1]?.from ?? directory)) {
      throw new GraftError("model-refused", "members of the zip archive overlap", { path: [member.name] });
    }
  }
}

/** A 64-bit number that is a place in the archive. */
function whole(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function damaged(name?: string): GraftError {
  return new GraftError("model-invalid", "the zip archive's directory is damaged", {
    ...(name === undefined ? {} : { path: [name] }),
    hint: "copy or download it again",
  });
}
