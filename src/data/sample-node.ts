/** @file `drawSample`: a folder of sample pictures, a folder a class. */
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import sharp from "sharp";
import { reasonOf, systemCode, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Picture } from "./picture.ts";
import { drawSamplePicture, sampleKinds } from "./sample.ts";

export interface SampleOptions {
  /** Pictures a class, 1 to 10,000. Default: 40. */
  readonly perClass?: number;
  /** Other pictures for other seeds: a whole number from 0. Default: 0. */
  readonly seed?: number;
}

export interface Sample {
  readonly folder: string;
  readonly classNames: readonly string[];
  readonly pictures: number;
}

/** Pixels a side. */
const side = 192;
const jpegQuality = 92;

/**
 * Draws pictures of lighthouses, sailboats and windmills as JPEG files, `<folder>/<class>/<class>-001.jpg` and so on,
 * with no network. The same seed draws the same pictures, however many there are. Drawing again over the same files is
 * fine; a folder with anything else in it is left alone.
 *
 * @throws GraftError `usage` for a folder that holds other things or cannot be written, and for options out of range
 */
export async function drawSample(folder: string, { perClass = 40, seed = 0 }: SampleOptions = {}): Promise<Sample> {
  checkWhole("perClass", perClass, 1, 10_000);
  checkWhole("seed", seed, 0, 2 ** 32 - 1);
  const pictures = sampleKinds.flatMap((kind, kindIndex) =>
    Array.from({ length: perClass }, (_, index) => ({
      kind,
      path: join(kind, `${kind}-${String(index + 1).padStart(3, "0")}.jpg`),
      seed: seedOf(seed, kindIndex, index),
    })),
  );
  await refuseOtherThings(folder, new Set([...sampleKinds, ...pictures.map(({ path }) => path)]));
  let writing: Promise<void> = Promise.resolve();
  for (const { kind, path, seed } of pictures) {
    // One picture is drawn while the one before is encoded and written.
    const picture = drawSamplePicture(kind, seed, side);
    await writing;
    writing = encoded(picture).then((bytes) => writeWhole(join(folder, path), bytes));
  }
  await writing;
  return { folder, classNames: sampleKinds, pictures: pictures.length };
}

async function encoded({ width, height, data }: Picture): Promise<Uint8Array> {
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: jpegQuality, chromaSubsampling: "4:4:4" })
    .toBuffer();
}

/** Spreads what tells pictures apart over 32 bits. */
function seedOf(seed: number, kind: number, index: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  for (const part of [kind, index]) mixed = Math.imul((mixed ^ (mixed >>> 15)) + part, 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

async function refuseOtherThings(folder: string, own: ReadonlySet<string>): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return [];
    throw new GraftError("usage", "no folder can be drawn into there", {
      path: [folder],
      actual: reasonOf(cause),
      cause,
    });
  });
  const other = entries
    .filter(({ name }) => !name.startsWith("."))
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .find((path) => !own.has(path));
  if (other === undefined) return;
  throw new GraftError("usage", "the folder holds other things", {
    path: [folder],
    expected: "a new or empty folder, or the same sample",
    actual: other,
    hint: "name another folder",
  });
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new GraftError("usage", "no such option", {
    path: [name],
    expected: `a whole number from ${low} to ${high}`,
    actual: String(value),
  });
}
