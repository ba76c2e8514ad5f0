/** @file Seeds of what is drawn at random, one for each place: what is drawn elsewhere never changes them. */

/**
 * A 32-bit seed for a place: the run's seed, what is drawn, the epoch and so on. FNV-1a over the parts' characters, with
 * the finalizer of MurmurHash3, so that neighbouring places have unlike seeds.
 */
export function seedOf(...place: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const character of place.join("\n")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
