import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { gzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { isTar, tarFiles } from "./tar.ts";

const fixtures = resolve(import.meta.dirname, "../../tests/fixtures/importers");
const text = (value: string) => new TextEncoder().encode(value);

interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly data?: string;
  readonly size?: string;
  readonly link?: string;
}

/** A tar archive that may say anything of its entries. */
function archiveOf(entries: readonly Entry[]): Uint8Array {
  const blocks = entries.flatMap(({ name, type = "0", data = "", size, link = "" }) => {
    const header = new Uint8Array(512);
    const put = (at: number, value: string) => header.set(text(value), at);
    put(0, name);
    put(100, "0000644\0");
    put(124, size ?? `${data.length.toString(8).padStart(11, "0")}\0`);
    put(148, "        ");
    put(156, type);
    put(157, link);
    put(257, "ustar\0" + "00");
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
    const body = new Uint8Array(Math.ceil(data.length / 512) * 512);
    body.set(text(data));
    return [header, body];
  });
  return new Uint8Array(Buffer.concat([...blocks, new Uint8Array(1024)]));
}

const alpha: Entry = { name: "a.txt", data: "alpha" };

describe("tarFiles", () => {
  const long = ["model", "n".repeat(90), "o".repeat(60), "long.txt"].join("/");

  it.each([
    ["ustar", 3],
    ["gnu", 4],
    ["pax", 4],
  ])("reads what Python's tarfile writes: %s.tar.gz", async (name, count) => {
    const bytes = new Uint8Array(readFileSync(resolve(fixtures, `${name}.tar.gz`)));
    expect(isTar(bytes)).toBe(true);
    const files = await tarFiles(bytes);
    expect(files.names.length).toBe(count);
    expect(new TextDecoder().decode(await files.read("model/a.txt"))).toBe("alpha");
    expect(new TextDecoder().decode(await files.read(long))).toBe("long");
    if (count === 4) expect(new TextDecoder().decode(await files.read(`model/naïve ${"é".repeat(120)}`))).toBe("pax");
    expect((await files.read("model/numbers.bin")).length).toBe(10240);
  });

  it("reads the archives of the test as they are meant, and gzipped", async () => {
    const archive = archiveOf([{ name: "d/", type: "5" }, alpha, { ...alpha, name: "./d/b" }]);
    expect(isTar(archive)).toBe(true);
    expect((await tarFiles(archive)).names).toEqual(["a.txt", "d/b"]);
    const files = await tarFiles(gzipSync(archive, { filename: "a.tar" }));
    expect(await files.read("d/b")).toEqual(text("alpha"));
  });

  it.each([
    ["1", "hard link"],
    ["2", "symbolic link"],
    ["3", "device"],
    ["6", "pipe"],
    ["S", "sparse"],
    ["Z", 'type "Z"'],
  ])("refuses an entry of type %s by name", async (type, words) => {
    const archive = archiveOf([alpha, { name: "evil", type, link: "/etc/passwd" }]);
    await expect(tarFiles(archive)).rejects.toThrow(new RegExp(`evil: .*${words}`));
  });

  it.each(["../evil", "/etc/passwd", "a/../../evil", "a\\..\\evil"])("refuses the name %j", async (name) => {
    await expect(tarFiles(archiveOf([{ ...alpha, name }]))).rejects.toThrow(/leads out/);
    const record = ` path=${name}\n`;
    const notes = `${record.length + 2}${record}`;
    await expect(tarFiles(archiveOf([{ name: "x", type: "x", data: notes }, alpha]))).rejects.toThrow(/leads out/);
    await expect(tarFiles(archiveOf([{ name: "L", type: "L", data: name }, alpha]))).rejects.toThrow(/leads out/);
  });

  it("refuses sizes that the archive does not have", async () => {
    await expect(tarFiles(archiveOf([{ ...alpha, size: "77777777777\0" }]))).rejects.toThrow(/a\.txt: .*cut off/);
    await expect(tarFiles(archiveOf([{ ...alpha, size: "\u007f".repeat(11) }]))).rejects.toThrow(/no number/);
    const notes = "25 size=9999999999999999\n";
    await expect(tarFiles(archiveOf([{ name: "x", type: "x", data: notes }, alpha]))).rejects.toThrow(/no number/);
  });

  it("refuses names twice, too many entries, and what becomes too large", async () => {
    await expect(tarFiles(archiveOf([alpha, { ...alpha, name: "./a.txt" }]))).rejects.toThrow(/twice/);
    const limits = { mostMembers: 2, mostBytes: 2000 };
    const two = archiveOf([alpha, { ...alpha, name: "b" }]);
    expect((await tarFiles(two, limits)).names.length).toBe(2);
    await expect(tarFiles(gzipSync(two), limits)).rejects.toThrow(/becomes too large/);
    const three = archiveOf([alpha, { ...alpha, name: "b" }, { ...alpha, name: "c" }]);
    await expect(tarFiles(three, limits)).rejects.toThrow(/too many members/);
  });

  it("says of every cut that it is one", async () => {
    const whole = archiveOf([alpha, { ...alpha, name: "b" }]);
    for (let length = 512; length < whole.length - 1024; length += 100) {
      await expect(tarFiles(whole.subarray(0, length))).rejects.toThrow(/cut off/);
    }
    const packed = gzipSync(whole);
    for (let length = 0; length < packed.length; length += 3) {
      await expect(tarFiles(packed.subarray(0, length))).rejects.toThrow(GraftError);
    }
  });

  it("answers damage to a gzipped archive with an error of its own, or with the same files", async () => {
    const original = gzipSync(archiveOf([alpha, { ...alpha, name: "b" }]));
    const change = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = original.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const files = await tarFiles(bytes);
          expect(files.names).toEqual(["a.txt", "b"]);
          for (const name of files.names) expect(await files.read(name)).toEqual(text("alpha"));
        } catch (error) {
          expect(error).toBeInstanceOf(GraftError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
