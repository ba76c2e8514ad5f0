import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { deflateSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { crc32 } from "./inflate.ts";
import { isZip, zipFiles, zipLimits } from "./zip.ts";

const fixtures = resolve(import.meta.dirname, "../../tests/fixtures/importers");
const numbers = Uint8Array.from({ length: 40 * 256 }, (_, index) => index % 256);
const text = (value: string) => new TextEncoder().encode(value);

interface Entry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly mode?: number;
  readonly size?: number;
  readonly checksum?: number;
  /** Shares the local header of the entry at this place. */
  readonly sharesWith?: number;
  readonly localName?: string;
}

/** A zip archive that may say anything of its entries. */
function archiveOf(entries: readonly Entry[]): Uint8Array {
  const parts: number[] = [];
  const little = (value: number, bytes: number) =>
    Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
  const offsets: number[] = [];
  for (const { name, data, method = 0, flags = 0, size = data.length, checksum = crc32(data), ...rest } of entries) {
    const shared = rest.sharesWith === undefined ? undefined : offsets[rest.sharesWith];
    offsets.push(shared ?? parts.length);
    if (shared !== undefined) continue;
    const local = text(rest.localName ?? name);
    parts.push(...little(0x04034b50, 4), 20, 0, ...little(flags, 2), ...little(method, 2), 0, 0, 0, 0);
    parts.push(...little(checksum, 4), ...little(data.length, 4), ...little(size, 4), ...little(local.length, 2), 0, 0);
    parts.push(...local, ...data);
  }
  const start = parts.length;
  for (const [index, { name, data, method = 0, flags = 0, mode = 0, ...rest }] of entries.entries()) {
    parts.push(...little(0x02014b50, 4), 20, 3, 20, 0, ...little(flags, 2), ...little(method, 2), 0, 0, 0, 0);
    parts.push(...little(rest.checksum ?? crc32(data), 4), ...little(data.length, 4));
    parts.push(
      ...little(rest.size ?? data.length, 4),
      ...little(text(name).length, 2),
      ...new Array<number>(8).fill(0),
    );
    parts.push(0, 0, ...little(mode, 2), ...little(offsets[index] ?? 0, 4), ...text(name));
  }
  const count = little(entries.length, 2);
  parts.push(...little(0x06054b50, 4), 0, 0, 0, 0, ...count, ...count, ...little(parts.length - start, 4));
  parts.push(...little(start, 4), 0, 0);
  return Uint8Array.from(parts);
}

const alpha: Entry = { name: "a.txt", data: text("alpha") };

describe("zipFiles", () => {
  it.each(["plain", "wide", "streamed"])("reads what Python's zipfile writes: %s.zip", async (name) => {
    const bytes = new Uint8Array(readFileSync(resolve(fixtures, `${name}.zip`)));
    expect(isZip(bytes)).toBe(true);
    const files = zipFiles(bytes);
    expect(files.names).toEqual(["model/a.txt", "model/numbers.bin"]);
    expect(files.size("model/numbers.bin")).toBe(numbers.length);
    expect(new TextDecoder().decode(await files.read("model/a.txt"))).toBe("alpha");
    expect(Buffer.compare(await files.read("model/numbers.bin"), numbers)).toBe(0);
    await expect(files.read("b")).rejects.toThrow(/b: the file is not there/);
  });

  it("reads the archives of the test as they are meant", async () => {
    const files = zipFiles(archiveOf([alpha, { name: "__proto__", data: text("p") }]));
    expect(files.names).toEqual(["__proto__", "a.txt"]);
    expect(await files.read("__proto__")).toEqual(text("p"));
    expect(zipFiles(archiveOf([])).names).toEqual([]);
  });

  it.each(["../evil", "a/../../evil", "/etc/passwd", "a\\b", "C:/evil", "C:evil", "..", "nul\0", ""])(
    "refuses the name %j",
    (name) => {
      expect(() => zipFiles(archiveOf([alpha, { ...alpha, name }]))).toThrow(/leads out/);
    },
  );

  it("refuses names twice, also in two spellings", () => {
    expect(() => zipFiles(archiveOf([alpha, alpha]))).toThrow(/a\.txt: the archive holds a name twice/);
    expect(() => zipFiles(archiveOf([alpha, { ...alpha, name: "./a.txt" }]))).toThrow(/twice/);
  });

  it("refuses members that share bytes, as 42.zip's successors do", () => {
    const shared = { ...alpha, name: "b", localName: "b", sharesWith: 0 };
    expect(() => zipFiles(archiveOf([{ ...alpha, localName: "b", name: "b" }, shared]))).toThrow(/overlap/);
    // One member whose data are the next member's header and data.
    const inner = archiveOf([alpha]).slice(0, 40);
    expect(() =>
      zipFiles(
        archiveOf([
          { name: "out", data: inner },
          { ...alpha, sharesWith: 0 },
        ]),
      ),
    ).toThrow(GraftError);
  });

  it("refuses what is encrypted, a link, or compressed in another way", () => {
    expect(() => zipFiles(archiveOf([{ ...alpha, flags: 1 }]))).toThrow(/a\.txt: .*encrypted/);
    expect(() => zipFiles(archiveOf([{ ...alpha, mode: 0o120777 }]))).toThrow(/a\.txt: .*link/);
    expect(() => zipFiles(archiveOf([{ ...alpha, method: 12 }]))).toThrow(/method 12/);
  });

  it("refuses bombs before anything is inflated", () => {
    const zeros = deflateSync(new Uint8Array(32 * 2 ** 20), { level: 9 });
    const bomb = { name: "bomb", data: zeros, method: 8, size: 32 * 2 ** 20 };
    expect(() => zipFiles(archiveOf([bomb]))).toThrow(/bomb: .*too large.*at most 100 times/);
    const small = { ...zipLimits, mostTotal: 9 };
    const packed = archiveOf([{ ...alpha, method: 8, data: deflateSync(text("alpha")), size: 10 ** 4 }]);
    expect(() => zipFiles(packed, small)).toThrow(/in all/);
    const many = archiveOf(Array.from({ length: 5 }, (_, index) => ({ ...alpha, name: `${index}` })));
    expect(() => zipFiles(many, { ...zipLimits, mostMembers: 4 })).toThrow(/too many members/);
  });

  it("makes no more of a member than it says, and believes no wrong checksum", async () => {
    const packed = deflateSync(new Uint8Array(10 ** 6));
    for (const size of [10, 10 ** 6 - 1, 10 ** 6 + 1]) {
      const files = zipFiles(archiveOf([{ name: "a", data: packed, method: 8, size }]));
      await expect(files.read("a")).rejects.toThrow(/a: the compressed data are not of the size/);
    }
    const wrong = zipFiles(archiveOf([{ ...alpha, checksum: 1 }]));
    await expect(wrong.read("a.txt")).rejects.toThrow(/checksum/);
  });

  it("says that a cut archive is cut off", () => {
    const whole = archiveOf([alpha]);
    for (let length = 22; length < whole.length; length += 5) {
      expect(() => zipFiles(whole.subarray(0, length))).toThrow(/cut off|damaged/);
    }
  });

  it("answers any damage with an error of its own, or with the same files", async () => {
    const original = zipSync({
      "a/b.txt": text("alpha".repeat(50)),
      "numbers.bin": [numbers.slice(0, 300), { level: 0 }],
    });
    const expected = zipFiles(original);
    const values = new Map<string, Uint8Array>();
    for (const name of expected.names) values.set(name, await expected.read(name));
    const change = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = original.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const files = zipFiles(bytes);
          for (const name of files.names) {
            const known = values.get(name) ?? [...values.values()].find((value) => value.length === files.size(name));
            expect(Buffer.compare(await files.read(name), known ?? new Uint8Array(0))).toBe(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(GraftError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
