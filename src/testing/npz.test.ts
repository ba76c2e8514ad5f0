import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { numbersOf } from "../tensor/index.ts";
import { readNpz } from "./npz-node.ts";

/** An array as NumPy writes it. */
function npy(code: string, shape: string, data: Uint8Array, columnMajor = false): Buffer {
  const header = `{'descr': '${code}', 'fortran_order': ${columnMajor ? "True" : "False"}, 'shape': (${shape}), }`;
  const padded = `${header.padEnd(117)}\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length, 0]);
  return Buffer.concat([start, Buffer.from(padded, "latin1"), data]);
}

/** A zip archive of one file. */
function zip(name: string, content: Buffer, deflates: boolean): Buffer {
  const packed = deflates ? deflateRawSync(content) : content;
  const local = Buffer.alloc(30 + name.length);
  local.write("PK\x03\x04", "latin1");
  local.writeUInt16LE(name.length, 26);
  local.write(name, 30, "latin1");
  const central = Buffer.alloc(46 + name.length);
  central.write("PK\x01\x02", "latin1");
  central.writeUInt16LE(deflates ? 8 : 0, 10);
  central.writeUInt32LE(crc32(content), 16);
  central.writeUInt32LE(packed.length, 20);
  central.writeUInt32LE(content.length, 24);
  central.writeUInt16LE(name.length, 28);
  central.write(name, 46, "latin1");
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(local.length + packed.length, 16);
  return Buffer.concat([local, packed, central, end]);
}

function read(archive: Buffer): ReturnType<typeof readNpz> {
  const folder = mkdtempSync(join(tmpdir(), "npz-"));
  try {
    writeFileSync(join(folder, "a.npz"), archive);
    return readNpz(join(folder, "a.npz"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("reading NumPy's archives", () => {
  const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

  for (const deflates of [false, true]) {
    it(`reads ${deflates ? "deflated" : "stored"} arrays`, () => {
      const array = read(zip("in:x.npy", npy("<f4", "2, 3", floats), deflates)).get("in:x");
      expect(array).toMatchObject({ dtype: "float32", shape: [2, 3] });
      expect(array && numbersOf(array)).toEqual([1, 2, 3, 4, 5, 6]);
    });
  }

  it("turns column-major order into row-major order", () => {
    const array = read(zip("x.npy", npy("<f4", "2, 3", floats, true), false)).get("x");
    expect(array && numbersOf(array)).toEqual([1, 3, 5, 2, 4, 6]);
  });

  it("reads scalars, booleans and int64", () => {
    expect(read(zip("x.npy", npy("|b1", "", Uint8Array.of(1)), false)).get("x")?.shape).toEqual([]);
    const long = read(zip("x.npy", npy("<i8", "1,", new Uint8Array(BigInt64Array.of(-7n).buffer)), false)).get("x");
    expect(long && numbersOf(long)).toEqual([-7]);
  });

  it("refuses what is no archive, and types it does not know", () => {
    expect(() => read(Buffer.from("not a zip"))).toThrow("not a zip archive");
    expect(() => read(zip("x.npy", npy("<c8", "1,", new Uint8Array(8)), false))).toThrow("type <c8 is not read");
  });
});
