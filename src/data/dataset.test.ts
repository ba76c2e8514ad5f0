import { describe, expect, it } from "vitest";
import { augmented, concatenate, type Dataset, subset, type View } from "./dataset.ts";

const recipe = { height: 1, width: 1, method: "bilinear", aspect: "stretch" } as const;

/** Each example is one pixel: its number, the seed of the view, and the first augmentation's kind's length. */
function numbers(first: number, count: number, classNames: readonly string[] = ["even", "odd"]): Dataset {
  const at = Array.from({ length: count }, (_, index) => first + index);
  return {
    classNames,
    labels: at.map((number) => number % 2),
    digests: at.map((number) => `digest ${number}`),
    names: at.map(String),
    read: async (views) =>
      Uint8Array.from(
        views.flatMap(({ index, seed = 0, augmentation = [] }) => [first + index, seed, augmentation.length]),
      ),
  };
}

async function firstBytes(dataset: Dataset, views: readonly View[]): Promise<number[][]> {
  const pixels = await dataset.read(views, recipe);
  return views.map((_, at) => [...pixels.subarray(at * 3, at * 3 + 3)]);
}

describe("subset", () => {
  it("reads the examples it was given, with their views", async () => {
    const odd = subset(numbers(0, 8), [7, 1, 1]);
    expect([odd.names, odd.labels, odd.digests]).toEqual([
      ["7", "1", "1"],
      [1, 1, 1],
      ["digest 7", "digest 1", "digest 1"],
    ]);
    const views: View[] = [
      { index: 2, seed: 5 },
      { index: 0, augmentation: [{ kind: "randomFlip", mode: "horizontal" }] },
    ];
    expect(await firstBytes(odd, views)).toEqual([
      [1, 5, 0],
      [7, 0, 1],
    ]);
  });

  it("is a dataset of which there are subsets", async () => {
    const some = subset(subset({ ...numbers(0, 8), groups: [..."aabbccdd"] }, [6, 4, 2]), [2, 0]);
    expect(some.groups).toEqual(["b", "d"]);
    expect(await firstBytes(some, [{ index: 0 }, { index: 1 }])).toEqual([
      [2, 0, 0],
      [6, 0, 0],
    ]);
  });

  it("refuses places outside", async () => {
    expect(() => subset(numbers(0, 3), [3])).toThrow(/an index from 0 to 2.*found 3/);
    expect(() => subset(numbers(0, 3), [0]).read([{ index: 1 }], recipe)).toThrow(/from 0 to 0/);
  });
});

describe("concatenate", () => {
  it("reads views of several datasets in the order they are asked for", async () => {
    const all = concatenate([numbers(0, 3), numbers(10, 2), numbers(20, 2)]);
    expect(all.names).toEqual(["0", "1", "2", "10", "11", "20", "21"]);
    expect(all.groups).toEqual(all.digests);
    const views = [6, 0, 3, 1, 4].map((index) => ({ index, seed: index }));
    expect(await firstBytes(all, views)).toEqual([
      [21, 6, 0],
      [0, 0, 0],
      [10, 3, 0],
      [1, 1, 0],
      [11, 4, 0],
    ]);
  });

  it("refuses other classes, and nothing", () => {
    expect(() => concatenate([numbers(0, 1), numbers(0, 1, ["odd", "even"])])).toThrow(/different classes/);
    expect(() => concatenate([])).toThrow(/no dataset/);
  });
});

describe("augmented", () => {
  it("says how fit changes the pictures, and leaves reading as it was", async () => {
    const dataset = augmented(numbers(0, 2), [{ kind: "randomFlip", mode: "horizontal" }]);
    expect(dataset.augmentation).toHaveLength(1);
    expect(await firstBytes(dataset, [{ index: 1 }])).toEqual([[1, 0, 0]]);
  });
});
