import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { GraftError, randomNumbers } from "../tensor/index.ts";
import { fitLinearHead, type LinearHead, type LinearHeadOptions } from "./linearHead.ts";

interface Case {
  readonly classes: number;
  readonly width: number;
  readonly regularization: number;
  readonly features: readonly number[];
  readonly labels: readonly number[];
  readonly weights?: readonly number[];
  readonly kernel: readonly number[];
  readonly bias: readonly number[];
}

const path = new URL("../../tests/fixtures/training/linear_head.json", import.meta.url);
// Written by the script beside it.
const cases = JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, Case>>;

interface Problem {
  readonly features: Float32Array;
  readonly labels: readonly number[];
  readonly classes: number;
}

/** Classes around centres of their own, `distance` deviations apart in each direction. */
function blobs(seed: number, perClass: readonly number[], width: number, distance = 1): Problem {
  const random = randomNumbers(seed);
  // The sum of twelve uniform numbers is as good as normal here.
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
  const centres = perClass.map(() => Array.from({ length: width }, () => distance * normal()));
  const labels = perClass.flatMap((count, label) => Array.from({ length: count }, () => label));
  const features = Float32Array.from(labels.flatMap((label) => (centres[label] ?? []).map((at) => at + normal())));
  return { features, labels, classes: perClass.length };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((largest, value, at) => Math.max(largest, Math.abs(value - (b[at] ?? Number.NaN))), 0);
}

/** Each row less its mean: what a shift of all logits leaves alone. */
function aboutMean(rows: ArrayLike<number>, classes: number): number[] {
  return Array.from(rows, (value, at) => {
    const row = Array.from(rows).slice(at - (at % classes), at - (at % classes) + classes);
    return value - row.reduce((sum, each) => sum + each, 0) / classes;
  });
}

function accuracyOf({ kernel, bias }: LinearHead, { features, labels, classes }: Problem): number {
  const width = features.length / labels.length;
  const right = labels.filter((label, row) => {
    const logits = Array.from(bias, (free, c) => {
      let sum = free;
      for (let k = 0; k < width; k++) sum += (features[row * width + k] ?? 0) * (kernel[k * classes + c] ?? 0);
      return sum;
    });
    return logits.indexOf(Math.max(...logits)) === label;
  });
  return right.length / labels.length;
}

describe("the solution", () => {
  for (const [name, judged] of Object.entries(cases)) {
    const { classes, features, labels, weights, regularization } = judged;
    const options: LinearHeadOptions = {
      features: Float32Array.from(features),
      labels,
      classes,
      regularizations: [regularization],
      sampleWeights: weights,
    };
    it(`is scikit-learn's: ${name}`, async () => {
      const head = await fitLinearHead(options);
      const [kernel, bias] = [aboutMean(head.kernel, classes), aboutMean(head.bias, classes)];
      expect(largestDifference(kernel, judged.kernel)).toBeLessThan(2e-3);
      expect(largestDifference(bias, judged.bias)).toBeLessThan(1e-2);
    });
  }

  it("is the same in the span of the examples, in plain TypeScript and by the runtime", async () => {
    // Wider than it has examples, and more of them than go into the span where there is a runtime.
    const problem = blobs(5, [60, 60, 60], 200, 0.1);
    const options = { ...problem, regularizations: [1e-3] };
    const runtime = await nodeRuntime({ threads: 1 });
    const inSpan = await fitLinearHead(options);
    const byRuntime = await fitLinearHead({ ...options, runtime });
    expect(largestDifference(inSpan.kernel, byRuntime.kernel)).toBeLessThan(1e-3);
    expect(inSpan.crossValidated?.logLoss).toBeCloseTo(byRuntime.crossValidated?.logLoss ?? 0, 3);
  });

  it("has a gradient of nearly zero, of sample-weighted and class-weighted examples", async () => {
    const { features, labels, classes } = blobs(7, [30, 9], 4, 0.5);
    const regularization = 1e-2;
    const sampleWeights = labels.map((_, example) => 0.5 + (example % 3));
    const classWeights = [1, 3];
    const head = await fitLinearHead({
      features,
      labels,
      classes,
      sampleWeights,
      classWeights,
      regularizations: [regularization],
    });
    const weights = labels.map((label, example) => (sampleWeights[example] ?? 0) * (classWeights[label] ?? 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mean = (values: (row: number) => number) =>
      weights.reduce((sum, weight, row) => sum + (weight / total) * values(row), 0);
    const x = (row: number, k: number) => features[row * 4 + k] ?? 0;
    const centre = [0, 1, 2, 3].map((k) => mean((row) => x(row, k)));
    const scale = Math.sqrt(mean((row) => centre.reduce((sum, at, k) => sum + (x(row, k) - at) ** 2, 0)));
    const error = (row: number, c: number) => {
      const logits = [0, 1].map((d) =>
        centre.reduce((sum, _, k) => sum + x(row, k) * (head.kernel[k * 2 + d] ?? 0), head.bias[d] ?? 0),
      );
      const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
      return (powers[c] ?? 0) / powers.reduce((a, b) => a + b, 0) - (labels[row] === c ? 1 : 0);
    };
    for (const c of [0, 1]) {
      expect(Math.abs(mean((row) => error(row, c)))).toBeLessThan(1e-3);
      for (const k of [0, 1, 2, 3]) {
        const slope = mean((row) => (error(row, c) * (x(row, k) - (centre[k] ?? 0))) / scale);
        const penalty = regularization * scale * (head.kernel[k * 2 + c] ?? 0);
        expect(Math.abs(slope + penalty)).toBeLessThan(1e-3);
      }
    }
  });

  it("does not change when features are shifted and scaled together", async () => {
    const problem = blobs(11, [20, 20, 20], 10, 0.5);
    const moved = { ...problem, features: problem.features.map((value) => 8 * value + 40) };
    const [head, other] = [await fitLinearHead(problem), await fitLinearHead(moved)];
    expect(other.regularization).toBe(head.regularization);
    expect(largestDifference(other.outOfFold.logits, head.outOfFold.logits)).toBeLessThan(1e-3);
  });
});

describe("cross-validation", () => {
  it("holds out what it judges: labels drawn at random are not foreseen", async () => {
    const problem = blobs(13, [300], 400);
    const random = randomNumbers(17);
    const labels = problem.labels.map(() => (random() < 0.5 ? 0 : 1));
    const head = await fitLinearHead({ ...problem, labels, classes: 2 });
    expect(head.crossValidated?.accuracy).toBeGreaterThan(0.35);
    expect(head.crossValidated?.accuracy).toBeLessThan(0.65);
    expect(head.crossValidated?.logLoss).toBeGreaterThan(0.6);
    // Nothing to be learnt: the strongest penalty is right.
    expect(head.regularization).toBeGreaterThan(0.05);
  });

  it("chooses a weaker penalty where classes are clear, and foresees how right it will be", async () => {
    const problem = blobs(19, [40, 40, 40], 30, 0.45);
    const unseen = blobs(19, [400, 400, 400], 30, 0.45);
    const head = await fitLinearHead(problem);
    expect(head.regularization).toBeLessThan(0.05);
    const accuracy = accuracyOf(head, unseen);
    expect(accuracy).toBeGreaterThan(0.8);
    expect(Math.abs((head.crossValidated?.accuracy ?? 0) - accuracy)).toBeLessThan(0.1);
  });

  it("says of each example what a head without its group says", async () => {
    // Each picture stands there twice, so that a head that saw the other one would know it.
    const { features, labels } = blobs(23, [60], 100);
    const random = randomNumbers(29);
    const noise = labels.map(() => (random() < 0.5 ? 0 : 1));
    const twice = {
      features: Float32Array.from([...features, ...features]),
      labels: [...noise, ...noise],
      classes: 2,
    };
    const groups = twice.labels.map((_, example) => `photo ${example % labels.length}`);
    const apart = await fitLinearHead(twice);
    const together = await fitLinearHead({ ...twice, groups });
    expect(apart.crossValidated?.accuracy).toBeGreaterThan(0.9);
    expect(together.crossValidated?.accuracy).toBeLessThan(0.7);
  });

  it("keeps the only example of a class in training, and says so", async () => {
    const problem = blobs(31, [8, 1, 8], 20, 0.5);
    const head = await fitLinearHead(problem);
    expect(Array.from(head.outOfFold.isHeldOut)).toEqual(problem.labels.map((label) => (label === 1 ? 0 : 1)));
    expect(accuracyOf(head, problem)).toBe(1);
  });

  it("does without where each class has one example", async () => {
    const problem = blobs(37, [1, 1, 1], 50);
    const head = await fitLinearHead(problem);
    expect(head.crossValidated).toBeUndefined();
    expect(head.outOfFold.isHeldOut.some(Boolean)).toBe(false);
    expect(accuracyOf(head, problem)).toBe(1);
  });
});

describe("repetition", () => {
  it("gives the same bytes on 1, 2 and 4 threads", async () => {
    const problem = blobs(41, [150, 150], 257, 0.1);
    const kernels = [];
    for (const threads of [1, 2, 4]) {
      const head = await fitLinearHead({ ...problem, runtime: await nodeRuntime({ threads }) });
      kernels.push(Buffer.from(head.kernel.buffer));
    }
    const [first, ...others] = kernels;
    expect(others.map((kernel) => first?.equals(kernel))).toEqual([true, true]);
  });

  it("does not depend on the order of examples with keys", async () => {
    const problem = blobs(43, [12, 15, 9], 40, 0.3);
    const keys = problem.labels.map((_, example) => `digest ${example}`);
    const head = await fitLinearHead({ ...problem, groups: keys });
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...keys.keys()], { minLength: keys.length }), async (order) => {
        const other = await fitLinearHead({
          features: Float32Array.from(
            order.flatMap((from) => [...problem.features.subarray(40 * from, 40 * from + 40)]),
          ),
          labels: order.map((from) => problem.labels[from] ?? 0),
          groups: order.map((from) => keys[from] ?? ""),
          classes: 3,
        });
        expect(other.regularization).toBe(head.regularization);
        expect(largestDifference(other.kernel, head.kernel)).toBeLessThan(1e-4);
      }),
      { numRuns: 5, seed: 1 },
    );
  });
});

describe("awkward input", () => {
  it("takes examples that are all the same", async () => {
    const head = await fitLinearHead({ features: new Float32Array(40).fill(2), labels: [0, 1, 0, 1, 0], classes: 2 });
    expect(head.kernel.every((weight) => weight === 0)).toBe(true);
    // Three of five.
    expect((head.bias[0] ?? 0) - (head.bias[1] ?? 0)).toBeCloseTo(Math.log(3 / 2), 2);
  });

  it("takes copies of one example among more features than examples", async () => {
    const { features, labels, classes } = blobs(47, [4, 4], 30);
    const head = await fitLinearHead({
      features: Float32Array.from([...features, ...features]),
      labels: [...labels, ...labels],
      classes,
    });
    expect(head.kernel.every(Number.isFinite)).toBe(true);
    expect(accuracyOf(head, { features, labels, classes })).toBe(1);
  });

  const options = { features: new Float32Array(8), labels: [0, 1, 0, 1], classes: 2 };
  it.each<[string, Partial<LinearHeadOptions>, string]>([
    ["a label beyond the classes", { labels: [0, 1, 2, 1] }, "a label is not a class index"],
    ["features that do not divide", { labels: [0, 1, 0] }, "the features do not divide into the examples"],
    ["no examples", { labels: [], features: new Float32Array(0) }, "the features do not divide into the examples"],
    ["one class", { classes: 1 }, "a classifier needs classes"],
    ["a class without examples", { classes: 3 }, "a class has no examples that count"],
    ["too few weights", { sampleWeights: [1, 1] }, "each example needs a weight"],
    ["a negative weight", { sampleWeights: [1, 1, -1, 1] }, "a weight cannot be used"],
    ["too few class weights", { classWeights: [1] }, "each class needs a weight"],
    ["too few groups", { groups: ["a"] }, "each example needs a group"],
    [
      "a feature that is no number",
      { features: new Float32Array(8).fill(Number.NaN) },
      "the features hold numbers that are not finite",
    ],
  ])("refuses %s", async (_, change, reason) => {
    const failure: unknown = await fitLinearHead({ ...options, ...change }).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(GraftError);
    expect(failure instanceof GraftError && failure.reason).toBe(reason);
  });
});
