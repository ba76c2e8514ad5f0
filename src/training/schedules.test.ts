import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import {
  constantRate,
  cosineDecay,
  exponentialDecay,
  oneCycle,
  piecewiseConstantDecay,
  type Schedule,
  warmUp,
} from "./schedules.ts";

/** Keras's and PyTorch's, written by make_fit_fixtures.py. */
const judged = JSON.parse(readFileSync(new URL("../../tests/fixtures/training/fit.json", import.meta.url), "utf8")) as {
  readonly steps: readonly number[];
  readonly schedules: Readonly<Record<string, readonly number[]>>;
};

const schedules: Readonly<Record<string, Schedule>> = {
  cosineDecay: cosineDecay({ initialLearningRate: 0.1, decaySteps: 50, alpha: 0.05 }),
  cosineDecayWarm: cosineDecay({
    initialLearningRate: 0.01,
    decaySteps: 50,
    alpha: 0.1,
    warmupTarget: 0.2,
    warmupSteps: 10,
  }),
  exponentialDecay: exponentialDecay({ initialLearningRate: 0.1, decaySteps: 10, decayRate: 0.8 }),
  exponentialDecayStairs: exponentialDecay({
    initialLearningRate: 0.1,
    decaySteps: 10,
    decayRate: 0.8,
    staircase: true,
  }),
  piecewiseConstantDecay: piecewiseConstantDecay({ boundaries: [10, 30], values: [0.1, 0.01, 0.001] }),
  oneCycle: oneCycle({ maxLearningRate: 0.3, totalSteps: 100 }),
  oneCycleOther: oneCycle({
    maxLearningRate: 0.05,
    totalSteps: 60,
    warmupFraction: 0.5,
    divFactor: 10,
    finalDivFactor: 100,
  }),
};

describe("a schedule", () => {
  it("has a judge for each of those judged", () => {
    expect(Object.keys(schedules).sort()).toEqual(Object.keys(judged.schedules).sort());
  });

  it.each(Object.keys(judged.schedules))("has the rates of its judge: %s", (name) => {
    for (const [index, step] of judged.steps.entries()) {
      const expected = judged.schedules[name]?.[index] ?? Number.NaN;
      const actual = schedules[name]?.rateAt(step) ?? Number.NaN;
      expect(Math.abs(actual - expected), `step ${step}: ${actual}, not ${expected}`).toBeLessThan(2e-7);
    }
  });

  it("stays where it is, or rises in a straight line to where another begins", () => {
    const warm = warmUp(cosineDecay({ initialLearningRate: 1, decaySteps: 4 }), { steps: 4 });
    expect([0, 1, 2, 3, 4].map((step) => warm.rateAt(step))).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(warm.rateAt(8)).toBeCloseTo(0);
    expect(constantRate(0.5).rateAt(1e6)).toBe(0.5);
  });

  it("is told apart from others by its description", () => {
    const descriptions = Object.values(schedules).map(({ description }) => description);
    expect(new Set(descriptions).size).toBe(descriptions.length);
  });

  it.each([
    () => cosineDecay({ initialLearningRate: 0.1, decaySteps: 0 }),
    () => constantRate(Number.NaN),
    () => oneCycle({ maxLearningRate: -1, totalSteps: 10 }),
    () => oneCycle({ maxLearningRate: 1, totalSteps: 10, warmupFraction: 2 }),
    () => piecewiseConstantDecay({ boundaries: [3, 2], values: [1, 2, 3] }),
    () => warmUp(constantRate(1), { steps: 0 }),
  ])("is refused with options out of range: %o", (make) => {
    expect(make).toThrow(GraftError);
  });
});
