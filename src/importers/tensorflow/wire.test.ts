import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraftError, numbersOf } from "../../tensor/index.ts";
import { filesInMemory } from "../model-files.ts";
import { zipFiles } from "../zip.ts";
import { isFrozenGraph } from "./index.ts";
import { freezeSavedModel } from "./saved-model.ts";
import { readTensorProto } from "./tensor-proto.ts";
import { Message } from "./wire.ts";

const bytes = (...values: readonly (number | readonly number[])[]): Uint8Array => Uint8Array.from(values.flat());

describe("a message", () => {
  it("gives fields by number: packed and single numbers, signed ones, texts, messages", () => {
    const message = Message.of(
      bytes(
        0x08,
        0x96,
        0x01,
        0x12,
        0x02,
        0x68,
        0x69,
        0x1a,
        0x02,
        0x01,
        0x02,
        0x18,
        0x03,
        0x20,
        Array(9).fill(0xff),
        0x01,
        0x2d,
        0,
        0,
        0x80,
        0x3f,
      ),
      "Test",
    );
    expect(message.integer(1)).toBe(150);
    expect(message.text(2)).toBe("hi");
    expect(message.integers(3)).toEqual([1, 2, 3]);
    expect(message.bigints(4)).toEqual([-1n]);
    expect(message.floats(5)).toEqual([1]);
    expect([message.integer(9), message.text(9), message.message(9, "None")]).toEqual([0, "", undefined]);
  });

  it("says what is wrong with bytes that are none", () => {
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [bytes(0x12, 0x05, 0x61), /beyond its end/],
      [bytes(0x08), /cut short/],
      [bytes(0x08, Array(11).fill(0x80)), /too long/],
      [bytes(0x0b), /wire type 3/],
      [bytes(0x00, 0x00), /impossible number/],
      [bytes(0x12, Array(9).fill(0xff), 0x01), /beyond its end/],
    ];
    for (const [wrong, reason] of cases) expect(() => Message.of(wrong, "Test")).toThrow(reason);
    expect(() => Message.of(bytes(0x12, 0x01, 0xff), "Test").text(2)).toThrow(/UTF-8/);
  });

  it("may not ask for more objects than its size allows", () => {
    const empty = new Uint8Array(200_000).map((_, index) => (index % 2 === 0 ? 0x0a : 0));
    expect(() => Message.of(empty, "Test")).toThrow(/too many fields/);
  });
});

describe("a constant", () => {
  const constant = (...values: readonly (number | readonly number[])[]) =>
    readTensorProto(Message.of(bytes(...values), "TensorProto"));
  const shapeOf = (size: number) => [0x12, 0x04, 0x12, 0x02, 0x08, size];

  it("is filled by its last value, and with zeros where it has none", () => {
    expect(numbersOf(constant(0x08, 3, shapeOf(4), 0x3a, 0x02, 5, 6))).toEqual([5, 6, 6, 6]);
    expect(numbersOf(constant(0x08, 3, shapeOf(2)))).toEqual([0, 0]);
  });

  it("may be bits of halves, or bytes", () => {
    expect(numbersOf(constant(0x08, 19, shapeOf(2), 0x6a, 0x04, 0x80, 0x78, 0x80, 0x78))).toEqual([1, 1]);
    expect(numbersOf(constant(0x08, 9, shapeOf(1), 0x22, 0x08, Array(8).fill(0xff)))).toEqual([-1]);
  });

  it("is refused where values do not fit, and where little asks for much", () => {
    expect(() => constant(0x08, 3, shapeOf(1), 0x3a, 0x02, 5, 6)).toThrow(/more values/);
    expect(() => constant(0x08, 3, shapeOf(2), 0x22, 0x04, 0, 0, 0, 0)).toThrow(/do not fill/);
    const huge = [0x12, 0x08, 0x12, 0x06, 0x08, 0x80, 0x80, 0x80, 0x80, 0x08];
    expect(() => constant(0x08, 1, huge)).toThrow(GraftError);
    expect(() => constant(0x08, 11, shapeOf(1))).toThrow(/element type/);
  });
});

describe("a damaged saved_model.pb", () => {
  it.each(["module_nested_functions", "tf1_cond_and_loop", "module_cond_while"])(
    "gives the model or an error that says where, and nothing else: %s",
    async (name) => {
      const url = new URL(`../../../tests/fixtures/tensorflow/${name}.zip`, import.meta.url);
      const whole = zipFiles(readFileSync(url));
      const files = new Map<string, Uint8Array>();
      for (const file of whole.names) files.set(file, await whole.read(file));
      const model = files.get("saved_model.pb") ?? expect.fail("no model");
      const change = fc.array(fc.tuple(fc.nat(model.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(change, fc.option(fc.nat(model.length - 1)), async (changes, end) => {
          const damaged = model.slice(0, end ?? model.length);
          for (const [place, value] of changes) if (place < damaged.length) damaged[place] = value;
          const changed = new Map([...files, ["saved_model.pb", damaged]]);
          try {
            await freezeSavedModel(filesInMemory(changed), { name });
          } catch (cause) {
            if (!(cause instanceof GraftError)) throw cause;
            expect(cause.reason).not.toBe("");
          }
          isFrozenGraph(damaged);
        }),
        { numRuns: 120, seed: 5 },
      );
    },
  );
});
