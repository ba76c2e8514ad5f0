/** @file A worker thread of the photo pool: reads a file, and checks it or makes pixels of it. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { reasonOf } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { augmentPixels } from "./augment.ts";
import type { Augmentation } from "./augmentation.ts";
import { checkPicture, decodePicture } from "./decode-node.ts";
import type { PixelRecipe } from "./picture.ts";
import type { PictureFacts } from "./picture-facts.ts";
import { toPixels } from "./pixels.ts";

/** What a worker is asked. */
export type PhotoTask = CheckTask | PixelsTask;

/** Is this a whole picture, and what are its bytes called? */
export interface CheckTask {
  readonly kind: "check";
  readonly source: PhotoSource;
}

/** What are its pixels by this recipe? */
export interface PixelsTask {
  readonly kind: "pixels";
  readonly source: PhotoSource;
  readonly recipe: PixelRecipe;
  /** The SHA-256 that the bytes had: an error where they have changed since. */
  readonly digest?: string;
  readonly augmentation?: Augmentation;
  /** Draws the augmentation. */
  readonly seed?: number;
}

/** A file's path, or the bytes themselves. */
export type PhotoSource = string | Uint8Array;

/** What a worker answers: the digest to a `check`, pixels to `pixels`, or what is wrong with the file. */
export type PhotoAnswer =
  | { readonly kind: "checked"; readonly digest: string; readonly facts: PictureFacts }
  | { readonly kind: "pixels"; readonly pixels: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string };

/** More bytes than a photo's file may have. */
const mostBytes = 256 * 2 ** 20;

async function answer(task: PhotoTask): Promise<PhotoAnswer> {
  try {
    const bytes = typeof task.source === "string" ? readPhoto(task.source) : task.source;
    const digest = createHash("sha256").update(bytes).digest("hex");
    if (task.kind === "check") {
      const facts = await checkPicture(bytes);
      return { kind: "checked", digest, facts };
    }
    const { recipe, augmentation = [], seed = 0 } = task;
    if (task.digest !== undefined && task.digest !== digest) {
      return { kind: "failed", reason: "the file has changed since the folder was read" };
    }
    const pixels = toPixels(await decodePicture(bytes), recipe);
    return {
      kind: "pixels",
      pixels: augmentation.length > 0 ? augmentPixels(pixels, recipe, augmentation, seed) : pixels,
    };
  } catch (error) {
    return { kind: "failed", reason: error instanceof GraftError ? error.message : reasonOf(error) };
  }
}

function readPhoto(path: string): Uint8Array {
  const status = statSync(path);
  if (status.isDirectory()) throw new GraftError("bad-data", "a folder, not a file");
  if (!status.isFile()) throw new GraftError("bad-data", "not a regular file");
  if (status.size > mostBytes) {
    const megabytes = Math.ceil(status.size / 2 ** 20);
    throw new GraftError("bad-data", `the file has ${megabytes} MiB: at most ${mostBytes / 2 ** 20} are read`);
  }
  return readFileSync(path);
}

/** One after another: side by side, a worker would hold several photos in memory. */
let previous: Promise<void> = Promise.resolve();

parentPort?.on("message", (task: PhotoTask) => {
  previous = previous.then(async () => {
    const reply = await answer(task);
    const buffer = reply.kind === "pixels" ? reply.pixels.buffer : undefined;
    parentPort?.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : []);
  });
});
parentPort?.postMessage("ready");
