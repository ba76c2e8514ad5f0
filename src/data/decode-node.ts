/** @file From a file's bytes to a picture, by sharp. */
import sharp, { type Sharp } from "sharp";
import { GraftError } from "../tensor/index.ts";
import { bareJpeg } from "./bare-jpeg.ts";
import type { Picture } from "./picture.ts";
import type { PictureFacts } from "./picture-facts.ts";
import { recognize } from "./recognize.ts";

/** More pixels than a picture may have: beyond it a small file could ask for gigabytes. */
const mostPixels = 64e6;

/** From this size on, checking decodes a JPEG at an eighth of its size, which reads all of it in less time and memory. */
const shrunkFrom = 1e6;

/** What sharp calls damage. Everything but JPEG warns of harmless things, such as an unusual colour profile. */
type Strictness = "warning" | "error";

// Every file is seen once, and the pool runs pictures side by side: a cache and threads of sharp's own only take memory.
sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["Jpeg", "Png", "Webp", "Nsgif", "Tiff"].map((kind) => `VipsForeignLoad${kind}Buffer`),
});

/**
 * The picture in a JPEG, PNG, WebP, GIF (first frame) or TIFF (first page) file, upright as its EXIF orientation says.
 * Colour profiles are not applied and CMYK becomes RGB as `(255 − C)·(255 − K) / 255`, as in TensorFlow and Pillow;
 * 16 bits become the upper 8; what is transparent is laid over white.
 *
 * @throws GraftError `bad-data`: no picture, damaged, cut off, or of more than 64 megapixels
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const header = await readHeader(bytes);
  return await asStrictAsHelps(bytes, header.format, async (bytes, failOn) => {
    const isCmyk = header.space === "cmyk" && header.channels === 4 && header.depth === "uchar";
    const input = open(bytes, failOn).autoOrient();
    const output = isCmyk
      ? input.pipelineColourspace("cmyk").toColourspace("cmyk")
      : input.flatten({ background: "#ffffff" }).toColourspace("srgb");
    const { data, info } = await output.raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: isCmyk ? rgbOfCmyk(data) : data };
  });
}

/** Throws what `decodePicture` would throw, faster; returns what the file says of the picture. */
export async function checkPicture(bytes: Uint8Array): Promise<PictureFacts> {
  const { format, width, height, space, channels = 3 } = await readHeader(bytes);
  await asStrictAsHelps(bytes, format, async (bytes, failOn) => {
    const input = open(bytes, failOn);
    const isShrunk = format === "jpeg" && width * height >= shrunkFrom;
    const size = (length: number) => Math.max(1, Math.floor(length / 8));
    await (isShrunk ? input.resize(size(width), size(height), { fit: "fill" }) : input).raw().toBuffer();
  });
  const colours = space === "cmyk" ? "cmyk" : channels <= 2 ? "grey" : channels === 4 ? "transparent" : "rgb";
  return { width, height, colours };
}

interface Header {
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly space: string | undefined;
  readonly depth: string | undefined;
  readonly channels: number | undefined;
}

async function readHeader(bytes: Uint8Array): Promise<Header> {
  if (bytes.length === 0) throw new GraftError("bad-data", "the file is empty");
  const kind = recognize(bytes);
  if ("instead" in kind) throw new GraftError("bad-data", `not a picture that can be read, but ${kind.instead}`);
  const { width, height, space, depth, channels } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw new GraftError("bad-data", "damaged or cut off", { cause });
    });
  if (width * height > mostPixels) {
    const megapixels = Math.ceil((width * height) / 1e6);
    throw new GraftError("bad-data", `${width}×${height} pixels are ${megapixels} megapixels: at most 64 are read`);
  }
  return { format: kind.format, width, height, space, depth, channels };
}

function open(bytes: Uint8Array, failOn: Strictness): Sharp {
  return sharp(bytes, { failOn, ignoreIcc: true, limitInputPixels: mostPixels });
}

/**
 * A JPEG's warnings mean lost pixels, unless they are of trivia in its header: then it is whole without them. Verdicts
 * do not look at messages, which threads take from one another.
 */
async function asStrictAsHelps<T>(
  bytes: Uint8Array,
  format: string,
  decode: (bytes: Uint8Array, failOn: Strictness) => Promise<T>,
): Promise<T> {
  try {
    if (format !== "jpeg") return await decode(bytes, "error");
    return await decode(bytes, "warning").catch(async () => {
      await decode(bareJpeg(bytes), "warning");
      return await decode(bytes, "error");
    });
  } catch (cause) {
    throw new GraftError("bad-data", "damaged or cut off", { cause });
  }
}

function rgbOfCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let pixel = 0; pixel < cmyk.length / 4; pixel++) {
    const light = 255 - (cmyk[pixel * 4 + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) {
      rgb[pixel * 3 + ink] = Math.round(((255 - (cmyk[pixel * 4 + ink] ?? 0)) * light) / 255);
    }
  }
  return rgb;
}
