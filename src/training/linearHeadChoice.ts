/** @file The choice between ways to look at the same examples: whole pictures, their middle, another base. */
import { GraftError } from "../tensor/index.ts";
import { fitLinearHead, type LinearHead, type LinearHeadOptions } from "./linearHead.ts";
import { softmaxInPlace } from "./linearHeadSolver.ts";

/** One way to look at the examples. */
export interface FeatureCandidate {
  /** What a person calls it: `whole picture`, `middle 80 %`. */
  readonly name: string;
  /** `[examples, width]`, in the order of the labels. The width may differ between candidates. */
  readonly features: Float32Array;
}

export interface HeadChoiceOptions extends Omit<LinearHeadOptions, "features"> {
  /** The first is taken unless another is better beyond doubt. */
  readonly candidates: readonly FeatureCandidate[];
}

export interface HeadChoice {
  /** The index of the candidate taken. */
  readonly chosen: number;
  readonly head: LinearHead;
  /** What cross-validation said of each candidate, in their order. */
  readonly compared: readonly CandidateResult[];
}

export interface CandidateResult {
  readonly name: string;
  readonly crossValidated: LinearHead["crossValidated"];
  /**
   * How much less the log loss of held-out examples is than with the first candidate, and the standard error of that
   * difference; `undefined` where nothing could be held out.
   */
  readonly gain: { readonly mean: number; readonly standardError: number } | undefined;
}

/**
 * Fits a head on each candidate's features and takes the one whose held-out log loss is least, on the same folds; the
 * first where none is better than it by more than a standard error of the paired difference.
 *
 * @throws GraftError as `fitLinearHead`; `usage` without candidates
 */
export async function chooseHead({ candidates, ...options }: HeadChoiceOptions): Promise<HeadChoice> {
  const compared: CandidateResult[] = [];
  let first: Float64Array | undefined;
  let best: { readonly chosen: number; readonly head: LinearHead; readonly gain: number } | undefined;
  for (const [index, { name, features }] of candidates.entries()) {
    const head = await fitLinearHead({ ...options, features });
    const losses = heldOutLosses(head, options);
    first ??= losses;
    const gain = losses.length === 0 ? undefined : pairedGain(first, losses);
    compared.push({ name, crossValidated: head.crossValidated, gain });
    const isBetter = gain !== undefined && gain.mean > Math.max(best?.gain ?? 0, gain.standardError);
    if (best === undefined || isBetter) best = { chosen: index, head, gain: gain?.mean ?? 0 };
  }
  if (best === undefined) throw new GraftError("usage", "there are no features to choose from");
  return { chosen: best.chosen, head: best.head, compared };
}

/** Of each example that was held out, the cross-entropy. The same examples are held out for every candidate. */
function heldOutLosses({ outOfFold }: LinearHead, { labels, classes }: Pick<LinearHeadOptions, "labels" | "classes">) {
  const logits = Float64Array.from(outOfFold.logits);
  const losses: number[] = [];
  outOfFold.isHeldOut.forEach((isHeldOut, example) => {
    if (isHeldOut === 1) losses.push(softmaxInPlace(logits, example * classes, classes, labels[example] ?? 0));
  });
  return Float64Array.from(losses);
}

function pairedGain(
  before: Float64Array,
  after: Float64Array,
): { readonly mean: number; readonly standardError: number } {
  const gains = before.map((loss, example) => loss - (after[example] ?? 0));
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  const spread = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(spread / (gains.length * Math.max(gains.length - 1, 1))) };
}
