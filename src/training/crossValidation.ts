/** @file Folds for cross-validation: stratified by class, whole groups together, the same for the same examples. */
import { GraftError } from "../tensor/index.ts";

export interface FoldOptions {
  /** By example: a class index. */
  readonly labels: ArrayLike<number>;
  /** How many folds there should be; fewer come out where the smallest class that can be held out has fewer groups. */
  readonly folds: number;
  readonly seed?: number;
  /**
   * By example: a key that examples of one burst, animal or file content share. They come into the same fold, and the
   * folds do not depend on the order of the examples. Default: each example by itself, known by its position.
   */
  readonly groups?: readonly string[] | undefined;
}

export interface Folds {
  /** How many folds there are: at least 2, or 0 where nothing can be held out. */
  readonly count: number;
  /** By example: its fold, or -1 for an example whose class would be unknown without its group: always in training. */
  readonly foldOf: Int32Array;
}

interface Group {
  readonly key: string;
  readonly order: number;
  readonly members: number[];
  /** How many examples it has of each of its classes. */
  readonly counts: Map<number, number>;
}

/**
 * Assigns examples to folds: group after group, the largest first, each to the fold that has the least of the group's
 * classes, then the fewest examples (as scikit-learn's StratifiedGroupKFold does in spirit).
 *
 * @throws GraftError `usage` for fewer than 2 folds or groups that do not fit the labels
 */
export function assignFolds({ labels, folds, seed = 0, groups }: FoldOptions): Folds {
  if (!Number.isInteger(folds) || folds < 2) {
    throw new GraftError("usage", "cross-validation needs whole folds", {
      expected: "2 or more",
      actual: `${folds}`,
    });
  }
  if (groups !== undefined && groups.length !== labels.length) {
    throw new GraftError("usage", "each example needs a group", {
      expected: `${labels.length} groups`,
      actual: `${groups.length}`,
    });
  }
  const all = groupsOf(labels, groups, seed);
  all.sort((a, b) => b.members.length - a.members.length || a.order - b.order || (a.key < b.key ? -1 : 1));
  const groupsWith = new Map<number, number>();
  for (const { counts } of all) for (const label of counts.keys()) increase(groupsWith, label, 1);
  const movable = all.filter(({ counts }) => [...counts.keys()].every((label) => (groupsWith.get(label) ?? 0) > 1));
  const foldOf = new Int32Array(labels.length).fill(-1);
  const movableWith = new Map<number, number>();
  for (const { counts } of movable) for (const label of counts.keys()) increase(movableWith, label, 1);
  // A class may have but one group that moves, where the other stays for another class's sake: that is no limit.
  const limit = Math.min(folds, ...[...movableWith.values()].filter((count) => count > 1));
  const count = movable.length < 2 ? 0 : Math.max(2, limit);
  if (count === 0) return { count, foldOf };

  const filled = Array.from({ length: count }, () => ({ size: 0, counts: new Map<number, number>() }));
  const totals = new Map<number, number>();
  for (const { counts } of movable) for (const [label, number] of counts) increase(totals, label, number);
  for (const group of movable) {
    let best = 0;
    let bestShare = Number.POSITIVE_INFINITY;
    filled.forEach((fold, index) => {
      let share = 0;
      for (const [label, number] of group.counts) {
        share += (number * (fold.counts.get(label) ?? 0)) / (totals.get(label) ?? 1);
      }
      const isLess = share < bestShare || (share === bestShare && fold.size < (filled[best]?.size ?? 0));
      if (isLess) [best, bestShare] = [index, share];
    });
    const fold = filled[best];
    if (fold === undefined) continue;
    fold.size += group.members.length;
    for (const [label, number] of group.counts) increase(fold.counts, label, number);
    for (const member of group.members) foldOf[member] = best;
  }
  pinLastOfClass(
    all,
    [...groupsWith.keys()].sort((a, b) => a - b),
    foldOf,
  );
  return { count, foldOf };
}

/** Groups of several classes may gather all of a class in one fold: then one of them stays in training. */
function pinLastOfClass(groups: readonly Group[], labels: readonly number[], foldOf: Int32Array): void {
  for (const label of labels) {
    const withLabel = groups.filter(({ counts }) => counts.has(label));
    const folds = new Set(withLabel.map(({ members: [first = 0] }) => foldOf[first]));
    if (folds.size > 1 || folds.has(-1)) continue;
    for (const member of withLabel[0]?.members ?? []) foldOf[member] = -1;
  }
}

function groupsOf(labels: ArrayLike<number>, keys: readonly string[] | undefined, seed: number): Group[] {
  const groups = new Map<string, Group>();
  for (let example = 0; example < labels.length; example++) {
    const key = keys?.[example] ?? String(example);
    let group = groups.get(key);
    if (group === undefined) {
      group = { key, order: hash(key, seed), members: [], counts: new Map() };
      groups.set(key, group);
    }
    group.members.push(example);
    increase(group.counts, labels[example] ?? 0, 1);
  }
  return [...groups.values()];
}

function increase(counts: Map<number, number>, key: number, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** A number from a text and a seed (FNV-1a with the final mixing of MurmurHash3): orders groups as if at random. */
function hash(text: string, seed: number): number {
  let state = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
