/** @file Tar archives, plain or gzipped, read from memory and never unpacked: ustar, pax and GNU's long names. */
import { GraftError } from "../tensor/index.ts";
import { gunzip, isGzip } from "./inflate.ts";
import { addMember, memberName } from "./member-names.ts";
import { filesInMemory, type ModelFiles } from "./model-files.ts";

export interface TarLimits {
  /** How many entries an archive may have. */
  readonly mostMembers: number;
  /** What a gzipped archive may become, in bytes. */
  readonly mostBytes: number;
}

const tarLimits: TarLimits = { mostMembers: 10_000, mostBytes: 2 ** 31 };

const block = 512;
/** Longer names and notes than any that are of use. */
const mostNotes = 2 ** 20;

interface Header {
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** What each type of entry is (POSIX.1-2001 pax, and GNU tar's own). */
const kinds: ReadonlyMap<string, "file" | "folder" | "notes" | "no notes" | "name" | "link name"> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["5", "folder"],
  ["x", "notes"],
  ["g", "no notes"],
  ["L", "name"],
  ["K", "link name"],
]);

const refused: ReadonlyMap<string, string> = new Map([
  ["1", "a hard link"],
  ["2", "a symbolic link"],
  ["3", "a device"],
  ["4", "a device"],
  ["6", "a pipe"],
  ["S", "a sparse file"],
]);

/** Whether the bytes are a tar archive, or gzip, in which one may be. */
export function isTar(bytes: Uint8Array): boolean {
  return isGzip(bytes) || (bytes.length >= block && hasChecksum(bytes, 0));
}

/**
 * The files of a tar archive; each is a view on the archive's bytes.
 *
 * @throws GraftError `model-refused` for links, devices, sparse files, names that lead out and names twice;
 *   `model-invalid` for what is damaged or cut off
 */
export async function tarFiles(bytes: Uint8Array, limits: TarLimits = tarLimits): Promise<ModelFiles> {
  const archive = isGzip(bytes) ? await gunzip(bytes, limits.mostBytes) : bytes;
  if (archive.length < block || !hasChecksum(archive, 0)) {
    throw new GraftError("model-invalid", "there is no tar archive in it", {
      expected: "a .tar or .tar.gz file",
      hint: "a single gzipped file has to be unpacked first",
    });
  }
  return filesInMemory(membersOf(archive, limits));
}

function membersOf(archive: Uint8Array, limits: TarLimits): ReadonlyMap<string, Uint8Array> {
  const members = new Map<string, Uint8Array>();
  let notes: ReadonlyMap<string, string> = new Map();
  let count = 0;
  for (let at = 0; ; ) {
    if (at + block > archive.length) throw cutOff(archive.length);
    if (isEmpty(archive, at)) return members;
    count += 1;
    if (count > limits.mostMembers) {
      throw new GraftError("model-refused", "the tar archive has too many members", {
        expected: `at most ${limits.mostMembers}`,
      });
    }
    const header = headerAt(archive, at);
    const name = notes.get("path") ?? header.name;
    const size = sizeFrom(notes.get("size"), name) ?? header.size;
    const start = at + block;
    if (start + size > archive.length) throw cutOff(archive.length, name);
    const data = archive.subarray(start, start + size);
    at = start + Math.ceil(size / block) * block;
    const kind = kindOf(header.type, name);
    if (kind === "notes") notes = new Map([...notes, ...notesIn(data)]);
    else if (kind === "name") notes = new Map([...notes, ["path", longName(data)]]);
    else if (kind === "file" || kind === "folder") {
      // Older archives have folders as files whose names end in a slash.
      if (kind === "file" && !name.endsWith("/")) addMember(members, memberName(name), data);
      else memberName(name);
      notes = new Map();
    }
  }
}

function kindOf(type: string, name: string): string {
  const kind = kinds.get(type);
  if (kind !== undefined) return kind;
  throw new GraftError("model-refused", `the tar archive holds ${refused.get(type) ?? `an entry of type "${type}"`}`, {
    path: [name],
    expected: "plain files and folders",
    hint: "pack the model again, with what the link leads to (tar --dereference)",
  });
}

function headerAt(archive: Uint8Array, at: number): Header {
  if (!hasChecksum(archive, at)) {
    throw new GraftError("model-invalid", "a header of the tar archive is damaged", {
      actual: `at byte ${at}`,
      hint: "copy or download it again",
    });
  }
  const text = (from: number, length: number) => textOf(archive.subarray(at + from, at + from + length));
  // Only POSIX's magic, not GNU's, is followed by what goes in front of the name.
  const prefix =
    textOf(archive.subarray(at + 257, at + 265)) === "ustar" && archive[at + 263] === 0x30 ? text(345, 155) : "";
  const name = prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  return { name, type: String.fromCharCode(archive[at + 156] ?? 0), size: numberAt(archive, at + 124, 12, name) };
}

/** Octal digits; or, where the first bit is set, a big-endian number in the rest. */
function numberAt(archive: Uint8Array, at: number, length: number, name: string): number {
  const field = archive.subarray(at, at + length);
  if ((field[0] ?? 0) & 0x80) {
    return field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte), 0);
  }
  const digits = textOf(field).trim();
  if (!/^[0-7]*$/.test(digits))
    throw new GraftError("model-invalid", "a size in the tar archive is no number", { path: [name] });
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** The sum of all bytes of the header, in which the sum itself counts as spaces; some writers take the bytes as signed. */
function hasChecksum(archive: Uint8Array, at: number): boolean {
  const stated = /^[\0 ]*([0-7]+)/.exec(String.fromCharCode(...archive.subarray(at + 148, at + 156)))?.[1];
  if (stated === undefined) return false;
  let [unsigned, signed] = [0, 0];
  for (let index = 0; index < block; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (archive[at + index] ?? 0);
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const sum = Number.parseInt(stated, 8);
  return sum === unsigned || sum === signed;
}

/** pax: `27 path=a/name\\n`, each with its own length in front. */
function notesIn(data: Uint8Array): ReadonlyMap<string, string> {
  if (data.length > mostNotes) throw tooLong();
  const notes = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const [, length = "", key = ""] = /^(\d{1,7}) ([^=\n]+)=/.exec(textOf(data.subarray(at, at + 300), false)) ?? [];
    const end = at + Number(length);
    const valueAt = at + new TextEncoder().encode(`${length} ${key}=`).length;
    if (key === "" || end > data.length || end <= valueAt || data[end - 1] !== 0x0a) {
      throw new GraftError("model-invalid", "an extended header of the tar archive is damaged");
    }
    if (key.startsWith("GNU.sparse")) {
      throw new GraftError("model-refused", "the tar archive holds a sparse file", { hint: "pack the model again" });
    }
    notes.set(key, textOf(data.subarray(valueAt, end - 1), false));
    at = end;
  }
  return notes;
}

function sizeFrom(note: string | undefined, name: string): number | undefined {
  if (note === undefined) return undefined;
  if (!/^\d{1,15}$/.test(note))
    throw new GraftError("model-invalid", "a size in the tar archive is no number", { path: [name] });
  return Number(note);
}

function longName(data: Uint8Array): string {
  if (data.length > mostNotes) throw tooLong();
  return textOf(data);
}

function textOf(bytes: Uint8Array, endsAtNul = true): string {
  const end = endsAtNul ? bytes.indexOf(0) : -1;
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function isEmpty(archive: Uint8Array, at: number): boolean {
  return archive.subarray(at, at + block).every((byte) => byte === 0);
}

function tooLong(): GraftError {
  return new GraftError("model-refused", "a name in the tar archive is too long");
}

function cutOff(length: number, name?: string): GraftError {
  return new GraftError("model-invalid", "the tar archive is cut off", {
    ...(name === undefined ? {} : { path: [name] }),
    actual: `${length} bytes`,
    hint: "copy or download it again",
  });
}
