import { readFileSync } from "node:fs";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { randomNumbers } from "../tensor/index.ts";
import { checkPicture, decodePicture } from "./decode-node.ts";

const fixtures = new URL("../../tests/fixtures/data/", import.meta.url);
interface Expected {
  readonly height: number;
  readonly width: number;
  readonly rgb: string;
}
// Written by make_pictures.py, which Pillow judges.
const expected: Readonly<Record<string, Expected>> = JSON.parse(
  readFileSync(new URL("pictures.json", fixtures), "utf8"),
);

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`pictures/${name}`, fixtures));
}

/** A photo-like picture: colours that change slowly, with noise. */
function photo(width: number, height: number): Sharp {
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, at) => (at * 7 + Math.floor(at / width) * 3 + ((at * at) % 23)) % 256,
  );
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function outcome(bytes: Uint8Array): Promise<string> {
  const [decoded, checked] = await Promise.all(
    [decodePicture, checkPicture].map((look) =>
      look(bytes).then(
        () => "whole",
        (error: unknown) => String(error),
      ),
    ),
  );
  expect(checked, "checking and decoding disagree").toBe(decoded);
  return decoded ?? "";
}

describe("decodePicture", () => {
  it.each(Object.entries(expected))("reads %s as Pillow does", async (name, { width, height, rgb }) => {
    const picture = await decodePicture(fixture(name));
    expect([picture.width, picture.height]).toEqual([width, height]);
    const judged = Buffer.from(rgb, "hex");
    expect(picture.data.length).toBe(judged.length);
    const deviation = Math.max(...picture.data.map((value, at) => Math.abs(value - (judged[at] ?? 0))));
    // Laying over white rounds otherwise; the transparent colour of a palette and lossless formats are exact.
    expect(deviation).toBeLessThanOrEqual(/alpha|jpg/.test(name) ? 1 : 0);
  });

  it("reads the upper 8 of 16 bits of colour", async () => {
    const deep = Uint16Array.from({ length: 5 * 4 * 3 }, (_, at) => at * 1000);
    const bytes = await sharp(deep, { raw: { width: 5, height: 4, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe("ushort");
    expect([...(await decodePicture(bytes)).data]).toEqual([...deep].map((value) => value >> 8));
  });

  it("goes by content, whatever is said of it, and passes over bytes behind the end", async () => {
    const jpeg = await photo(40, 30).jpeg().toBuffer();
    const { width } = await decodePicture(Buffer.concat([jpeg, Buffer.from("more")]));
    expect(width).toBe(40);
  });
});

describe("checkPicture", () => {
  it("finds nothing wrong with whole pictures", async () => {
    for (const name of Object.keys(expected)) expect(await outcome(fixture(name)), name).toBe("whole");
  });

  it("says what a file is that is no picture", async () => {
    expect(await outcome(new Uint8Array())).toMatch(/the file is empty/);
    expect(await outcome(Buffer.from("<!doctype html><html>"))).toMatch(/an HTML page/);
    expect(await outcome(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"))).toMatch(
      /an SVG/,
    );
    expect(await outcome(Buffer.from("label,score\n"))).toMatch(/text/);
    expect(await outcome(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]))).toMatch(/damaged or cut off/);
  });

  it.each(["jpeg", "png", "webp", "gif", "tiff"] as const)("finds every %s that is cut off", async (format) => {
    const bytes = await photo(60, 40).toFormat(format).toBuffer();
    expect(await outcome(bytes)).toBe("whole");
    for (const kept of [0.1, 0.3, 0.5, 0.7, 0.9, 0.97]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * kept));
      expect(await outcome(cut), `${kept} of it`).toMatch(/damaged or cut off/);
    }
  });

  it("finds large JPEGs that are cut off, and those whose middle is overwritten", async () => {
    const bytes = await photo(1300, 900).jpeg({ quality: 60 }).toBuffer();
    expect(await outcome(bytes)).toBe("whole");
    for (const missing of [1, 2, 100, 10_000]) {
      expect(await outcome(bytes.subarray(0, bytes.length - missing)), `${missing} bytes less`).toMatch(/cut off/);
    }
    const random = randomNumbers(3);
    const overwritten = Buffer.from(bytes).map((byte, at) => (at > 5000 && at < 20_000 ? random() * 256 : byte));
    expect(await outcome(overwritten)).toMatch(/damaged/);
  });

  it("passes over trivia in a JPEG's header, as cameras and old programs write them", async () => {
    const bytes = await photo(60, 40).jpeg().toBuffer();
    const [start, rest] = [bytes.subarray(0, 2), bytes.subarray(2)];
    const application = Buffer.from([0xff, 0xe0, 0, 16, ...Buffer.from("JFIF\0"), 0, 0, 0, 0, 1, 0, 1, 0, 0]);
    expect(await outcome(Buffer.concat([start, application, rest]))).toBe("whole");
    expect(await outcome(Buffer.concat([start, application, Buffer.from([1, 2, 3]), rest]))).toBe("whole");
    expect(await outcome(Buffer.concat([start, application, rest.subarray(0, 500)]))).toMatch(/damaged/);
  });

  it("refuses more than 64 megapixels before it decodes them", async () => {
    const bytes = await photo(20, 10).jpeg().toBuffer();
    // The size stands behind the start of frame: marker, length, 8 bits.
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(8000, frame + 5);
    bytes.writeUInt16BE(9000, frame + 7);
    expect(await outcome(bytes)).toMatch(/9000×8000 pixels are 72 megapixels: at most 64/);
  });
});
