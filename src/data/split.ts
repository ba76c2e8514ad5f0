/** @file Splitting by content: which part a photo belongs to, whatever else is in the folder. */
import { GraftError } from "../tensor/index.ts";

/** What photos are for: fitting, choosing between fits, and the final figure. */
export type Part = "train" | "validation" | "test";

/** How much of each class goes where; the rest is for training. */
export interface Fractions {
  /** In [0, 1). */
  readonly validation: number;
  /** In [0, 1), together with `validation` below 1. */
  readonly test: number;
}

/** A photo to be put on one side. */
export interface Splittable {
  readonly label: string;
  /** What stays together has the same key: the content's digest, or a group. */
  readonly key: string;
}

/**
 * A part for each photo. Every key has a number in [0, 1), drawn by the seed; below `test` it is held back, below
 * `test + validation` it is for validation. So a photo's part does not depend on the others: adding photos moves none.
 *
 * By chance alone a small class could miss a part. Where a class would give a part less than a third or more than twice
 * of what was asked for (in keys, and never less than one where it has three or more), keys with the nearest numbers
 * are moved: only in such a class can adding photos move others. Every class keeps a key to train on.
 *
 * @throws GraftError `usage` for fractions outside their ranges
 */
export function splitByContent(photos: readonly Splittable[], fractions: Fractions, seed: number): Part[] {
  checkFractions(fractions);
  const numbers = new Map(photos.map(({ key }) => [key, numberOf(key, seed)]));
  const parts = new Map<string, Part>();
  for (const [key, number] of numbers) parts.set(key, partAt(number, fractions));
  for (const keys of keysByClass(photos)) {
    keys.sort((one, other) => (numbers.get(one) ?? 0) - (numbers.get(other) ?? 0) || (one < other ? -1 : 1));
    keepWithinBounds(keys, parts, fractions);
  }
  return photos.map(({ key }) => parts.get(key) ?? "train");
}

function checkFractions({ validation, test }: Fractions): void {
  for (const [name, fraction] of [
    ["validationFraction", validation],
    ["testFraction", test],
    ["validationFraction + testFraction", validation + test],
  ] as const) {
    if (fraction >= 0 && fraction < 1) continue;
    throw new GraftError("usage", "no such part of the photos", {
      path: [name],
      expected: "a number in [0, 1)",
      actual: String(fraction),
    });
  }
}

function partAt(number: number, { validation, test }: Fractions): Part {
  if (number < test) return "test";
  return number < test + validation ? "validation" : "train";
}

/** By class, in the order of the photos: the keys it has, once each. */
function keysByClass(photos: readonly Splittable[]): string[][] {
  const classes = new Map<string, Set<string>>();
  for (const { label, key } of photos) {
    const keys = classes.get(label);
    if (keys === undefined) classes.set(label, new Set([key]));
    else keys.add(key);
  }
  return [...classes.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, keys]) => [...keys]);
}

/** Moves some of a class's keys, given by rising number, so that every part has about its share. */
function keepWithinBounds(keys: readonly string[], parts: Map<string, Part>, fractions: Fractions): void {
  const of = (part: Part) => keys.filter((key) => parts.get(key) === part);
  const heldOut = (["test", "validation"] as const).map((part) => ({ part, expected: fractions[part] * keys.length }));
  for (const { part, expected } of heldOut) {
    const most = Math.floor(2 * expected) + 1;
    for (const key of of(part).slice(most)) parts.set(key, "train");
  }
  // With one key or two, training comes first.
  if (of("train").length === 0) parts.set(of("validation").at(-1) ?? of("test").at(-1) ?? "", "train");
  if (keys.length < 3) return;
  for (const { part, expected } of heldOut) {
    const fewest = expected > 0 ? Math.max(1, Math.floor(expected / 3)) : 0;
    const missing = Math.max(0, fewest - of(part).length);
    const trained = of("train");
    for (const key of trained.slice(0, Math.min(missing, trained.length - 1))) parts.set(key, part);
  }
}

/**
 * A number in [0, 1) for a text, by 53 bits of hash: the same everywhere. By the public-domain "cyrb53": two lanes of
 * multiplications, mixed as MurmurHash3 does.
 */
export function numberOf(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed;
  let low = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return ((low & 0x1fffff) * 2 ** 32 + (high >>> 0)) / 2 ** 53;
}
