import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberOf, type Part, type Splittable, splitByContent } from "./split.ts";

const fractions = { validation: 0.15, test: 0.15 };

/** `count` photos of a class, each on its own. */
function photosOf(label: string, count: number, from = 0): Splittable[] {
  return Array.from({ length: count }, (_, at) => ({ label, key: `${label} ${from + at}` }));
}

function countOf(parts: readonly Part[], part: Part): number {
  return parts.filter((other) => other === part).length;
}

describe("splitByContent", () => {
  it("moves no photo when photos are added to classes that have enough", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 300 }), (seed, more) => {
        const before = [...photosOf("cats", 200), ...photosOf("dogs", 200)];
        const added = [...photosOf("cats", more, 1000), ...before, ...photosOf("birds", 3)];
        const parts = splitByContent(before, fractions, seed);
        expect(splitByContent(added, fractions, seed).slice(more, more + before.length)).toEqual(parts);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it("moves no photo of one class when photos of another are added, however small the classes", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 30 }), (seed, count, more) => {
        const cats = photosOf("cats", count);
        const parts = splitByContent(cats, fractions, seed);
        const together = splitByContent([...cats, ...photosOf("dogs", more)], fractions, seed);
        expect(together.slice(0, count)).toEqual(parts);
      }),
      { endOnFailure: true },
    );
  });

  it("does not depend on the order of the photos", () => {
    fc.assert(
      fc.property(fc.nat(), fc.shuffledSubarray(photosOf("cats", 40), { minLength: 40 }), (seed, shuffled) => {
        const parts = new Map(
          photosOf("cats", 40).map(({ key }, at, all) => [key, splitByContent(all, fractions, seed)[at]]),
        );
        expect(splitByContent(shuffled, fractions, seed)).toEqual(shuffled.map(({ key }) => parts.get(key)));
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it("gives every class of three or more a photo in each part, and never more than about twice its share", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 80 }), (seed, count) => {
        const parts = splitByContent(photosOf("cats", count), fractions, seed);
        for (const part of ["train", "validation", "test"] as const) {
          expect(countOf(parts, part)).toBeGreaterThanOrEqual(1);
        }
        for (const part of ["validation", "test"] as const) {
          expect(countOf(parts, part)).toBeLessThanOrEqual(0.3 * count + 1);
        }
      }),
      { endOnFailure: true },
    );
  });

  it("trains on the only photo of a class", () => {
    for (let seed = 0; seed < 50; seed++) {
      expect(splitByContent(photosOf("cats", 1), fractions, seed)).toEqual(["train"]);
      expect(splitByContent(photosOf("cats", 2), fractions, seed)).toContain("train");
    }
  });

  it("takes about the fractions asked for of a large class", () => {
    const parts = splitByContent(photosOf("cats", 10_000), { validation: 0.1, test: 0.25 }, 1);
    expect(countOf(parts, "validation")).toBeGreaterThan(900);
    expect(countOf(parts, "validation")).toBeLessThan(1100);
    expect(countOf(parts, "test")).toBeGreaterThan(2350);
    expect(countOf(parts, "test")).toBeLessThan(2650);
  });

  it("keeps all photos to train on where nothing is asked for", () => {
    expect(new Set(splitByContent(photosOf("cats", 30), { validation: 0, test: 0 }, 0))).toEqual(new Set(["train"]));
  });

  it("keeps photos of one key together, also across classes", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(9))), (seed, drawn) => {
        const photos = drawn.map(([label, key]) => ({ label, key: String(key) }));
        const parts = splitByContent(photos, fractions, seed);
        const byKey = new Map<string, Part>();
        for (const [at, { key }] of photos.entries()) {
          expect(parts[at]).toBe(byKey.get(key) ?? parts[at]);
          byKey.set(key, parts[at] ?? "train");
        }
      }),
      { endOnFailure: true },
    );
  });

  it("splits otherwise for another seed", () => {
    const photos = photosOf("cats", 100);
    expect(splitByContent(photos, fractions, 1)).not.toEqual(splitByContent(photos, fractions, 2));
  });

  it("refuses fractions that leave nothing to train on", () => {
    expect(() => splitByContent([], { validation: 0.5, test: 0.5 }, 0)).toThrow(/validationFraction \+ testFraction/);
    expect(() => splitByContent([], { validation: Number.NaN, test: 0 }, 0)).toThrow(/validationFraction/);
    expect(() => splitByContent([], { validation: 0, test: -0.1 }, 0)).toThrow(/testFraction/);
  });
});

describe("numberOf", () => {
  it("spreads digests evenly over [0, 1)", () => {
    const tenths = new Array<number>(10).fill(0);
    for (let at = 0; at < 10_000; at++) {
      const tenth = Math.floor(numberOf(`digest ${at}`, 7) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
