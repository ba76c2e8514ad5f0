import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { GraftError } from "../../tensor/index.ts";
import { randomNumbers } from "../../testing/index.ts";
import { type KerasWeightFile, readKerasWeights } from "./weights.ts";

const fixtures = resolve(import.meta.dirname, "../../../tests/fixtures/bases");
const official = resolve(
  import.meta.dirname,
  "../../../../shared/models/keras_applications/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
);

function bytesOf(name: string): Uint8Array {
  return new Uint8Array(readFileSync(resolve(fixtures, name)));
}

/** Names, shapes and elements, all read. */
function contents({ layers }: KerasWeightFile) {
  return layers.map(({ name, weights }) => [name, ...weights.map((w) => [w.name, w.shape, Array.from(w.read())])]);
}

/** What make_weights.py wrote: eighths, counted on from the layer's position. */
function counted(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => start + index / 8);
}

const plain = [
  ["input_1"],
  ["Conv1", ["Conv1/kernel:0", [3, 3, 3, 2], counted(1, 54)]],
  [
    "bn",
    ["bn/gamma:0", [2], counted(2, 2)],
    ["bn/beta:0", [2], counted(2, 2)],
    ["bn/moving_mean:0", [2], counted(2, 2)],
    ["bn/moving_variance:0", [2], counted(2, 2)],
  ],
  ["dense", ["dense/kernel:0", [2, 4], counted(3, 8)], ["dense/bias:0", [4], counted(3, 4)]],
];

describe("readKerasWeights", () => {
  it.each(["plain", "fixed_strings", "split_lists", "float64", "big_endian", "compressed"])(
    "reads layers in order with their weights: %s.h5",
    (name) => {
      const file = readKerasWeights(bytesOf(`${name}.h5`));
      expect(file.isWholeModel).toBe(false);
      expect(contents(file)).toEqual(plain);
    },
  );

  it("descends into the weights of a whole model", () => {
    const file = readKerasWeights(bytesOf("whole_model.h5"));
    expect(file.isWholeModel).toBe(true);
    expect(contents(file)).toEqual(plain);
  });

  it("follows the lists where one layer's group lies in another's, whatever the names", () => {
    expect(contents(readKerasWeights(bytesOf("slashes.h5")))).toEqual([
      ["a", ["a/kernel:0", [1, 2], counted(0, 2)]],
      ["a/b", ["a/b/kernel:0", [2, 1], counted(1, 2)]],
      ["constructor", ["constructor/toString:0", [1], counted(2, 1)]],
    ]);
  });

  it("reads a view on a part of a buffer", () => {
    const bytes = bytesOf("plain.h5");
    const wide = new Uint8Array(bytes.length + 16);
    wide.set(bytes, 8);
    expect(contents(readKerasWeights(wide.subarray(8, 8 + bytes.length)))).toEqual(plain);
  });

  it("reads whole numbers as numbers", () => {
    const [, kernel] = contents(readKerasWeights(bytesOf("integers.h5")))[1] ?? [];
    expect(kernel).toEqual(["Conv1/kernel:0", [3, 3, 3, 2], counted(1, 54).map(Math.trunc)]);
  });

  it("refuses what it cannot read, saying what it is", () => {
    expect(() => readKerasWeights(new TextEncoder().encode("<!doctype html>"))).toThrow("no HDF5 file");
    expect(() => readKerasWeights(bytesOf("newer.weights.h5"))).toThrow(/newer Keras/);
    expect(() => readKerasWeights(bytesOf("plain.h5").subarray(0, 9000))).toThrow(/cut off.*found 9000/);
  });

  it("answers damage with an error of its own: 300 seeded mutations", () => {
    const original = bytesOf("plain.h5");
    const next = randomNumbers(5);
    const number = (below: number) => Math.floor(next() * below);
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const bytes = original.slice();
      // Zeros fill most of the file: damage what is written.
      for (let count = 1 + number(8); count > 0; ) {
        const at = number(bytes.length);
        if (original[at] === 0 && number(20) > 0) continue;
        bytes[at] = number(2) === 0 ? number(256) : 255;
        count--;
      }
      try {
        contents(readKerasWeights(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(GraftError);
        expect((error as GraftError).code).toMatch(/model-(invalid|refused)/);
        refused++;
      }
    }
    // Damage in the weights themselves cannot be seen; in the structure it must be.
    expect(refused).toBeGreaterThan(100);
  });

  it("answers every cut with an error", () => {
    const original = bytesOf("plain.h5");
    for (let length = 0; length < original.length; length += 61) {
      expect(() => readKerasWeights(original.subarray(0, length))).toThrow(GraftError);
    }
  });

  it.skipIf(!existsSync(official))("reads Keras's own file of MobileNetV2", () => {
    const { layers, isWholeModel } = readKerasWeights(new Uint8Array(readFileSync(official)));
    expect(isWholeModel).toBe(false);
    expect(layers.length).toBe(154);
    expect(layers[1]?.weights.map(({ name, shape }) => [name, shape])).toEqual([["Conv1/kernel:0", [3, 3, 3, 32]]]);
    const elements = layers.flatMap(({ weights }) => weights).reduce((sum, weight) => sum + weight.read().length, 0);
    expect(elements).toBe(2_257_984);
  });
});
