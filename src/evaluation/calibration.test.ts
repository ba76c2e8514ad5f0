import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomNumbers } from "../tensor/index.ts";
import { fitTemperature } from "./calibration.ts";

const fixture = new URL("../../tests/fixtures/evaluation/evaluation.json", import.meta.url);
// The form that the script beside it writes.
const judged = JSON.parse(readFileSync(fixture, "utf8")) as {
  readonly perfect: { readonly logits: readonly number[]; readonly labels: readonly number[]; readonly fitted: number };
};

describe("the temperature", () => {
  it("stays well above 0 where every answer is right", () => {
    const { logits, labels, fitted } = judged.perfect;
    const { temperature } = fitTemperature(Float32Array.from(logits), labels);
    expect(temperature / fitted).toBeCloseTo(1, 5);
    expect(temperature).toBeGreaterThan(0.3);
    expect(temperature).toBeLessThan(1);
  });

  it("stays finite where every answer is wrong, and is 1 without examples and where logits say nothing", () => {
    const wrong = fitTemperature(Float32Array.from([900, -900, 900, -900]), [1, 1]);
    expect(wrong.temperature).toBeGreaterThan(1);
    expect(wrong.temperature).toBeLessThan(2000);
    expect(fitTemperature(new Float32Array(), []).temperature).toBe(1);
    expect(fitTemperature(new Float32Array(8).fill(3), [0, 1, 0, 1]).temperature).toBeCloseTo(1, 12);
  });

  it("finds the factor that logits were multiplied by, the closer the more examples there are", () => {
    const random = randomNumbers(7);
    const classes = 4;
    const count = 6000;
    const logits = Float32Array.from({ length: count * classes }, () => 4 * random() - 2);
    const labels = Array.from({ length: count }, (_, example) => {
      const row = softmax(logits.subarray(example * classes, (example + 1) * classes));
      let left = random();
      return Math.max(
        0,
        row.findIndex((each) => {
          left -= each;
          return left < 0;
        }),
      );
    });
    const sharper = logits.map((value) => 3 * value);
    expect(fitTemperature(sharper, labels).temperature).toBeGreaterThan(2.8);
    expect(fitTemperature(sharper, labels).temperature).toBeLessThan(3.2);
    const few = fitTemperature(sharper.subarray(0, 5 * classes), labels.slice(0, 5)).temperature;
    expect(few).toBeGreaterThan(0.4);
    expect(few).toBeLessThan(3);
  });

  it("never makes the penalised loss worse than at 1, whatever the logits are", () => {
    const sets = fc.integer({ min: 2, max: 5 }).chain((classes) =>
      fc.record({
        classes: fc.constant(classes),
        rows: fc.array(
          fc.tuple(
            fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: classes, maxLength: classes }),
            fc.nat({ max: classes - 1 }),
          ),
          { minLength: 1, maxLength: 12 },
        ),
      }),
    );
    fc.assert(
      fc.property(sets, ({ rows }) => {
        const fit = fitTemperature(
          Float64Array.from(rows.flatMap(([row]) => row)),
          rows.map(([, label]) => label),
        );
        const beta = 1 / fit.temperature;
        expect(fit.temperature).toBeGreaterThan(0);
        expect(Number.isFinite(fit.temperature)).toBe(true);
        const penalised = rows.length * fit.logLossAfter + 4 * (beta - 1 - Math.log(beta));
        expect(penalised).toBeLessThanOrEqual(rows.length * fit.logLossBefore * (1 + 1e-9) + 1e-9);
      }),
    );
  });
});

function softmax(logits: Float32Array): number[] {
  const row = [...logits].map(Math.exp);
  const sum = row.reduce((total, each) => total + each, 0);
  return row.map((each) => each / sum);
}
