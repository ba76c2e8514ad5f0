import { expect, it } from "vitest";
import { randomNumbers } from "../tensor/index.ts";
import { chooseHead } from "./linearHeadChoice.ts";

/** Two classes 2·`distance` apart in each of ten directions, under noise uniform in [-1, 1]. */
function featuresOf(labels: readonly number[], distance: number, seed: number): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from(
    labels.flatMap((label) => Array.from({ length: 10 }, () => distance * (2 * label - 1) + 2 * random() - 1)),
  );
}

const labels = Array.from({ length: 100 }, (_, example) => example % 2);

it("takes the features on which held-out examples are foreseen best", async () => {
  const { chosen, compared, head } = await chooseHead({
    candidates: [
      { name: "blurred", features: featuresOf(labels, 0.1, 1) },
      { name: "clear", features: featuresOf(labels, 0.5, 2) },
      { name: "hazy", features: featuresOf(labels, 0.25, 3) },
    ],
    labels,
    classes: 2,
  });
  expect(chosen).toBe(1);
  expect(compared.map(({ name }) => name)).toEqual(["blurred", "clear", "hazy"]);
  expect(compared[0]?.gain).toEqual({ mean: 0, standardError: 0 });
  expect(head.crossValidated).toEqual(compared[1]?.crossValidated);
  const [blurred, clear] = compared.map(({ crossValidated }) => crossValidated?.logLoss ?? Number.NaN);
  expect(compared[1]?.gain?.mean).toBeCloseTo((blurred ?? 0) - (clear ?? 0), 5);
});

it("stays with the first where the others are no better beyond doubt", async () => {
  const features = featuresOf(labels, 0.3, 4);
  const same = await chooseHead({
    candidates: [
      { name: "first", features },
      { name: "again", features },
    ],
    labels,
    classes: 2,
  });
  expect(same.chosen).toBe(0);
  const worse = featuresOf(labels, 0.1, 5);
  const candidates = [
    { name: "first", features },
    { name: "worse", features: worse },
  ];
  expect((await chooseHead({ candidates, labels, classes: 2 })).chosen).toBe(0);
});

it("takes the first where nothing can be held out", async () => {
  const two = [0, 1];
  const { chosen, compared } = await chooseHead({
    candidates: [
      { name: "first", features: featuresOf(two, 0.1, 6) },
      { name: "second", features: featuresOf(two, 0.5, 7) },
    ],
    labels: two,
    classes: 2,
  });
  expect(chosen).toBe(0);
  expect(compared.map(({ gain }) => gain)).toEqual([undefined, undefined]);
});

it("refuses a choice of nothing", async () => {
  await expect(chooseHead({ candidates: [], labels, classes: 2 })).rejects.toThrow("no features to choose from");
});
