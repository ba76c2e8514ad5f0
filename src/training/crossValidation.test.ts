import fc from "fast-check";
import { expect, it } from "vitest";
import { assignFolds } from "./crossValidation.ts";

const labelled = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 120 });
const settings = fc.record({ folds: fc.integer({ min: 2, max: 8 }), seed: fc.nat() });

/** How many examples of each class each fold has. */
function tally(labels: readonly number[], { count, foldOf }: ReturnType<typeof assignFolds>): number[][] {
  const table = Array.from({ length: count }, () => [0, 0, 0, 0, 0]);
  foldOf.forEach((fold, example) => {
    const row = table[fold];
    const label = labels[example] ?? 0;
    if (row !== undefined) row[label] = (row[label] ?? 0) + 1;
  });
  return table;
}

it("spreads each class evenly over the folds, and every fold has examples", () => {
  fc.assert(
    fc.property(labelled, settings, (labels, { folds, seed }) => {
      const result = assignFolds({ labels, folds, seed });
      const table = tally(labels, result);
      for (const label of [0, 1, 2, 3, 4]) {
        const counts = table.map((row) => row[label] ?? 0);
        if (counts.length > 0) expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
      for (const row of table) expect(Math.max(...row)).toBeGreaterThan(0);
    }),
  );
});

it("leaves at least one example of each class in training, whatever is held out", () => {
  const grouped = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 12 })), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(grouped, settings, (examples, { folds, seed }) => {
      const labels = examples.map(([label]) => label);
      const { count, foldOf } = assignFolds({ labels, folds, seed, groups: examples.map(([, key]) => `group ${key}`) });
      for (let held = 0; held < count; held++) {
        for (const label of new Set(labels)) {
          expect(labels.some((each, example) => each === label && foldOf[example] !== held)).toBe(true);
        }
      }
    }),
  );
});

it("never parts a group", () => {
  const grouped = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 20 })), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(grouped, settings, (examples, { folds, seed }) => {
      const groups = examples.map(([, key]) => `group ${key}`);
      const { foldOf } = assignFolds({ labels: examples.map(([label]) => label), folds, seed, groups });
      const foldsOf = new Map<string, Set<number>>();
      groups.forEach((key, example) => {
        foldsOf.set(key, (foldsOf.get(key) ?? new Set()).add(foldOf[example] ?? Number.NaN));
      });
      for (const set of foldsOf.values()) expect(set.size).toBe(1);
    }),
  );
});

it("takes as many folds as the smallest class has examples", () => {
  expect(assignFolds({ labels: [0, 0, 0, 0, 0, 1, 1, 1], folds: 5 }).count).toBe(3);
  expect(assignFolds({ labels: [0, 0, 0, 0, 0, 1, 1, 1], folds: 2 }).count).toBe(2);
});

it("holds nothing out where every class has one example", () => {
  const { count, foldOf } = assignFolds({ labels: [0, 1, 2], folds: 5 });
  expect(count).toBe(0);
  expect([...foldOf]).toEqual([-1, -1, -1]);
});

it("draws other folds from another seed, and the same from the same", () => {
  const labels = Array.from({ length: 60 }, (_, example) => example % 2);
  const foldsOf = (seed: number) => [...assignFolds({ labels, folds: 5, seed }).foldOf];
  expect(foldsOf(1)).toEqual(foldsOf(1));
  expect(foldsOf(1)).not.toEqual(foldsOf(2));
});

it("knows examples by their keys, not by their places", () => {
  const labels = Array.from({ length: 60 }, (_, example) => example % 3);
  const groups = labels.map((_, example) => `photo ${example}`);
  const there = assignFolds({ labels, folds: 5, groups });
  const back = assignFolds({ labels: [...labels].reverse(), folds: 5, groups: [...groups].reverse() });
  expect([...back.foldOf].reverse()).toEqual([...there.foldOf]);
});

it("refuses one fold", () => {
  expect(() => assignFolds({ labels: [0, 1], folds: 1 })).toThrow("expected 2 or more, found 1");
});
