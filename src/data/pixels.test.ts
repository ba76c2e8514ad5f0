import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Picture, PixelRecipe } from "./picture.ts";
import { toPixels } from "./pixels.ts";

interface Place {
  readonly at: number;
  readonly shape: readonly [number, number, number];
}

interface ResizeCase extends Pick<PixelRecipe, "method" | "aspect" | "centralFraction"> {
  readonly picture: Place;
  readonly size: readonly [number, number];
  readonly answers: Readonly<Record<string, Place>>;
}

const folder = new URL("../../tests/fixtures/pixels/", import.meta.url);
const bytes = new Uint8Array(readFileSync(new URL("pixels.bin", folder)));
// The document was written by make.py, in this form.
const { resizes } = JSON.parse(readFileSync(new URL("pixels.json", folder), "utf8")) as {
  readonly resizes: readonly ResizeCase[];
};

function arrayAt({ at, shape: [height, width, channels] }: Place): Uint8Array {
  return bytes.subarray(at, at + height * width * channels);
}

function pictureAt(place: Place): Picture {
  return { height: place.shape[0], width: place.shape[1], data: arrayAt(place) };
}

function largestDifference(one: Uint8Array, other: Uint8Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (other[index] ?? 0))), 0);
}

const name = ({ picture, size, method, aspect, centralFraction }: ResizeCase) =>
  [picture.shape.slice(0, 2).join("×"), "to", size.join("×"), method, aspect, centralFraction].join(" ").trim();

const recipe = (parts: Partial<PixelRecipe>): PixelRecipe => ({
  height: 8,
  width: 8,
  method: "bilinear",
  aspect: "stretch",
  ...parts,
});

describe("toPixels", () => {
  it.each(resizes.map((each) => [name(each), each] as const))(
    "agrees with TensorFlow, Keras and Pillow: %s",
    (_, each) => {
      const { picture, size, answers, ...policy } = each;
      const pixels = toPixels(pictureAt(picture), { ...policy, height: size[0], width: size[1] });
      expect(Object.keys(answers)).not.toHaveLength(0);
      for (const [judge, place] of Object.entries(answers)) {
        expect([judge, largestDifference(pixels, arrayAt(place)) <= 1]).toEqual([judge, true]);
        // What TensorFlow computes in floating point is met but for ties in rounding.
        const unequal = pixels.filter((value, index) => value !== arrayAt(place)[index]).length;
        if (judge !== "pillow") expect(unequal / pixels.length).toBeLessThan(0.01);
      }
    },
  );

  it("leaves a picture of the right size as it is", () => {
    const [first] = resizes.filter(({ picture, size }) => picture.shape[0] === size[0] && picture.shape[1] === size[1]);
    const picture = pictureAt(first?.picture ?? { at: 0, shape: [0, 0, 3] });
    for (const method of ["bilinear", "antialias"] as const) {
      const pixels = toPixels(picture, recipe({ height: picture.height, width: picture.width, method }));
      expect(Buffer.compare(pixels, picture.data)).toBe(0);
      expect(pixels).not.toBe(picture.data);
    }
  });

  it("keeps a plain picture plain, and every pixel within the picture's range", () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.constantFrom("bilinear", "antialias"),
        fc.constantFrom("stretch", "crop"),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 255 }),
        (height, width, targetHeight, targetWidth, method, aspect, centralFraction, value) => {
          const wanted = recipe({ height: targetHeight, width: targetWidth, method, aspect, centralFraction });
          const plain = new Uint8Array(height * width * 3).fill(value);
          expect(new Set(toPixels({ height, width, data: plain }, wanted))).toEqual(new Set([value]));
          const striped = plain.map((_, index) => (index % 7 < 3 ? 40 : 200));
          const pixels = toPixels({ height, width, data: striped }, wanted);
          expect(Math.min(...pixels)).toBeGreaterThanOrEqual(40);
          expect(Math.max(...pixels)).toBeLessThanOrEqual(200);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("pads and crops to a square as one would by hand, then resizes", () => {
    const side = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom("bilinear", "antialias"),
        fc.constantFrom("crop", "pad"),
        (height, width, target, method, aspect) => {
          const data = Uint8Array.from({ length: height * width * 3 }, (_, index) => (index * 7919) % 256);
          const goal = aspect === "crop" ? Math.min(height, width) : Math.max(height, width);
          const added = (length: number) => Math.trunc((goal - length) / 2);
          const [above, before] = [added(height), added(width)];
          const square = { height: 0, width: 0, data: new Uint8Array() };
          square.height = aspect === "crop" ? goal : height + 2 * above;
          square.width = aspect === "crop" ? goal : width + 2 * before;
          square.data = Uint8Array.from({ length: square.height * square.width * 3 }, (_, index) => {
            const row = Math.floor(index / (square.width * 3)) - above;
            const column = (Math.floor(index / 3) % square.width) - before;
            const isInside = row >= 0 && row < height && column >= 0 && column < width;
            return isInside ? (data[(row * width + column) * 3 + (index % 3)] ?? 0) : 0;
          });
          const size = recipe({ height: target, width: target, method });
          const pixels = toPixels({ height, width, data }, { ...size, aspect });
          expect(largestDifference(pixels, toPixels(square, size))).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("puts black borders where padding says, and nowhere else", () => {
    const white = { height: 10, width: 40, data: new Uint8Array(10 * 40 * 3).fill(255) };
    const pixels = toPixels(white, recipe({ height: 40, width: 40, aspect: "pad" }));
    const rows = Array.from({ length: 40 }, (_, row) => pixels[row * 40 * 3 + 60]);
    expect(rows).toEqual([...Array(15).fill(0), ...Array(10).fill(255), ...Array(15).fill(0)]);
  });

  it("sees only the borders where the central part misses the picture", () => {
    const white = { height: 1, width: 400, data: new Uint8Array(400 * 3).fill(255) };
    const pixels = toPixels(white, recipe({ aspect: "pad", method: "antialias" }));
    expect(new Set(pixels.subarray(0, 8 * 3))).toEqual(new Set([0]));
    expect(Math.max(...pixels)).toBeGreaterThan(0);
  });

  it.each([
    [{ height: 0 }, "a pixel recipe needs a size; expected a height and a width of at least 1, found 0×8"],
    [{ width: 2.5 }, "a pixel recipe needs a size; expected a height and a width of at least 1, found 8×2.5"],
    [{ centralFraction: 0 }, "centralFraction: no such central part; expected a number in (0, 1], found 0"],
    [{ centralFraction: Number.NaN }, "centralFraction: no such central part; expected a number in (0, 1], found NaN"],
  ])("refuses the recipe %j", (parts, message) => {
    const picture = { height: 1, width: 1, data: new Uint8Array(3) };
    expect(() => toPixels(picture, recipe(parts))).toThrow(expect.objectContaining({ code: "usage", message }));
  });

  it("refuses a picture that is not what its size says", () => {
    const picture = { height: 2, width: 3, data: new Uint8Array(24) };
    expect(() => toPixels(picture, recipe({}))).toThrow(
      expect.objectContaining({
        code: "bad-data",
        message: "the picture is not what its size says; expected 2×3 pixels of 3 bytes, found 24 bytes",
      }),
    );
  });
});
