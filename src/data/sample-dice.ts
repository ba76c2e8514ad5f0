/** @file Dice for drawing: random numbers in the forms that pictures need. */
import { randomNumbers } from "../tensor/index.ts";

export interface Dice {
  readonly number: (low: number, high: number) => number;
  /** A whole number, both ends included. */
  readonly count: (low: number, high: number) => number;
  readonly happens: (probability: number) => boolean;
  readonly pick: <Thing>(things: readonly Thing[]) => Thing;
  /** Any 32-bit number: the seed of something else. */
  readonly whole: () => number;
}

export function diceOf(seed: number): Dice {
  const random = randomNumbers(seed);
  const count = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  return {
    number: (low, high) => low + (high - low) * random(),
    count,
    happens: (probability) => random() < probability,
    pick: <Thing>(things: readonly Thing[]): Thing => {
      const [picked] = things.slice(count(0, things.length - 1));
      if (picked === undefined) throw new Error("internal: nothing to pick from");
      return picked;
    },
    whole: () => Math.floor(random() * 2 ** 32),
  };
}
