/** @file Before any training: do the base and the photos fit, and which values does the base take. */
import { classCounts, type PhotoFolder } from "../data/index.ts";
import type { Base } from "../model/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { GraftError } from "../tensor/index.ts";
import { classFindings, pictureFindings, plainMargin, rangeFindings } from "./findings.ts";
import { somePixels } from "./pixels.ts";
import type { Finding } from "./report.ts";
import { compareRanges } from "./statistics.ts";

export interface FitCheck {
  /** The base, with the range that its batch norms tell plainly where nobody said one. */
  readonly base: Base;
  readonly findings: readonly Finding[];
}

export interface FitCheckOptions {
  /** Whether a person said the range, who may be wrong. Default: false. */
  readonly isRangeAsked?: boolean;
}

/**
 * Compares a base with photos. What only a person can mend is thrown; everything else is among the findings.
 *
 * @throws GraftError `bad-data` where nothing can be trained on these photos
 */
export async function checkFit(
  base: Base,
  photos: Pick<PhotoFolder, "train" | "classNames" | "skipped" | "pictures">,
  runtime: Runtime,
  { isRangeAsked = false }: FitCheckOptions = {},
): Promise<FitCheck> {
  const { classNames, skipped, pictures, train } = photos;
  const findings: Finding[] = [
    ...(pictures === undefined ? [] : pictureFindings(base, pictures)),
    ...classFindings({ classNames, counts: classCounts(train), skipped: skipped.length, pictures }),
  ];
  const stop = findings.find(({ severity }) => severity === "stop");
  if (stop !== undefined) throw new GraftError("bad-data", stop.what, { hint: stop.action });
  if (base.range !== undefined && !isRangeAsked) return { base, findings };
  const ranges = await compareRanges(base, await somePixels(base, photos), runtime);
  findings.push(...rangeFindings(base.range, ranges));
  const [likeliest] = ranges?.trials ?? [];
  const isPlain = ranges !== undefined && likeliest !== undefined && ranges.margin >= plainMargin;
  return { base: base.range === undefined && isPlain ? { ...base, range: likeliest.range } : base, findings };
}
