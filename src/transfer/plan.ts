/** @file What a number of photos allows: whether some are held back, and whether fine-tuning is worth trying. */

/** How far the base is tuned: what measures best, nothing, or its last `n` stages. */
export type FineTune = "auto" | "none" | number;

/** For fewer photos, cross-validation on all of them says more than the answers to the few that could be held back. */
const enoughToHoldBack = { photos: 300, ofTheMiddleClass: 20 };

/** How much of the photos is held back for the final figure: 0 where the figure comes from cross-validation. */
export function testFraction(counts: readonly number[]): number {
  const photos = counts.reduce((sum, count) => sum + count, 0);
  if (photos < enoughToHoldBack.photos || median(counts) < enoughToHoldBack.ofTheMiddleClass) return 0;
  return photos < 2000 ? 0.15 : 0.1;
}

/** How much of the photos to train on is set apart to decide whether fine-tuning helps. */
export const validationFraction = 0.15;

export interface FineTuningPlan {
  readonly isTried: boolean;
  /** Why not, for people. */
  readonly reason: string;
}

/** How many photos must be there to decide by, for a difference to show at all. */
const enoughToDecide = 30;
/** Half of them mended, and none made, is what the exact test takes for more than chance: 0.5⁵ is below 5 %. */
const fewestMistakes = 10;

/**
 * Whether fine-tuning is tried: it is kept only where it helps beyond chance on photos set apart, so there must be
 * enough of them, and enough mistakes on them to mend.
 */
export function planFineTuning(
  asked: FineTune,
  validation: { readonly n: number; readonly mistakes: number },
): FineTuningPlan {
  if (asked === "none" || asked === 0) return { isTried: false, reason: "it was not asked for" };
  if (validation.n === 0) return { isTried: false, reason: "there are too few photos to decide whether it helps" };
  if (asked !== "auto") return { isTried: true, reason: "" };
  if (validation.n < enoughToDecide) {
    return { isTried: false, reason: `${validation.n} photos are too few to decide whether it helps` };
  }
  if (validation.mistakes < fewestMistakes) {
    return {
      isTried: false,
      reason: `the frozen base is wrong on ${validation.mistakes} of ${validation.n} photos set apart: mending half of them could be chance`,
    };
  }
  return { isTried: true, reason: "" };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** How often fine-tuning goes over so many photos: enough steps for few, not too long for many. */
export function defaultEpochs(photos: number): number {
  return Math.min(12, Math.max(2, Math.round(3000 / Math.max(photos, 1))));
}
