/** @file Golden samples: small pictures whose answers travel with a classifier and are asked for again when it is loaded. */
import type { Picture, PixelRecipe } from "../data/index.ts";
import { decodeBase64, encodeBase64, type GoldenSample } from "../model/index.ts";
import type { Executable } from "../runtime/index.ts";
import { GraftError, numbersOf, randomNumbers, type Tensor } from "../tensor/index.ts";

/** Beyond this deviation a classifier still answers, and says so: another processor or runtime alone gives about 1e-6. */
const noticeable = 1e-3;
/** Beyond this deviation it is not the classifier that was saved. */
const gross = 0.02;
/** The side of the drawn samples. */
const side = 48;

/** Logits and probabilities of each picture, `[pictures, classes]` row-major. */
export interface Scores {
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
}

/**
 * Runs a classifier on pixels, uint8 `[count, height, width, 3]`.
 *
 * @throws GraftError `runtime-failed` as the runtime
 */
export async function runClassifier(
  executable: Executable,
  pixels: Uint8Array,
  { height, width }: PixelRecipe,
): Promise<Scores> {
  const shape = [pixels.length / (height * width * 3), height, width, 3];
  const [port] = executable.inputs;
  const image: Tensor =
    port?.dtype === "float32"
      ? { dtype: "float32", shape, data: Float32Array.from(pixels) }
      : { dtype: "uint8", shape, data: pixels };
  const outputs = await executable.run(new Map([["image", image]]));
  return { logits: numbersIn(outputs, "logits"), probabilities: numbersIn(outputs, "probabilities") };
}

function numbersIn(outputs: ReadonlyMap<string, Tensor>, name: string): Float32Array {
  const tensor = outputs.get(name);
  if (tensor?.dtype === "float32" && tensor.data instanceof Float32Array) return tensor.data;
  throw new GraftError("model-invalid", "the model does not say what a classifier says", {
    path: [`output "${name}"`],
  });
}

/**
 * Pictures drawn by code, the same everywhere: soft colours, edges and noise, so that every kernel has something to
 * answer to. No photo of anyone needs to travel in a model's file.
 */
export function goldenPictures(): readonly Picture[] {
  return [1, 2, 3].map((seed) => {
    const random = randomNumbers(seed);
    const waves = Array.from({ length: 9 }, () => (random() * 2 - 1) * 0.4);
    const data = new Uint8ClampedArray(side * side * 3);
    const [row, column, radius] = [random() * side, random() * side, side * (0.2 + 0.2 * random())];
    for (let index = 0; index < data.length; index++) {
      const [y, x, channel] = [Math.floor(index / (side * 3)), Math.floor(index / 3) % side, index % 3];
      const slope = (waves[channel] ?? 0) * (y - side / 2) + (waves[channel + 3] ?? 0) * (x - side / 2);
      const isInside = (y - row) ** 2 + (x - column) ** 2 < radius ** 2;
      data[index] = 128 + slope * 8 + (isInside ? (waves[channel + 6] ?? 0) * 250 : 0) + (random() - 0.5) * 60;
    }
    return { height: side, width: side, data: new Uint8Array(data.buffer) };
  });
}

/** What the classifier says of the pictures now. Each is asked for alone, so that none depends on its company. */
export async function recordGolden(
  executable: Executable,
  recipe: PixelRecipe,
  pictures: readonly Picture[],
): Promise<readonly GoldenSample[]> {
  const samples: GoldenSample[] = [];
  for (const { height, width, data } of pictures) {
    const { logits, probabilities } = await runClassifier(executable, enlarged(data, height, width, recipe), recipe);
    const pixels = encodeBase64(data);
    samples.push({ height, width, pixels, logits: decimals(logits), probabilities: decimals(probabilities) });
  }
  return samples;
}

/** How far a classifier is from what it said when it was saved. */
export interface Replay {
  /**
   * The largest difference: of probabilities, and of logits over the largest of them or 1. `undefined` where there is no
   * sample to replay.
   */
  readonly deviation: number | undefined;
  /** What a person should know of it. */
  readonly remarks: readonly string[];
}

/**
 * Asks for the samples again.
 *
 * @throws GraftError `model-invalid` where the answers are others than when the model was saved
 */
export async function replayGolden(
  executable: Executable,
  recipe: PixelRecipe,
  golden: readonly GoldenSample[],
): Promise<Replay> {
  if (golden.length === 0)
    return { deviation: undefined, remarks: ["The model brings no golden samples to check it by."] };
  let deviation = 0;
  for (const { height, width, pixels, logits, probabilities } of golden) {
    const data = decodeBase64(pixels) ?? new Uint8Array(height * width * 3);
    const now = await runClassifier(executable, enlarged(data, height, width, recipe), recipe);
    const scale = Math.max(1, ...logits.map(Math.abs));
    // Math.max gives NaN where one is NaN: such a classifier must not pass.
    deviation = Math.max(
      deviation,
      largestDifference(now.logits, logits) / scale,
      largestDifference(now.probabilities, probabilities),
    );
  }
  if (!(deviation <= gross)) {
    throw new GraftError("model-invalid", "the model does not answer as it did when it was saved", {
      path: ["golden samples"],
      expected: `a deviation of at most ${gross}`,
      actual: deviation.toPrecision(3),
      hint: "the file was changed or damaged, or the runtime computes it wrong: fetch it again, or train again",
    });
  }
  const remarks =
    deviation > noticeable
      ? [`The model's answers deviate by ${deviation.toPrecision(2)} from what they were when it was saved.`]
      : [];
  return { deviation, remarks };
}

function largestDifference(actual: Float32Array, expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return expected.reduce((most, value, index) => Math.max(most, Math.abs((actual[index] ?? Number.NaN) - value)), 0);
}

/** Nine digits tell any two float32 apart. */
function decimals(numbers: Float32Array): readonly number[] {
  return numbersOf({ dtype: "float32", shape: [numbers.length], data: numbers }).map((number) =>
    Number(number.toPrecision(9)),
  );
}

/** The picture at the model's size, without smoothing: see `GoldenSample`. */
function enlarged(data: Uint8Array, height: number, width: number, recipe: PixelRecipe): Uint8Array {
  const pixels = new Uint8Array(recipe.height * recipe.width * 3);
  for (let y = 0, to = 0; y < recipe.height; y++) {
    const row = Math.floor((y * height) / recipe.height) * width;
    for (let x = 0; x < recipe.width; x++) {
      const from = (row + Math.floor((x * width) / recipe.width)) * 3;
      for (let channel = 0; channel < 3; channel++, to++) pixels[to] = data[from + channel] ?? 0;
    }
  }
  return pixels;
}
