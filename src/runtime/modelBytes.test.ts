import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { runtimeFixture } from "../testing/describe-runtime.ts";
import { inspectBytes, withLeadingSequence } from "./modelBytes.ts";

describe("inspectBytes", () => {
  it("reads the version of ONNX's operators", () => {
    expect(inspectBytes(runtimeFixture("momentum"))).toEqual({ opset: 21 });
    expect(inspectBytes(runtimeFixture("opset9"))).toEqual({ opset: 9 });
    expect(inspectBytes(new Uint8Array(0))).toEqual({ opset: 0 });
  });

  it("refuses every location but the default, also one that only its low bits make external", () => {
    for (const location of [[1], [0x81, 0x00], [0x81, 0x80, 0x80, 0x80, 0x10]]) {
      const tensor = [...message(8, [0x77]), 14 * 8, ...location];
      expect(() => inspectBytes(Uint8Array.from(message(7, message(5, tensor))))).toThrow('tensor "w"');
    }
  });

  it("follows graphs within graphs", () => {
    let inner: number[] = message(5, [14 * 8, 1]);
    for (let depth = 0; depth < 200; depth++) inner = message(1, message(5, message(6, inner)));
    expect(() => inspectBytes(Uint8Array.from(message(7, inner)))).toThrow("another file");
  });

  it("answers any bytes with facts or a GraftError", () => {
    const models = ["momentum", "externalBranch", "fails"].map(runtimeFixture);
    const mutated = fc
      .tuple(
        fc.constantFrom(...models),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      )
      .map(([model, changes]) => {
        const bytes = model.slice();
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), (bytes) => {
        try {
          inspectBytes(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(GraftError);
        }
      }),
      { seed: 4, numRuns: 1000 },
    );
  });
});

describe("withLeadingSequence", () => {
  it("leaves the model's own bytes as they are", () => {
    const model = runtimeFixture("momentum");
    const whole = withLeadingSequence(model, "first");
    expect(whole.subarray(-model.length)).toEqual(model);
    expect(inspectBytes(whole)).toEqual(inspectBytes(model));
  });
});

/** A field with a length, of the contents joined. */
function message(field: number, ...contents: (readonly number[])[]): number[] {
  const body = contents.flat();
  return [...varint(field * 8 + 2), ...varint(body.length), ...body];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
