import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { fitTemperature } from "./calibration.ts";
import { doubtfulLabels } from "./doubtful.ts";
import { evaluateClassifier } from "./evaluate.ts";
import { wilsonInterval } from "./interval.ts";
import { exampleLosses } from "./scores.ts";

interface Figures {
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly precision: readonly (number | null)[];
  readonly recall: readonly (number | null)[];
  readonly f1: readonly (number | null)[];
  readonly support: readonly number[];
  readonly macro: readonly [number, number, number];
  readonly logLoss: number;
  readonly brier: number;
  readonly confusion: readonly (readonly number[])[];
  readonly calibrationError: number;
  readonly binCounts: readonly number[];
}

interface Judged {
  readonly classes: number;
  readonly logits: readonly number[];
  readonly labels: readonly number[];
  readonly temperature: number;
  readonly before: Figures;
  readonly after: Figures;
  readonly fitted: number;
  readonly doubtful: readonly (readonly [number, number, number])[];
}

const fixture = new URL("../../tests/fixtures/evaluation/evaluation.json", import.meta.url);
// The form that the script beside it writes.
const judged = JSON.parse(readFileSync(fixture, "utf8")) as {
  readonly cases: Readonly<Record<string, Judged>>;
  readonly intervals: readonly (readonly [number, number, number, number])[];
};

const namesOf = (classes: number) => Array.from({ length: classes }, (_, index) => `class ${index}`);

function softmaxRows(logits: Float32Array, classes: number, temperature = 1): Float64Array {
  const probabilities = Float64Array.from(logits);
  for (let start = 0; start < logits.length; start += classes) {
    const row = [...logits.subarray(start, start + classes)].map((value) => Math.exp(value / temperature));
    const sum = row.reduce((total, each) => total + each, 0);
    probabilities.set(
      row.map((each) => each / sum),
      start,
    );
  }
  return probabilities;
}

describe.each(Object.entries(judged.cases))("on %s", (_, example) => {
  const logits = Float32Array.from(example.logits);
  const { labels, classes, temperature } = example;
  const evaluation = evaluateClassifier({ logits, labels, classNames: namesOf(classes), temperature });

  it("has scikit-learn's accuracy, precision, recall, F1, means over classes and confusion matrix", () => {
    const wanted = example.after;
    expect(evaluation.accuracy).toBeCloseTo(wanted.accuracy, 12);
    expect(evaluation.balancedAccuracy).toBeCloseTo(wanted.balancedAccuracy, 12);
    expect(evaluation.confusion).toEqual(wanted.confusion);
    expect(evaluation.perClass.map(({ support }) => support)).toEqual(wanted.support);
    for (const [index, each] of evaluation.perClass.entries()) {
      const close = (found: number | null, value: number | null | undefined) =>
        value === null ? expect(found).toBeNull() : expect(found).toBeCloseTo(value ?? Number.NaN, 12);
      close(each.precision, wanted.precision[index]);
      close(each.recall, wanted.recall[index]);
      // scikit-learn gives 0 for a class that is said but never true; nothing can be said of finding it.
      close(each.f1, each.support === 0 ? null : wanted.f1[index]);
    }
    const { precision, recall, f1 } = evaluation.macro;
    for (const [index, value] of [precision, recall, f1].entries())
      expect(value).toBeCloseTo(wanted.macro[index] ?? -1, 12);
  });

  it("has scikit-learn's log loss and Brier score, and the calibration error of Guo et al.", () => {
    for (const [found, wanted] of [
      [evaluation.calibration.before, example.before],
      [evaluation.calibration.after, example.after],
    ] as const) {
      expect(found.logLoss).toBeCloseTo(wanted.logLoss, 10);
      expect(found.brier).toBeCloseTo(wanted.brier, 10);
      expect(found.expectedCalibrationError).toBeCloseTo(wanted.calibrationError, 10);
      expect(found.bins.map(({ count }) => count)).toEqual(wanted.binCounts);
    }
    expect(evaluation.logLoss).toBe(evaluation.calibration.after.logLoss);
    expect(evaluation.calibrationError).toBe(evaluation.calibration.after.expectedCalibrationError);
  });

  it("comes to the same from probabilities as from logits", () => {
    const probabilities = softmaxRows(logits, classes);
    const again = evaluateClassifier({ probabilities, labels, classNames: namesOf(classes), temperature });
    expect(again.confusion).toEqual(evaluation.confusion);
    expect(again.logLoss).toBeCloseTo(evaluation.logLoss, 9);
    expect(again.calibrationError).toBeCloseTo(evaluation.calibrationError, 9);
  });

  it("fits the temperature that SciPy finds", () => {
    const fit = fitTemperature(logits, labels);
    expect(fit.temperature / example.fitted).toBeCloseTo(1, 5);
    expect(fit.logLossBefore).toBeCloseTo(example.before.logLoss, 10);
  });

  it("doubts the labels that numpy's confident learning doubts, in its order", () => {
    const doubtful = doubtfulLabels({ logits }, labels, namesOf(classes));
    expect(doubtful.map(({ index, suggested }) => [index, suggested])).toEqual(
      example.doubtful.map(([index, suggested]) => [index, `class ${suggested}`]),
    );
    for (const [place, { margin }] of doubtful.entries())
      expect(margin).toBeCloseTo(example.doubtful[place]?.[2] ?? 9, 10);
  });
});

it("has SciPy's Wilson intervals", () => {
  for (const [successes, trials, lower, upper] of judged.intervals) {
    const [found, above] = wilsonInterval(successes, trials) ?? [-1, -1];
    expect(found).toBeCloseTo(lower, 12);
    expect(above).toBeCloseTo(upper, 12);
  }
  expect(wilsonInterval(0, 0)).toBeNull();
});

describe("figures of any answers", () => {
  const answers = fc.integer({ min: 1, max: 6 }).chain((classes) =>
    fc.record({
      classes: fc.constant(classes),
      examples: fc.array(
        fc.tuple(
          fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: classes, maxLength: classes }),
          fc.nat({ max: classes - 1 }),
        ),
        { minLength: 1, maxLength: 40 },
      ),
      temperature: fc.double({ min: 0.05, max: 20, noNaN: true }),
      threshold: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  );

  it("add up, lie in their intervals and hold no NaN", () => {
    fc.assert(
      fc.property(answers, ({ classes, examples, temperature, threshold }) => {
        const evaluation = evaluateClassifier({
          logits: Float32Array.from(examples.flatMap(([row]) => row)),
          labels: examples.map(([, label]) => label),
          classNames: namesOf(classes),
          temperature,
          threshold,
        });
        expect(JSON.stringify(evaluation, (_, value: unknown) => (Number.isNaN(value) ? "NaN" : value))).not.toContain(
          "NaN",
        );
        expect(evaluation.confusion.flat().reduce((sum, each) => sum + each, 0)).toBe(examples.length);
        const [lower, upper] = evaluation.accuracyInterval;
        expect(lower).toBeLessThanOrEqual(evaluation.accuracy);
        expect(upper).toBeGreaterThanOrEqual(evaluation.accuracy);
        expect(evaluation.topMistakes.length).toBe(Math.min(24, examples.length - evaluation.correct));
        for (const { f1, f1Interval, precision, recall } of evaluation.perClass) {
          if (f1 === null || f1Interval === null) continue;
          expect(f1Interval[0]).toBeLessThanOrEqual(f1 + 1e-12);
          expect(f1Interval[1]).toBeGreaterThanOrEqual(f1 - 1e-12);
          if (precision !== null && recall !== null && precision + recall > 0) {
            expect(f1).toBeCloseTo((2 * precision * recall) / (precision + recall), 12);
          }
        }
        for (const { bins, expectedCalibrationError } of Object.values(evaluation.calibration).filter(
          (each) => typeof each !== "number",
        )) {
          expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(examples.length);
          expect(expectedCalibrationError).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it("do not depend on the order of the examples, and the temperature changes no answer", () => {
    fc.assert(
      fc.property(answers, ({ classes, examples, temperature }) => {
        const of = (set: typeof examples, at: number) =>
          evaluateClassifier({
            logits: Float64Array.from(set.flatMap(([row]) => row)),
            labels: set.map(([, label]) => label),
            classNames: namesOf(classes),
            temperature: at,
          });
        const forwards = of(examples, temperature);
        const backwards = of([...examples].reverse(), temperature);
        expect(backwards.confusion).toEqual(forwards.confusion);
        expect(backwards.logLoss).toBeCloseTo(forwards.logLoss, 9);
        expect(of(examples, 1).confusion).toEqual(forwards.confusion);
      }),
    );
  });
});

it("clips the probabilities of float32 to their precision, as scikit-learn does", () => {
  const losses = exampleLosses({ probabilities: Float32Array.from([1, 0, 1, 0]) }, [0, 1], { classes: 2 });
  expect(losses[0]).toBeCloseTo(-Math.log(1 - 2 ** -23), 15);
  expect(losses[1]).toBeCloseTo(23 * Math.LN2, 12);
});

it("names the surest mistakes first, with any class and file names", () => {
  const classNames = ["__proto__", "constructor", "<script>"];
  const evaluation = evaluateClassifier({
    probabilities: Float64Array.from([0.6, 0.4, 0, 0.05, 0.05, 0.9, 0.1, 0.8, 0.1]),
    labels: [1, 0, 1],
    classNames,
    names: ["toString", "__proto__/a.jpg", "right.jpg"],
  });
  expect(evaluation.topMistakes.map(({ name, label, predicted }) => [name, label, predicted])).toEqual([
    ["__proto__/a.jpg", "__proto__", "<script>"],
    ["toString", "constructor", "__proto__"],
  ]);
  expect(evaluation.perClass.map(({ name }) => name)).toEqual(classNames);
  expect(evaluation.topMistakes[0]?.labelProbability).toBe(0.05);
});

it("answers only where it is sure enough", () => {
  const { notSure } = evaluateClassifier({
    probabilities: Float64Array.from([0.95, 0.05, 0.9, 0.1, 0.6, 0.4, 0.3, 0.7]),
    labels: [0, 1, 0, 1],
    classNames: ["a", "b"],
    threshold: 0.7,
  });
  expect(notSure).toMatchObject({ threshold: 0.7, answered: 3, coverage: 0.75, accuracy: 2 / 3 });
});

it("refuses what is no evaluation, and says what it is", () => {
  const classNames = ["a", "b"];
  const refused = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return error instanceof GraftError ? `${error.code}: ${error.message}` : String(error);
    }
    return "nothing";
  };
  expect(refused(() => evaluateClassifier({ logits: new Float32Array(), labels: [], classNames }))).toMatch(
    /^bad-data/,
  );
  expect(refused(() => evaluateClassifier({ logits: new Float32Array(3), labels: [0], classNames }))).toMatch(
    /\[1, 2\]/,
  );
  expect(refused(() => evaluateClassifier({ logits: new Float32Array(2), labels: [2], classNames }))).toMatch(
    /no class/,
  );
  expect(
    refused(() => evaluateClassifier({ logits: Float32Array.of(0, Number.NaN), labels: [0], classNames })),
  ).toMatch(/example 0: class 1: a logit is not finite/);
  expect(refused(() => evaluateClassifier({ probabilities: Float32Array.of(3, -2), labels: [0], classNames }))).toMatch(
    /no probabilities/,
  );
  expect(
    refused(() => evaluateClassifier({ logits: new Float32Array(2), labels: [0], classNames, temperature: 0 })),
  ).toMatch(/temperature/);
  expect(
    refused(() => evaluateClassifier({ logits: new Float32Array(2), labels: [0], classNames, names: [] })),
  ).toMatch(/1 names/);
});

it("suggests no class without examples, and doubts nothing that agrees with its label", () => {
  const probabilities = Float64Array.from([0.1, 0.2, 0.7, 0.8, 0.1, 0.1, 0.1, 0.8, 0.1]);
  expect(doubtfulLabels({ probabilities }, [0, 0, 1], ["a", "b", "c"])).toEqual([]);
});
