import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomNumbers } from "../tensor/index.ts";
import { applyChanges, augmentPixels, type Change, drawChanges } from "./augment.ts";
import { cropMove, flipMove, type Move, rotationMove, translationMove, zoomMove } from "./augment-geometry.ts";
import type { Augmentation, AugmentationStep, FillMode } from "./augmentation.ts";
import {
  randomBrightness,
  randomColorJitter,
  randomContrast,
  randomCrop,
  randomFlip,
  randomRotation,
  randomTranslation,
  randomZoom,
} from "./augmentation.ts";

interface Place {
  readonly at: number;
  readonly shape: readonly [number, number, number];
}

interface ChangeCase {
  readonly kind: string;
  readonly parameters: Readonly<Record<string, number>> & {
    readonly mode: "horizontal" | "vertical" | "horizontal_and_vertical";
    readonly fillMode: FillMode;
  };
  readonly picture: Place;
  readonly answer: Place;
}

const folder = new URL("../../tests/fixtures/pixels/", import.meta.url);
const bytes = new Uint8Array(readFileSync(new URL("pixels.bin", folder)));
// The document was written by make.py, in this form.
const { changes } = JSON.parse(readFileSync(new URL("pixels.json", folder), "utf8")) as {
  readonly changes: readonly ChangeCase[];
};

function arrayAt({ at, shape: [height, width, channels] }: Place): Uint8Array {
  return bytes.subarray(at, at + height * width * channels);
}

function sizeOf({ shape: [height, width] }: Place) {
  return { height, width };
}

function changeOf({ kind, parameters, picture }: ChangeCase): Change {
  const size = sizeOf(picture);
  const of = (name: string) => parameters[name] ?? Number.NaN;
  switch (kind) {
    case "flip":
      return flipMove(parameters.mode, size);
    case "rotation":
      return rotationMove(of("angle"), size, parameters);
    case "zoom":
      return zoomMove({ height: of("height"), width: of("width") }, size, parameters);
    case "translation":
      return translationMove({ down: of("down"), right: of("right") }, size, parameters);
    case "crop":
      return cropMove({ top: of("top"), left: of("left"), height: of("height"), width: of("width") }, size);
    case "brightness":
      return { kind, delta: of("delta") };
    case "contrast":
    case "saturation":
      return { kind, factor: of("factor") };
    case "hue":
      return { kind, turn: of("turn") };
    default:
      throw new Error(`no change of kind ${kind}`);
  }
}

const small = { height: 9, width: 12 };
const noise = (seed: number, { height, width } = small) => {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length: height * width * 3 }, () => random() * 256);
};

/** The changes that a step becomes under 2,000 seeds. */
function draws(step: AugmentationStep): Change[][] {
  return Array.from({ length: 2000 }, (_, seed) => drawChanges(step, small, randomNumbers(seed)));
}

function moves(step: AugmentationStep): Move[] {
  return draws(step).map(([change]) => {
    if (change?.kind !== "move") throw new Error("a move was expected");
    return change;
  });
}

/** The numbers fill [low, high], about evenly. */
function expectUniform(numbers: readonly number[], low: number, high: number): void {
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(low - 1e-9);
  expect(Math.max(...numbers)).toBeLessThanOrEqual(high + 1e-9);
  const quarters = [0, 0, 0, 0];
  for (const number of numbers) {
    const quarter = Math.min(3, Math.floor(((number - low) / (high - low)) * 4));
    quarters[quarter] = (quarters[quarter] ?? 0) + 1 / numbers.length;
  }
  for (const share of quarters) expect(Math.abs(share - 0.25)).toBeLessThan(0.05);
}

describe("applyChanges", () => {
  it.each(changes.map((each) => [`${each.kind} ${JSON.stringify(each.parameters)}`, each] as const))(
    "agrees with Keras's layers: %s",
    (_, each) => {
      const pixels = applyChanges(arrayAt(each.picture), sizeOf(each.picture), [changeOf(each)]);
      const answer = arrayAt(each.answer);
      expect(pixels.length).toBe(answer.length);
      const differences = pixels.map((value, index) => Math.abs(value - (answer[index] ?? 0)));
      expect(Math.max(...differences)).toBeLessThanOrEqual(1);
      expect(differences.filter((difference) => difference > 0).length / differences.length).toBeLessThan(0.03);
    },
  );

  it("undoes whole moves by their opposites, without blur", () => {
    const pixels = noise(1);
    const shift = (down: number, right: number) => translationMove({ down, right }, small, { fillMode: "nearest" });
    const flip = flipMove("horizontal", small);
    const turn = rotationMove(Math.PI, small, { fillMode: "wrap" });
    expect(Buffer.compare(applyChanges(pixels, small, [flip, flip]), pixels)).toBe(0);
    expect(
      Buffer.compare(applyChanges(pixels, small, [turn, flipMove("horizontal_and_vertical", small)]), pixels),
    ).toBe(0);
    const there = applyChanges(pixels, small, [shift(2, 3)]);
    expect([...there.subarray((2 * 12 + 3) * 3, (2 * 12 + 12) * 3)]).toEqual([...pixels.subarray(0, 9 * 3)]);
  });

  it("fills what each move empties as that move says, also when moves follow one another", () => {
    const pixels = noise(2);
    const moved = [
      translationMove({ down: 2, right: 0 }, small, { fillMode: "constant", fillValue: 7 }),
      translationMove({ down: 0, right: 4 }, small, { fillMode: "constant", fillValue: 99 }),
      flipMove("vertical", small),
      translationMove({ down: 3, right: 0 }, small, { fillMode: "nearest" }),
    ];
    const atOnce = applyChanges(pixels, small, moved);
    const oneByOne = moved.reduce<Uint8Array>((values, move) => applyChanges(values, small, [move]), pixels);
    expect(Buffer.compare(atOnce, oneByOne)).toBe(0);
    expect(new Set(atOnce)).toContain(7);
    expect(new Set(atOnce)).toContain(99);
  });

  it("changes colours between moves in the order given", () => {
    const pixels = noise(3);
    const fill = translationMove({ down: 4, right: 0 }, small, { fillMode: "constant", fillValue: 0 });
    const brighter: Change = { kind: "brightness", delta: 50 };
    expect(applyChanges(pixels, small, [fill, brighter])[0]).toBe(50);
    expect(applyChanges(pixels, small, [brighter, fill])[0]).toBe(0);
  });
});

describe("drawChanges", () => {
  it("flips half of the pictures", () => {
    const flipped = draws(randomFlip({ mode: "horizontal" })).filter((changes) => changes.length > 0).length;
    expect(Math.abs(flipped / 2000 - 0.5)).toBeLessThan(0.05);
  });

  it("turns by angles within the factor", () => {
    const angles = (factor: number | readonly [number, number]) =>
      moves(randomRotation({ factor })).map(({ matrix }) => Math.atan2(matrix[3], matrix[0]) / (2 * Math.PI));
    expectUniform(angles(0.2), -0.2, 0.2);
    expectUniform(angles([0.1, 0.3]), 0.1, 0.3);
  });

  it("zooms both sides alike unless told otherwise", () => {
    const alike = moves(randomZoom({ heightFactor: [-0.5, 0.2] }));
    expectUniform(
      alike.map(({ matrix }) => matrix[0]),
      0.5,
      1.2,
    );
    expect(alike.every(({ matrix }) => matrix[0] === matrix[4])).toBe(true);
    const apart = moves(randomZoom({ heightFactor: 0, widthFactor: 0.3 }));
    expectUniform(
      apart.map(({ matrix }) => matrix[0]),
      0.7,
      1.3,
    );
    expect(apart.every(({ matrix }) => matrix[4] === 1)).toBe(true);
  });

  it("shifts by parts of the height and of the width", () => {
    const shifts = moves(randomTranslation({ heightFactor: 0.5, widthFactor: [0, 0.25] }));
    expectUniform(
      shifts.map(({ matrix }) => -matrix[5]),
      -4.5,
      4.5,
    );
    expectUniform(
      shifts.map(({ matrix }) => -matrix[2]),
      0,
      3,
    );
  });

  it("crops rectangles inside the picture, of the areas and ratios asked for", () => {
    const size = { height: 200, width: 300 };
    const step = randomCrop({ scale: [0.2, 0.6], ratio: [0.5, 2] });
    for (let seed = 0; seed < 500; seed++) {
      const [change] = drawChanges(step, size, randomNumbers(seed));
      if (change?.kind !== "move") throw new Error("a move was expected");
      const { top, left, height, width } = change.bounds;
      expect(Math.min(top, left, size.height - top - height, size.width - left - width)).toBeGreaterThanOrEqual(0);
      expect(width / height).toBeGreaterThan(0.48);
      expect(width / height).toBeLessThan(2.08);
      expect((height * width) / 60_000).toBeGreaterThan(0.19);
      expect((height * width) / 60_000).toBeLessThan(0.61);
    }
  });

  it("takes the largest middle part where no rectangle fits", () => {
    const [change] = drawChanges(
      randomCrop({ scale: [1, 1], ratio: [3, 4] }),
      { height: 100, width: 100 },
      randomNumbers(0),
    );
    expect(change).toMatchObject({ bounds: { top: 33, left: 0, height: 33, width: 100 } });
  });

  it("draws colours as Keras's documentation says", () => {
    const of = (step: AugmentationStep, at: number, field: "delta" | "factor" | "turn") =>
      draws(step).map((changes) => Number(new Map(Object.entries(changes[at] ?? {})).get(field)));
    expectUniform(of(randomBrightness({ factor: 0.2 }), 0, "delta"), -51, 51);
    expectUniform(of(randomBrightness({ factor: [0.2, 0.4] }), 0, "delta"), 51, 102);
    expectUniform(of(randomContrast({ factor: 0.3 }), 0, "factor"), 0.7, 1.3);
    expectUniform(of(randomContrast({ factor: [0.5, 0.1] }), 0, "factor"), 0.5, 1.1);
    const jitter = randomColorJitter({
      brightnessFactor: 0.1,
      contrastFactor: 0.2,
      saturationFactor: [0.4, 0.6],
      hueFactor: 0.4,
    });
    const share = (factor: number) => factor / (1 + factor);
    expectUniform(of(jitter, 0, "delta"), -25.5, 25.5);
    expectUniform(of(jitter, 1, "factor"), 0.8, 1.2);
    expectUniform(of(jitter, 2, "factor").map(share), 0.4, 0.6);
    expectUniform(of(jitter, 3, "turn"), -0.2, 0.2);
    expect(draws(randomColorJitter({ hueFactor: 0.1 })).every((changes) => changes.length === 1)).toBe(true);
  });
});

describe("augmentPixels", () => {
  const all: Augmentation = [
    randomFlip(),
    randomRotation({ factor: 0.2 }),
    randomZoom({ heightFactor: 0.3, fillMode: "wrap" }),
    randomColorJitter({ brightnessFactor: 0.2, contrastFactor: 0.2, saturationFactor: [0.3, 0.7], hueFactor: 0.2 }),
    randomTranslation({ heightFactor: 0.2, widthFactor: 0.2, fillMode: "constant" }),
    randomCrop(),
  ];

  it("gives the same bytes for the same seed, others for another, and leaves the pixels given alone", () => {
    const pixels = noise(4);
    const before = pixels.slice();
    const first = augmentPixels(pixels, small, all, 1);
    expect(Buffer.compare(first, augmentPixels(pixels, small, all, 1))).toBe(0);
    const others = Array.from({ length: 20 }, (_, seed) => augmentPixels(pixels, small, all, seed + 2));
    expect(new Set([first, ...others].map(String)).size).toBe(21);
    expect(Buffer.compare(pixels, before)).toBe(0);
  });

  it("without steps, copies", () => {
    const pixels = noise(5);
    const copy = augmentPixels(pixels, small, [], 0);
    expect(copy).not.toBe(pixels);
    expect(Buffer.compare(copy, pixels)).toBe(0);
  });

  it("leaves a plain picture plain where nothing is filled with a constant, at every size", () => {
    const side = fc.integer({ min: 1, max: 12 });
    const geometric = fc.constantFrom<AugmentationStep>(
      randomFlip(),
      randomRotation({ factor: 1 }),
      randomZoom({ heightFactor: 0.9, widthFactor: 0.9, fillMode: "nearest" }),
      randomTranslation({ heightFactor: 1, widthFactor: 1, fillMode: "wrap" }),
      randomCrop(),
    );
    fc.assert(
      fc.property(side, side, fc.array(geometric, { maxLength: 5 }), fc.nat(), (height, width, steps, seed) => {
        const plain = new Uint8Array(height * width * 3).fill(133);
        expect(new Set(augmentPixels(plain, { height, width }, steps, seed))).toEqual(new Set([133]));
      }),
      { numRuns: 300 },
    );
  });
});

describe("the builders", () => {
  it("take Keras's defaults", () => {
    expect(randomFlip()).toEqual({ kind: "randomFlip", mode: "horizontal_and_vertical" });
    expect(randomRotation({ factor: 0.1 })).toMatchObject({ factor: 0.1, fillMode: "reflect", fillValue: 0 });
    expect(randomCrop()).toEqual({ kind: "randomCrop", scale: [0.08, 1], ratio: [3 / 4, 4 / 3] });
  });

  it.each([
    ["randomRotation: factor", () => randomRotation({ factor: 1.5 })],
    ["randomRotation: factor", () => randomRotation({ factor: Number.NaN })],
    ["randomRotation: fillValue", () => randomRotation({ factor: 0.1, fillValue: 256 })],
    ["randomZoom: heightFactor", () => randomZoom({ heightFactor: -1 })],
    ["randomZoom: widthFactor", () => randomZoom({ heightFactor: 0, widthFactor: [-1, 0] })],
    ["randomTranslation: widthFactor", () => randomTranslation({ heightFactor: 0, widthFactor: 2 })],
    ["randomCrop: scale", () => randomCrop({ scale: [0, 1] })],
    ["randomCrop: ratio", () => randomCrop({ ratio: [2, 1] })],
    ["randomBrightness: factor", () => randomBrightness({ factor: [-2, 0] })],
    ["randomContrast: factor", () => randomContrast({ factor: -0.1 })],
    ["randomColorJitter: saturationFactor", () => randomColorJitter({ saturationFactor: 1.1 })],
    // A caller without types.
    ["randomFlip: mode", () => randomFlip(JSON.parse('{ "mode": "sideways" }'))],
    ["randomZoom: fillMode", () => randomZoom(JSON.parse('{ "heightFactor": 0, "fillMode": "mirror" }'))],
  ])("refuse what is out of range: %s", (place, build) => {
    expect(build).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringContaining(`${place}: no such option; expected`),
      }),
    );
  });
});
