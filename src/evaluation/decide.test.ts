import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePaired, pairedLogLoss } from "./paired.ts";
import { chooseThreshold } from "./threshold.ts";

const fixture = new URL("../../tests/fixtures/evaluation/evaluation.json", import.meta.url);
// The form that the script beside it writes.
const { pairs } = JSON.parse(readFileSync(fixture, "utf8")) as {
  readonly pairs: readonly (readonly [number, number, number, number, number])[];
};

/** Two classifiers: so many examples only the first, only the second, and both are right about. */
function outcomes(onlyA: number, onlyB: number, both: number): readonly [boolean[], boolean[]] {
  const of = (parts: readonly (readonly [number, boolean])[]) =>
    parts.flatMap(([times, isRight]) => new Array<boolean>(times).fill(isRight));
  return [
    of([
      [onlyA, true],
      [onlyB, false],
      [both, true],
    ]),
    of([
      [onlyA, false],
      [onlyB, true],
      [both, true],
    ]),
  ];
}

describe("McNemar's exact test", () => {
  it("has SciPy's p values", () => {
    for (const [onlyA, onlyB, twoSided, oneSided, midP] of pairs) {
      const [a, b] = outcomes(onlyA, onlyB, 9);
      expect(comparePaired(a, b).pValue).toBeCloseTo(twoSided, 10);
      expect(comparePaired(a, b, { alternative: "b-is-better" }).pValue).toBeCloseTo(oneSided, 10);
      const half = comparePaired(a, b, { alternative: "b-is-better", midP: true }).pValue;
      expect(half).toBeCloseTo(onlyA + onlyB === 0 ? 1 : midP, 10);
    }
  });

  it("says who is better, by how much and within which bounds", () => {
    const [a, b] = outcomes(3, 15, 982);
    const comparison = comparePaired(a, b);
    expect(comparison).toMatchObject({ n: 1000, onlyA: 3, onlyB: 15, difference: 0.012, better: "b" });
    // Bonett and Price's formula by hand: (16 − 4) / 1002 ± 1.96·√((20/1002 − (12/1002)²) / 1002).
    expect(comparison.interval[0]).toBeCloseTo(0.003257, 5);
    expect(comparison.interval[1]).toBeCloseTo(0.020695, 5);
    expect(comparePaired(b, a).better).toBe("a");
    expect(comparePaired(a, a)).toMatchObject({ pValue: 1, difference: 0, better: "neither" });
    expect(comparePaired([], [])).toMatchObject({ n: 0, pValue: 1, better: "neither" });
  });

  it("changes sides when the two do", () => {
    const sets = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(sets, (set) => {
        const [a, b] = [set.map(([left]) => left), set.map(([, right]) => right)];
        const [forwards, backwards] = [comparePaired(a, b), comparePaired(b, a)];
        expect(backwards.pValue).toBeCloseTo(forwards.pValue, 12);
        expect(backwards.difference).toBeCloseTo(-forwards.difference, 12);
        expect(forwards.pValue).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("refuses two of different length", () => {
    expect(() => comparePaired([true], [])).toThrow(/same examples/);
  });
});

describe("the permutation test of log losses", () => {
  it("sees a small steady gain, and none where there is none", () => {
    const before = Array.from({ length: 200 }, (_, index) => 0.3 + ((index * 37) % 100) / 200);
    const after = before.map((loss, index) => loss - 0.01 + ((index * 53) % 100) / 5000);
    const gain = pairedLogLoss(
      before,
      after.map((loss) => loss - 0.005),
      { seed: 3 },
    );
    expect(gain.better).toBe("b");
    expect(gain.pValue).toBeLessThan(0.001);
    expect(gain.interval[0]).toBeGreaterThan(0);
    expect(gain.interval[0]).toBeLessThan(gain.difference);
    expect(gain.interval[1]).toBeGreaterThan(gain.difference);
    const shuffled = before.map((_, index) => before[(index * 61 + 7) % 200] ?? 0);
    expect(pairedLogLoss(before, shuffled).better).toBe("neither");
  });

  it("comes close to the exact p value of all sign flips", () => {
    const losses = [0.9, 0.5, 0.8, 0.3, 0.7, 0.65, 0.4, 0.2];
    const other = [0.5, 0.6, 0.3, 0.28, 0.2, 0.7, 0.1, 0.15];
    const differences = losses.map((loss, index) => loss - (other[index] ?? 0));
    const total = differences.reduce((sum, each) => sum + each, 0);
    let asExtreme = 0;
    for (let signs = 0; signs < 256; signs++) {
      const sum = differences.reduce((so, each, index) => so + ((signs >> index) & 1 ? each : -each), 0);
      if (Math.abs(sum) >= Math.abs(total) - 1e-12) asExtreme++;
    }
    expect(Math.abs(pairedLogLoss(losses, other, { seed: 1 }).pValue - asExtreme / 256)).toBeLessThan(0.01);
  });

  it("is the same for the same seed, and 1 where nothing differs", () => {
    const [a, b] = [
      [1, 2, 3, 4],
      [1.5, 1, 2.5, 4],
    ];
    expect(pairedLogLoss(a, b, { seed: 5 })).toEqual(pairedLogLoss(a, b, { seed: 5 }));
    expect(pairedLogLoss(a, a)).toMatchObject({ pValue: 1, difference: 0, better: "neither" });
    expect(pairedLogLoss([], [])).toMatchObject({ n: 0, pValue: 1, better: "neither" });
  });
});

/** Two classes: answers of this confidence, right or wrong. */
function answers(groups: readonly (readonly [number, number, number])[]) {
  const rows = groups.flatMap(([confidence, right, wrong]) => [
    ...new Array<number>(right).fill(confidence),
    ...new Array<number>(wrong).fill(1 - confidence),
  ]);
  return {
    scores: { probabilities: Float64Array.from(rows.flatMap((ofLabel) => [ofLabel, 1 - ofLabel])) },
    labels: rows.map(() => 0),
  };
}

describe("the threshold of not sure", () => {
  it("is the smallest at which the lower bound of the accuracy reaches the target", () => {
    const { scores, labels } = answers([
      [0.98, 400, 2],
      [0.8, 80, 20],
      [0.6, 30, 20],
    ]);
    const chosen = chooseThreshold(scores, labels, { classes: 2, target: 0.97 });
    expect(chosen).toMatchObject({ basis: "measured", target: 0.97, threshold: 0.81, answered: 402 });
    expect(chosen.coverage).toBeCloseTo(402 / 552, 12);
    expect(chosen.accuracyInterval?.[0]).toBeGreaterThanOrEqual(0.97);
    expect(chooseThreshold(scores, labels, { classes: 2, target: 0.9 }).threshold).toBe(0.61);
  });

  it("halves the mistakes where nearly all answers are right, and answers all where that is enough", () => {
    const { scores, labels } = answers([
      [0.99, 970, 1],
      [0.7, 15, 14],
    ]);
    const chosen = chooseThreshold(scores, labels, { classes: 2 });
    expect(chosen.target).toBeCloseTo(1 - 16 / 1002 / 2, 12);
    expect(chosen).toMatchObject({ basis: "measured", threshold: 0.71 });
    expect(chooseThreshold(scores, labels, { classes: 2, target: 0.9 })).toMatchObject({ threshold: 0, coverage: 1 });
  });

  it("goes by the probabilities where examples are too few, and does its best where the target is out of reach", () => {
    const few = answers([
      [0.97, 12, 0],
      [0.6, 2, 2],
    ]);
    expect(chooseThreshold(few.scores, few.labels, { classes: 2 })).toMatchObject({
      basis: "estimated",
      threshold: 0.61,
    });
    const hard = answers([
      [0.9, 40, 20],
      [0.6, 20, 20],
    ]);
    expect(chooseThreshold(hard.scores, hard.labels, { classes: 2 })).toMatchObject({ basis: "best", threshold: 0.61 });
    expect(chooseThreshold({ logits: new Float32Array() }, [], { classes: 2 })).toMatchObject({
      threshold: 0,
      answered: 0,
    });
  });

  it("looks at probabilities at the temperature", () => {
    const scores = { logits: Float32Array.from([4, 0, 0, 4]) };
    const cold = chooseThreshold(scores, [0, 1], { classes: 2, target: 0.9 });
    const warm = chooseThreshold(scores, [0, 1], { classes: 2, target: 0.9, temperature: 8 });
    expect(cold.basis).toBe("estimated");
    expect(warm.basis).toBe("best");
  });

  it("answers fewer the higher the target, where both are measured", () => {
    const sets = fc.array(fc.tuple(fc.double({ min: 0.5, max: 1, noNaN: true }), fc.boolean()), {
      minLength: 1,
      maxLength: 80,
    });
    fc.assert(
      fc.property(sets, fc.double({ min: 0.05, max: 0.94, noNaN: true }), (set, target) => {
        const { scores, labels } = answers(
          set.map(([sure, isRight]) => [sure, isRight ? 1 : 0, isRight ? 0 : 1] as const),
        );
        const [low, high] = [target, target + 0.05].map((aim) =>
          chooseThreshold(scores, labels, { classes: 2, target: aim }),
        );
        if (high?.basis !== "measured" || low === undefined) return;
        expect(low.basis).toBe("measured");
        expect(low.threshold).toBeLessThanOrEqual(high.threshold);
        expect(high.accuracyInterval?.[0]).toBeGreaterThanOrEqual(high.target);
      }),
    );
  });

  it("refuses a target that is none", () => {
    expect(() => chooseThreshold({ logits: new Float32Array(2) }, [0], { classes: 2, target: 1 })).toThrow(/target/);
  });
});
