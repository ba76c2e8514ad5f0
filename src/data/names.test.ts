import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byCodePoint, counted, listed } from "./names.ts";

describe("byCodePoint", () => {
  it("orders as the lists of code points do", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", "\uff21", "\u{1f408}", "\u{1f409}"),
    });
    const points = (name: string) => Array.from(name, (character) => character.codePointAt(0) ?? 0);
    fc.assert(
      fc.property(text, text, (one, other) => {
        const [left, right] = [points(one), points(other)];
        const at = left.findIndex((point, index) => point !== right[index]);
        const expected = at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
        expect(Math.sign(byCodePoint(one, other))).toBe(Math.sign(expected));
      }),
      { numRuns: 1000, endOnFailure: true },
    );
  });
});

describe("listed and counted", () => {
  it("shows some names and counts the others", () => {
    expect(listed(["a", 'b"'], 2)).toBe('"a", "b\\""');
    expect(listed(["a", "b", "c"], 1)).toBe('"a" and 2 more');
    expect([counted(1, "photo"), counted(2000, "photo")]).toEqual(["1 photo", "2,000 photos"]);
  });
});
